"""The commands that look: at the outside, or at what was seen there."""

from typing import Annotated

import typer

from failover.cli.options import (
    ConfigOption,
    FormatOption,
    Log,
    MetricsOption,
    OutputOption,
    TextfileOption,
    VantageOption,
)
from failover.cli.output import Output

watching = typer.Typer()


@watching.command()
def check(
    config: ConfigOption = None,
    vantage: VantageOption = None,
    rounds: Annotated[int | None, typer.Option("--rounds", min=1, max=60, help="So many (else runner.rounds).")] = None,
    every: Annotated[float | None, typer.Option("--every", help="Seconds between the rounds.")] = None,
    format: FormatOption = None,
    textfile: TextfileOption = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Say only what failed: for cron, which mails everything.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> int:
    """Look, judge, decide and act: for cron. Exits with 75 when another run is at it."""
    from failover.cli.watching import Wish
    from failover.cli.watching import check as command

    wish = Wish(
        vantage=vantage, output=output, format=format, rounds=rounds, every_s=every, textfile=textfile, quiet=quiet
    )
    return command(config, wish)


@watching.command()
def watch(
    config: ConfigOption = None,
    vantage: VantageOption = None,
    every: Annotated[float | None, typer.Option("--every", help="Seconds between rounds (else runner.every).")] = None,
    log: Annotated[Log, typer.Option("--log", help="How to write to standard error.")] = Log.TEXT,
    metrics: MetricsOption = None,
    textfile: TextfileOption = None,
) -> int:
    """Check again and again, until SIGTERM; SIGHUP reads the config anew."""
    from failover.cli.daemon import WatchWish
    from failover.cli.daemon import watch as command

    return command(config, WatchWish(vantage=vantage, every_s=every, log=log, metrics=metrics, textfile=textfile))


@watching.command()
def status(
    config: ConfigOption = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Show it anew every second.")] = False,
    format: FormatOption = None,
    output: OutputOption = Output.TABLE,
) -> int:
    """Which site is active, is it safe, and what happens next."""
    if format is not None:
        from failover.cli.watching import as_plugin

        return as_plugin(config, lambda _config: None)
    from failover.cli.showing import status as command

    return command(config, output, watch=watch)


@watching.command()
def history(
    config: ConfigOption = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many entries.")] = 100,
    output: OutputOption = Output.TABLE,
) -> None:
    """Plans and audit log, the newest last."""
    from failover.cli.showing import history as command

    command(config, output, limit)


@watching.command()
def show(
    plan: Annotated[str, typer.Argument(help="A plan's id, as `failover history` shows it, or a site's name.")],
    config: ConfigOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """One plan with its whole journal, or one site with what its account has said."""
    from failover.cli.showing import show as command

    command(config, output, plan)
