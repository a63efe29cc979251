"""The journal of a plan: what may follow what, and what comes next after any crash."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.core.cutover import PIVOT, CutoverPlan, PlanKind, Step
from failover.core.model import Standby
from failover.core.saga import (
    Close,
    Event,
    EventKind,
    IllegalJournal,
    NextMove,
    Over,
    Run,
    Status,
    Undo,
    fold,
    next_move,
)
from tests.core.builders import SERVICE, SITES, at, plan

COLD = replace(SERVICE, sites=(SITES[0], replace(SITES[1], standby=Standby.COLD), SITES[2]))
FULL = plan(service=COLD)
SHORT = plan(kind=PlanKind.REFRESH)
PLANS = (FULL, plan(), plan(automatic=False, hooks=False), SHORT, plan(kind=PlanKind.WITHDRAW))
BEFORE_PIVOT = (Step.CLAIM, Step.RECONFIRM, Step.PREFLIGHT, Step.BEFORE_HOOKS, Step.SCALE, Step.VERIFY)


def event(step: str, kind: EventKind, number: int = 0, **changed: object) -> Event:
    base = Event(plan="plan1", step=step, kind=kind, at=at(number), sequence=number, reason=f"{kind} {step}")
    return replace(base, **changed)  # type: ignore[arg-type]


def journal(text: str) -> list[Event]:
    """`claim:started claim:ok …`; a bare step name is both."""
    events: list[Event] = []
    for word in text.split():
        step, _, kind = word.partition(":")
        for each in (kind,) if kind else ("started", "ok"):
            events.append(event(step, EventKind(each), len(events)))
    return events


def after(text: str, of: CutoverPlan = FULL) -> Status:
    return fold(of, journal(text))


ALL_BEFORE = " ".join(BEFORE_PIVOT)

# ------------------------------------------------------------------------------------ stories


@pytest.mark.parametrize(
    ("story", "text", "aborted", "move"),
    [
        ("1 nothing happened yet", "", False, Run(step=Step.CLAIM)),
        ("2 aborted before anything", "", True, Close()),
        ("3 a step is done", "claim", False, Run(step=Step.RECONFIRM)),
        ("4 a crash in a step", "claim reconfirm:started", False, Run(step=Step.RECONFIRM)),
        ("5 a call that hung", "claim reconfirm:started reconfirm:unknown", False, Run(step=Step.RECONFIRM)),
        ("6 a step that waits", "claim reconfirm:started reconfirm:waiting", False, Run(step=Step.RECONFIRM)),
        ("7 a failure with nothing to undo", "claim reconfirm:started reconfirm:failed", False, Close()),
        (
            "8 a failure after the hooks ran",
            "claim reconfirm preflight before-hooks scale:started scale:failed",
            False,
            Undo(step=Step.SCALE),
        ),
        (
            "9 the last is undone first",
            "claim reconfirm preflight before-hooks scale:started scale:failed scale:undo-started scale:undo-ok",
            False,
            Undo(step=Step.BEFORE_HOOKS),
        ),
        (
            "10 an undo that fails is tried again",
            "claim reconfirm preflight before-hooks scale:started scale:failed scale:undo-started scale:undo-failed",
            False,
            Undo(step=Step.SCALE),
        ),
        (
            "11 a crash in an undo",
            "claim reconfirm preflight before-hooks scale:started scale:failed scale:undo-started",
            False,
            Undo(step=Step.SCALE),
        ),
        (
            "12 all is undone",
            "claim reconfirm preflight before-hooks:started before-hooks:failed before-hooks:undo-started "
            "before-hooks:undo-ok",
            False,
            Close(),
        ),
        ("13 aborted in the middle", "claim reconfirm preflight before-hooks", True, Undo(step=Step.BEFORE_HOOKS)),
        ("14 ready for the pivot", ALL_BEFORE, False, Run(step=Step.SWAP)),
        ("15 aborted just before the pivot", ALL_BEFORE, True, Undo(step=Step.SCALE)),
        ("16 the last look said no", ALL_BEFORE + " swap:refused", False, Undo(step=Step.SCALE)),
        ("17 an abort after the pivot's start comes too late", ALL_BEFORE + " swap:started", True, Run(step=Step.SWAP)),
        ("18 a failed pivot goes on", ALL_BEFORE + " swap:started swap:failed", False, Run(step=Step.SWAP)),
        (
            "19 after the pivot a failure goes on",
            ALL_BEFORE + " swap confirm:started confirm:failed",
            True,
            Run(step=Step.CONFIRM),
        ),
        ("20 only the end is left", ALL_BEFORE + " swap confirm after-hooks", False, Run(step=Step.COMMIT)),
        (
            "21 a crash in the commit",
            ALL_BEFORE + " swap confirm after-hooks commit:started",
            False,
            Run(step=Step.COMMIT),
        ),
        ("22 it is closed", ALL_BEFORE + " swap confirm after-hooks commit :closed", False, Over()),
        ("23 closed half-way by a later plan", ALL_BEFORE + " swap :closed", True, Over()),
        ("24 a note changes nothing", "claim :note", False, Run(step=Step.RECONFIRM)),
        ("25 a note between start and outcome", "claim:started :note claim:ok", False, Run(step=Step.RECONFIRM)),
    ],
)
def test_next_move(story: str, text: str, aborted: bool, move: NextMove) -> None:
    assert next_move(FULL, after(text), aborted=aborted) == move, story


@pytest.mark.parametrize(
    ("story", "text"),
    [
        ("1 a step out of order", "reconfirm:started"),
        ("2 a step that the plan has not", "promote:started"),
        ("3 an outcome without its start", "claim:ok"),
        ("4 an outcome of another step", "claim:started reconfirm:ok"),
        ("5 two outcomes", "claim:started claim:ok claim:ok"),
        ("6 a step started again after it was done", "claim claim:started"),
        ("7 forward while unwinding", "claim:started claim:failed claim:started"),
        ("8 an undo of what was never begun", "claim scale:undo-started"),
        ("9 an undo of what cannot be undone", "claim claim:undo-started"),
        ("10 an undo without its start", "claim reconfirm preflight before-hooks before-hooks:undo-ok"),
        ("11 an undo after the pivot's start", ALL_BEFORE + " swap:started scale:undo-started"),
        (
            "12 an undo twice",
            "claim reconfirm preflight before-hooks before-hooks:undo-started before-hooks:undo-ok "
            "before-hooks:undo-started",
        ),
        ("13 the outcome of another undo", ALL_BEFORE + " scale:undo-started before-hooks:undo-ok"),
        ("14 a refusal of a step that is not the pivot", "claim:refused"),
        ("15 a refusal before the pivot is due", "claim swap:refused"),
        ("16 a refusal after the pivot's start", ALL_BEFORE + " swap:started swap:refused"),
        ("17 a second refusal", ALL_BEFORE + " swap:refused swap:refused"),
        ("18 anything after the end", "claim :closed reconfirm:started"),
        ("19 even a note after the end", "claim :closed :note"),
    ],
)
def test_a_damaged_journal_is_refused(story: str, text: str) -> None:
    with pytest.raises(IllegalJournal):
        after(text)


def test_an_event_of_another_plan_is_refused() -> None:
    with pytest.raises(IllegalJournal, match="does not belong"):
        fold(FULL, [event("claim", EventKind.STARTED, plan="plan2")])


def test_all_steps_done_but_never_closed_cannot_be() -> None:
    """The last step's outcome and the end are written in one transaction."""
    with pytest.raises(IllegalJournal, match="never closed"):
        next_move(SHORT, after("claim verify swap confirm commit", SHORT))


def test_a_status_tells_what_happened() -> None:
    events = [
        *journal("claim"),
        event("reconfirm", EventKind.STARTED, 10),
        event("reconfirm", EventKind.WAITING, 11),
        event("reconfirm", EventKind.STARTED, 20),
        event("reconfirm", EventKind.OK, 21, output={"samples": 2}),
    ]
    status = fold(FULL, events)
    assert status.outputs == {Step.CLAIM: {}, Step.RECONFIRM: {"samples": 2}}
    assert status.begun == (Step.CLAIM, Step.RECONFIRM)
    assert status.step_started == at(10)
    assert (status.step, status.last, status.reason) == (Step.RECONFIRM, EventKind.OK, "ok reconfirm")
    assert not status.pivoted
    assert not status.closed


# ------------------------------------------------------------------------------------ any run, any crash


class Walk:
    """A run of the engine on one plan, with outcomes from outside; it keeps what it has seen for the assertions."""

    def __init__(self, of: CutoverPlan) -> None:
        self.plan = of
        self.events: list[Event] = []
        self.moves: list[NextMove] = []

    def write(self, step: str, kind: EventKind) -> None:
        self.events.append(event(step, kind, len(self.events)))

    def step(self, outcome: str, *, aborted: bool) -> bool:
        """One move and its outcome; `crash` stops after the start was written. Returns whether the plan has ended."""
        status = fold(self.plan, self.events)
        move = next_move(self.plan, status, aborted=aborted)
        self.moves.append(move)
        match move:
            case Over():
                return True
            case Close():
                self.write("", EventKind.CLOSED)
            case Undo(step=step):
                assert not status.pivoted
                self.write(step, EventKind.UNDO_STARTED)
                if outcome != "crash":
                    self.write(step, EventKind.UNDO_OK if outcome == "ok" else EventKind.UNDO_FAILED)
            case Run(step=step):
                assert step not in status.outputs
                self.run(step, outcome, status)
        return False

    def run(self, step: Step, outcome: str, status: Status) -> None:
        if step is PIVOT and not status.pivoted and outcome == "refused":
            self.write(step, EventKind.REFUSED)
            return
        self.write(step, EventKind.STARTED)
        if outcome in ("crash", "refused"):
            return
        if step is Step.COMMIT:  # it cannot fail half-way: its outcome and the end are one transaction
            outcome = "ok"
        self.write(step, EventKind(outcome))
        if step is Step.COMMIT:
            self.write("", EventKind.CLOSED)


outcomes = st.lists(st.sampled_from(("ok", "ok", "ok", "waiting", "failed", "unknown", "crash", "refused")))


@given(st.sampled_from(PLANS), outcomes, st.integers(0, 40))
def test_every_run_ends_as_it_should(of: CutoverPlan, script: list[str], aborted_at: int) -> None:
    """Whatever happens first: once steps succeed, the plan ends soon, and never half-way."""
    walk = Walk(of)
    for number, outcome in enumerate(script):
        walk.step(outcome, aborted=number >= aborted_at)
    for _ in range(2 * len(of.steps) + 2):
        if walk.step("ok", aborted=len(script) >= aborted_at):
            break
    else:
        pytest.fail(f"no end after {walk.moves}")
    status = fold(of, walk.events)
    assert status.closed
    ran = [m.step for m in walk.moves if isinstance(m, Run)]
    assert list(dict.fromkeys(ran)) == list(of.steps[: len(set(ran))])
    if status.pivoted:
        assert set(status.outputs) == set(of.steps)
        assert not any(isinstance(m, Close) for m in walk.moves)
        first = next(n for n, e in enumerate(walk.events) if e.step == PIVOT and e.kind is EventKind.STARTED)
        assert not any(e.kind.value.startswith("undo") for e in walk.events[first:])
    else:
        assert walk.moves.count(Close()) == 1
        begun = [s for s in status.begun if s in (Step.BEFORE_HOOKS, Step.SCALE)]
        assert list(status.undone) == begun[::-1]


@given(st.sampled_from(PLANS), outcomes)
def test_a_crash_at_any_point_comes_back_to_the_same_move(of: CutoverPlan, script: list[str]) -> None:
    """The journal alone decides: a start without an outcome is that same step again, everything else goes on."""
    walk = Walk(of)
    for outcome in script:
        walk.step(outcome, aborted=False)
    for length in range(len(walk.events) + 1):
        prefix = walk.events[:length]
        status = fold(of, prefix)
        if length and prefix[-1].kind is EventKind.OK and prefix[-1].step == Step.COMMIT:
            continue  # never seen alone
        move = next_move(of, status)
        assert move == next_move(of, fold(of, [replace(e) for e in prefix]))
        last = prefix[-1] if prefix else None
        if last is not None and last.kind in (EventKind.STARTED, EventKind.WAITING, EventKind.UNKNOWN):
            assert move == Run(step=Step(last.step))
        if last is not None and last.kind in (EventKind.UNDO_STARTED, EventKind.UNDO_FAILED):
            assert move == Undo(step=Step(last.step))


def legal(of: CutoverPlan, events: list[Event], new: Event) -> bool:
    """What may come next, by the history alone."""
    history = [e for e in events if e.kind is not EventKind.NOTE]
    kinds = [(e.step, e.kind.value) for e in history]
    if any(kind == "closed" for _, kind in kinds):
        return False
    if new.kind in (EventKind.CLOSED, EventKind.NOTE):
        return True
    last = kinds[-1] if kinds else ("", "")
    pivoted = ("swap", "started") in kinds
    due = next((s for s in of.steps if (s, "ok") not in kinds), None)
    unwinding = any("undo" in k or k == "refused" for _, k in kinds) or (last[1] == "failed" and not pivoted)
    match new.kind.value:
        case "started":
            return new.step == due and not unwinding
        case "ok" | "waiting" | "failed" | "unknown":
            return last == (new.step, "started")
        case "refused":
            return new.step == "swap" == due and not pivoted and not unwinding
        case "undo-started":
            undoable = new.step in ("before-hooks", "scale") and (new.step, "started") in kinds
            return undoable and (new.step, "undo-ok") not in kinds and not pivoted
        case _:
            return last == (new.step, "undo-started")


@given(st.sampled_from(PLANS), outcomes, st.integers(0, 40))
def test_exactly_the_legal_events_are_accepted(of: CutoverPlan, script: list[str], aborted_at: int) -> None:
    walk = Walk(of)
    for number, outcome in enumerate(script):
        walk.step(outcome, aborted=number >= aborted_at)
    for step, kind in product((*Step, "nonsense", ""), EventKind):
        new = event(step, kind, len(walk.events))
        try:
            fold(of, [*walk.events, new])
            accepted = True
        except IllegalJournal:
            accepted = False
        assert accepted == legal(of, walk.events, new), (step, kind)
