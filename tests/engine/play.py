"""A whole service to play stories with: the simulated outside, one disk, and one process at a time."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from failover.core.cutover import CutoverPlan
from failover.core.model import HostTraits, Node, Policy, Service, Standby
from failover.core.saga import Event, EventKind
from failover.core.world import State
from failover.engine.context import TICK, Context, leased
from failover.engine.deploy import Deployed, deploy
from failover.engine.mirror import SiteResult
from failover.engine.operate import Outcome, cutover
from failover.engine.teardown import tear_down, tear_down_site
from failover.engine.tick import TickReport, tick
from failover.ports import Hook, Notifier
from failover.testing.memory_store import Crashed
from failover.testing.sim_runtime import SimRuntime, Trouble, VirtualClock
from failover.testing.sim_watch import Ledger
from failover.testing.sim_world import HOSTS, POLICY, Outside, guestbook

ROUNDS_MAX = 60


def quiet(_site: str, _sentence: str) -> None:
    """Progress that nobody reads."""


@dataclass(slots=True)
class Play:
    """`process` starts a fresh process on the same disk; everything else goes through the current one."""

    outside: Outside
    clock: VirtualClock
    disk: Ledger = field(default_factory=Ledger)
    trouble: Callable[[str], Trouble | None] = lambda _: None
    """What befalls a call, by its name."""
    hook: Hook | None = None
    notifiers: tuple[Notifier, ...] | None = None
    seed: int = 0
    context: Context = field(init=False)
    runtime: SimRuntime = field(init=False)

    def __post_init__(self) -> None:
        self.process()

    def process(self) -> None:
        self.seed += 1
        self.disk.restart()
        self.runtime = SimRuntime(self.seed, self.clock, trouble=lambda what: self.trouble(what))
        self.context = self.outside.context(self.disk, self.runtime, hook=self.hook, notifiers=self.notifiers)

    @property
    def state(self) -> State:
        return self.context.store.load()

    def apply(self, *, adopt: bool = False) -> Deployed:
        return deploy(self.context, quiet, adopt=adopt)

    def destroy(self) -> tuple[SiteResult, ...]:
        return tear_down(self.context, quiet)

    def destroy_at(self, site: str, *, forget: bool = False) -> SiteResult:
        return tear_down_site(self.context, site, quiet, forget=forget)

    def tick(self) -> TickReport:
        with leased(self.context, TICK) as term:
            return tick(self.context, term=term)

    def ticks(self, count: int) -> TickReport:
        """So many rounds, one cadence apart; the report of the last."""
        report = self.tick()
        for _ in range(count - 1):
            self.wait()
            report = self.tick()
        return report

    def wait(self, seconds: float | None = None) -> None:
        self.clock.advance(self.outside.service.every_s if seconds is None else seconds)

    def settle(self) -> TickReport:
        """Rounds until no plan is under way. Fails when that never comes."""
        for _ in range(ROUNDS_MAX):
            report = self.tick()
            if self.state.open_plan is None:
                return report
            self.wait()
        raise AssertionError(f"{self.state.open_plan} never ends: {self.journal()}")

    def until(self, site: str) -> None:
        """Rounds until that site is active and nothing is under way."""
        for _ in range(ROUNDS_MAX):
            self.tick()
            if self.state.active_site == site and self.state.open_plan is None:
                return
            self.wait()
        raise AssertionError(f"still at {self.state.active_site}: {self.state.reasons}; {self.journal()}")

    def survive(self) -> bool:
        """One round of a process that may die in it; then a fresh one stands there. Returns whether it lived."""
        try:
            self.tick()
        except Crashed:
            self.process()
            return False
        return True

    def when(self, step: str, kind: EventKind, do: Callable[[], object]) -> None:
        """`do` happens once, as soon as the disk holds such an entry."""

        def told(event: Event) -> None:
            if (event.step, event.kind) == (step, kind):
                self.disk.told = lambda _: None
                do()

        self.disk.told = told

    def until_journaled(self, entry: str) -> None:
        """Rounds until the newest plan's journal holds that entry. Fails when that never comes."""
        for _ in range(ROUNDS_MAX):
            if entry in self.journal():
                return
            self.tick()
            self.wait()
        raise AssertionError(f"never {entry}: {self.state.reasons}; {self.journal()}")

    def cutover(self, target: str | None = None, *, forced: bool = False, wait_s: float = 120.0) -> Outcome:
        return cutover(self.context, target, forced=forced, lease_wait_s=0.0, wait_s=wait_s)

    # ------------------------------------------------------------------------------------ what is seen

    def plans(self) -> Sequence[CutoverPlan]:
        return self.context.store.plans()

    def plan(self) -> CutoverPlan:
        return self.plans()[-1]

    def events(self) -> tuple[Event, ...]:
        return self.context.store.journal(self.plan().id)

    def journal(self) -> list[str]:
        """The newest plan's journal: `swap:ok`, …, `closed committed`."""
        return [f"{e.step}:{e.kind}" if e.step else f"{e.kind} {e.reason}" for e in self.events()]

    def reasons(self, step: str) -> str:
        return "; ".join(e.reason for e in self.events() if e.step == step and e.reason)

    def notes(self, step: str) -> list[str]:
        return [e.reason for e in self.context.store.events(10_000) if not e.plan and e.step == step]

    def addresses(self, host: str = "one") -> frozenset[str]:
        return self.outside.addresses(host)

    def site_of_dns(self, host: str = "one") -> set[str]:
        """The sites whose nodes the record points to."""
        return {self.site_of(a) for a in self.addresses(host)}

    def site_of(self, address: str) -> str:
        for site in self.outside.service.sites:
            given = [a for found in (site.addresses or {}).values() for a in found]
            given += (site.targets or {}).values()
            cloud = self.outside.clouds.get(site.name)
            network = f"10.{list(self.outside.clouds).index(site.name) + 1}." if cloud else "-"
            if address in given or address.startswith(network):
                return site.name
        return address

    def epochs(self) -> list[int]:
        found = [self.outside.epoch(host) for host in HOSTS]
        return [e.number if e else 0 for e in found]

    def nodes(self, site: str) -> tuple[Node, ...]:
        return self.outside.clouds[site].nodes("guestbook", site)

    def said(self, event: str) -> list[str]:
        return [n.title for n in self.outside.notices if n.event.startswith(event)]


def play(
    *,
    standby: Mapping[str, Standby] | None = None,
    given: Collection[str] = (),
    targets: Collection[str] = (),
    policy: Policy = POLICY,
    single_accept: bool = True,
    count: int = 2,
    service: Service | None = None,
    polls_pending: int = 0,
    nodes_max: int = 6,
    hook: Hook | None = None,
    notifiers: tuple[Notifier, ...] | None = None,
    traits: Mapping[str, HostTraits] | None = None,
) -> Play:
    """Nothing is there yet."""
    clock = VirtualClock()
    found = service or guestbook(
        standby=standby, given=given, targets=targets, policy=policy, single_accept=single_accept, count=count
    )
    outside = Outside(found, clock, polls_pending=polls_pending, nodes_max=nodes_max, traits=traits)
    return Play(outside, clock, hook=hook, notifiers=notifiers)


def published(**options: object) -> Play:
    """Everything is applied, published, and was well for some rounds."""
    found = play(**options)  # type: ignore[arg-type]
    done = found.apply()
    assert done.problems == (), done.problems
    found.ticks(4)
    found.wait()
    return found
