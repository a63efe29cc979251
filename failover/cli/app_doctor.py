"""The commands of `failover doctor`, thin as all of them."""

import os
from typing import Annotated

import typer

from failover.cli.options import ConfigOption, OutputOption
from failover.cli.output import Output

doctors = typer.Typer(invoke_without_command=True, rich_markup_mode=None)

VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Show what is fine, too.")]


@doctors.callback()
def doctor(
    context: typer.Context,
    config: ConfigOption = None,
    verbose: VerboseOption = False,
    output: OutputOption = Output.TABLE,
) -> int:
    """Look for everything that would make a cutover fail. Exits with 1 if one would. See also `doctor dns`."""
    if context.invoked_subcommand is not None:
        if config is not None:
            os.environ["FAILOVER_CONFIG"] = str(config)
        return 0
    from failover.cli.doctor import doctor as command

    return command(config, output, verbose=verbose)


@doctors.command("dns")
def doctor_dns(
    config: ConfigOption = None,
    roots: Annotated[
        list[str] | None,
        typer.Option("--root", metavar="ADDRESS", help="A server of the root to begin at, address:port; repeatable."),
    ] = None,
    verbose: VerboseOption = False,
    output: OutputOption = Output.TABLE,
) -> int:
    """Look at DNS as the world does: delegation, name servers, contents, signatures, registrar."""
    from failover.cli.doctor_dns import doctor_dns as command

    return command(config, output, roots=roots or [], verbose=verbose)
