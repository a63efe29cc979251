"""How provider libraries are called: within a deadline, repeated only where that is safe, one driver per caller."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Generic, TypeVar

from failover.core.reading import Transport
from failover.errors import AdapterError, Throttled, TimedOut, Unreachable, Unreadable
from failover.net.answers import answer_behind

if TYPE_CHECKING:
    import tenacity

ATTEMPTS = 3
"""How often a call that may be repeated is tried in all."""
_WAIT_FIRST_S = 0.1
_WAIT_MAX_S = 2.0
_TRANSIENT = (500, 502, 503)

T = TypeVar("T")


class Deadline:
    """So many seconds from now, for one operation with all its calls and repetitions."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._until = time.monotonic() + seconds

    def left_s(self) -> float:
        """Seconds that are left, never negative."""
        return max(0.0, self._until - time.monotonic())

    def bound_s(self, timeout_s: float, operation: str, object: str = "") -> float:
        """The timeout of the next call: `timeout_s`, or what is left. Raises TimedOut when nothing is."""
        left = self.left_s()
        if left <= 0:
            raise TimedOut(operation, object, f"not done within {self.seconds:g} s")
        return min(timeout_s, left)

    def wait(self, seconds: float, operation: str, object: str = "") -> None:
        """Sleep so long between two looks at something. Raises TimedOut when the deadline comes before."""
        if seconds >= self.left_s():
            raise TimedOut(operation, object, f"not done within {self.seconds:g} s")
        time.sleep(seconds)


def repeat(
    do: Callable[[], T],
    deadline: Deadline,
    *,
    attempts: int = ATTEMPTS,
    may_pass: Callable[[BaseException], bool] | None = None,
) -> T:
    """Call `do`, again while it may do better and time is left. For reads and calls that are safe to repeat ONLY.

    Repeated: Throttled (after its `retry_after_s`), Unreachable, 500, 502 and 503. Not: TimedOut, whose time is used
    up, and everything that is an answer. Raises what the last attempt raised; a wait beyond the deadline is not begun.
    `may_pass`: another judgement of what may do better.
    """
    passing = may_pass or _may_pass
    try:
        return do()
    except AdapterError as error:
        first = [error]
        if not passing(error):
            raise
    import tenacity  # slow to import, and hardly any call is repeated

    def attempt() -> T:
        if first:
            raise first.pop()
        return do()

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(passing),
        stop=lambda s: s.attempt_number >= attempts or s.upcoming_sleep >= deadline.left_s(),
        wait=_wait_s,
        reraise=True,
    )
    return retrying(attempt)


def _may_pass(error: BaseException) -> bool:
    answer = answer_behind(error)
    if answer is not None and answer.transport is Transport.TLS:
        return False
    transient = answer is not None and answer.status in _TRANSIENT
    return isinstance(error, Unreachable | Throttled) or (isinstance(error, AdapterError) and transient)


def _wait_s(state: "tenacity.RetryCallState") -> float:
    """Doubling from a tenth of a second, or as long as the API asks for."""
    error = state.outcome.exception() if state.outcome else None
    asked_s = error.retry_after_s if isinstance(error, Throttled) else None
    doubling_s: float = min(_WAIT_MAX_S, _WAIT_FIRST_S * 2 ** (state.attempt_number - 1))
    return doubling_s if asked_s is None else max(asked_s, doubling_s)


@contextmanager
def as_documented(provider: str, operation: str, object: str) -> Iterator[None]:
    """Around what makes something of an answer: a value that the API does not document is Unreadable, and no crash."""
    try:
        yield
    except (ValueError, LookupError, TypeError) as error:
        told = f"{type(error).__name__}: {error}"
        raise Unreadable(operation, object, f"{provider} answered what its API does not document ({told})") from error


class PerThread(Generic[T]):
    """Drivers that must not be shared between threads: each is used by one thread at a time.

    Threads of the engine live for one call, so a driver outlives its thread and is lent to the next one; a call that
    hangs keeps its own for good. `close` is called on those that are given back after `close()`.
    """

    def __init__(self, factory: Callable[[], T], close: Callable[[T], None] | None = None) -> None:
        self._factory = factory
        self._close = close
        self._free: list[T] = []
        self._lock = threading.Lock()
        self._closed = False

    @contextmanager
    def lent(self) -> Iterator[T]:
        """A driver for this thread alone, until the block ends. Raises what the factory raises."""
        with self._lock:
            driver = self._free.pop() if self._free else None
        if driver is None:
            driver = self._factory()
        try:
            yield driver
        finally:
            self._give_back(driver)

    def _give_back(self, driver: T) -> None:
        with self._lock:
            if not self._closed:
                self._free.append(driver)
                return
        if self._close is not None:
            self._close(driver)

    def close(self) -> None:
        """Close every driver that is not lent now; the others as they come back."""
        with self._lock:
            free, self._free, self._closed = self._free, [], True
        for driver in free:
            if self._close is not None:
                self._close(driver)
