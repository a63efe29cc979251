"""The real runtime: daemon threads, the machine's clocks.

A call that hangs is abandoned at its deadline. Its thread is a daemon, so the process still ends on time: a plain
thread-pool executor would wait for it at exit.
"""

import secrets
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar, cast

from failover.core.model import Instant
from failover.errors import TimedOut, Unreachable
from failover.ports import Call, Done

T = TypeVar("T")

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class RealRuntime:
    """Implements `failover.ports.Runtime`."""

    def __init__(self) -> None:
        self.only_looking = False
        """Whether this moment's calls change nothing outside: then a signal may end the wait for them."""
        self._boot_id = _BOOT_ID.read_text(encoding="ascii").strip() if _BOOT_ID.exists() else ""

    def now(self) -> Instant:
        return Instant(
            boot_id=self._boot_id,
            boottime_s=time.clock_gettime(time.CLOCK_BOOTTIME),
            utc_s=time.time(),  # noqa: TID251  (this is the one place that reads the wall clock)
        )

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))

    def call(self, what: str, do: Callable[[], T], *, deadline_s: float) -> T:
        (done,) = self.together((Call(what=what, do=do, deadline_s=deadline_s),))
        return value_of(done, what, deadline_s)

    def together(self, calls: Sequence[Call]) -> tuple[Done, ...]:
        started = time.monotonic()
        runs = [_Run(call) for call in calls]
        self.only_looking = all(call.looks for call in calls)
        try:
            return tuple(run.wait(started + run.call.deadline_s - time.monotonic()) for run in runs)
        finally:
            self.only_looking = False

    def token(self) -> str:
        return secrets.token_hex(4)


def value_of(done: Done, what: str, deadline_s: float) -> T:  # type: ignore[type-var]
    """The value of a finished call; raises its error, or TimedOut when it hung."""
    if done.unknown:
        raise TimedOut(what, "", f"no answer within {deadline_s:g} s; whether it was carried out is unknown")
    if done.error is not None:
        raise done.error
    return cast(T, done.value)


class _Run:
    """One call on its own daemon thread."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self._done: Done | None = None
        self._ended = threading.Event()
        try:
            threading.Thread(target=self._work, name=f"call {call.what}", daemon=True).start()
        except RuntimeError as error:  # this machine has no thread left: the call was never made
            self._done = Done(error=Unreachable(call.what, "", str(error)))
            self._ended.set()

    def _work(self) -> None:
        try:
            self._done = Done(value=self.call.do())
        except Exception as error:  # noqa: BLE001  (handed to the caller, whatever it is)
            self._done = Done(error=error)
        self._ended.set()

    def wait(self, seconds: float) -> Done:
        self._ended.wait(max(0.0, seconds))
        return self._done if self._done is not None else Done(unknown=True)
