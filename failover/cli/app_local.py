"""The commands of the local cloud."""

from typing import Annotated

import typer

from failover.cli.options import ConfigOption, Name, Names, OutputOption
from failover.cli.output import Output

local = typer.Typer(
    help="The local cloud: providers, DNS hosts and controls as processes on this machine.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@local.command("list")
def local_list(config: ConfigOption = None, output: OutputOption = Output.TABLE) -> None:
    """Clouds with their nodes, DNS hosts and controls."""
    from failover.cli.playing import listing

    listing(config, output)


@local.command("start")
def local_start(names: Names = None, config: ConfigOption = None) -> None:
    """Start what does not run, and end a failure."""
    from failover.cli.playing import start

    start(config, names or [])


@local.command("stop")
def local_stop(names: Names = None, config: ConfigOption = None) -> None:
    """Stop the processes. Nodes, zones and accounts stay on disk."""
    from failover.cli.playing import stop

    stop(config, names or [])


@local.command("close")
def local_close(
    name: Name,
    reason: Annotated[str, typer.Option("--reason", help="What the API says from now on.")] = (
        "this account was closed for a violation of the terms of service"
    ),
    config: ConfigOption = None,
) -> None:
    """Do what a provider does: stop and delete everything, answer 403."""
    from failover.cli.playing import close

    close(config, name, reason)


@local.command("reopen")
def local_reopen(name: Name, config: ConfigOption = None) -> None:
    """Open the account again, empty."""
    from failover.cli.playing import reopen

    reopen(config, name)


@local.command("warn")
def local_warn(
    name: Name,
    message: Annotated[str, typer.Option("--message", help="What the provider says.")] = (
        "this account will be closed in 24 hours"
    ),
    config: ConfigOption = None,
) -> None:
    """The provider warns about the account; everything goes on."""
    from failover.cli.playing import warn

    warn(config, name, message)


@local.command("fail")
def local_fail(
    name: Annotated[str, typer.Argument(help="A cloud or DNS host, as `failover local list` shows it.")],
    mode: Annotated[
        str,
        typer.Option(
            "--mode", help="Clouds: drop, api, refuse, error. DNS hosts: drop, servfail, refuse, refuse-updates, lag."
        ),
    ] = "drop",
    lag: Annotated[float | None, typer.Option("--lag", help="Seconds, for the mode `lag`.")] = None,
    config: ConfigOption = None,
) -> None:
    """Break it until `failover local start NAME`."""
    from failover.cli.playing import fail

    fail(config, name, mode, lag)
