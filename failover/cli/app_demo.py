"""The demo."""

from pathlib import Path
from typing import Annotated

import typer

from failover.cli.options import OutputOption
from failover.cli.output import Output

demonstration = typer.Typer()


@demonstration.command()
def demo(
    output: OutputOption = Output.TABLE,
    keep: Annotated[Path | None, typer.Option("--keep", help="Leave everything in this directory.")] = None,
) -> int:
    """Lose a provider under load on this machine, and come back: every number measured."""
    from failover.cli.demo import run as command

    return command(output.value, keep)
