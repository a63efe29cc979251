"""A deterministic simulation of core and engine: a service, its whole outside, and faults drawn from a seed.

    python -m failover.testing.simulation --seeds 1000          # seeds 0 to 999
    python -m failover.testing.simulation --first 4711 --trail  # one seed, with everything that happened

Each seed deploys a service to three sites, then plays rounds of `engine.tick()` under virtual time while accounts
close, APIs and DNS hosts fail, calls hang, processes die at any write, clocks jump, and an operator intervenes.
Afterwards the faults stop and progress is demanded. What must never happen is looked for after every event
(`sim_watch`).
"""

import argparse
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from failover.core.budget import terms, total_s
from failover.core.cutover import PlanKind, Step
from failover.core.decide import DecisionKind
from failover.core.saga import Event, EventKind
from failover.core.world import Pause
from failover.engine.context import TICK, leased
from failover.engine.deploy import deploy
from failover.engine.operate import cutover
from failover.engine.tick import TickReport, tick
from failover.errors import FailoverError, StateError
from failover.testing.memory_store import Crashed, MemoryDisk, MemoryStore
from failover.testing.sim_draw import drawn
from failover.testing.sim_faults import CRISES, Faults
from failover.testing.sim_runtime import SimRuntime, Trouble, VirtualClock
from failover.testing.sim_watch import DAY_S, Ledger, Watcher
from failover.testing.sim_world import ERRORS, FIRST, HOSTS, SECOND, SITES

ROUNDS = 40
CALM_ROUNDS_MAX = 60
"""L2: after so many calm rounds (ten minutes) every plan has ended and every debt is settled."""
EDGE_EVERY = 10
"""Of so many seeds in a row one has its names behind an edge."""
WRITES_MAX = 40
READS = ("load", "journal", "events", "plans", "verify", "orders")
CALLS_MAX = 60
SURPRISE_CALLS_MAX = 25
COMPUTE_S = 1.0
"""What the budget leaves out: virtual latencies within a round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How one seed went. `violations` is empty when nothing happened that must not."""

    seed: int
    violations: tuple[str, ...]
    trail: tuple[str, ...] = field(repr=False)
    ticks: int
    cutovers: int
    crashes: int
    crises: float

    def report(self) -> str:
        """What went wrong, what led to it, and how to play it again."""
        again = f"python -m failover.testing.simulation --first {self.seed} --crises {self.crises:g} --trail"
        return "\n".join([f"seed {self.seed}:", *(f"  {v}" for v in self.violations), f"  again: {again}"])


class DiskFull(StateError):
    """The simulated disk takes no write."""


def _full(operation: str) -> Exception | None:
    """S15: what cannot be written down is not begun."""
    return None if operation in READS else DiskFull("write state", "disk", "no space is left")


def _well(_: str) -> Exception | None:
    return None


class Simulation:
    """One seed. `run` plays it."""

    def __init__(self, seed: int, crises: float = CRISES) -> None:
        self.seed = seed
        self.chance = random.Random(seed)  # noqa: S311  (a simulation must be repeatable)
        self.clock = VirtualClock()
        self.outside = drawn(self.chance, self.clock, edge=seed % EDGE_EVERY == EDGE_EVERY // 2)
        self.disk = Ledger()
        self.watcher = Watcher(self.outside, self.disk)
        self.faults = Faults(self.outside, self.chance, lambda: self.watcher.state().active_site)
        self.faults.crises = crises
        self.faults.density = self.chance.choice([0.15, 0.25, 0.4])
        self.trail: list[str] = []
        self.ticks = self.crashes = 0
        self._dies_at_call: int | None = None
        self._surprise: tuple[int, Callable[[], list[str]]] | None = None
        """Something that happens outside in the middle of a round, at that call."""
        self._between: list[Callable[[], str]] = []
        """What happens before the next round."""
        self._calls = 0
        self._disk_full_rounds = 0
        self._round_s = 0.0
        """When the last round began."""
        self._calm = False
        self.watcher.told = self._against
        self._process()

    def _process(self) -> None:
        """A fresh process on the same disk."""
        self.disk.restart()
        self._dies_at_call = None
        seed = self.chance.getrandbits(32)
        self.context = self.outside.context(self.disk, SimRuntime(seed, self.clock, trouble=self._trouble))

    def _trouble(self, what: str) -> Trouble | None:
        self._calls += 1
        if self._surprise is not None and self._calls >= self._surprise[0]:
            happens, self._surprise = self._surprise[1], None
            for sentence in happens():
                self._say(f"meanwhile: {sentence}")
        self.watcher.asked(what)
        if self._dies_at_call is not None and self._calls >= self._dies_at_call:
            raise Crashed(f"before {what}")
        found = self.faults.trouble(what)
        if found is Trouble.LATE and what.startswith("change "):
            self.watcher.late[what.removeprefix("change ")] += 1
        return found

    # ------------------------------------------------------------------------------------ the whole play

    def run(self) -> Result:
        if self.outside.strangers:
            self._two_vendors()
        self._say("apply")
        problems = self._apply()
        if problems:
            self.watcher.say("L0", f"the first apply failed: {problems}")
        for round in range(ROUNDS):
            if self.watcher.violations:
                break
            self.faults.round = round
            self._fate()
            self._misfortune()
            self._operator()
            self._round()
        if not self.watcher.violations:
            self._calm_down()
        if not self.watcher.violations:
            self._true_loss()
        return self._result()

    def _two_vendors(self) -> None:
        """N4: what stands behind an edge is not published while others answer for the zone. Then they are taken out."""
        self._say(f"apply, while {', '.join(self.outside.strangers)} answers for the zone too")
        if not self._apply():
            self.watcher.say("N4", "apply has nothing against two vendors, of which one has an edge")
        self.outside.strangers = {}

    def _result(self) -> Result:
        plans = self.watcher.store().plans(10_000)
        return Result(
            seed=self.seed,
            violations=tuple(self.watcher.violations),
            trail=tuple(self.trail),
            ticks=self.ticks,
            cutovers=sum(p.kind == "cutover" for p in plans),
            crashes=self.crashes,
            crises=self.faults.crises,
        )

    def _say(self, sentence: str) -> None:
        self.trail.append(f"{self.clock.seconds():9.1f}  {sentence}")

    # ------------------------------------------------------------------------------------ one round

    def _round(self) -> None:
        self.watcher.round_begins()
        self._round_s = self.clock.seconds()
        report = self._alive("check", self._tick)
        if isinstance(report, TickReport):
            state, decision = report.world.state, report.decision
            plan = f", {state.open_plan.id} is open" if state.open_plan else ""
            debts = f", debts {[d.host for d in state.debts]}" if state.debts else ""
            self._say(
                f"{state.active_site} (epoch {state.epoch}): {decision.kind}: {decision.reasons[-1]}{plan}{debts}"
            )
        self.watcher.round_ends()
        every_s = self.outside.service.every_s
        self.clock.advance(every_s - (self.clock.seconds() - self._round_s) % every_s)

    def _tick(self) -> TickReport:
        self.ticks += 1
        with leased(self.context, TICK) as term:
            return tick(self.context, term=term)

    def _alive(self, what: str, do: Callable[[], object]) -> object:
        """Let the process do something; if it dies on the way, a fresh one takes its place."""
        try:
            return do()
        except Crashed as death:
            self.crashes += 1
            self._say(f"the process died in {what}: {death}")
        except FailoverError as error:
            self._say(f"{what}: {type(error).__name__}: {error}")
            if what == "check" and not isinstance(error, DiskFull):
                self.watcher.say("L2", f"a check cannot run: {type(error).__name__}: {error}")
        except Exception as error:  # noqa: BLE001  (whatever it is, it is a defect)
            self.watcher.say("L2", f"{what} raises {type(error).__name__}: {error}")
        self._process()
        return None

    def _apply(self) -> tuple[str, ...]:
        done = deploy(self.context, lambda site, text: self._say(f"  {site}: {text}"), adopt=False)
        return done.problems

    # ------------------------------------------------------------------------------------ crashes, clocks, people

    def _fate(self) -> None:
        """What befalls the outside, before the round or in the middle of it."""
        for happens in self._between:
            self._say(happens())
        self._between.clear()
        if self.chance.random() < 0.25:
            self._surprise = (self._calls + self.chance.randint(1, SURPRISE_CALLS_MAX), self.faults.draw)
        else:
            for sentence in self.faults.draw():
                self._say(sentence)

    def _against(self, event: Event) -> None:
        """A cutover is under way: fate does its worst just then."""
        plan = self.watcher.state().open_plan
        if self._calm or plan is None or plan.kind is not PlanKind.CUTOVER:
            return
        source, target = plan.source or "", plan.target
        swaps = event.step == Step.SWAP and event.kind is EventKind.STARTED
        if swaps and self.outside.service.edges and self.chance.random() < 0.5:
            self._say(self.faults.begin(self.faults.edge_stays))
        if swaps and self.chance.random() < 0.3:
            self.faults.next_change = self.chance.choice([Trouble.LATE, *Trouble])
        elif event.kind is not EventKind.OK:
            return
        elif event.step == Step.CLAIM and self.chance.random() < 0.5:
            at = self._calls + self.chance.choice([1, 1, 1, 2, 3, 5, 8])
            self._surprise = (at, lambda: [self.faults.against(source, target)])
        elif event.step == Step.VERIFY and self.chance.random() < 0.3:
            self.disk.crash(at=1, when="before")
            self._between.append(lambda: self.faults.against(source, target))

    def _misfortune(self) -> None:
        draw = self.chance.random()
        if draw < 0.12:
            at, when = self.chance.randint(1, WRITES_MAX), self.chance.choice(["before", "after"])
            self.disk.crash(at=at, when="before" if when == "before" else "after")
            self._say(f"the process will die {when} its write {at} from now")
        elif draw < 0.20:
            self._dies_at_call = self._calls + self.chance.randint(1, CALLS_MAX)
            self._say(f"the process will die at its call {self._dies_at_call - self._calls} from now")
        elif draw < 0.22:
            seconds = self.chance.choice([-3600.0, -5.0, 5.0, 3600.0])
            self.clock.step(seconds)
            self._say(f"the wall clock jumps by {seconds:g} s")
        elif draw < 0.23:
            seconds = self.chance.uniform(30.0, 600.0)
            self._say(f"this machine stands still for {seconds:.0f} s")
            self.clock.advance(seconds)
        elif draw < 0.27:
            self._stale()
        elif draw < 0.29:
            self._disk_full_rounds = self.chance.randint(1, 4)
            self._say("the disk is full")
        self._disk_full_rounds -= 1
        self.disk.fault = _full if self._disk_full_rounds > 0 else _well

    def _operator(self) -> None:
        draw = self.chance.random()
        store, state = self.context.store, self.watcher.state()
        if draw < 0.03:
            self._say("an operator runs apply")
            self.outside.digest = self.chance.choice([FIRST, SECOND])
            self._alive("apply", self._apply)
        elif draw < 0.05:
            target = self.chance.choice(SITES)
            self._say(f"an operator cuts over to {target}")
            wait_s = self.chance.choice([0.0, 30.0])
            self._alive("cutover", lambda: cutover(self.context, target, forced=False, lease_wait_s=0.0, wait_s=wait_s))
        elif draw < 0.09:
            now = self.clock.now()
            pause = Pause(since=now, reason="maintenance", until=now.plus(self.chance.uniform(10.0, 200.0)))
            self._alive("pause", lambda: store.set_pause(pause))
            self._say("an operator pauses for a while")
        elif draw < 0.11 and state.open_plan is not None:
            plan = state.open_plan
            self._alive("abort", lambda: store.abort(plan.id))
            self._say(f"an operator aborts {plan.id}")
        elif draw < 0.3 and state.proposal is not None:
            proposal = state.proposal
            self._alive("approve", lambda: store.approve(proposal.id))
            self._say(f"an operator approves {proposal.id} ({proposal.target})")

    def _stale(self) -> None:
        """A second controller wakes up with a state that is one plan older than DNS."""
        state = self.watcher.state()
        epochs = [e.number for host in self.outside.hosts for e in self.outside.epochs(host)]
        readable = not self.outside.isolated and all(w.error is None for w in self.outside.dns.values())
        if (
            state.open_plan is not None
            or not readable
            or min(epochs, default=0) < 2
            or len(epochs) < len(self.outside.hosts) * len(self.outside.service.zones)
        ):
            return
        self._say("a second controller wakes up with an old state")
        disk = MemoryDisk()
        disk.contents = self.disk.contents
        old = replace(state, epoch=min(epochs) - 1)
        hang, self.faults.hang_share = self.faults.hang_share, 0.0
        self.watcher.foreign = True
        context = self.outside.context(disk, SimRuntime(1, self.clock))
        with leased(context, TICK) as term:
            MemoryStore(disk).swap(old, term=term)
            report = tick(context, term=term)
        if report.decision.kind is not DecisionKind.REFUSE or report.world.state.open_plan is not None:
            self.watcher.say("S14", f"a controller with epoch {old.epoch} decides {report.decision.kind}")
        self.watcher.foreign = False
        self.faults.hang_share = hang

    # ------------------------------------------------------------------------------------ liveness

    def _calm_down(self) -> None:
        """L2: when the faults stop, every plan ends, every debt is settled, and nothing is left in between."""
        self._say("all faults end")
        self._calm, self._surprise = True, None
        self.disk.fault = _well
        self._between.clear()
        self.faults.heal()
        self._process()
        self.context.store.set_pause(None)
        for _ in range(CALM_ROUNDS_MAX):
            self._round()
            state = self.watcher.state()
            if state.open_plan is None and not state.debts:
                break
        else:
            left = self.watcher.state()
            what = left.open_plan.id if left.open_plan else f"debts {left.debts}"
            self.watcher.say("L2", f"{what} is still there after {CALM_ROUNDS_MAX} calm rounds")
        self.watcher.at_rest()

    def _true_loss(self) -> None:
        """L1: everything is well and rested, then the active account is closed: DNS moves within the budget."""
        if not self.outside.clouds:
            return
        for cloud in self.outside.clouds.values():
            cloud.reopen()
        self._say("every account is open again; an operator runs apply")
        problems = [self._apply() for _ in range(2)][-1]
        if problems:
            self.watcher.say("L2", f"apply does not mend it: {problems}")
            return
        self.clock.advance(DAY_S + 1.0)
        for _ in range(8):
            self._round()
        self.watcher.at_rest()
        source = self.watcher.state().active_site or ""
        if source not in self.outside.clouds:
            return  # nobody says that an account is closed
        self.clock.advance(self.chance.uniform(0.0, self.outside.service.every_s))
        self.outside.clouds[source].close("terms of service")
        started_s = self.clock.seconds()
        lost = self.chance.choice([None, None, *(self.outside.hosts if len(self.outside.hosts) > 1 else ())])
        self._say(f"{source} closes the account, and {f'DNS host {lost} is gone' if lost else 'nothing else fails'}")
        if lost is not None:
            self.outside.dns[lost].error = ERRORS["down"]
            self.outside.dark.add(lost)
        self._moves(source, started_s, lost)

    def _moves(self, source: str, started_s: float, lost: str | None) -> None:
        """DNS moves within the budget; one host that is gone costs its deadline, twice, and becomes a debt."""
        service = self.outside.service
        grain_s, patience_s = service.every_s, 2 * (service.host_deadline_s + service.every_s) if lost else 0.0
        worst_s = max(total_s(terms(service, s)) for s in service.sites) + patience_s + grain_s
        self.clock.advance(grain_s - (self.clock.seconds() - self._round_s))
        while self.clock.seconds() - started_s <= worst_s and not self._left(source):
            self._round()
        state = self.watcher.state()
        budget_s = total_s(terms(service, service.site(state.active_site or ""))) + COMPUTE_S
        moved_s = max(self.watcher.changed_s[h] for h in service.hosts if h != lost) - started_s
        ended_s = self.watcher.ended_s - started_s
        if self.outside.traits and lost == HOSTS[0]:  # the other host waits for the better fenced one, which is gone
            budget_s += service.host_deadline_s + grain_s
        if not self._left(source) or moved_s > budget_s - service.ttl_s or ended_s > budget_s + patience_s + grain_s:
            took = f"DNS moved after {moved_s:.1f} s, the plan ended after {ended_s:.1f} s"
            self.watcher.say("L1", f"{took}; the budget is {budget_s:.1f} s ({state.active_site}: {state.reasons})")
        if lost is not None and not state.debts and self._left(source):
            self.watcher.say("L2", f"{lost} never took the change, but is no debt")
        self.faults.heal()
        for _ in range(3):
            self._round()
        self.watcher.at_rest()

    def _left(self, source: str) -> bool:
        state = self.watcher.state()
        return state.active_site != source and state.open_plan is None


def run(seed: int, crises: float = CRISES) -> Result:
    """Play one seed."""
    return Simulation(seed, crises).run()


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 1 when a seed shows something that must never happen."""
    parser = argparse.ArgumentParser(prog="python -m failover.testing.simulation")
    parser.add_argument("--seeds", type=int, default=1, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--crises", type=float, default=CRISES, help="how often the active site is lost, per round")
    parser.add_argument("--trail", action="store_true", help="print everything that happened")
    parser.add_argument("--stop", action="store_true", help="end at the first seed that fails")
    chosen = parser.parse_args(arguments)
    bad = ticks = cutovers = crashes = 0
    for seed in range(chosen.first, chosen.first + chosen.seeds):
        result = run(seed, chosen.crises)
        ticks, cutovers, crashes = ticks + result.ticks, cutovers + result.cutovers, crashes + result.crashes
        bad += bool(result.violations)
        if chosen.trail:
            sys.stdout.write("\n".join(result.trail) + "\n")
        if result.violations:
            sys.stdout.write(result.report() + "\n")
            if chosen.stop:
                break
    sys.stdout.write(f"{chosen.seeds} seeds, {ticks} checks, {cutovers} cutovers, {crashes} crashes, {bad} bad\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
