"""The decision table, enumerated: every verdict, data plane and action with every guard, against rules written anew.

`expected` below is the design's text (section 9) as a list of early returns; it shares no code with the decider.
"""

from dataclasses import dataclass, replace
from itertools import product

import pytest

from failover.core.decide import DecisionKind, decide
from failover.core.health import HealthState
from failover.core.model import Action, Reaction, Service
from failover.core.verdict import VerdictKind
from failover.core.world import Move, Orders, Pause, Proposal, State, Watch, World
from tests.core.builders import (
    AURORA,
    BOREAS,
    CIRRUS,
    NOW,
    READY,
    SERVICE,
    ago,
    hosts,
    plan,
    policy,
    reading,
    verdict,
    with_state,
    world,
)

CONFIRM_S = 60.0
Expected = tuple[str, str | None]


@dataclass(frozen=True, kw_only=True)
class Case:
    kind: VerdictKind
    plane: HealthState
    action: Action
    confirmed: bool = True
    explicit: bool = True
    paused: bool = False
    tilted: bool = False
    dns: str = "fine"
    moved: str = "never"
    vantage: str = "two controls"
    ready: tuple[str, ...] = (BOREAS, CIRRUS)
    proposal: str = "none"

    def service(self) -> Service:
        return SERVICES[self.action, self.vantage == "owner accepts"]

    def world(self) -> World:
        age_s = 3 * CONFIRM_S if self.confirmed else CONFIRM_S / 2
        found = verdict(self.kind, since_s=age_s, plane=self.plane, explicit=self.explicit)
        proposal, approved = _proposal(self)
        state = State(
            service=SERVICE.name,
            epoch=7,
            active_site=AURORA,
            watch={AURORA: Watch(verdict=found, readiness=READY), **dict.fromkeys(self.ready, STANDBY)},
            tilt_until=SOON if self.tilted else None,
            moves=MOVES[self.moved],
            proposal=proposal,
        )
        return World(
            now=NOW,
            state=state,
            orders=Orders(pause=PAUSE if self.paused else None, approved=approved),
            hosts=HOSTS[self.dns],
            controls_ok=1 if self.vantage == "one control" else 2,
        )


def _service(action: Action, accept: bool) -> Service:
    same = Reaction(action=action, confirm_s=CONFIRM_S)
    service = policy(
        account_closed=same,
        provider_down=same,
        resources_gone=same,
        app_down=same,
        unexplained_down=same,
        unknown_page_after_s=CONFIRM_S,
    )
    return replace(service, single_accept=accept)


SERVICES = {(action, accept): _service(action, accept) for action in Action for accept in (False, True)}
STANDBY = Watch(readiness=READY)
PAUSE = Pause(since=ago(5), reason="works")
SOON = NOW.plus(1)


def _move(age_s: float) -> Move:
    """Back from boreas to aurora."""
    return Move(plan="old", at=ago(age_s), source=BOREAS, target=AURORA, verdict="APP_DOWN", automatic=True)


MOVES = {
    "never": (),
    "within the cooldown": (_move(100),),
    "too often today": (_move(9_000), _move(20_000)),
    "long ago": (_move(90_000), _move(100_000)),
}
RECENT = ("never", "within the cooldown", "too often today")
HOSTS = {
    "fine": hosts(),
    "one unreadable": hosts(one=reading("one", problem="timeout")),
    "none readable": {"one": reading("one", problem="timeout")},
    "only bad grades": {"one": reading("one", grade=3)},
    "one bad grade": hosts(one=reading("one", grade=3)),
    "none": {},
}
PROPOSALS = ("none", "open", "approved", "expired", "other verdict", "other source", "other target", "other id")


YES = frozenset({"p1"})


def _proposal(case: Case) -> tuple[Proposal | None, frozenset[str]]:
    if case.proposal == "none":
        return None, YES
    open_one = Proposal(
        id="p1",
        verdict="UP?" if case.proposal == "other verdict" else case.kind,
        source=BOREAS if case.proposal == "other source" else AURORA,
        target="nowhere" if case.proposal == "other target" else CIRRUS,
        at=ago(7200 if case.proposal == "expired" else 60),
        expires_after_s=3600,
    )
    return open_one, {"open": frozenset(), "other id": frozenset({"p2"})}.get(case.proposal, YES)


def expected(case: Case) -> Expected:
    """The design's rules, top down."""
    kind, action = case.kind.value, case.action.value
    if kind in ("UP", "OBSERVER_ISOLATED"):
        return "hold", None
    if kind in ("ACCOUNT_WARNED", "ACCESS_REFUSED"):
        return "page", None
    if kind == "UNKNOWN":
        return ("page" if case.confirmed else "hold"), None
    if kind == "ACCOUNT_CLOSED" and case.plane.value == "up":
        action = "ask"
    if action == "hold" or not case.confirmed:
        return "hold", None
    if action == "page" or not case.ready:
        return "page", None
    if case.proposal == "approved" and CIRRUS in case.ready:
        return "cut-over", CIRRUS
    if action == "ask":
        return "ask", case.ready[0]
    return _automatic(case)


def _automatic(case: Case) -> Expected:
    limited = case.moved in ("within the cooldown", "too often today")
    forward = [t for t in case.ready if not limited or (_closed_for_sure(case) and t != BOREAS)]
    alone = case.vantage != "owner accepts" and not (case.explicit and case.vantage == "two controls")
    unfenced = case.dns == "only bad grades"
    if case.paused or case.tilted:
        return "hold", None
    if case.dns in ("none readable", "none") or not forward:
        return "page", None
    return ("ask" if alone or unfenced else "cut-over"), forward[0]


def _closed_for_sure(case: Case) -> bool:
    return case.kind.value == "ACCOUNT_CLOSED" and case.explicit


def check(case: Case) -> None:
    decision = decide(case.service(), case.world())
    assert (decision.kind.value, decision.target) == expected(case), case
    assert decision.reasons, case
    assert all(decision.reasons), case
    assert decision.verdict is case.kind, case
    if decision.kind is DecisionKind.CUT_OVER:
        assert decision.target in case.ready, case
        assert decision.automatic is not (case.proposal == "approved" and CIRRUS in case.ready), case


@pytest.mark.parametrize("kind", VerdictKind)
def test_every_guard_in_every_cell(kind: VerdictKind) -> None:
    flags = (False, True)
    vantages = ("two controls", "one control", "owner accepts")
    everything = product(
        HealthState, Action, flags, flags, flags, flags, ("fine", "none readable", "only bad grades"), RECENT, vantages
    )
    for plane, action, confirmed, explicit, paused, tilted, dns, moved, vantage in everything:
        check(
            Case(
                kind=kind,
                plane=plane,
                action=action,
                confirmed=confirmed,
                explicit=explicit,
                paused=paused,
                tilted=tilted,
                dns=dns,
                moved=moved,
                vantage=vantage,
            )
        )


@pytest.mark.parametrize("kind", VerdictKind)
def test_every_proposal_and_every_choice_of_targets(kind: VerdictKind) -> None:
    targets = ((BOREAS, CIRRUS), (BOREAS,), (CIRRUS,), ())
    for plane, action, confirmed, ready, proposal in product(HealthState, Action, (False, True), targets, PROPOSALS):
        check(Case(kind=kind, plane=plane, action=action, confirmed=confirmed, ready=ready, proposal=proposal))


@pytest.mark.parametrize("dns", HOSTS)
@pytest.mark.parametrize("action", Action)
def test_every_state_of_the_dns_hosts(dns: str, action: Action) -> None:
    for kind, plane, moved in product(VerdictKind, HealthState, MOVES):
        check(Case(kind=kind, plane=plane, action=action, dns=dns, moved=moved))


@pytest.mark.parametrize("kind", VerdictKind)
@pytest.mark.parametrize(
    ("story", "changed", "service", "expected"),
    [
        ("an open plan goes on", {"open_plan": plan()}, SERVICE, DecisionKind.CONTINUE),
        ("an open plan goes on, overtaken or not", {"open_plan": plan(), "epoch": 6}, SERVICE, DecisionKind.CONTINUE),
        ("nothing is published", {"active_site": None}, SERVICE, DecisionKind.HOLD),
        ("DNS knows a higher epoch", {"epoch": 6}, SERVICE, DecisionKind.REFUSE),
        ("DNS knows a higher epoch, here is none", {"epoch": 0, "active_site": None}, SERVICE, DecisionKind.REFUSE),
        ("the active site left the config", {"active_site": "delphi"}, SERVICE, DecisionKind.REFUSE),
        ("no site was judged yet", {"watch": {}}, SERVICE, DecisionKind.HOLD),
        ("the site was seen, not judged", {"watch": {AURORA: Watch()}}, SERVICE, DecisionKind.HOLD),
    ],
)
def test_what_comes_before_any_verdict(
    kind: VerdictKind, story: str, changed: dict[str, object], service: Service, expected: DecisionKind
) -> None:
    decision = decide(service, with_state(world(verdict(kind)), **changed))
    assert (decision.kind, decision.target) == (expected, None), story
    assert decision.reasons, story
