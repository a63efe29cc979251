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

from failover.core.budget import cadence_s
from failover.core.decide import DecisionKind, decide
from failover.core.health import isolated, round_outcome
from failover.core.judge import Observation, controls_ok, judge
from failover.core.model import (
    Ballot,
    ControlSample,
    Instant,
    Outcome,
)
from failover.core.quorum import still_fails
from failover.core.world import State, World
from failover.testing.detection_model import (
    ACTIVE,
    HOUR_S,
    PROBE_LOSS,
    ROAD,
    STANDBY,
    THINGS,
    TROUBLES,
    Fault,
    Losses,
    Trouble,
    Truth,
    faults,
)
from failover.testing.detection_picture import (
    API,
    HOSTS,
    SETUPS,
    SITE,
    Setup,
    instant,
    node,
    quiet_state,
    report,
    samples,
    settled,
)
from failover.testing.detection_tally import Tally, table

MISSED_AFTER_S = HOUR_S

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
            reports[SITE[site]], listed = report(faults_here, silent=api in gone[0])
            if listed is not None:
                nodes[SITE[site]] = (node(site),) if listed else ()
        return Observation(
            at=now,
            samples=samples(now, gone[0]),
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
        return Ballot(vantage=name, samples=samples(at, gone[vantage]), controls=self._controls(gone[vantage]))

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
    sys.stdout.write(
        json.dumps(document, indent=2) + "\n"
        if chosen.format == "json"
        else table(tallies, {setup.name: setup.about for setup in SETUPS})
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
