"""Tell people: each notice once, to every notifier, best effort. A failed delivery is an entry in the audit log."""

from collections.abc import Sequence
from functools import partial

from failover.core.saga import Event, EventKind
from failover.core.world import State
from failover.engine.context import Context
from failover.engine.outcome import problem_of
from failover.ports import Call, Notice, Urgency

NOTIFY_S = 10.0
TOLD = "told:"


def told(plan_id: str) -> str:
    """The word in `State.notice` that says that the end of this plan was told."""
    return f"{TOLD}{plan_id}"


def note(context: Context, step: str, reason: str, *, term: int) -> None:
    """One entry of the audit log that belongs to no plan."""
    event = Event(plan="", step=step, kind=EventKind.NOTE, at=context.runtime.now(), reason=reason)
    context.store.append(event, term=term)


def notice(
    context: Context,
    state: State,
    event: str,
    severity: Urgency,
    title: str,
    reasons: tuple[str, ...],
    plan: str | None = None,
) -> Notice:
    return Notice(
        service=context.service.name,
        event=event,
        severity=severity,
        title=title,
        reasons=reasons,
        at=context.runtime.now(),
        epoch=state.epoch,
        active_site=state.active_site,
        plan=plan,
    )


def send_all(context: Context, notices: Sequence[Notice], *, term: int) -> None:
    """Send every notice to every notifier, in parallel, and write down what happened."""
    calls = [
        Call(what=f"notify {n.event}", do=partial(notifier.send, n), deadline_s=NOTIFY_S)
        for n in notices
        for notifier in context.notifiers
    ]
    for n in notices:
        note(context, "notify", f"{n.severity}: {n.title}", term=term)
    for call, done in zip(calls, context.runtime.together(calls), strict=True):
        problem = problem_of(done)
        if problem is not None:
            note(context, "notify-failed", f"{call.what}: {problem}", term=term)
