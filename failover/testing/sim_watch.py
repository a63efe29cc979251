"""What must never happen in a simulation, looked at after every event. Names as in `docs` (S1 …, L1 …).

S1   each epoch stands for one plan; the epochs that a host accepts strictly increase
S2   addresses and epoch in a zone of a host are always one accepted batch, and nothing stands beside an alias
S3   an address set is never empty, and holds inventoried or configured addresses only
S4   a change of an older epoch is never accepted, however late (seen as S1 at a host that compares)
S5   no automatic cutover away from a site that could be reached all through the confirm window
S7   at the pivot of a cutover the target serves the right release
S9   intent is durable before DNS is touched
S10  after any crash: before or after, never a third state
S11  one automatic cutover per cooldown, so many per day; only a closed account may move on, forward
S14  a controller whose state is behind DNS only observes
S16  timeouts, refusals, throttling and empty lists alone are no evidence; neither is our own isolation
N2   a host is said to serve a plan only when each of its name servers answers all of it
N3   while the edge passes requests on to the old site nothing behind it is said to be served, and no plan ends without
     a debt for it
N4   nothing is published behind an edge while another vendor answers for the zone
N1   a node that serves and that DNS points to is not destroyed
S18  every change at a cloud has an entry in the audit log before it, and the log is whole
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from failover.core.cutover import ALIAS, PIVOT, CutoverPlan, PlanKind, Step, in_zone, record_sets
from failover.core.health import serving_needed
from failover.core.judge import accepted_releases, served_addresses, site_addresses
from failover.core.model import Instant, Site
from failover.core.rrsets import RRset
from failover.core.saga import Event, EventKind
from failover.core.verdict import VerdictKind
from failover.core.world import State
from failover.errors import StateError
from failover.stores import codec
from failover.testing.memory_dns import ONE_AFTER_ANOTHER
from failover.testing.memory_store import Contents, MemoryDisk, MemoryStore
from failover.testing.sim_world import Outside

DAY_S = 86400.0
Sets = Mapping[tuple[str, str], frozenset[str]]
"""By name and type, without epochs."""


class Ledger(MemoryDisk):
    """A disk that shows every event to `told` as soon as it is durable."""

    def __init__(self) -> None:
        super().__init__()
        self.told: Callable[[Event], None] = lambda _: None

    def keep(self, contents: Contents) -> None:
        known = len(self.contents.events)
        try:
            super().keep(contents)
        finally:
            if self.contents is contents:
                for _, body, _ in contents.events[known:]:
                    self.told(codec.decode_event(body, "event"))


class Watcher:
    """Looks on, from outside and from the disk, never through the engine. `violations` is what it saw."""

    def __init__(self, outside: Outside, disk: Ledger) -> None:
        self.outside = outside
        self.disk = disk
        self.violations: list[str] = []
        self.late: Counter[str] = Counter()
        """By DNS host: changes that may still arrive from calls that hung."""
        self.foreign = False
        """A stale controller is at work: whatever changes is its doing."""
        self.changed_s: dict[str, float] = {}
        """By DNS host: when it last accepted something."""
        self.ended_s = 0.0
        """When the last plan was committed."""
        self._accepted: dict[tuple[str, str], int] = {}
        """By host and zone."""
        self._plan_of: dict[int, str] = {}
        self._known: set[str] = set()
        self._up: dict[str, list[bool]] = {s.name: [] for s in outside.service.sites}
        self._closed_s: dict[str, float] = {}
        """When the account of a site was last closed for certain."""
        self._probes: list[dict[str, bool]] = []
        """Which sites really served at each probing since the round or the newest plan began."""
        self.told: Callable[[Event], None] = lambda _: None
        """Is told of every event when it has become durable."""
        self._pivots: list[tuple[float, CutoverPlan]] = []
        self._told_served: dict[str, Instant | None] = {}
        outside.watcher = self.dns_changed
        outside.onlooker = self.cloud_changes
        disk.told = self.written

    def say(self, invariant: str, sentence: str) -> None:
        self.violations.append(f"{invariant}: {sentence}")

    # ------------------------------------------------------------------------------------ from the disk

    def store(self) -> MemoryStore:
        """A reader of its own, whom no crash concerns."""
        reader = MemoryDisk()
        reader.contents = self.disk.contents
        return MemoryStore(reader)

    def state(self) -> State:
        return self.store().load()

    def _plan(self, id: str) -> CutoverPlan:
        return next(p for p in self.store().plans(10_000) if p.id == id)

    # ------------------------------------------------------------------------------------ DNS

    def dns_changed(self, host: str, zone: str) -> None:
        epoch, sets = self.outside.epoch(host, zone), self._sets(self.outside.standing(host, zone))
        place = host if len(self.outside.service.zones) == 1 else f"{host} ({zone})"
        if self.foreign:
            self.say("S14", f"{place} was changed by a controller whose state is old: {epoch}")
            return
        self._plain(place, sets)
        if self.outside.strangers and host in self.outside.service.edges:
            self.say("N4", f"{place} has an edge, and {', '.join(self.outside.strangers)} answers for the zone too")
        single = self.outside.hosts[host].traits().grade == ONE_AFTER_ANOTHER
        if epoch is None:
            if not single or self._accepted.get((host, zone)):
                self.say("S2", f"{place} holds no epoch any more")
            return
        before = self._accepted.get((host, zone), 0)
        self._addresses(place, zone, sets)
        if single and epoch.number == before:
            return  # one set after the other; the epoch comes last
        if epoch.number <= before:
            self.say("S1", f"{place} accepted epoch {epoch.number} after {before} (S4)")
        self._accepted[host, zone] = epoch.number
        self.changed_s[host] = self.outside.clock.seconds()
        if self._plan_of.setdefault(epoch.number, epoch.plan) != epoch.plan:
            self.say("S1", f"epoch {epoch.number} stands for plan {self._plan_of[epoch.number]} and {epoch.plan}")
        plan = next((p for p in self.store().plans(10_000) if p.digest == epoch.plan), None)
        if plan is None:
            self.say("S9", f"{place} holds plan {epoch.plan}, which is not on disk")
            return
        wanted = self._sets(in_zone(self.outside.service, self._bound(plan), zone))
        if sets != wanted:
            self.say("S2", f"{place} holds {_text(sets)} at epoch {epoch.number}, the plan says {_text(wanted)}")
        self._intended(host, plan)

    def _sets(self, rrsets: Iterable[RRset]) -> Sets:
        return {r.key: r.values for r in rrsets if r.type != "TXT"}

    def _plain(self, place: str, sets: Sets) -> None:
        """An alias stands alone (RFC 1034, section 3.6.2)."""
        for name, type in sets:
            beside = sorted(other for there, other in sets if there == name and other != type)
            if type == ALIAS and beside:
                self.say("S2", f"{place} holds {', '.join(beside)} beside the alias {name}")

    def _learn(self) -> None:
        """Addresses of the inventory and the config. They stay known: a plan goes on with those that it has proven."""
        state = self.state()
        for site in self.outside.service.sites:
            self._known |= {a for found in site_addresses(site, state).values() for a in found}
            self._known |= set((site.targets or {}).values())

    def _addresses(self, place: str, zone: str, sets: Sets) -> None:
        self._learn()
        names = {record.name for record in self.outside.service.records if record.zone == zone}
        if empty := names - {name for name, _ in sets}:
            self.say("S3", f"{', '.join(sorted(empty))} at {place} is empty")
        if strange := {value for values in sets.values() for value in values} - self._known:
            self.say("S3", f"{place} holds {sorted(strange)}, which no inventory knows")

    def _bound(self, plan: CutoverPlan) -> tuple[RRset, ...]:
        """The sets that the plan means, from its own words and its journal."""
        if Step.SCALE not in plan.steps:
            return plan.rrsets
        outputs = [e.output for e in self.store().journal(plan.id) if e.step == Step.SCALE and "addresses" in e.output]
        found = outputs[-1]["addresses"] if outputs else {}
        groups = found if isinstance(found, dict) else {}
        bound = {g: tuple(str(a) for a in v) for g, v in groups.items() if isinstance(v, list)}
        return record_sets(self.outside.service, self.outside.service.site(plan.target), bound) if bound else ()

    def _intended(self, host: str, plan: CutoverPlan) -> None:
        journal = self.store().journal(plan.id)
        if not any(e.step == PIVOT and e.kind is EventKind.STARTED for e in journal):
            self.say("S9", f"{host} was changed by {plan.id}, whose journal does not say so before")
        closed = any(e.kind is EventKind.CLOSED for e in journal)
        if closed and not self.late[host]:
            notes = [e.reason for e in self.store().events(10_000) if e.step == "settle"]
            if not any(host in reason for reason in notes):
                self.say("S18", f"{host} was changed after {plan.id} had ended, without a note")

    # ------------------------------------------------------------------------------------ clouds

    def cloud_changes(self, operation: str, object: str) -> None:
        if self.foreign:
            self.say("S14", f"{operation} {object} by a controller whose state is old")
            return
        try:
            events = self.store().events(10_000)
        except StateError:
            self.say("S18", f"{operation} {object} before there is any state")
            return
        if operation == "destroy":
            self._forsaken(object)
        scales = {e.plan for e in events if e.step == Step.SCALE}
        scaling = any(p.id in scales and f"-{p.target}-" in object for p in self.store().plans(10_000))
        place = object.rsplit("-", 1)[0] if operation in ("ensure", "destroy") else operation
        words = {"put": "upload"}.get(place, place)
        noted = any(e.kind is EventKind.NOTE and e.step.startswith("mirror ") and words in e.reason for e in events)
        if not scaling and not noted:
            self.say("S18", f"{operation} {object} without an entry in the audit log before it")

    def _forsaken(self, name: str) -> None:
        for site, cloud in self.outside.clouds.items():
            for address, node in cloud.running().items():
                hosts = [h for h in self.outside.hosts if address in self.outside.addresses(h)]
                if node.name == name and hosts and self.outside.serves(site, address, ()):
                    self.say("N1", f"{name} serves at {address}, {', '.join(hosts)} points to it, and it is destroyed")

    # ------------------------------------------------------------------------------------ decisions

    def written(self, event: Event) -> None:
        """An event has just become durable."""
        if self.foreign:
            return
        if event.kind is EventKind.CLOSED and event.reason == "committed":
            self.ended_s = event.at.boottime_s
            self._edge_follows(event.plan)
        claimed = event.step == Step.CLAIM and event.kind is EventKind.OK
        pivots = event.step == PIVOT and event.kind is EventKind.STARTED
        if claimed or pivots:
            plan = self._plan(event.plan)
            if plan.kind is PlanKind.CUTOVER and not any(plan.id == p.id for _, p in self._pivots):
                (self._claimed if claimed else self._pivoting)(plan)
        self.told(event)

    def _edge_follows(self, id: str) -> None:
        target, owing = self._plan(id).target, {debt.host for debt in self.state().debts}
        for host in self.outside.service.edges:
            if host not in owing and self.outside.passed_to() != target:
                self.say("N3", f"{id} has ended without a debt, the edge of {host} is at {self.outside.passed_to()}")

    def asked(self, what: str) -> None:
        """The engine is about to make this call."""
        if what == "probe":
            self._probes.append({s.name: self._serving(s) for s in self.outside.service.sites})
        elif what == "controls":
            self.outside.controls_told_lost = self.outside.controls_lost or self.outside.isolated

    def _claimed(self, plan: CutoverPlan) -> None:
        self._probes.clear()
        if plan.automatic:
            self._needed(plan)

    def _pivoting(self, plan: CutoverPlan) -> None:
        self._learn()
        self._proven(plan)
        if plan.automatic:
            if self._probes and all(probe.get(plan.source or "") for probe in self._probes):
                self.say("S5", f"{plan.id} leaves {plan.source}, which serves again")
            if self.outside.controls_told_lost:
                self.say("S16", f"{plan.id} moves while our controls do not answer")
            self._allowed(plan)
        self._pivots.append((self.outside.clock.seconds(), plan))

    def _proven(self, plan: CutoverPlan) -> None:
        releases = accepted_releases(self.state(), plan.target)
        bound = {value for rrset in self._bound(plan) for value in rrset.values}
        addresses = frozenset(x for a in bound for x in self.outside.names.get(a, (a,)))
        good = [a for a in addresses if self.outside.serves(plan.target, a, releases)]
        if len(good) < serving_needed(len(addresses)):
            self.say("S7", f"{plan.id}: {plan.target} serves at {len(good)} of {len(addresses)} addresses at the pivot")

    def _needed(self, plan: CutoverPlan) -> None:
        source, outside = plan.source or "", self.outside
        rounds = self._up[source][-outside.service.checks[0].fall :] if source in self._up else []
        if rounds and all(rounds):
            self.say("S5", f"{plan.id} leaves {source}, which served all the time")
        if self.outside.controls_told_lost:
            self.say("S16", f"{plan.id} is made while our controls do not answer")
        made_s = plan.at.boottime_s - 2 * outside.service.every_s
        if plan.verdict == VerdictKind.ACCOUNT_CLOSED and self._closed_s.get(source, 0.0) < made_s:
            self.say("S16", f"{plan.id} takes the account of {source} for closed")

    def _allowed(self, plan: CutoverPlan) -> None:
        now_s, policy = self.outside.clock.seconds(), self.outside.service.policy
        recent = [p for at_s, p in self._pivots if now_s - at_s < policy.cooldown_s]
        today = [p for at_s, p in self._pivots if now_s - at_s < DAY_S and p.automatic]
        if not recent and len(today) < policy.daily_limit:
            return
        used = {name for p in (*recent, *today) for name in (p.source, p.target)}
        forward = plan.verdict == VerdictKind.ACCOUNT_CLOSED and plan.target not in used
        if not forward:
            self.say(
                "S11", f"{plan.id} ({plan.verdict}) moves again after {[p.id for p in recent]}, today {len(today)}"
            )

    # ------------------------------------------------------------------------------------ rounds

    def round_begins(self) -> None:
        """Remembers which sites really serve, as clients see it."""
        self._probes.clear()
        for site in self.outside.service.sites:
            if self.outside.closed(site.name):
                self._closed_s[site.name] = self.outside.clock.seconds()
            self._up[site.name].append(self._serving(site))

    def _serving(self, site: Site) -> bool:
        state = self.state()
        addresses = [a for found in served_addresses(site, state).values() for a in found]
        releases = accepted_releases(state, site.name)
        good = [a for a in addresses if self.outside.serves(site.name, a, releases)]
        return bool(addresses) and len(good) >= serving_needed(len(addresses))

    def round_ends(self) -> None:
        state = self.state()
        self._served(state)
        highest = max((e.number for host in self.outside.hosts for e in self.outside.epochs(host)), default=0)
        if highest > state.epoch:
            self.say("S9", f"DNS holds epoch {highest}, the state has spent {state.epoch} only")
        if state.open_plan is None and state.published is not None and highest != state.published.epoch:
            self.say("S10", f"no plan is under way, DNS holds epoch {highest}, published is {state.published.epoch}")

    def _served(self, state: State) -> None:
        """What is said to be served now: each name server answers what the host holds, and its edge follows."""
        outside = self.outside
        for host, facts in state.facts.items():
            told, self._told_served[host] = self._told_served.get(host), facts.served
            epochs = {epoch.number for epoch in outside.epochs(host)}
            if facts.served is None or facts.served == told or epochs != {facts.epoch}:
                continue
            for zone in outside.service.zones:
                answered, held = (self._bare(host, f(host, zone)) for f in (outside.answered, outside.standing))
                if answered != held:
                    self.say("N2", f"{host} is said to serve {_text(held)}, its servers answer {_text(answered)}")
            site = outside.epochs(host)[0].site
            if host in outside.service.edges and outside.passed_to() != site:
                self.say("N3", f"{host} is said to serve {site}, its edge is at {outside.passed_to()}")

    def _bare(self, host: str, rrsets: Iterable[RRset]) -> Sets:
        """Without what stands behind its edge: of that name servers answer the edge's addresses."""
        return self._sets(r for r in rrsets if r.name not in self.outside.hosts[host].behind)

    def at_rest(self) -> None:
        """No fault, no plan, no debt is left: everything agrees."""
        try:
            self.store().verify()
        except StateError as error:
            self.say("S18", str(error))
        state = self.state()
        published = state.published
        if published is None or state.active_site != published.target:
            self.say("S10", f"active is {state.active_site}, published {published.target if published else None}")
            return
        wanted = self._sets(published.rrsets)
        for host in self.outside.hosts:
            epochs = [self.outside.epoch(host, zone) for zone in self.outside.service.zones]
            if any(e is None or (e.number, e.site) != (published.epoch, state.active_site) for e in epochs):
                held = ", ".join(map(str, epochs))
                self.say("S10", f"{host} holds {held}, the state says epoch {published.epoch} at {state.active_site}")
            if (held_sets := self._sets(self.outside.standing(host))) != wanted:
                self.say("S10", f"{host} holds {_text(held_sets)}, published is {_text(wanted)}")


def _text(sets: Sets) -> str:
    return "; ".join(f"{name} {type} {', '.join(sorted(values))}" for (name, type), values in sorted(sets.items()))
