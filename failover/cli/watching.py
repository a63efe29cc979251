"""check and watch: the line, once or again and again."""

import signal
import threading
from pathlib import Path
from types import FrameType

from failover.cli.output import Output, emit, emit_json, progress
from failover.cli.wiring import config_of, context_of, process_started
from failover.core.outlook import next_action
from failover.engine.context import TICK, Context, leased
from failover.engine.tick import TickReport, tick
from failover.errors import FailoverError, LockedError

DONE, FAILED = 0, 1


def check(config: Path | None, output: Output, vantage: str | None) -> int:
    context = context_of(config_of(config), vantage=vantage)
    with leased(context, TICK) as term:
        _leave_to_another(context)
        report = tick(context, term=term)
    if output is Output.JSON:
        emit_json(_document(context, report))
    else:
        emit(_line(report))
        for reason in report.decision.reasons:
            emit(f"  {reason}")
    return FAILED if report.failed else DONE


def _leave_to_another(context: Context) -> None:
    """Of two checks at once one works, also when the other came to the lock only after it. Raises LockedError."""
    last = context.store.load().last_tick
    if last is not None and last.since(process_started()) > 0:
        cause = "another run has looked while this one was starting"
        raise LockedError("check", context.service.name, cause, "nothing: it judged and acted")


def _document(context: Context, report: TickReport) -> dict[str, object]:
    state, decision = report.world.state, report.decision
    return {
        "service": state.service,
        "active_site": state.active_site,
        "epoch": state.epoch,
        "decision": decision.kind.value,
        "target": decision.target,
        "reasons": list(decision.reasons),
        "verdicts": {n: w.verdict.kind.value for n, w in state.watch.items() if w.verdict is not None},
        "plans": [p.id for p in report.plans],
        "debts": [d.host for d in state.debts],
        "next": next_action(context.service, report.world),
    }


def _line(report: TickReport) -> str:
    state = report.world.state
    sites = ", ".join(f"{name} {w.verdict.kind}" for name, w in state.watch.items() if w.verdict is not None)
    to = f" to {report.decision.target}" if report.decision.target else ""
    head = f"{state.service}: active {state.active_site or 'nowhere'} (epoch {state.epoch})"
    return f"{head}: {report.decision.kind}{to}; {sites}"


# ------------------------------------------------------------------------------------ watch


def watch(config: Path | None, vantage: str | None, every: float | None) -> int:
    """Rounds at a steady pace until SIGTERM or SIGINT. Trouble in one round is logged; the next one comes."""
    stop = threading.Event()

    def on_signal(number: int, _frame: FrameType | None) -> None:
        progress(f"{signal.Signals(number).name}: ends after this round")
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    context = context_of(config_of(config), vantage=vantage)
    context.store.load()  # a state that cannot be used is said at once, not in every round
    interval_s = every if every is not None else context.service.every_s
    progress(f"watching {context.service.name} every {interval_s:g} s")
    _rounds(context, interval_s, stop)
    return DONE


def _rounds(context: Context, interval_s: float, stop: threading.Event) -> None:
    runtime = context.runtime
    said = ""
    due = runtime.now()
    while not stop.is_set():
        text = _round(context)
        if text != said:
            progress(text)
            said = text
        now = runtime.now()
        late_s = now.since(due)
        rounds = int(late_s // interval_s) + 1
        due = due.plus(rounds * interval_s)
        stop.wait(due.since(now))


def _round(context: Context) -> str:
    """One round; what it came to, as a line."""
    try:
        with leased(context, TICK) as term:
            report = tick(context, term=term)
    except LockedError as error:
        return f"skipped: {error}"
    except FailoverError as error:
        return f"failed: {error}" + (f" (next: {error.hint})" if error.hint else "")
    return "\n".join([_line(report), *(f"  {r}" for r in report.decision.reasons)])
