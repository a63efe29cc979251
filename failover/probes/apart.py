"""What would block the loop is done on threads beside it."""

import errno
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Apart:
    """Do something that may block, and resume with its value or its error.

    `undo` gets a value that came when nobody waited for it any more.
    """

    do: Callable[[], Any]
    undo: Callable[[Any], None] | None = None


class Bell:
    """Starts the threads, and rings (`fd` becomes readable) when one is done.

    They are daemons: one that hangs does not hold up the end of the process. After the round the bell is silent.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._done: list[tuple[Apart, Any, object, Exception | None]] = []
        self.fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def __enter__(self) -> "Bell":
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            os.close(self.fd)
            self.fd = -1

    def do(self, apart: Apart, job: Any, resume: Callable[..., None]) -> None:
        try:
            threading.Thread(target=self._work, args=(apart, job), name="probe", daemon=True).start()
        except RuntimeError as error:  # this machine has no thread left
            resume(job, error=OSError(errno.EAGAIN, str(error)))

    def _work(self, apart: Apart, job: Any) -> None:
        value: object = None
        error: Exception | None = None
        try:
            value = apart.do()
        except Exception as raised:  # noqa: BLE001 - handed to the conversation, whatever it is
            error = raised
        with self._lock:
            if self.fd >= 0:
                self._done.append((apart, job, value, error))
                os.eventfd_write(self.fd, 1)
                return
        if error is None and apart.undo is not None:
            apart.undo(value)

    def rung(self) -> list[tuple[Apart, Any, object, Exception | None]]:
        with self._lock:
            os.eventfd_read(self.fd)
            done, self._done = self._done, []
        return done
