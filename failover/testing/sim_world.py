"""The outside of a simulated service: three clouds, two DNS hosts, controls, and everything that can go wrong there.

It keeps the truth (what really serves, what really stands in DNS), which the engine never sees; a `Context` built from
it sees what ports tell.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from failover.core.cutover import ALIASED
from failover.core.model import (
    AccountReport,
    Check,
    CheckKind,
    Control,
    ControlKind,
    Edge,
    Failure,
    HostTraits,
    NodeGroup,
    Outcome,
    Policy,
    Reaction,
    Reading,
    Record,
    Release,
    Service,
    Site,
    Standby,
    Target,
)
from failover.core.model import Action as PolicyAction
from failover.core.rrsets import Changes, Epoch, RRset, epoch_name, epoch_set, read_epoch
from failover.core.survey import Delegation
from failover.dns.compare import Records
from failover.dns.transaction import is_inside
from failover.engine.context import Context, Package
from failover.errors import AccessRefused, AdapterError, Rejected, Throttled, Unreachable, Unreadable
from failover.ports import Dns, Hook, Lease, Notice, Notifier, Runtime, Store
from failover.testing.memory_dns import MemoryAuthority, MemoryDns, MemoryResolver, ReplyLost
from failover.testing.memory_probe import Answer, MemoryProbe
from failover.testing.memory_store import MemoryDisk, MemoryLease, MemoryStore
from failover.testing.sim_cloud import SimCloud
from failover.testing.sim_runtime import VirtualClock

SITES = ("aurora", "boreas", "cirrus")
HOSTS = ("one", "two")
ZONE, OTHER = "example.org", "example.net"
NAME = f"www.{ZONE}"
FIRST = "sha256:" + "1" * 64
SECOND = "sha256:" + "2" * 64
GIVEN = {
    "aurora": ("192.0.2.1", "192.0.2.2"),
    "boreas": ("198.51.100.1", "198.51.100.2"),
    "cirrus": ("203.0.113.1", "203.0.113.2"),
}
POLICY = Policy(
    account_closed=Reaction(action=PolicyAction.CUTOVER, confirm_s=20.0),
    provider_down=Reaction(action=PolicyAction.CUTOVER, confirm_s=60.0),
    resources_gone=Reaction(action=PolicyAction.CUTOVER, confirm_s=60.0),
    unexplained_down=Reaction(action=PolicyAction.ASK, confirm_s=20.0),
    cooldown_s=600.0,
    retry_after_s=60.0,
    ask_expires_s=300.0,
    tilt_s=30.0,
)


def balancer(site: str) -> str:
    """The host name of a site's load balancer."""
    return f"lb.{site}.example"


def guestbook(
    *,
    standby: Mapping[str, Standby] | None = None,
    given: Collection[str] = (),
    targets: Collection[str] = (),
    count: int = 2,
    policy: Policy = POLICY,
    single_accept: bool = True,
    zones: tuple[str, ...] = (ZONE,),
) -> Service:
    """A service with three sites, and one name in each zone; sites in `given` and `targets` are provisioned by somebody
    else, the latter behind a load balancer that is known by its name."""
    kinds = standby or {}
    names = [f"www.{zone}" for zone in zones]
    sites = tuple(
        Site(name=n, provider=None, addresses={"web": GIVEN[n]})
        if n in given
        else Site(name=n, provider=None, targets=dict.fromkeys(names, balancer(n)))
        if n in targets
        else Site(name=n, provider=n, standby=kinds.get(n, Standby.HOT))
        for n in SITES
    )
    return Service(
        name="guestbook",
        sites=sites,
        groups=(NodeGroup(name="web", count=count, warm_count=1, ports=(8080,)),),
        release=None,
        records=tuple(
            Record(name=name, zone=zone, type="A", group="web") for name, zone in zip(names, zones, strict=True)
        ),
        zones=zones,
        ttl_s=20,
        hosts=HOSTS,
        checks=(
            Check(name="http", kind=CheckKind.HTTP, group="web", port=8080, interval_s=10.0, timeout_s=2.0, rise=2),
        ),
        controls=(
            Control(kind=ControlKind.TCP, target="192.0.2.253:443", provider="other"),
            Control(kind=ControlKind.TCP, target="198.51.100.253:443", provider="third"),
        ),
        policy=policy,
        single_accept=single_accept,
        every_s=10.0,
        call_s=2.0,
        host_deadline_s=30.0,
        node_deadline_s=60.0,
    )


EDGE = "203.0.113.200"
"""The address of the edge, at which name servers let everybody knock."""


def behind_edge(service: Service, *names: str) -> Service:
    """Likewise, its names (these, or all) behind the edge of its only DNS host. Cloudflare, of grade 2, calls them
    proxied."""
    check = Check(name="edge", kind=CheckKind.HTTPS, group="", port=443, headers={"X-Site": "{site}"}, fresh=True)
    edge = Edge(names=frozenset(names or (record.name for record in service.records)), check=check)
    host, policy = HOSTS[0], replace(service.policy, min_grade=2)
    return replace(service, hosts=(host,), edges={host: edge}, policy=policy)


def _nobody(*_: str) -> None:
    """Nobody looks on."""


@dataclass(slots=True)
class Wire:
    """What stands between us and one provider or DNS host: None, or what every call raises there."""

    error: Callable[[str], AdapterError] | None = None
    only: frozenset[str] | None = None
    """The operations that it befalls; None: all."""

    def __call__(self, operation: str) -> Exception | None:
        hit = self.error is not None and (self.only is None or operation in self.only)
        return self.error(operation) if self.error is not None and hit else None


ERRORS: Mapping[str, Callable[[str], AdapterError]] = {
    "down": lambda op: Unreachable(op, "", "connection refused"),
    "refused": lambda op: AccessRefused(op, "", "401"),
    "garbage": lambda op: Unreadable(op, "", "<html>"),
    "throttled": lambda op: Throttled(op, "", "429"),
    "rejected": lambda op: Rejected(op, "", "REFUSED"),
    "reply-lost": lambda op: ReplyLost(op),
}


class Outside:
    """Everything outside of one controller. Faults are set by hand: `api`, `dns`, `cut`, `sick`, `isolated`, …"""

    def __init__(
        self,
        service: Service,
        clock: VirtualClock,
        *,
        polls_pending: int = 0,
        nodes_max: int = 6,
        traits: Mapping[str, HostTraits] | None = None,
    ) -> None:
        self.traits = traits or {}
        """Of DNS hosts that are not of grade 1 without limits."""
        self.service = service
        self.clock = clock
        self.digest = FIRST
        """The release that lies beside the config now."""
        self.isolated = False
        """Our own network is gone."""
        self.controls_lost = False
        self.controls_told_lost = False
        """What the controls last said of our own network; what is true may change in the middle of a round."""
        self.cut: set[str] = set()
        """Sites whose data plane cannot be reached, from anywhere; their accounts are fine."""
        self.sick: set[str] = set()
        """Sites whose program answers 500."""
        self.blind: set[str] = set()
        """Sites that our probes cannot ask (no route, no file descriptor): they know nothing of them."""
        self.api = {site: Wire() for site in SITES}
        self.dns = {host: Wire() for host in service.hosts}
        self.dark: set[str] = set()
        """DNS hosts whose name servers do not answer, and single servers (`one-a:53`, `tcp one-a:53`)."""
        self.names: dict[str, tuple[str, ...]] = {
            balancer(s.name): GIVEN[s.name] for s in service.sites if s.targets is not None
        }
        """The host names of load balancers, and where they are."""
        self.unknown: dict[str, Exception] = {}
        """Names that cannot be looked up, and what is raised."""
        self.stuck: frozenset[str] = frozenset()
        """Where the edge goes on passing requests to, whatever its host's API holds; empty: it follows the API."""
        self.strangers: Mapping[str, tuple[str, ...]] = {}
        """Name servers of others that the parent names as well, each with its addresses."""
        self.notices: list[Notice] = []
        self.onlooker: Callable[[str, str], None] = _nobody
        """Is told of every change at a cloud before it is made."""
        self.watcher: Callable[[str, str], None] = _nobody
        """Is told of every change of DNS, by host and zone, as soon as it stands."""
        self.held: dict[str, Records] = {name: {} for name in service.hosts}
        self.clouds = {
            site.name: self._cloud(site.name, number, polls_pending, nodes_max)
            for number, site in enumerate(service.sites, start=1)
            if not site.given
        }
        self.hosts = {name: self._host(name) for name in service.hosts}
        self.authority = MemoryAuthority(*self.hosts.values(), faults=self._server_fault, clock=clock.seconds)

    def _cloud(self, name: str, number: int, polls_pending: int, nodes_max: int) -> SimCloud:
        cloud = SimCloud(
            name=name,
            network=f"10.{number}",
            polls_pending=polls_pending,
            nodes_max=nodes_max,
            matches=lambda digest, archive: archive == digest.encode(),
            faults=lambda operation: self._cut_off(operation) or self.api[name](operation),
        )
        cloud.onlooker = lambda operation, object: self.onlooker(operation, object)
        return cloud

    def _host(self, name: str) -> MemoryDns:
        host = MemoryDns(
            name=name,
            zones=self.service.zones,
            servers=(f"{name}-a:53", f"{name}-b:53"),
            traits=self.traits.get(name),
            clock=self.clock.seconds,
            faults=lambda operation: self._cut_off(operation) or self.dns[name](operation),
        )
        host.on_change = lambda zone, records: self._changed(name, zone, records)
        edge = self.service.edges.get(name)
        host.behind = dict.fromkeys(edge.names, frozenset({EDGE})) if edge is not None else {}
        return host

    def _changed(self, host: str, zone: str, records: Records) -> None:
        others = {key: rrset for key, rrset in self.held[host].items() if not is_inside(key[0], zone)}
        self.held[host] = {**others, **records}
        self.watcher(host, zone)

    def _cut_off(self, operation: str) -> Exception | None:
        return Unreachable(operation, "", "network is unreachable") if self.isolated else None

    # ------------------------------------------------------------------------------------ what ports tell

    def context(
        self,
        disk: MemoryDisk,
        runtime: Runtime,
        *,
        store: Store | None = None,
        lease: Lease | None = None,
        hook: Hook | None = None,
        notifiers: tuple[Notifier, ...] | None = None,
        hosts: Mapping[str, Dns] | None = None,
    ) -> Context:
        """A fresh process on this disk."""
        return Context(
            service=self.service,
            store=store or MemoryStore(disk),
            lease=lease or MemoryLease(disk),
            runtime=runtime,
            resolver=MemoryResolver(self.names, faults=lambda name: self._cut_off("look up") or self.unknown.get(name)),
            probe=MemoryProbe(now=self.clock.now, targets=self._answer, controls=lambda c: not self.control_lost(c)),
            authority=self.authority,
            accounts=self.clouds,
            compute=self.clouds,
            depots=self.clouds,
            hosts=hosts or {name: self.hosts[name] for name in self.service.hosts},
            package=lambda: Package(digest=self.digest, archive=self.digest.encode()),
            release=lambda digest: Release(digest=digest, command="python3 server.py", environment={"MODE": "live"}),
            notifiers=(self,) if notifiers is None else notifiers,
            hook=hook,
            hooks_s=5.0 if hook is not None else 0.0,
            vantage="here",
            delegation=self._delegation if self.service.edges else None,
        )

    def send(self, notice: Notice) -> None:
        """`ports.Notifier`."""
        if self.isolated:
            raise Unreachable("notify", "", "network is unreachable")
        self.notices.append(notice)

    def control_lost(self, _: Control) -> bool:
        self.controls_told_lost = self.isolated or self.controls_lost
        return self.controls_told_lost

    def _delegation(self, zone: str) -> Delegation:
        """What the parent says: the servers of all our hosts, and the strangers."""
        fault = self._cut_off("follow delegations")
        if fault is not None:
            raise fault
        ours = {s.partition(":")[0]: (s,) for host in self.hosts.values() for s in host.traits().servers}
        return Delegation(zone=zone, name_servers={**ours, **self.strangers})

    def _through(self, target: Target) -> Answer:
        """What the edge passes on. It names the site also where that does not serve: others ask for that."""
        if self.isolated:
            return Outcome.FAIL, Failure.CONNECT_TIMEOUT, f"{target.address} does not answer"
        site = self.passed_to()
        if site == target.site:
            return Outcome.PASS, None, "well"
        return Outcome.FAIL, Failure.HEADER, f"it says {site}"

    def _answer(self, target: Target) -> Answer:
        if target.address == EDGE:
            return self._through(target)
        if target.site in self.blind:
            return Outcome.UNKNOWN, Failure.LOCAL, "no file descriptor is left for it"
        if self.isolated or target.site in self.cut:
            return Outcome.FAIL, Failure.CONNECT_TIMEOUT, f"{target.address} does not answer"
        if target.site in self.sick:
            return Outcome.FAIL, Failure.STATUS, f"{target.address} answers 500"
        release = self.release_at(target.site, target.address)
        if release is None:
            return Outcome.FAIL, Failure.REFUSED, f"{target.address} refuses"
        if target.releases and release and release not in target.releases:  # nobody knows what a given site runs
            return Outcome.FAIL, Failure.HEADER, f"{target.address} runs another release"
        return Outcome.PASS, None, "well"

    def _server_fault(self, server: str) -> Exception | None:
        name = server.removeprefix("tcp ").split("-")[0]
        dead = self.isolated or name in self.dark or server in self.dark
        return Unreachable("ask name server", server, "no answer") if dead else None

    # ------------------------------------------------------------------------------------ the truth

    def release_at(self, site: str, address: str) -> str | None:
        """What runs at that address of that site now; "" at a given site, None where nothing runs."""
        if site not in self.clouds:
            return "" if address in GIVEN[site] else None
        node = self.clouds[site].running().get(address)
        return node.release if node is not None and node.site == site else None

    def serves(self, site: str, address: str, releases: Collection[str]) -> bool:
        """Whether clients get a good answer of one of these releases there."""
        if site in self.cut or site in self.sick or not self._found(site):
            return False
        release = self.release_at(site, address)
        return release is not None and (not releases or release in ("", *releases))

    def _found(self, site: str) -> bool:
        """Whether clients find it: a load balancer's name may be gone."""
        return self.service.site(site).targets is None or bool(self.names.get(balancer(site)))

    def closed(self, site: str) -> bool:
        return self.report(site).reading is Reading.CLOSED

    def report(self, site: str) -> AccountReport:
        """What the provider would say if it could be asked."""
        cloud = self.clouds.get(site)
        if cloud is None:
            return AccountReport(reading=Reading.NONE)
        faults, cloud.faults = cloud.faults, lambda _: None
        try:
            return cloud.state()
        finally:
            cloud.faults = faults

    def keys(self, zone: str) -> tuple[tuple[str, str], ...]:
        """Where our sets may stand in a zone, whatever is active, and its epoch."""
        names = [record.name for record in self.service.records if record.zone == zone]
        return (*((name, type) for name in names for type in ALIASED), (epoch_name(self.service.name, zone), "TXT"))

    def standing(self, host: str, zone: str = "") -> tuple[RRset, ...]:
        """What the host really holds of our names, in that zone or in all."""
        keys = [key for here in self.service.zones if zone in ("", here) for key in self.keys(here)]
        return tuple(self.held[host][key] for key in keys if key in self.held[host])

    def answered(self, host: str, zone: str) -> tuple[RRset, ...]:
        """What its name servers answer for our names in that zone now."""
        records = self.hosts[host].visible(zone)
        return tuple(records[key] for key in self.keys(zone) if key in records)

    def addresses(self, host: str) -> frozenset[str]:
        """What our names point to; the name of a load balancer where they are aliases."""
        return frozenset(value for r in self.standing(host) if r.type != "TXT" for value in r.values)

    def passed_to(self) -> str:
        """The site to which the edge passes what visitors ask for."""
        return " and ".join(sorted({self.site_of(value) for value in self.stuck or self.addresses(HOSTS[0])}))

    def site_of(self, value: str) -> str:
        """Whose address, or load balancer's name, that is; itself where it is nobody's."""
        for number, site in enumerate(self.service.sites, start=1):
            given = {a for found in (site.addresses or {}).values() for a in found} | {*(site.targets or {}).values()}
            if value in given or value.startswith(f"10.{number}."):
                return site.name
        return value

    def epoch(self, host: str, zone: str = ZONE) -> Epoch | None:
        return read_epoch(self.standing(host, zone), self.service.name, zone)

    def epochs(self, host: str) -> list[Epoch]:
        """Of its zones that have one."""
        return [epoch for zone in self.service.zones if (epoch := self.epoch(host, zone)) is not None]

    def edit(self, host: str, *values: str) -> None:
        """Somebody else, who knows nothing of our epoch, changes our record by hand."""
        strange = {key: r for key, r in self.held[host].items() if key[0] == epoch_name("stranger", ZONE)}
        before = next(iter(strange.values()), None)
        number = read_epoch(strange.values(), "stranger", ZONE)
        after = epoch_set("stranger", ZONE, Epoch(number=number.number + 1 if number else 1, site="x", plan="x"))
        record = RRset(name=NAME, type="A", ttl_s=300, values=frozenset(values))
        wire, self.dns[host].error = self.dns[host].error, None
        self.hosts[host].apply(ZONE, Changes(put=(record,)), expect=before, fence=after)
        self.dns[host].error = wire

    def heal(self) -> None:
        """Every fault ends, but what is closed stays closed and what is gone stays gone."""
        self.isolated = self.controls_lost = False
        self.stuck = frozenset()
        self.blind.clear()
        self.cut.clear()
        self.sick.clear()
        self.dark.clear()
        self.unknown.clear()
        self.names.update({name: GIVEN[site] for site in SITES if (name := balancer(site)) in self.names})
        for wire in (*self.api.values(), *self.dns.values()):
            wire.error = wire.only = None
        for cloud in self.clouds.values():
            cloud.empty_lists = False
        for host in self.hosts.values():
            host.lag_s = 0.0

    def reconfigure(self, service: Service) -> None:
        """The config has other words from now on; what is outside stays."""
        self.service = service
