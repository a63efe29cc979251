"""How often a configuration moves wrongly, and how often it misses a loss: the real judgement under simulated years.

    python -m failover.testing.detection --hours 100000 --seed 1
    python -m failover.testing.detection --hours 1000000 --format json

The model of what goes wrong is `detection_model`; nothing of the judgement is copied: each round is an `Observation`
that goes through `judge` and `decide`, and a decision to move must then outlast a fresh round, as a cutover's first
steps demand. Where nothing happens for hours the state does not change but for its clock, so those rounds are not
played one by one (`--every-round` plays them; a test compares).

A move ends an episode: the fault is over, and the service is back at its first site with a clean slate. So cooldown,
the daily limit and a person's answers play no part, and each figure is about detection alone.
"""

import argparse
import json
import math
import random
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from failover.core.budget import cadence_s
from failover.core.decide import DAY_S, DecisionKind, decide
from failover.core.evidence import Memory, ServiceMemory
from failover.core.health import Health, HealthState, isolated, round_outcome
from failover.core.judge import Observation, controls_ok, judge
from failover.core.model import (
    AccountReport,
    Ballot,
    Check,
    CheckKind,
    Control,
    ControlKind,
    ControlSample,
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
from failover.core.quorum import still_fails
from failover.core.signals import ServiceReading, Signal
from failover.core.verdict import Verdict, VerdictKind
from failover.core.world import Readiness, State, View, Watch, World
from failover.testing.detection_model import (
    ACTIVE,
    ACTIVE_API,
    CONTROLS,
    HOUR_S,
    PROBE_LOSS,
    ROAD,
    STANDBY,
    STANDBY_API,
    THINGS,
    TROUBLES,
    Api,
    Fault,
    Losses,
    Trouble,
    Truth,
    faults,
)

ADDRESS = {ACTIVE: "192.0.2.1", STANDBY: "198.51.100.1"}
SITE = {ACTIVE: "virginia", STANDBY: "frankfurt"}
API = {ACTIVE: ACTIVE_API, STANDBY: STANDBY_API}
API_SERVICES = ("compute", "storage", "identity")
HOSTS = {"one": HostReading(host="one", grade=1)}
VANTAGES = tuple(Vantage(name=name, provider=f"at-{name}") for name in ("home", "paris", "oregon"))
MISSED_AFTER_S = HOUR_S


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


# ---------------------------------------------------------------------------------------------- counting


@dataclass(slots=True, kw_only=True)
class Tally:
    """What happened to one setup. Waits are seconds from the loss to the decision."""

    setup: str
    hours: float = 0.0
    rounds: int = 0
    played: int = 0
    false_moves: int = 0
    """The site served its users."""
    hasty_moves: int = 0
    """The site was down, and would have come back by itself."""
    false_questions: int = 0
    losses: int = 0
    moved: int = 0
    asked: int = 0
    waits_s: list[float] = field(default_factory=list)
    culprits: dict[str, int] = field(default_factory=dict)
    """Of moves and questions while the site served: by the faults that stood."""

    @property
    def missed(self) -> int:
        """Losses that led neither to a move nor to a question within an hour."""
        return self.losses - self.moved - self.asked

    def document(self) -> dict[str, object]:
        """What is printed: rates per 1,000 hours with their 95 % intervals."""
        return {
            "setup": self.setup,
            "hours": self.hours,
            "rounds": self.rounds,
            "rounds_played": self.played,
            "false_moves": self.false_moves,
            "false_moves_per_1000_h": _rates(self.false_moves, self.hours),
            "hasty_moves": self.hasty_moves,
            "hasty_moves_per_1000_h": _rates(self.hasty_moves, self.hours),
            "false_questions": self.false_questions,
            "false_questions_per_1000_h": _rates(self.false_questions, self.hours),
            "losses": self.losses,
            "moved": self.moved,
            "asked": self.asked,
            "missed": self.missed,
            "missed_share": _shares(self.missed, self.losses),
            "wait_s_median": _quantile(self.waits_s, 0.5),
            "wait_s_p99": _quantile(self.waits_s, 0.99),
            "wait_s_max": max(self.waits_s, default=None),
            "culprits": dict(sorted(self.culprits.items())),
        }


def poisson_interval(count: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of the expected count, by Byar's approximation (Breslow & Day 1987, volume II, page 69)."""
    high = count + 1
    upper = high * (1 - 1 / (9 * high) + z / (3 * math.sqrt(high))) ** 3
    lower = count * (1 - 1 / (9 * count) - z / (3 * math.sqrt(count))) ** 3 if count else 0.0
    return lower, upper


def _rates(count: int, hours: float) -> dict[str, float]:
    low, high = poisson_interval(count)
    return {name: value / hours * 1000 for name, value in (("rate", count), ("low", low), ("high", high))}


def _shares(count: int, of: int) -> dict[str, float] | None:
    if not of:
        return None
    low, high = poisson_interval(count)
    return {name: min(1.0, value / of) for name, value in (("share", count), ("low", low), ("high", high))}


def _quantile(values: Sequence[float], share: float) -> float | None:
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))] if ranked else None


# ---------------------------------------------------------------------------------------------- what is seen


Asked = tuple[int, str]
"""A vantage and one of the things that it needs."""


class Detection:
    """One setup under one seed. `run` plays it."""

    def __init__(
        self,
        setup: Setup,
        *,
        seed: int,
        hours: float,
        every_round: bool = False,
        troubles: Sequence[Trouble] = TROUBLES,
    ) -> None:
        self.service = setup.service
        self.cadence_s = cadence_s(setup.service)
        self.rounds = int(hours * HOUR_S / self.cadence_s)
        self.tally = Tally(setup=setup.name, hours=hours, rounds=self.rounds)
        self._every_round = every_round
        self._vantages = range(max(1, len(setup.service.vantages)))
        self._coming = faults(seed, hours, len(self._vantages), troubles)
        self._next_fault = next(self._coming, None)
        self._standing: list[Fault] = []
        self._losses = {(v, thing): Losses(seed, v, thing) for v in self._vantages for thing in THINGS}
        self._fresh = random.Random(f"{seed}/fresh")  # noqa: S311  (a simulation must be repeatable)
        self._asked = False

    def run(self) -> Tally:
        state, round_ = quiet_state(self.service, 0.0), 0
        while round_ < self.rounds:
            at_s = round_ * self.cadence_s
            self._advance(at_s)
            lost = {asked for asked, losses in self._losses.items() if losses.next_from(round_) == round_}
            if self._idle(state, lost):
                round_ = self._next_round(round_)
                state = quiet_state(self.service, (round_ - 1) * self.cadence_s)
                continue
            state = self._round(state, at_s, lost)
            round_ += 1
        return self.tally

    def _advance(self, at_s: float) -> None:
        """Faults that have begun and not ended."""
        while self._next_fault is not None and self._next_fault.start_s <= at_s:
            self._standing.append(self._next_fault)
            self.tally.losses += self._next_fault.truth is Truth.LOST
            self._next_fault = next(self._coming, None)
        self._standing = [fault for fault in self._standing if fault.end_s > at_s]

    def _idle(self, state: State, lost: set[Asked]) -> bool:
        return not (self._every_round or self._standing or lost) and settled(self.service, state)

    def _next_round(self, round_: int) -> int:
        """The first round after this one in which anything can be different."""
        coming = [losses.next_from(round_ + 1) for losses in self._losses.values()]
        if self._next_fault is not None:
            coming.append(max(round_ + 1, math.ceil(self._next_fault.start_s / self.cadence_s)))
        return min(*coming, self.rounds)

    # ------------------------------------------------------------------------------------ one round

    def _round(self, state: State, at_s: float, lost: set[Asked]) -> State:
        self.tally.played += 1
        seen = self._observe(at_s, lost)
        state = judge(self.service, state, seen)
        world = World(
            now=seen.at, state=state, hosts=HOSTS, isolated=state.isolated, controls_ok=controls_ok(seen.controls)
        )
        decision = decide(self.service, world)
        if decision.kind is DecisionKind.CUT_OVER and self._goes_through(seen, at_s):
            return self._moved(at_s)
        if decision.kind is DecisionKind.ASK:
            self._question(at_s)
        elif settled(self.service, state):
            self._asked = False
        return state

    def _observe(self, at_s: float, lost: Iterable[Asked]) -> Observation:
        gone = [set(self._gone(vantage, lost)) for vantage in self._vantages]
        now = instant(at_s)
        reports, nodes = {}, {}
        for site, api in API.items():
            faults_here = [f.api for f in self._standing if f.api is not None] if site is ACTIVE else []
            reports[SITE[site]], listed = _report(faults_here, silent=api in gone[0])
            if listed is not None:
                nodes[SITE[site]] = (_node(site),) if listed else ()
        return Observation(
            at=now,
            samples=_samples(now, gone[0]),
            controls=self._controls(gone[0]),
            reports=reports,
            nodes=nodes,
            hosts=HOSTS,
            ballots=tuple(self._ballot(vantage, now, gone) for vantage in self._vantages[1:]),
        )

    def _gone(self, vantage: int, lost: Iterable[Asked]) -> Iterable[str]:
        yield from (thing for asking, thing in lost if asking == vantage)
        for fault in self._standing:
            if fault.hits(vantage):
                yield from fault.takes

    def _controls(self, gone: set[str]) -> tuple[ControlSample, ...]:
        return tuple(
            ControlSample(target=c.target, provider=c.provider, ok=c.provider not in gone)
            for c in self.service.controls
        )

    def _ballot(self, vantage: int, at: Instant, gone: Sequence[set[str]]) -> Ballot:
        name = self.service.vantages[vantage].name
        if ROAD in gone[0] or ROAD in gone[vantage]:
            return Ballot(vantage=name, problem="no answer in time")
        return Ballot(vantage=name, samples=_samples(at, gone[vantage]), controls=self._controls(gone[vantage]))

    def _goes_through(self, seen: Observation, at_s: float) -> bool:
        """What stands between a decision and its pivot: this round and a fresh one find the site down, and the target
        serves."""
        if not self._fails(seen):
            return False
        fresh = self._observe(at_s, {asked for asked in self._losses if self._fresh.random() < PROBE_LOSS})
        target, _ = round_outcome([s for s in fresh.samples if s.site == SITE[STANDBY]])
        return self._fails(fresh) and target is Outcome.PASS and not isolated(fresh.controls)

    def _fails(self, seen: Observation) -> bool:
        own = [s for s in seen.samples if s.site == SITE[ACTIVE]]
        return still_fails(self.service, self.service.site(SITE[ACTIVE]), own, seen.ballots)[0]

    # ------------------------------------------------------------------------------------ what came of it

    def _moved(self, at_s: float) -> State:
        loss = self._loss()
        if loss is not None:
            self._answered(loss, at_s, moved=True)
        elif any(f.truth is Truth.BLIP for f in self._standing):
            self.tally.hasty_moves += 1
        else:
            self.tally.false_moves += 1
            self._blame("move")
        self._standing.clear()
        self._asked = False
        return quiet_state(self.service, at_s)

    def _question(self, at_s: float) -> None:
        """A person who is asked about a real loss says yes; one who is asked about nothing shakes the head."""
        loss = self._loss()
        if loss is not None:
            self._answered(loss, at_s, moved=False)
            self._standing.remove(loss)
        elif not self._asked and not any(f.truth is Truth.BLIP for f in self._standing):
            self.tally.false_questions += 1
            self._blame("question")
        self._asked = True

    def _loss(self) -> Fault | None:
        return next((fault for fault in self._standing if fault.truth is Truth.LOST), None)

    def _answered(self, loss: Fault, at_s: float, *, moved: bool) -> None:
        wait_s = at_s - loss.start_s
        self.tally.waits_s.append(wait_s)
        if wait_s <= MISSED_AFTER_S:
            self.tally.moved += moved
            self.tally.asked += not moved

    def _blame(self, what: str) -> None:
        for name in sorted({fault.name for fault in self._standing}) or ["chance"]:
            key = f"{what}: {name}"
            self.tally.culprits[key] = self.tally.culprits.get(key, 0) + 1


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
        inventory={name: (_node(site),) for site, name in SITE.items()},
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


def _node(site: str) -> Node:
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


def _samples(at: Instant, gone: set[str]) -> tuple[Sample, ...]:
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


def _report(standing: Sequence[Api], *, silent: bool) -> tuple[AccountReport, bool | None]:
    """What the account says, and whether our nodes are listed (None: the list cannot be read)."""
    apis = {*standing, Api.SILENT} if silent else set(standing)
    for api, reading, signals, listed in _SAYS:
        if api in apis:
            return _answer(reading, signals), listed
    return _answer(Reading.ACTIVE, (Signal.OK,) * 3), True


def _answer(reading: Reading, signals: Sequence[Signal]) -> AccountReport:
    found = tuple(ServiceReading(service=name, signal=s) for name, s in zip(API_SERVICES, signals, strict=True))
    return AccountReport(reading=reading, signals=found)


# ---------------------------------------------------------------------------------------------- the command


def table(tallies: Sequence[Tally]) -> str:
    """For people: a block of lines for each setup."""
    abouts = {setup.name: setup.about for setup in SETUPS}
    return "\n".join(line for tally in tallies for line in (*_block(tally, abouts.get(tally.setup, "")), ""))


def _block(tally: Tally, about: str) -> list[str]:
    found = [f"{tally.setup}: {about}", f"  {tally.hours:,.0f} h, {tally.rounds:,} rounds, {tally.played:,} played"]
    for title, count in (
        ("moved although it served", tally.false_moves),
        ("moved although it would have come back", tally.hasty_moves),
        ("asked although it served", tally.false_questions),
    ):
        rate = _rates(count, tally.hours)
        found.append(
            f"  {title:40} {count:6}   {rate['rate']:.4f} per 1,000 h ({rate['low']:.4f} to {rate['high']:.4f})"
        )
    missed = _shares(tally.missed, tally.losses)
    found.append(f"  {'losses':40} {tally.losses:6}   moved {tally.moved}, asked {tally.asked}, missed {tally.missed}")
    if missed is not None:
        found.append(
            f"  {'missed':40} {tally.missed:6}   {missed['share']:.3%} ({missed['low']:.3%} to {missed['high']:.3%})"
        )
    if tally.waits_s:
        found.append(f"  wait until moved or asked: {_waits(tally.waits_s)}")
    found += [f"    {count:6} {name}" for name, count in sorted(tally.culprits.items(), key=lambda item: -item[1])]
    return found


def _waits(waits_s: Sequence[float]) -> str:
    ranked = sorted(waits_s)
    middle, late = ranked[len(ranked) // 2], ranked[min(len(ranked) - 1, len(ranked) * 99 // 100)]
    return f"median {middle:.0f} s, 99 % {late:.0f} s, most {ranked[-1]:.0f} s"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m failover.testing.detection", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--hours", type=float, default=100_000.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--setup", choices=[setup.name for setup in SETUPS], action="append")
    parser.add_argument("--format", choices=("table", "json"), default="table")
    parser.add_argument("--every-round", action="store_true", help="play quiet rounds too")
    chosen = parser.parse_args(arguments)
    tallies = [
        Detection(setup, seed=chosen.seed, hours=chosen.hours, every_round=chosen.every_round).run()
        for setup in SETUPS
        if chosen.setup is None or setup.name in chosen.setup
    ]
    document = {"schema_version": 1, "seed": chosen.seed, "setups": [tally.document() for tally in tallies]}
    sys.stdout.write(json.dumps(document, indent=2) + "\n" if chosen.format == "json" else table(tallies))
    return 0


if __name__ == "__main__":
    sys.exit(main())
