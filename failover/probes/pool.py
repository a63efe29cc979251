"""Many questions at once, on daemon threads, until a deadline."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class _Round(Generic[T]):
    def __init__(self, jobs: Sequence[Callable[[], T]], until_s: float) -> None:
        self.jobs = jobs
        self.until_s = until_s
        self.waiting = deque(range(len(jobs)))
        self.answers: list[T | None] = [None] * len(jobs)
        self.open = len(jobs)
        self.lock = threading.Lock()
        self.finished = threading.Event()

    def work(self) -> None:
        while time.monotonic() < self.until_s:
            try:
                index = self.waiting.popleft()
            except IndexError:
                return
            self.answers[index] = self.jobs[index]()
            with self.lock:
                self.open -= 1
                if self.open == 0:
                    self.finished.set()


def together(jobs: Sequence[Callable[[], T]], *, until_s: float, concurrency: int) -> list[T | None]:
    """The answers in the order of the jobs; None for a job that had not ended at `until_s` (monotonic).

    Returns by then even when a job hangs: its thread is abandoned, and as a daemon does not hold up the end of the
    process (an executor of concurrent.futures would). Jobs are begun in order and must not raise.
    """
    if not jobs:
        return []
    round = _Round(jobs, until_s)
    if not _start(round, min(concurrency, len(jobs))):
        return [None] * len(jobs)
    try:
        round.finished.wait(max(0.0, until_s - time.monotonic()))
    finally:
        round.waiting.clear()
    return list(round.answers)


def _start(round: _Round[T], wanted: int) -> int:
    """How many threads started. When the system gives no more, those that run do the work as far as they come."""
    for started in range(wanted):
        try:
            threading.Thread(target=round.work, name="probe", daemon=True).start()
        except RuntimeError:
            return started
    return wanted
