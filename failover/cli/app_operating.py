"""The commands by which a person decides: moves, orders, and what only a person knows."""

from typing import Annotated

import typer

from failover.cli.durations import patience_s
from failover.cli.options import (
    NO_REASON,
    ClearOption,
    ConfigOption,
    ForOption,
    OutputOption,
    ReasonOption,
    TimeoutOption,
    WaitOption,
    YesOption,
)
from failover.cli.output import Output

operating = typer.Typer()


@operating.command()
def cutover(
    site: Annotated[str | None, typer.Argument(help="Where to (else the first ready site).")] = None,
    config: ConfigOption = None,
    yes: YesOption = False,
    force: Annotated[bool, typer.Option("--force", help="Also to a site that is not ready.")] = False,
    wait: WaitOption = "30s",
    timeout: TimeoutOption = "300s",
    output: OutputOption = Output.TABLE,
) -> int:
    """Move the service to another site by hand. Cooldown and daily limit do not bind a person."""
    from failover.cli.operating import cutover as command

    return command(
        config,
        output,
        site,
        yes=yes,
        force=force,
        lease_wait_s=patience_s("--wait", wait),
        wait_s=patience_s("--timeout", timeout),
    )


@operating.command()
def failback(
    config: ConfigOption = None,
    yes: YesOption = False,
    force: Annotated[bool, typer.Option("--force", help="Also if it is not ready.")] = False,
    wait: WaitOption = "30s",
    timeout: TimeoutOption = "300s",
    output: OutputOption = Output.TABLE,
) -> int:
    """Move the service back to the most preferred site."""
    from failover.cli.operating import failback as command

    return command(
        config,
        output,
        yes=yes,
        force=force,
        lease_wait_s=patience_s("--wait", wait),
        wait_s=patience_s("--timeout", timeout),
    )


@operating.command()
def approve(
    proposal: Annotated[str, typer.Argument(help="Its id, as the question and `failover status` show it.")],
    config: ConfigOption = None,
) -> None:
    """Say yes to a proposed cutover; the next check carries it out."""
    from failover.cli.operating import approve as command

    command(config, proposal)


@operating.command()
def abort(
    plan: Annotated[str, typer.Argument(help="Its id, as `failover status` shows it.")], config: ConfigOption = None
) -> None:
    """Unwind a plan before its pivot. Needs no lock."""
    from failover.cli.operating import abort as command

    command(config, plan)


@operating.command("continue")
def go_on(
    plan: Annotated[str | None, typer.Argument(help="Its id (else the open one).")] = None,
    config: ConfigOption = None,
    force: Annotated[bool, typer.Option("--force", help="Pass over records that somebody else changed.")] = False,
    wait: WaitOption = "30s",
    timeout: TimeoutOption = "300s",
    output: OutputOption = Output.TABLE,
) -> int:
    """Go on with the open plan now, instead of at the next check."""
    from failover.cli.operating import go_on as command

    return command(
        config,
        output,
        plan,
        force=force,
        lease_wait_s=patience_s("--wait", wait),
        wait_s=patience_s("--timeout", timeout),
    )


@operating.command()
def pause(
    reason: ReasonOption = NO_REASON,
    duration: ForOption = None,
    config: ConfigOption = None,
) -> None:
    """Nothing automatic starts from now on. Needs no lock."""
    from failover.cli.operating import pause as command

    command(config, reason, duration)


@operating.command()
def unpause(config: ConfigOption = None) -> None:
    """End the pause."""
    from failover.cli.operating import unpause as command

    command(config)


@operating.command()
def prepare(
    end: Annotated[bool, typer.Option("--end", help="No cutover is near any more.")] = False,
    reason: ReasonOption = NO_REASON,
    duration: ForOption = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TABLE,
    wait: WaitOption = "30s",
    timeout: TimeoutOption = "120s",
) -> int:
    """Lower the TTL ahead of a planned cutover, from `dns.ttl_steady` to `dns.ttl`."""
    from failover.cli.operating import prepare as command

    return command(
        config,
        output,
        reason,
        duration,
        end=end,
        lease_wait_s=patience_s("--wait", wait),
        wait_s=patience_s("--timeout", timeout),
    )


@operating.command()
def drain(
    site: Annotated[str, typer.Argument(help="Which one.")],
    reason: ReasonOption = NO_REASON,
    duration: ForOption = None,
    clear: ClearOption = False,
    config: ConfigOption = None,
) -> None:
    """Keep the service away from a site: nothing moves there. Needs no lock."""
    from failover.cli.operating import force as command

    command(config, site, None if clear else "drained", reason, duration)


@operating.command()
def force(
    site: Annotated[str, typer.Argument(help="Which one.")],
    word: Annotated[str | None, typer.Argument(metavar="[up|down]", help="What it counts as.")] = None,
    reason: ReasonOption = NO_REASON,
    duration: ForOption = None,
    clear: ClearOption = False,
    config: ConfigOption = None,
) -> None:
    """Let a site count as up or down, whatever its checks say. Needs no lock."""
    from failover.cli.operating import force as command
    from failover.cli.operating import forced_word

    command(config, site, forced_word(word, clear=clear), reason, duration)


@operating.command()
def account(
    site: Annotated[str, typer.Argument(help="The site at whose provider it is.")],
    word: Annotated[
        str, typer.Argument(metavar="WORD", help="closed, open, or rotated (the credential was replaced).")
    ],
    config: ConfigOption = None,
    wait: WaitOption = "60s",
) -> None:
    """Say what you know about a provider's account: evidence among other evidence."""
    from failover.cli.operating import account as command

    command(config, site, word, lease_wait_s=patience_s("--wait", wait))
