"""Something that is made by the first call that needs it."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Once(Generic[T]):
    """What `make` returns, made once, whoever asks first."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: T | None = None
        self._lock = threading.Lock()

    def __call__(self) -> T:
        """Raises what `make` raises, each time anew."""
        with self._lock:
            if self._made is None:
                self._made = self._make()
            return self._made
