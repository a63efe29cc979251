"""Very many conversations at once on one thread: generators, resumed by epoll, each within a time of its own.

A conversation yields what it waits for and is resumed when that has come: a socket or pipe (anything on it; false
alarms happen, so it tries again), `Patience` (the same, but not for ever), `Apart` (something that blocks, done on a
daemon thread), or `FULL` (this machine has no file descriptor left: until another conversation has ended). When its
time is over, TimeoutError is raised inside it; when the round ends first, it is closed.

One thread is what makes it cheap: no lock, no switch, and a handful of system calls per probe.
"""

import errno
import os
import random
import resource
import select
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any, Generic, Protocol, TypeVar

from failover.probes.apart import Apart, Bell

T = TypeVar("T")

GRAIN_S = 0.02
"""Later than this, the loop was held up: by other threads, other processes, or a pause of the whole machine."""
POLL_S_MAX = 0.05
EVENTS_MAX = 32
DESCRIPTORS_KEPT = 128
"""Left to the rest of the program: the store, the APIs."""
_ANYTHING = select.EPOLLIN | select.EPOLLOUT | select.EPOLLET


class HasFileno(Protocol):
    def fileno(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Patience:
    """Wait for `source`, but be resumed after `seconds` anyway: with True when something came, else with None."""

    source: HasFileno
    seconds: float


class Full:
    """See `FULL`."""


FULL = Full()
"""No file descriptor is left. Resumed when there is hope; OSError (EMFILE) is raised when there is none."""

Want = HasFileno | Patience | Apart | Full
Talk = Generator[Want, Any, T]
"""A conversation that comes to a T."""


@dataclass(frozen=True, slots=True)
class Planned(Generic[T]):
    """A conversation to be begun, and how long it may take. It must not raise."""

    begin: Callable[[], Talk[T]]
    timeout_s: float


class _Job(Generic[T]):
    __slots__ = ("began_s", "ends_s", "expired", "fd", "full", "index", "resumed", "source", "talk", "timeout_s")

    def __init__(self, index: int, talk: Talk[T], timeout_s: float) -> None:
        self.index = index
        self.talk = talk
        self.timeout_s = timeout_s
        self.began_s = 0.0
        self.ends_s = 0.0
        self.resumed = 0
        self.fd = -1
        self.source: HasFileno | None = None
        self.expired = False
        self.full = False


class Round(Generic[T]):
    """One round of conversations, from `run` to its end at `until_s` (monotonic). To be used once.

    They are begun in order, evenly spread with some jitter: at most `starts_per_s`, or as many as the round needs to
    give the last one its time. No more than `concurrency` are open, fewer when file descriptors are scarce.
    """

    def __init__(self, planned: Sequence[Planned[T]], *, until_s: float, concurrency: int, starts_per_s: float) -> None:
        self.answers: list[T | None] = [None] * len(planned)
        self.late_s_max = 0.0
        """How late the latest start was. Grows when `concurrency` is reached."""
        self.held_s = 0.0
        """How long the loop was held up in all. No conversation pays for it: their clock stands still meanwhile."""
        self.concurrency = min(concurrency, descriptors_max())
        self._planned = planned
        self._until_s = until_s
        self._starts = deque(_starts(planned, until_s, starts_per_s))
        self._next = 0
        self._open: set[_Job[T]] = set()
        self._by_fd: dict[int, _Job[T]] = {}
        self._starving: deque[_Job[T]] = deque()
        self._freed = 0
        self._timers: list[tuple[float, int, int, _Job[T]]] = []
        self._timer = 0
        self._full_polls = 0
        self._woke_s = time.monotonic()

    def run(self) -> list[T | None]:
        """The answers in order; None for what was not begun, or had not ended, when the round did."""
        self._woke_s = time.monotonic()
        if not self._planned or self._woke_s >= self._until_s:
            return self.answers
        with select.epoll() as self._epoll, Bell() as self._bell:
            self._epoll.register(self._bell.fd, select.EPOLLIN)
            try:
                while (self._open or self._starts) and self._woke_s < self._until_s:
                    self._turn()
                self._call_time()
            finally:
                for job in list(self._open):
                    job.talk.close()
        return self.answers

    # ------------------------------------------------------------------------------------ one turn

    def _turn(self) -> None:
        """What came in is looked at before anything is called late: an answer that waited for us is no silence."""
        wait_s = self._wait_s()
        events = self._epoll.poll(wait_s, EVENTS_MAX)
        woke_s = time.monotonic()
        self.held_s += max(0.0, woke_s - self._woke_s - wait_s - GRAIN_S)
        self._woke_s = woke_s
        for fd, _ in events:
            if fd == self._bell.fd:
                self._deliver()
            elif (job := self._by_fd.get(fd)) is not None and job in self._open:
                self._resume(job, True)
        self._begin_due(woke_s)
        # More may have come in than one poll gives; within so many, everybody had a turn.
        self._full_polls = self._full_polls + 1 if len(events) == EVENTS_MAX else 0
        if not self._full_polls or self._full_polls * EVENTS_MAX > len(self._by_fd):
            self._expire(woke_s - self.held_s)
        if self._starving:
            self._feed()

    def _wait_s(self) -> float:
        now_s = time.monotonic()
        until_s = min(now_s + POLL_S_MAX, self._until_s)
        if self._starts and len(self._open) < self.concurrency and not self._starving:
            until_s = min(until_s, self._starts[0])
        while self._timers and self._timers[0][3] not in self._open:
            heappop(self._timers)
        if self._timers:
            until_s = min(until_s, self._timers[0][0] + self.held_s)
        return max(0.0, until_s - now_s)

    def _begin_due(self, now_s: float) -> None:
        while self._starts and self._starts[0] <= now_s and len(self._open) < self.concurrency and not self._starving:
            self.late_s_max = max(self.late_s_max, now_s - self._starts.popleft())
            planned = self._planned[self._next]
            job = _Job(self._next, planned.begin(), planned.timeout_s)
            self._next += 1
            self._open.add(job)
            self._give_time(job)
            self._resume(job)

    def _expire(self, clock_s: float) -> None:
        while self._timers and self._timers[0][0] <= clock_s:
            at_s, _, resumed, job = heappop(self._timers)
            if job not in self._open:
                continue
            if at_s >= job.ends_s:
                job.expired = True
                self._resume(job, error=_no_descriptors() if job.full else TimeoutError())
            elif resumed == job.resumed:
                self._resume(job)

    def _call_time(self) -> None:
        """At the end of the round: who has had its time by the wall clock, half of it undisturbed, is out of time too.

        Else a process that is held up a little in every round would never know of any target that it hangs.
        """
        for job in [job for job in self._open if not job.full]:
            undisturbed_s = self._woke_s - self.held_s - (job.ends_s - job.timeout_s)
            if self._woke_s - job.began_s >= job.timeout_s and undisturbed_s >= job.timeout_s / 2:
                job.expired = True
                self._resume(job, error=TimeoutError())

    def _give_time(self, job: _Job[T]) -> None:
        job.began_s = self._woke_s
        job.ends_s = self._woke_s - self.held_s + job.timeout_s
        self._set_timer(job.ends_s, job)

    def _set_timer(self, at_s: float, job: _Job[T]) -> None:
        self._timer += 1
        heappush(self._timers, (at_s, self._timer, job.resumed, job))

    # ------------------------------------------------------------------------------------ one conversation

    def _resume(self, job: _Job[T], value: object = None, error: Exception | None = None) -> None:
        job.resumed += 1
        try:
            want = job.talk.send(value) if error is None else job.talk.throw(error)
            while job.expired:  # whatever it tries next, its time is over
                want = job.talk.throw(TimeoutError())
        except StopIteration as end:
            self.answers[job.index] = end.value
            self._end(job)
        else:
            self._wait_for(job, want)

    def _wait_for(self, job: _Job[T], want: Want) -> None:
        if isinstance(want, Apart):
            self._bell.do(want, job, self._resume)
        elif isinstance(want, Full):
            job.full = True
            self._starving.append(job)
        elif isinstance(want, Patience):
            self._set_timer(self._woke_s - self.held_s + want.seconds, job)
            self._watch(job, want.source)
        else:
            self._watch(job, want)

    def _watch(self, job: _Job[T], source: HasFileno) -> None:
        """Registered once for everything: edge-triggered, so nothing needs to be said again for the next wait."""
        if job.source is source:
            return
        fd = source.fileno()
        job.source, job.fd = source, fd
        self._by_fd[fd] = job
        try:
            self._epoll.register(fd, _ANYTHING)
        except FileExistsError:  # the same connection, now under TLS
            self._epoll.modify(fd, _ANYTHING)

    def _end(self, job: _Job[T]) -> None:
        self._open.discard(job)
        self._freed += 1
        if self._by_fd.get(job.fd) is job:
            del self._by_fd[job.fd]

    def _feed(self) -> None:
        """As many as have ended may try again. When all that are open wait for that, there is no hope."""
        if not self._freed and all(job.full for job in self._open):
            hopeless, self._starving = self._starving, deque()
            for job in hopeless:
                self._resume(job, error=_no_descriptors())
        for job in [self._starving.popleft() for _ in range(min(self._freed, len(self._starving)))]:
            job.full = False
            self._give_time(job)
            self._resume(job)
        self._freed = 0

    def _deliver(self) -> None:
        for apart, job, value, error in self._bell.rung():
            if job in self._open:
                self._resume(job, value, error)
            elif error is None and apart.undo is not None:
                apart.undo(value)


def descriptors_max() -> int:
    """How many sockets a round may have open, by this process's limit (`ulimit -n`, `LimitNOFILE=`)."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1 << 20 if soft == resource.RLIM_INFINITY else max(1, soft - DESCRIPTORS_KEPT)


def _no_descriptors() -> OSError:
    return OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def _starts(planned: Sequence[Planned[T]], until_s: float, starts_per_s: float) -> list[float]:
    now_s = time.monotonic()
    spare_s = until_s - now_s - max((p.timeout_s for p in planned), default=0.0)
    gap_s = min(1.0 / starts_per_s, max(0.0, spare_s) / max(1, len(planned)))
    return [now_s + (n + random.random()) * gap_s for n in range(len(planned))]  # noqa: S311 - a jitter, not a secret
