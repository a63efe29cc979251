"""A Runtime without threads and without waiting: virtual time, and an order of calls drawn from a seed.

clock = VirtualClock()
runtime = SimRuntime(7, clock)
runtime.together(calls)        # each call takes a virtual latency; they run one at a time, the quickest first
clock.now()                    # as much later as the slowest of them took
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from failover.core.model import Instant
from failover.engine.runtime import value_of
from failover.ports import Call, Done

T = TypeVar("T")

START = Instant(boot_id="virtual", boottime_s=1000.0, utc_s=1_700_000_000.0)
LATENCY_S_MAX = 0.05
LATE_S_MAX = 3600.0


class Hangs(Exception):
    """Raised by what a call does: no answer will ever come. The call is abandoned at its deadline."""


class Trouble(Enum):
    """What may befall one call."""

    LOST = "lost"
    """It hangs, and what it asked for is never done."""
    UNANSWERED = "unanswered"
    """It hangs, but what it asked for is done."""
    LATE = "late"
    """It hangs; what it asked for is done up to an hour later."""


class VirtualClock:
    """Time of one simulated machine. It outlives the processes on it, and so does what is still under way outside."""

    def __init__(self, start: Instant = START) -> None:
        self._now = start
        self._late: list[tuple[float, int, Callable[[], object]]] = []
        self._counted = 0

    def now(self) -> Instant:
        return self._now

    def seconds(self) -> float:
        """The monotonic clock."""
        return self._now.boottime_s

    def step(self, seconds: float) -> None:
        """The wall clock jumps; the monotonic one does not."""
        self._now = Instant(boot_id=self._now.boot_id, boottime_s=self._now.boottime_s, utc_s=self._now.utc_s + seconds)

    def set(self, seconds: float) -> None:
        """The monotonic clock shows this; the wall clock moves by as much.

        It may go back: calls that run at the same time are simulated one after the other.
        """
        self._now = self._now.plus(seconds - self._now.boottime_s)

    def advance(self, seconds: float) -> None:
        """Time goes by, and what was late happens on the way."""
        until_s = self.seconds() + max(0.0, seconds)
        while due := [late for late in self._late if late[0] <= until_s]:
            first = min(due)
            self._late.remove(first)
            self.set(max(first[0], self.seconds()))
            first[2]()
        self.set(until_s)

    def later(self, seconds: float, do: Callable[[], object]) -> None:
        """`do` happens that many seconds from now, whoever still lives then."""
        self._counted += 1
        self._late.append((self.seconds() + seconds, self._counted, do))


@dataclass(frozen=True, slots=True)
class _Drawn:
    call: Call
    number: int
    latency_s: float
    trouble: Trouble | None


class SimRuntime:
    """Implements `failover.ports.Runtime`. One instance is one process.

    `trouble` is asked for each call by its name; it may also raise, as a process that dies there does. An exception
    that is no Exception passes through everything.
    """

    def __init__(
        self,
        seed: int = 0,
        clock: VirtualClock | None = None,
        *,
        latency_s_max: float = LATENCY_S_MAX,
        trouble: Callable[[str], Trouble | None] = lambda _: None,
    ) -> None:
        self.clock = clock or VirtualClock()
        self.trouble = trouble
        self._latency_s_max = latency_s_max
        self._random = random.Random(seed)  # noqa: S311  (a simulation must be repeatable)

    def now(self) -> Instant:
        return self.clock.now()

    def sleep(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def token(self) -> str:
        return f"{self._random.getrandbits(32):08x}"

    def call(self, what: str, do: Callable[[], T], *, deadline_s: float) -> T:
        (done,) = self.together((Call(what=what, do=do, deadline_s=deadline_s),))
        return value_of(done, what, deadline_s)

    def together(self, calls: Sequence[Call]) -> tuple[Done, ...]:
        """The calls, one at a time; each begins at the same virtual moment, the quickest is carried out first."""
        start_s = self.clock.seconds()
        answers: dict[int, Done] = {}
        end_s = start_s
        for drawn in sorted((self._draw(c, n) for n, c in enumerate(calls)), key=lambda d: (d.latency_s, d.number)):
            self.clock.set(start_s + drawn.latency_s)
            answers[drawn.number] = self._run(drawn)
            deadline_s = start_s + drawn.call.deadline_s
            if answers[drawn.number].unknown or self.clock.seconds() > deadline_s:
                answers[drawn.number] = Done(unknown=True)
                self.clock.set(deadline_s)
            end_s = max(end_s, self.clock.seconds())
        self.clock.set(start_s)
        self.clock.advance(end_s - start_s)
        return tuple(answers[number] for number in range(len(calls)))

    def _draw(self, call: Call, number: int) -> _Drawn:
        latency_s = self._random.uniform(0.0, min(self._latency_s_max, call.deadline_s))
        return _Drawn(call=call, number=number, latency_s=latency_s, trouble=self.trouble(call.what))

    def _run(self, drawn: _Drawn) -> Done:
        call = drawn.call
        if drawn.trouble is Trouble.LOST:
            return Done(unknown=True)
        if drawn.trouble is Trouble.LATE:
            delay_s = call.deadline_s + self._random.uniform(0.0, LATE_S_MAX)
            self.clock.later(delay_s, lambda: _quietly(call))
            return Done(unknown=True)
        done = _quietly(call)
        return Done(unknown=True) if drawn.trouble is Trouble.UNANSWERED or isinstance(done.error, Hangs) else done


def _quietly(call: Call) -> Done:
    try:
        return Done(value=call.do())
    except Exception as error:  # noqa: BLE001  (handed to the caller, whatever it is)
        return Done(error=error)
