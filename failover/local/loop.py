"""One thread that does everything which changes something, one job after the other.

Children must be started by a thread that lives as long as they do: the kernel's parent-death signal is sent when the
*thread* that forked ends (prctl(2), PR_SET_PDEATHSIG). Since all changes happen here, they need no locks.
"""

import contextlib
import queue
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Stopping(Exception):
    """The loop ends; the job was not done."""


class _Job(Generic[T]):
    def __init__(self, do: Callable[[], T]) -> None:
        self._do = do
        self._done = threading.Event()
        self._value: list[T] = []
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._value.append(self._do())
        except BaseException as error:  # noqa: BLE001 - it is raised again in the thread that waits
            self._error = error
        self._done.set()

    def refuse(self) -> None:
        self._error = Stopping()
        self._done.set()

    def result(self) -> T:
        self._done.wait()
        if self._error is not None:
            raise self._error
        return self._value[0]


class Loop:
    """Runs jobs in the thread that calls `run`."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[_Job[Any]] = queue.SimpleQueue()
        self._ended = False

    def post(self, do: Callable[[], object]) -> None:
        """Have it done soon; its error is logged. Safe in a signal handler."""

        def logged() -> None:
            try:
                do()
            except Exception:  # noqa: BLE001 - nobody waits for it
                traceback.print_exc()

        self._jobs.put(_Job(logged))

    def call(self, do: Callable[[], T]) -> T:
        """Have it done, wait, return its value or raise its error. Never from the loop's own thread.

        Raises Stopping when the loop ended before.
        """
        job = _Job(do)
        self._jobs.put(job)
        if self._ended:
            self._refuse_rest()
        return job.result()

    def end(self) -> None:
        """Leave after the present job."""
        self._ended = True

    def run(self, tick: Callable[[], None], every_s: float) -> None:
        """Do jobs until `end`, and `tick` about every `every_s` seconds."""
        due = time.monotonic() + every_s
        while not self._ended:
            left_s = due - time.monotonic()
            if left_s <= 0:  # looked at first, so that a flood of jobs cannot keep ticks away
                tick()
                due = time.monotonic() + every_s
                continue
            with contextlib.suppress(queue.Empty):
                self._jobs.get(timeout=left_s).run()
        self._refuse_rest()

    def _refuse_rest(self) -> None:
        while True:
            try:
                self._jobs.get_nowait().refuse()
            except queue.Empty:
                return
