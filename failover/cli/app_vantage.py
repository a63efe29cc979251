"""The commands of `failover vantage`."""

from pathlib import Path
from typing import Annotated

import typer

from failover.cli.options import ConfigOption, OutputOption, VantageOption
from failover.cli.output import Output

vantage = typer.Typer(
    help="Other vantages: places that look when the controller asks them.", no_args_is_help=True, rich_markup_mode=None
)


@vantage.command(name="serve")
def vantage_serve(
    vantage: VantageOption = None,
    listen: Annotated[str, typer.Option("--listen", help="ADDRESS:PORT to answer at.")] = "127.0.0.1:8443",
    certificate: Annotated[
        Path | None, typer.Option("--certificate", help="PEM file for HTTPS, with its chain.")
    ] = None,
    private_key: Annotated[Path | None, typer.Option("--private-key", help="PEM file of its private key.")] = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="Answer without HTTPS also beyond this machine: inside a tunnel.")
    ] = False,
    config: ConfigOption = None,
) -> int:
    """Look at the sites whenever the controller asks, and answer signed. Needs no credential of any provider."""
    from failover.cli.vantages import serve as command

    return command(config, vantage, listen, certificate, private_key, plain=plain)


@vantage.command(name="ask")
def vantage_ask(
    names: Annotated[list[str] | None, typer.Argument(help="Which ones (all, if none is named).")] = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TABLE,
) -> int:
    """Ask other vantages what they see now; exits with 1 if one cannot be heard."""
    from failover.cli.vantages import ask as command

    return command(config, names or [], output)
