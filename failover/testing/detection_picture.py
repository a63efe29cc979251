"""What each setup of the simulation of detection watches, what a quiet round looks like, and what an API answers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from failover.core.decide import DAY_S
from failover.core.evidence import Memory, ServiceMemory
from failover.core.health import Health, HealthState
from failover.core.model import (
    AccountReport,
    Check,
    CheckKind,
    Control,
    ControlKind,
    Failure,
    HostReading,
    Instant,
    Node,
    NodeGroup,
    NodeState,
    Outcome,
    Policy,
    Reading,
    Record,
    Sample,
    Service,
    Site,
    Vantage,
)
from failover.core.signals import ServiceReading, Signal
from failover.core.verdict import Verdict, VerdictKind
from failover.core.world import Readiness, State, View, Watch
from failover.testing.detection_model import (
    ACTIVE,
    ACTIVE_API,
    CONTROLS,
    STANDBY,
    STANDBY_API,
    Api,
)

ADDRESS = {ACTIVE: "192.0.2.1", STANDBY: "198.51.100.1"}
SITE = {ACTIVE: "virginia", STANDBY: "frankfurt"}
API = {ACTIVE: ACTIVE_API, STANDBY: STANDBY_API}
API_SERVICES = ("compute", "storage", "identity")
HOSTS = {"one": HostReading(host="one", grade=1)}
VANTAGES = tuple(Vantage(name=name, provider=f"at-{name}") for name in ("home", "paris", "oregon"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """One way to run `failover check`."""

    name: str
    about: str
    service: Service


def guestbook(*, every_s: float, single_accept: bool) -> Service:
    """Two managed sites, one check, two controls at different providers; everything else as the config's defaults."""
    group = NodeGroup(name="web", count=1, ports=(8080,))
    return Service(
        name="guestbook",
        sites=tuple(Site(name=name, provider=name) for name in SITE.values()),
        groups=(group,),
        release=None,
        records=(Record(name="www.example.org", zone="example.org", type="A", group=group.name),),
        zones=("example.org",),
        ttl_s=60,
        hosts=tuple(HOSTS),
        checks=(Check(name="http", kind=CheckKind.HTTP, group=group.name, port=8080),),
        controls=tuple(
            Control(kind=ControlKind.TCP, target=f"203.0.113.{n}:443", provider=name)
            for n, name in enumerate(CONTROLS, start=1)
        ),
        policy=Policy(),
        single_accept=single_accept,
        every_s=every_s,
    )


SETUPS = (
    Setup(
        name="default",
        about="a check a minute from one vantage; it moves alone only when the provider says `closed`, else it asks",
        service=guestbook(every_s=60.0, single_accept=False),
    ),
    Setup(
        name="single-cron",
        about="a check a minute from one vantage, `quorum: {single: accept}`",
        service=guestbook(every_s=60.0, single_accept=True),
    ),
    Setup(
        name="single-watch",
        about="a check each ten seconds from one vantage (`failover watch`), `quorum: {single: accept}`",
        service=guestbook(every_s=10.0, single_accept=True),
    ),
    Setup(
        name="quorum",
        about="a check a minute, three vantages of which two must agree",
        service=replace(guestbook(every_s=60.0, single_accept=False), vantages=VANTAGES, vantage="home", need=2),
    ),
)


# ---------------------------------------------------------------------------------------------- the quiet picture


def instant(at_s: float) -> Instant:
    return Instant(boot_id="simulated", boottime_s=at_s, utc_s=at_s)


def quiet_state(service: Service, at_s: float) -> State:
    """The state after a long quiet time whose last round was at `at_s`; before it all is as good as it can be."""
    now, long_ago = instant(at_s), instant(-DAY_S)
    known = tuple(ServiceMemory(service=name, signal=Signal.OK, worked_at=now) for name in API_SERVICES)
    health = {
        check.name: Health(state=HealthState.UP, since=long_ago, passes=check.rise, last=now)
        for check in service.checks
    }
    up = Verdict(kind=VerdictKind.UP, since=long_ago, data_plane=HealthState.UP)
    watch = Watch(verdict=up, readiness=Readiness(ready=True), memory=Memory(services=known))
    return State(
        service=service.name,
        epoch=1,
        active_site=SITE[ACTIVE],
        inventory={name: (node(site),) for site, name in SITE.items()},
        health=dict.fromkeys(SITE.values(), health),
        views={v.name: View(health=dict.fromkeys(SITE.values(), health), at=now) for v in service.others},
        watch=dict.fromkeys(SITE.values(), watch),
    )


def settled(service: Service, state: State) -> bool:
    """Whether nothing is left of any trouble: another good round would change nothing but clocks and counts."""
    seen = [state.health, *(view.health for view in state.views.values())]
    healths = (
        (check, health[site][check.name]) for health in seen for site in SITE.values() for check in service.checks
    )
    well = all(h.state is HealthState.UP and not h.fails and h.passes >= check.rise for check, h in healths)
    heard = all(view.problem is None and not view.isolated for view in state.views.values())
    return well and heard and all(_unclouded(state.watch[site]) for site in SITE.values())


def _unclouded(watch: Watch) -> bool:
    ready = watch.readiness is not None and watch.readiness.ready
    known = len(watch.memory.services) == len(API_SERVICES)
    refused = any(service.refused_since is not None for service in watch.memory.services)
    up = watch.verdict is not None and watch.verdict.kind is VerdictKind.UP
    return up and ready and known and not refused and not watch.gone_streak and watch.memory.stopped_since is None


def node(site: str) -> Node:
    return Node(
        id=site,
        name=f"guestbook-{SITE[site]}-web-1",
        site=SITE[site],
        group="web",
        ordinal=1,
        spec="s",
        state=NodeState.RUNNING,
        addresses=(ADDRESS[site],),
    )


def _sample(site: str, at: Instant, *, lost: bool) -> Sample:
    outcome, failure = (Outcome.FAIL, Failure.CONNECT_TIMEOUT) if lost else (Outcome.PASS, None)
    detail = "no answer in time" if lost else ""
    return Sample(
        site=SITE[site], check="http", address=ADDRESS[site], at=at, outcome=outcome, failure=failure, detail=detail
    )


def samples(at: Instant, gone: set[str]) -> tuple[Sample, ...]:
    return tuple(_sample(site, at, lost=site in gone) for site in SITE)


_REFUSE = Signal.AUTH_AMBIGUOUS
_SAYS: tuple[tuple[Api, Reading, tuple[Signal, ...], bool | None], ...] = (
    (Api.SILENT, Reading.UNCLEAR, (Signal.OUTAGE,) * 3, None),
    (Api.CLOSED, Reading.CLOSED, (Signal.ACCOUNT_CLOSED,) * 3, None),
    (Api.ALL_REFUSE, Reading.REFUSED, (_REFUSE,) * 3, None),
    (Api.ONE_REFUSES, Reading.REFUSED, (_REFUSE, Signal.OK, Signal.OK), None),
    (Api.GONE, Reading.ACTIVE, (Signal.OK,) * 3, False),
)
"""By what stands, the strongest first: the reading, what each of the services says, whether our nodes are listed."""


def report(standing: Sequence[Api], *, silent: bool) -> tuple[AccountReport, bool | None]:
    """What the account says, and whether our nodes are listed (None: the list cannot be read)."""
    apis = {*standing, Api.SILENT} if silent else set(standing)
    for api, reading, signals, listed in _SAYS:
        if api in apis:
            return _answer(reading, signals), listed
    return _answer(Reading.ACTIVE, (Signal.OK,) * 3), True


def _answer(reading: Reading, signals: Sequence[Signal]) -> AccountReport:
    found = tuple(ServiceReading(service=name, signal=s) for name, s in zip(API_SERVICES, signals, strict=True))
    return AccountReport(reading=reading, signals=found)
