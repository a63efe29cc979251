"""check: the line, once or a few times, for cron and monitoring systems."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from failover.cli.nagios import plugin_line
from failover.cli.options import Format
from failover.cli.output import Output, emit, emit_json, progress
from failover.cli.showing import budget_of, world_of
from failover.cli.wiring import config_of, context_of, instant, process_started, store_of, switch_of, write_metrics
from failover.config.model import Config
from failover.core.alarm import Level
from failover.core.budget import observe_s
from failover.core.measures import measures
from failover.core.model import Instant
from failover.core.outlook import next_action
from failover.engine.context import TICK, Context, leased
from failover.engine.tick import TickReport, tick
from failover.errors import ConfigError, FailoverError, LockedError, UsageError

DONE, FAILED = 0, 1
DAY_S = 86400.0
BURST = "burst"
"""The lease of a check of several rounds: two of them never run side by side, while an operator's command can go in
between two rounds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the command line says. None: as the config says."""

    vantage: str | None = None
    output: Output = Output.TABLE
    format: Format | None = None
    rounds: int | None = None
    every_s: float | None = None
    textfile: Path | None = None
    quiet: bool = False


def check(config: Path | None, wish: Wish) -> int:
    if wish.format is None:
        try:
            return _check(config_of(config), wish)
        except LockedError as error:
            if wish.quiet:  # cron would mail it, and there is nothing to do
                return error.exit_code
            raise
    return as_plugin(config, lambda found: _check(found, wish))


def _check(config: Config, wish: Wish) -> int:
    context, switch = context_of(config, vantage=wish.vantage), switch_of(config)
    code: int | None = FAILED
    try:
        code = _rounds_said(config, context, wish, switch.started)
        return code
    except LockedError:
        code = None  # whoever holds the lock tells the switch
        raise
    except FailoverError as error:
        code = error.exit_code
        raise
    finally:
        if code is not None:
            switch.ended(code)
        switch.close()


def _rounds_said(config: Config, context: Context, wish: Wish, begun: Callable[[], None]) -> int:
    """Print what each round came to, where it differs from the one before. Returns the exit code of all of them."""
    said, failed, last, made = "", False, None, 0
    unwritten: FailoverError | None = None
    for report in _burst(context, wish, begun):
        last, failed, made = report, failed or report.failed, made + 1
        unwritten = _unwritten(config, wish, report)
        text = text_of(report)
        if wish.output is Output.TABLE and wish.format is None and not wish.quiet and text != said:
            emit(text)
        said = text
    if last is not None and wish.output is Output.JSON and wish.format is None and not wish.quiet:
        emit_json(_document(context, last))
    if failed and wish.quiet:
        progress(said)
    if wish.rounds is not None and made < wish.rounds and wish.format is None and not wish.quiet:
        progress(
            f"failover: {made} of {wish.rounds} rounds were made: the others no longer fitted before the next check"
        )
    if unwritten is not None:
        raise unwritten
    return FAILED if failed else DONE


def _unwritten(config: Config, wish: Wish, report: TickReport) -> FailoverError | None:
    """Write the metrics. What is wrong with their file is told when all rounds are made: it must not stop one."""
    if wish.textfile is None:
        return None
    world = replace(report.world, now=instant())
    try:
        write_metrics(wish.textfile, config, measures(config.service, world, budget_of(config, world)))
    except FailoverError as error:
        return error
    return None


# ------------------------------------------------------------------------------------ rounds


def _burst(context: Context, wish: Wish, begun: Callable[[], None]) -> Iterator[TickReport]:
    """The rounds of one check; raises LockedError when the first one cannot be had.

    The last one is over before the next check may begin: what does not fit any more is left to that one.
    """
    rounds, every_s = _pace(context, wish)
    started = process_started()
    if rounds == 1:
        yield _round(context, started, begun)
        return
    with leased(context, BURST):
        yield _round(context, started, begun)
        next_s = max(rounds * every_s, context.service.every_s)
        last_s = max(0.0, next_s - observe_s(context.service))
        while (due_s := _next_due_s(context, started, every_s)) <= min((rounds - 1) * every_s, last_s):
            context.runtime.sleep(started.plus(due_s).since(context.runtime.now()))
            try:
                yield _round(context)
            except LockedError:
                continue  # an operator's command is at work, and looks for itself


def _pace(context: Context, wish: Wish) -> tuple[int, float]:
    service = context.service
    rounds, every_s = wish.rounds or service.rounds, wish.every_s
    if every_s is not None:
        demand_pace("check", every_s)
    return rounds, every_s if every_s is not None else service.every_s / rounds


def demand_pace(command: str, every_s: float) -> None:
    """Raises UsageError for seconds between rounds that make no sense."""
    if not 0 < every_s <= DAY_S:
        raise UsageError(command, f"--every {every_s:g}", "it must be longer than 0, and a day at most")


def _next_due_s(context: Context, started: Instant, every_s: float) -> float:
    """When the next round is due, in seconds since the beginning. Rounds that were missed are not made up for."""
    return (context.runtime.now().since(started) // every_s + 1) * every_s


def _nothing() -> None: ...


def _round(context: Context, started: Instant | None = None, begun: Callable[[], None] = _nothing) -> TickReport:
    with leased(context, TICK) as term:
        if started is not None:
            _leave_to_another(context, started)
        begun()
        return tick(context, term=term)


def _leave_to_another(context: Context, started: Instant) -> None:
    """Of two checks at once one works, also when the other came to the lock only after it. Raises LockedError."""
    last = context.store.load().last_tick
    if last is not None and last.since(started) > 0:
        cause = "another run has looked while this one was starting"
        raise LockedError("check", context.service.name, cause, "nothing: it judged and acted")


# ------------------------------------------------------------------------------------ what it came to


def as_plugin(config: Path | None, do: Callable[[Config], object]) -> int:
    """Run it as a monitoring plug-in: one line on standard output, and the exit code of its first word.

    Whatever goes wrong is UNKNOWN; another run that holds the lock is no trouble, its findings are told.
    """
    try:
        found = config_of(config)
        with suppress(LockedError):
            do(found)
        line, level = plugin_line(found, world_of(store_of(found)))
    except FailoverError as error:
        findings = error.findings if isinstance(error, ConfigError) else ()
        first = f": {findings[0].splitlines()[0]}" if findings else ""
        line, level = f"FAILOVER UNKNOWN - {error}{first}", Level.UNKNOWN
    emit(line)
    return int(level)


def _document(context: Context, report: TickReport) -> dict[str, object]:
    state, decision = report.world.state, report.decision
    return {
        "service": state.service,
        "active_site": state.active_site,
        "epoch": state.epoch,
        "decision": decision.kind.value,
        "target": decision.target,
        "reasons": list(decision.reasons),
        "verdicts": verdicts_of(report),
        "plans": [p.id for p in report.plans],
        "debts": [d.host for d in state.debts],
        "next": next_action(context.service, report.world),
    }


def verdicts_of(report: TickReport) -> dict[str, str]:
    """By site."""
    watches = report.world.state.watch.items()
    return {name: watch.verdict.kind.value for name, watch in watches if watch.verdict is not None}


def text_of(report: TickReport) -> str:
    """What a round came to: a line, and below it the reasons."""
    state = report.world.state
    sites = ", ".join(f"{name} {kind}" for name, kind in verdicts_of(report).items())
    to = f" to {report.decision.target}" if report.decision.target else ""
    head = f"{state.service}: active {state.active_site or 'nowhere'} (epoch {state.epoch})"
    return "\n".join([f"{head}: {report.decision.kind}{to}; {sites}", *(f"  {r}" for r in report.decision.reasons)])
