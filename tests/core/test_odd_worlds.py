"""Any service, any observations, round after round: nothing raises, and what must not be chosen is not chosen."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from failover.core.budget import terms, total_s
from failover.core.decide import DecisionKind, decide
from failover.core.judge import Observation, controls_ok, judge
from failover.core.model import (
    AccountReport,
    Action,
    NodeState,
    Outcome,
    Quota,
    Reaction,
    Reading,
    Sample,
    Service,
    Site,
    Standby,
)
from failover.core.outlook import next_action, safe
from failover.core.ready import Stock
from failover.core.safety import DOWN_KINDS
from failover.core.world import Move, Orders, Pause, Proposal, State, World
from tests.core.builders import (
    ADDRESS,
    CONTROLS,
    DIGEST,
    HTTP,
    NAMES,
    OTHER_DIGEST,
    SERVICE,
    at,
    controls,
    hosts,
    node,
    policy,
    reading,
)

sites_named = st.sampled_from((*NAMES, "delphi"))
reactions = st.builds(Reaction, action=st.sampled_from(Action), confirm_s=st.sampled_from((0.0, 0.0, 15.0, 300.0)))
stocks = st.builds(
    Stock,
    quota=st.sampled_from((None, Quota(nodes_max=None, nodes_used=0), Quota(nodes_max=1, nodes_used=1))),
    images=st.sampled_from((None, frozenset[str](), frozenset({"debian-12"}))),
    archive=st.sampled_from((None, True, False)),
    problem=st.sampled_from((None, None, "timeout")),
)


SHARP = (replace(HTTP, rise=1, fall=1),)


@st.composite
def services(draw: st.DrawFn) -> Service:
    built = policy(
        account_closed=draw(reactions),
        provider_down=draw(reactions),
        resources_gone=draw(reactions),
        app_down=draw(reactions),
        unexplained_down=draw(reactions),
        cooldown_s=draw(st.sampled_from((0.0, 50.0, 3600.0))),
        daily_limit=draw(st.integers(0, 3)),
        min_grade=draw(st.integers(1, 3)),
    )
    places = [
        Site(
            name=name,
            provider=name,
            standby=draw(st.sampled_from(Standby)),
            addresses=draw(st.sampled_from((None, None, None, {}, {"web": (ADDRESS[name],)}))),
        )
        for name in draw(st.sampled_from((NAMES, NAMES, NAMES[1:], NAMES[:1], ())))
    ]
    return replace(
        built,
        sites=tuple(places),
        checks=draw(
            st.sampled_from(((), (HTTP,), (replace(HTTP, rise=1, fall=1),), (HTTP, replace(HTTP, name="tcp"))))
        ),
        controls=draw(st.sampled_from(((), CONTROLS))),
        single_accept=draw(st.booleans()),
    )


Moods = dict[str, str]
moods = st.fixed_dictionaries({name: st.sampled_from(("well", "well", "lost", "odd")) for name in NAMES})
"""How each site is throughout a story; an odd one is different in every round."""


@st.composite
def observations(draw: st.DrawFn, number: int, mood: Moods) -> Observation:
    samples: list[Sample] = []
    reports: dict[str, AccountReport] = {}
    for name in NAMES:
        steady = {"well": Outcome.PASS, "lost": Outcome.FAIL}.get(mood[name])
        said = {"well": Reading.ACTIVE, "lost": Reading.CLOSED}.get(mood[name])
        reports[name] = AccountReport(reading=said or draw(st.sampled_from(Reading)))
        for check in ("http", "tcp", "gone"):
            outcome = steady or draw(st.sampled_from((*Outcome, None)))
            if outcome is not None:
                samples.append(Sample(site=name, check=check, address=ADDRESS[name], at=at(0), outcome=outcome))
    listed = {
        name: draw(st.sampled_from(((node(name),), (), (node(name, status=NodeState.STOPPED, release=OTHER_DIGEST),))))
        for name in draw(st.sets(sites_named))
    }
    odd = draw(st.integers(0, 7))
    return Observation(
        at=at(number * (100 if odd == 7 else 10)),
        samples=tuple(samples),
        controls=controls(*draw(st.lists(st.booleans(), max_size=3))) if odd == 6 else controls(True, True),
        reports={} if odd == 5 else reports,
        nodes=listed,
        stock=draw(st.dictionaries(sites_named, stocks, max_size=2)),
        hosts=draw(bad_hosts) if odd in (3, 4) else hosts(),
    )


bad_hosts = st.dictionaries(
    st.sampled_from(("one", "two")),
    st.builds(
        reading,
        st.just("one"),
        st.sampled_from((7, 8)),
        grade=st.integers(1, 3),
        problem=st.sampled_from((None, "timeout")),
    ),
)


@st.composite
def states(draw: st.DrawFn) -> State:
    moves = st.builds(
        Move,
        plan=st.just("m"),
        at=st.sampled_from((at(-9e4), at(-60), at(0), at(50, "boot-2"))),
        source=sites_named,
        target=sites_named,
        verdict=st.just("x"),
        automatic=st.booleans(),
    )
    proposals = st.builds(
        Proposal,
        id=st.just("p1"),
        verdict=st.sampled_from(DOWN_KINDS),
        source=sites_named,
        target=sites_named,
        at=st.just(at(0)),
        expires_after_s=st.sampled_from((0.0, 3600.0)),
    )
    return State(
        service=SERVICE.name,
        epoch=draw(st.sampled_from((7, 8, 8))),
        active_site=draw(st.sampled_from((*NAMES, *NAMES, "delphi", None))),
        release=draw(st.sampled_from((DIGEST, None))),
        inventory={name: (node(name),) for name in draw(st.sets(st.sampled_from(NAMES)))},
        moves=tuple(draw(st.lists(moves, max_size=3))),
        proposal=draw(st.one_of(st.none(), proposals)),
        tilt_until=draw(st.sampled_from((None, None, at(5), at(25)))),
    )


pauses = st.one_of(
    st.none(), st.builds(Pause, since=st.just(at(0)), reason=st.just("x"), until=st.sampled_from((None, at(20))))
)


@given(services(), states(), pauses, st.sampled_from((frozenset[str](), frozenset({"p1"}))), st.data())
def test_nothing_raises_and_nothing_forbidden_is_chosen(
    service: Service, state: State, pause: Pause | None, approved: frozenset[str], data: st.DataObject
) -> None:
    mood = data.draw(moods)
    usual = data.draw(st.integers(0, 3)) > 0  # mostly the story that this program is for
    if service.sites and usual:
        first = service.sites[0].name
        state = replace(state, active_site=first, epoch=8)
        mood = {**dict.fromkeys(NAMES, "well"), first: "lost"}
    for number in range(data.draw(st.integers(2, 6))):
        seen = data.draw(observations(number, mood))
        state = judge(service, state, seen, fresh=data.draw(st.booleans()))
        world = World(
            now=seen.at,
            state=state,
            orders=Orders(pause=pause, approved=approved),
            hosts=seen.hosts,
            isolated=state.isolated,
            controls_ok=controls_ok(seen.controls),
        )
        _sound(service, world)
        for site in service.sites:
            assert total_s(terms(service, site)) > 0


def _sound(service: Service, world: World) -> None:
    decision = decide(service, world)
    assert decision.reasons
    assert next_action(service, world)
    if safe(service, world):
        assert len(service.sites) > 1
        assert not world.isolated
    if decision.kind not in (DecisionKind.CUT_OVER, DecisionKind.ASK):
        assert decision.target is None
        return
    assert not world.isolated
    assert decision.target != world.state.active_site
    target = world.state.watch[service.site(decision.target or "").name]
    assert target.readiness is not None
    assert target.readiness.ready
    assert target.verdict is not None
    assert target.verdict.kind not in DOWN_KINDS
    active = world.state.watch[world.state.active_site or ""].verdict
    assert active is not None
    assert active.kind in DOWN_KINDS
    if decision.kind is DecisionKind.CUT_OVER and decision.automatic:
        assert world.orders.pause_at(world.now) is None
        assert any(h.problem is None for h in world.hosts.values())
        assert service.single_accept or (active.explicit and world.controls_ok >= 2)
