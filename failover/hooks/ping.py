"""A dead man's switch: a service elsewhere that alarms when checks stay away or end badly.

The form is the one of healthchecks.io and its like: `URL/start` before a run, `URL/EXIT STATUS` after it.
"""

import queue
import threading
from urllib.parse import urlsplit

import failover

TIMEOUT_S = 5.0
"""For each request."""
END_S = 3.0
"""How long the end of a run waits for its last message; the work is done by then, and the lock is free."""


class DeadMansSwitch:
    """Messages go out one after the other, on a thread of their own. Nothing that befalls them is an error here:
    that a message stays away is what the other side is there to notice.
    """

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._waiting: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def started(self) -> None:
        """A run begins."""
        self._send("start")

    def ended(self, exit_code: int) -> None:
        """It is over."""
        self._send(str(exit_code))

    def close(self) -> None:
        """Wait a moment for what is on its way."""
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join(END_S)

    def _send(self, word: str) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="dead man's switch", daemon=True)
            self._thread.start()
        self._waiting.put(word)

    def _work(self) -> None:
        from failover.hooks.request import Request  # its parts load slowly, and a check without a switch needs none

        while (word := self._waiting.get()) is not None:
            url = self._url._replace(path=f"{self._url.path.rstrip('/')}/{word}")
            headers = {"User-Agent": f"failover/{failover.__version__}", "Connection": "close"}
            Request("GET", url, b"", headers, TIMEOUT_S).run()


class NoSwitch:
    """Where the config names none."""

    def started(self) -> None: ...

    def ended(self, exit_code: int) -> None: ...

    def close(self) -> None: ...
