"""The commands of `failover vantage`."""

from typing import Annotated

import typer

from failover.cli.options import (
    LISTEN,
    CertificateOption,
    ConfigOption,
    ListenOption,
    OutputOption,
    PlainOption,
    PrivateKeyOption,
    VantageOption,
)
from failover.cli.output import Output

vantage = typer.Typer(
    help="Other vantages: places that look when the controller asks them.", no_args_is_help=True, rich_markup_mode=None
)


@vantage.command(name="serve")
def vantage_serve(
    vantage: VantageOption = None,
    listen: ListenOption = LISTEN,
    certificate: CertificateOption = None,
    private_key: PrivateKeyOption = None,
    plain: PlainOption = False,
    config: ConfigOption = None,
) -> int:
    """Look at the sites whenever the controller asks, and answer signed. Needs no credential of any provider."""
    from failover.cli.vantages import ServeWish
    from failover.cli.vantages import serve as command

    wish = ServeWish(vantage=vantage, listen=listen, certificate=certificate, private_key=private_key, plain=plain)
    return command(config, wish)


@vantage.command(name="ask")
def vantage_ask(
    names: Annotated[list[str] | None, typer.Argument(help="Which ones (all, if none is named).")] = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TABLE,
) -> int:
    """Ask other vantages what they see now; exits with 1 if one cannot be heard."""
    from failover.cli.vantages import ask as command

    return command(config, names or [], output)
