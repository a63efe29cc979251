"""What may befall a simulated service: every fault begins with one sentence, and most end by themselves."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from failover.core.model import Reading
from failover.testing.sim_runtime import Trouble
from failover.testing.sim_world import ERRORS, GIVEN, HOSTS, SITES, Outside, Wire, balancer

ROUNDS_MAX = 15
CRISES = 0.12
QUIET_DENSITY = 0.08
Fault = tuple[str, Callable[[], None] | None]
"""A sentence, and what ends it."""
Kind = Callable[[], Fault]
HANGING = ("probe", "controls", "account of", "nodes of", "stock of", "read ", "change ", "create ", "destroy ", "ask ")
"""Names of calls that may hang; what only bundles other calls does not."""


@dataclass(slots=True)
class Faults:
    """Draws faults and plays them on the outside. `hang_share` of the calls of a round hang while it is not 0."""

    outside: Outside
    chance: random.Random
    active: Callable[[], str | None]
    """The site that the state says is active: it is hit more often than the others."""
    hang_share: float = 0.0
    density: float = 0.3
    """How many faults begin in a round."""
    crises: float = CRISES
    """How many crises begin in a round that has none."""
    next_change: Trouble | None = None
    """What befalls the next change of DNS."""
    round: int = 0
    _crisis_ends: int = 0
    _ends: list[tuple[int, str, Callable[[], None]]] = field(default_factory=list)

    def draw(self) -> list[str]:
        """Ends what is over, perhaps begins something new. Returns what happened, as sentences."""
        said = []
        for due in [e for e in self._ends if e[0] <= self.round]:
            self._ends.remove(due)
            due[2]()
            said.append(f"over: {due[1]}")
        if self.round >= self._crisis_ends and self.chance.random() < self.crises:
            return [*said, *self._crisis()]
        calm = self.round < self._crisis_ends
        if self.chance.random() < (QUIET_DENSITY if calm else self.density):
            said.append(self.begin(self.chance.choice(self._kinds())))
        return said

    def _crisis(self) -> list[str]:
        """The active site is lost, for long enough that a cutover is due; little else fails meanwhile.

        Or it is well and only seems lost from here, for as long: then nothing is due.
        """
        active = self.active()
        if active is None:
            return []
        for _, _, end in self._ends:
            end()
        self._ends.clear()
        kinds: list[Kind] = [lambda: self._cut(active), lambda: self._sick(active), lambda: self._unseen(active)]
        if active in self.outside.clouds:
            kinds += [lambda: self._close(active), lambda: self._provider(active), lambda: self._kill(active)]
        kind = self.chance.choice(kinds)
        text, ends = kind()
        self._crisis_ends = self.round + self.chance.randint(8, 14)
        if ends is not None:
            self._ends.append((self._crisis_ends, text, ends))
        return ["whatever else failed is over", f"crisis: {text}"]

    def against(self, source: str, target: str) -> str:
        """Something that a cutover from here to there must notice on its way. Returns the sentence."""
        kinds = [
            lambda: self._recovers(source),
            lambda: self._recovers(source),
            lambda: self._recovers(source),
            lambda: self._sick(target),
            lambda: self._cut(target),
            self._controls,
            self._isolated,
        ]
        return self.begin(self.chance.choice(kinds))

    def begin(self, kind: Kind) -> str:
        """It lasts for some rounds. Returns the sentence."""
        text, end = kind()
        if end is not None:
            self._ends.append((self.round + self.chance.randint(1, ROUNDS_MAX), text, end))
        return text

    def _recovers(self, site: str) -> Fault:
        self.outside.cut.discard(site)
        self.outside.sick.discard(site)
        if site in self.outside.clouds:
            self.outside.clouds[site].revive()
        return f"{site} recovers", None

    def heal(self) -> None:
        """Nothing is broken any more; what is closed or gone stays so."""
        self._ends.clear()
        self.hang_share = 0.0
        self.next_change = None
        self.outside.heal()

    def trouble(self, what: str) -> Trouble | None:
        if what.startswith("change ") and self.next_change is not None:
            found, self.next_change = self.next_change, None
            return found
        if not what.startswith(HANGING) or self.chance.random() >= self.hang_share:
            return None
        return self.chance.choice(list(Trouble))

    # ------------------------------------------------------------------------------------ kinds

    def _kinds(self) -> list[Kind]:
        balancers = [self._balancer] * 3 if self.outside.names else []
        edges = [self.edge_stays] * 3 if self.outside.service.edges else []
        balancers += edges
        if not self.outside.clouds:
            ours = [self._isolated, self._controls, self._hang, self._blind]
            return [self._cut, self._dns, self._dns, self._lag, *ours, *balancers]
        return [
            *balancers,
            self._close,
            self._close,
            self._close,
            self._close,
            self._warn,
            self._api,
            self._api,
            self._empty,
            self._kill,
            self._kill,
            self._cut,
            self._cut,
            self._cut,
            self._provider,
            self._provider,
            self._provider,
            self._sick,
            self._dns,
            self._dns,
            self._lag,
            self._isolated,
            self._controls,
            self._blind,
            self._blind,
            self._blind,
            self._hang,
            self._hang,
        ]

    def _site(self) -> str:
        return self._one_of([s.name for s in self.outside.service.sites])

    def _managed(self) -> str:
        """A site that has an account."""
        return self._one_of(list(self.outside.clouds))

    def _one_of(self, sites: list[str]) -> str:
        active = self.active()
        if active in sites and self.chance.random() < 0.4:
            return active
        return self.chance.choice(sites)

    def _balancer(self) -> Fault:
        """Its name is gone, or nobody can look it up; the latter says nothing about the site."""
        site = self.chance.choice([s.name for s in self.outside.service.sites if s.targets is not None])
        name, outside = balancer(site), self.outside
        if self.chance.random() < 0.5:
            outside.names[name] = ()
            return f"the load balancer of {site} is deleted", lambda: outside.names.update({name: GIVEN[site]})
        outside.unknown[name] = ERRORS["garbage"]("look up")

        def end() -> None:
            outside.unknown.pop(name, None)

        return f"nobody can look up the load balancer of {site}", end

    def _close(self, site: str = "") -> Fault:
        """Not more than two at a time, and seldom for good."""
        closed = [s for s in self.outside.clouds if self.outside.closed(s)]
        site = site or self._managed()
        if len(closed) >= 2 and site not in closed:
            site = closed[0]  # most often one place is left
        cloud = self.outside.clouds[site]
        cloud.close("terms of service")
        return f"{site} closes the account", cloud.reopen

    def _warn(self) -> Fault:
        site = self._managed()
        cloud = self.outside.clouds[site]
        if self.outside.report(site).reading is Reading.CLOSED:
            return f"{site} would warn, but is closed", None
        cloud.warn("unpaid")
        return f"{site} warns about the account", lambda: None if self.outside.closed(site) else cloud.reopen()

    def _api(self) -> Fault:
        site = self._managed()
        kind = self.chance.choice(["down", "refused", "garbage", "throttled", "reply-lost"])
        only = frozenset({"ensure", "destroy", "put", "remove"}) if kind == "reply-lost" else None
        return f"the API of {site}: {kind}", _on(self.outside.api[site], kind, only)

    def _provider(self, site: str = "") -> Fault:
        """What a large outage looks like: nothing answers, or the API refuses everybody."""
        site = site or self._site()
        kind = self.chance.choice(["down", "refused", "garbage", "throttled"])
        undo = _on(self.outside.api[site], kind, None)
        self.outside.cut.add(site)

        def end() -> None:
            undo()
            self.outside.cut.discard(site)

        return f"all of {site} is gone, its API: {kind}", end

    def _empty(self) -> Fault:
        site = self._managed()
        cloud = self.outside.clouds[site]
        cloud.empty_lists = True

        def end() -> None:
            cloud.empty_lists = False

        return f"the API of {site} lists nothing although the nodes run", end

    def _kill(self, site: str = "") -> Fault:
        """All nodes of that site; of any site some."""
        chosen = site or self._managed()
        names = [n.name for n in self.outside.clouds[chosen].running().values()]
        killed = names if site else self.chance.sample(names, self.chance.randint(0, len(names)))
        for name in killed:
            self.outside.clouds[chosen].stop(name)
        return f"{len(killed)} of {len(names)} nodes of {chosen} die", None

    def _cut(self, site: str = "") -> Fault:
        site = site or self._site()
        self.outside.cut.add(site)
        return f"{site} cannot be reached, its account is fine", lambda: self.outside.cut.discard(site)

    def _sick(self, site: str = "") -> Fault:
        site = site or self._site()
        self.outside.sick.add(site)
        return f"the program at {site} answers 500", lambda: self.outside.sick.discard(site)

    def _dns(self) -> Fault:
        host = self.chance.choice(list(self.outside.hosts))
        kind = self.chance.choice(["down", "down", "rejected", "garbage", "reply-lost", "refused"])
        only = frozenset({"apply"}) if kind in ("rejected", "reply-lost", "refused") else None
        undo = _on(self.outside.dns[host], kind, only)
        if kind == "down":
            self.outside.dark.add(host)

        def end() -> None:
            undo()
            self.outside.dark.discard(host)

        return f"DNS host {host}: {kind}", end

    def _lag(self) -> Fault:
        host = self.outside.hosts[self.chance.choice(list(self.outside.hosts))]
        host.lag_s = self.chance.uniform(1.0, 45.0)

        def end() -> None:
            host.lag_s = 0.0

        return f"the name servers of {host.name} lag {host.lag_s:.0f} s behind", end

    def edge_stays(self) -> Fault:
        """It passes requests on to where they go now, whatever its host's API says from here on."""
        self.outside.stuck = self.outside.addresses(HOSTS[0])

        def end() -> None:
            self.outside.stuck = frozenset()

        return f"the edge stays at {self.outside.passed_to()}", end

    def _isolated(self) -> Fault:
        self.outside.isolated = True

        def end() -> None:
            self.outside.isolated = False

        return "our own network is gone", end

    def _controls(self) -> Fault:
        self.outside.controls_lost = True

        def end() -> None:
            self.outside.controls_lost = False

        return "the controls do not answer", end

    def _blind(self) -> Fault:
        sites = set(SITES) if self.chance.random() < 0.3 else {self._site()}
        self.outside.blind |= sites

        def end() -> None:
            self.outside.blind -= sites

        return f"our probes cannot ask {', '.join(sorted(sites))}", end

    def _unseen(self, site: str) -> Fault:
        """It serves everybody; only our probes cannot ask it and its API does not help: nothing speaks against it."""
        kind = self.chance.choice(["down", "refused", "garbage", "throttled"])
        undo = _on(self.outside.api[site], kind, None)
        self.outside.blind.add(site)

        def end() -> None:
            undo()
            self.outside.blind.discard(site)

        return f"{site} is well, but our probes cannot ask it, its API: {kind}", end

    def _hang(self) -> Fault:
        self.hang_share = self.chance.choice([0.02, 0.05, 0.2])

        def end() -> None:
            self.hang_share = 0.0

        return f"{self.hang_share:.0%} of all calls hang", end


def _on(wire: Wire, kind: str, only: frozenset[str] | None) -> Callable[[], None]:
    wire.error, wire.only = ERRORS[kind], only

    def end() -> None:
        wire.error = wire.only = None

    return end
