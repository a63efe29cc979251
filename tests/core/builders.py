"""A small world to tell stories about: guestbook at aurora, boreas and cirrus, two DNS hosts, two controls."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from failover.core.cutover import CutoverPlan, PlanKind, Step, steps_for
from failover.core.health import HealthState
from failover.core.model import (
    AccountReport,
    Check,
    CheckKind,
    Control,
    ControlKind,
    ControlSample,
    HostReading,
    Instant,
    Node,
    NodeGroup,
    NodeState,
    Outcome,
    Policy,
    Reading,
    Record,
    Release,
    Sample,
    Service,
    Site,
)
from failover.core.rrsets import Epoch, RRset, epoch_set
from failover.core.verdict import Verdict, VerdictKind
from failover.core.world import Readiness, State, Watch, World

AURORA, BOREAS, CIRRUS = "aurora", "boreas", "cirrus"
NAMES = (AURORA, BOREAS, CIRRUS)
DIGEST = "sha256:" + "a" * 64
OTHER_DIGEST = "sha256:" + "b" * 64
ADDRESS = {AURORA: "192.0.2.1", BOREAS: "198.51.100.2", CIRRUS: "203.0.113.3"}
RELEASE = Release(digest=DIGEST, command="python3 server.py", environment={"MODE": "live"})
WEB = NodeGroup(name="web", count=1, ports=(8080,))
HTTP = Check(name="http", kind=CheckKind.HTTP, group="web", port=8080, timeout_s=2.0, interval_s=10.0, fall=3, rise=2)
RECORD = Record(name="www.example.org", zone="example.org", type="A", group="web")
CONTROLS = (
    Control(kind=ControlKind.TCP, target="198.51.100.7:443", provider="other"),
    Control(kind=ControlKind.DNS, target="203.0.113.53", provider="third", name="example.net"),
)
SITES = tuple(Site(name=name, provider=name) for name in NAMES)
SERVICE = Service(
    name="guestbook",
    sites=SITES,
    groups=(WEB,),
    release=RELEASE,
    records=(RECORD,),
    zones=("example.org",),
    ttl_s=60,
    hosts=("one", "two"),
    checks=(HTTP,),
    controls=CONTROLS,
    policy=Policy(),
    every_s=10.0,
    call_s=5.0,
)
READY = Readiness(ready=True)


PLANES = {
    VerdictKind.UP: HealthState.UP,
    VerdictKind.ACCOUNT_WARNED: HealthState.UP,
    VerdictKind.ACCESS_REFUSED: HealthState.UP,
    VerdictKind.OBSERVER_ISOLATED: HealthState.UNKNOWN,
    VerdictKind.UNKNOWN: HealthState.UNKNOWN,
}


def at(seconds: float, boot: str = "boot-1") -> Instant:
    return Instant(boot_id=boot, boottime_s=1000.0 + seconds, utc_s=1_700_000_000.0 + seconds)


NOW = at(100_000)


def ago(seconds: float) -> Instant:
    return NOW.plus(-seconds)


def verdict(
    kind: VerdictKind, *, since_s: float = 10_000.0, plane: HealthState | None = None, explicit: bool | None = None
) -> Verdict:
    """A verdict as the table gives it: down kinds with a data plane that is DOWN, an explicit one when closed."""
    return Verdict(
        kind=kind,
        since=ago(since_s),
        evidence=("so it was seen",),
        explicit=kind is VerdictKind.ACCOUNT_CLOSED if explicit is None else explicit,
        data_plane=PLANES.get(kind, HealthState.DOWN) if plane is None else plane,
    )


def fence(number: int, site: str = AURORA, plan: str = "0123456789abcdef") -> RRset:
    return epoch_set("guestbook", "example.org", Epoch(number=number, site=site, plan=plan))


def address_set(*values: str, name: str = "www.example.org", type: str = "A", ttl_s: int = 60) -> RRset:
    return RRset(name=name, type=type, ttl_s=ttl_s, values=frozenset(values))


def reading(host: str, epoch: int = 7, *, grade: int = 1, problem: str | None = None) -> HostReading:
    """A DNS host that says: aurora, at this epoch."""
    return HostReading(host=host, rrsets=(address_set(ADDRESS[AURORA]), fence(epoch)), grade=grade, problem=problem)


def hosts(**changed: HostReading) -> dict[str, HostReading]:
    return {"one": reading("one"), "two": reading("two"), **changed}


def state(active: Verdict | None = None, **changed: object) -> State:
    """Aurora is active at epoch 7 with this verdict; boreas and cirrus are up and ready."""
    up = verdict(VerdictKind.UP)
    watch = {
        AURORA: Watch(verdict=active or up, readiness=READY),
        BOREAS: Watch(verdict=up, readiness=READY),
        CIRRUS: Watch(verdict=up, readiness=READY),
    }
    base = State(service="guestbook", epoch=7, active_site=AURORA, release=DIGEST, watch=watch)
    return replace(base, **changed)  # type: ignore[arg-type]


def world(active: Verdict | None = None, **changed: object) -> World:
    """The world around `state(active)`; two controls at different providers answer."""
    base = World(now=NOW, state=state(active), hosts=hosts(), controls_ok=2)
    return replace(base, **changed)  # type: ignore[arg-type]


def with_state(base: World, **changed: object) -> World:
    return replace(base, state=replace(base.state, **changed))  # type: ignore[arg-type]


def with_watch(base: World, site: str, **changed: object) -> World:
    watch = replace(base.state.watch.get(site, Watch()), **changed)  # type: ignore[arg-type]
    return with_state(base, watch={**base.state.watch, site: watch})


def node(
    site: str,
    ordinal: int = 0,
    *,
    group: str = "web",
    spec: str = "0badcafe",
    status: NodeState = NodeState.RUNNING,
    release: str | None = DIGEST,
    created_at_s: float = 0.0,
    id: str = "",
) -> Node:
    return Node(
        id=id or f"{site}-{group}-{ordinal}-{spec}",
        name=f"guestbook-{site}-{group}-{ordinal}-{spec}",
        site=site,
        group=group,
        ordinal=ordinal,
        spec=spec,
        state=status,
        addresses=(ADDRESS.get(site, "192.0.2.99"),),
        release=release,
        created_at_s=created_at_s,
    )


def sample(site: str, outcome: Outcome, *, check: str = "http", address: str = "", detail: str = "") -> Sample:
    return Sample(
        site=site, check=check, address=address or ADDRESS[site], at=NOW, outcome=outcome, detail=detail, vantage="here"
    )


def controls(*ok: bool) -> tuple[ControlSample, ...]:
    """As many controls, each at another provider."""
    return tuple(ControlSample(target=f"control-{n}", provider=f"p{n}", ok=yes) for n, yes in enumerate(ok))


def reports(**by_site: Reading) -> dict[str, AccountReport]:
    return {
        name: AccountReport(reading=by_site.get(name, Reading.ACTIVE), code="code", message="words") for name in NAMES
    }


def plan(
    kind: PlanKind = PlanKind.CUTOVER,
    *,
    target: str = BOREAS,
    epoch: int = 8,
    automatic: bool = True,
    forced: bool = False,
    hooks: bool = True,
    service: Service = SERVICE,
    steps: Iterable[Step] | None = None,
    rrsets: tuple[RRset, ...] | None = None,
    addresses: Mapping[str, tuple[str, ...]] | None = None,
) -> CutoverPlan:
    return CutoverPlan(
        id="plan1",
        kind=kind,
        service=service.name,
        at=NOW,
        parent_epoch=epoch - 1,
        epoch=epoch,
        source=AURORA,
        target=target,
        steps=tuple(steps) if steps is not None else steps_for(service, kind, target, automatic=automatic, hooks=hooks),
        zones=service.zones,
        hosts=service.hosts,
        rrsets=(address_set(ADDRESS[target]),) if rrsets is None else rrsets,
        before=(address_set(ADDRESS[AURORA]),),
        automatic=automatic,
        forced=forced,
        addresses={"web": (ADDRESS[target],)} if addresses is None else addresses,
    )


def policy(**changed: object) -> Service:
    """The service with this policy."""
    return replace(SERVICE, policy=replace(SERVICE.policy, **changed))  # type: ignore[arg-type]
