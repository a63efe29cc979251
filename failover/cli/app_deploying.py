"""The commands that write, check and carry out a config."""

from pathlib import Path
from typing import Annotated

import typer

from failover.cli.durations import patience_s
from failover.cli.options import ConfigOption, OutputOption, WaitOption, YesOption
from failover.cli.output import Output

deploying = typer.Typer()


@deploying.command()
def init(
    directory: Annotated[Path, typer.Argument(help="Where to write the config.")] = Path(),
    local: Annotated[bool, typer.Option("--local", help="A playground of local clouds, ready to run.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what stands there.")] = False,
) -> None:
    """Write a starting config."""
    from failover.cli.configuring import init as command

    command(directory, local=local, force=force)


@deploying.command()
def validate(config: ConfigOption = None, output: OutputOption = Output.TABLE) -> None:
    """Check the config; every error at once, with its line and column."""
    from failover.cli.configuring import validate as command

    command(config, output)


@deploying.command()
def schema() -> None:
    """Print the JSON Schema of the config."""
    from failover.cli.configuring import schema as command

    command()


@deploying.command()
def plan(config: ConfigOption = None, output: OutputOption = Output.TABLE) -> int:
    """Show what `apply` would change. Exits with 0: nothing, 2: something, 1: something cannot be done."""
    from failover.cli.deploying import plan as command

    return command(config, output)


@deploying.command()
def apply(
    config: ConfigOption = None,
    yes: YesOption = False,
    adopt: Annotated[bool, typer.Option("--adopt", help="Take over records that exist already.")] = False,
    wait: WaitOption = "0s",
    output: OutputOption = Output.TABLE,
) -> int:
    """Mirror the deployment to every site, and publish DNS the first time. Never changes the active site."""
    from failover.cli.deploying import apply as command

    return command(config, output, yes=yes, adopt=adopt, wait_s=patience_s("--wait", wait))


@deploying.command()
def destroy(
    config: ConfigOption = None,
    yes: YesOption = False,
    site: Annotated[str | None, typer.Option("--site", help="Only at this site, which serves nobody.")] = None,
    forget: Annotated[bool, typer.Option("--forget", help="Nothing stands at the site any more: ask nobody.")] = False,
    wait: WaitOption = "0s",
    output: OutputOption = Output.TABLE,
) -> int:
    """Take down what `apply` made, and nothing else."""
    from failover.cli.destroying import destroy, destroy_site

    if site is None and not forget:
        return destroy(config, output, yes=yes, wait_s=patience_s("--wait", wait))
    return destroy_site(config, output, site, forget=forget, yes=yes, wait_s=patience_s("--wait", wait))
