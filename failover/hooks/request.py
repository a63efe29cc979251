"""One HTTP request to a place of the user's, on a thread that can be abandoned."""

import contextlib
import http.client
import socket
from urllib.parse import SplitResult


class Request:
    """One request on a thread that can be abandoned. `status` or `error` is set when `run` has ended."""

    def __init__(self, method: str, url: SplitResult, body: bytes, headers: dict[str, str], timeout_s: float) -> None:
        self._method = method
        self._path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        self._body = body
        self._headers = headers
        kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(url.hostname or "", url.port, timeout=timeout_s)
        self._abandoned = False
        self.status = 0
        self.retry_after: str | None = None
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            self._connection.request(self._method, self._path, self._body, self._headers)
            if not self._abandoned:
                with self._connection.getresponse() as response:
                    self.status = response.status
                    self.retry_after = response.headers.get("Retry-After")
        except Exception as error:  # noqa: BLE001 - raised again, translated, on the caller's thread
            self.error = error
        finally:
            self._connection.close()

    def abandon(self) -> None:
        """Ends the connection under the thread, so that it does not linger."""
        self._abandoned = True
        sock = self._connection.sock
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
