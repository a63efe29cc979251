"""A small JSON API server on loopback: what the cloud's API and the operator's orders have in common."""

import contextlib
import hmac
import json
import socket
import socketserver
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit

from failover.local.daemon import bind_stable
from failover.local.loop import Stopping

ADDRESS = "127.0.0.1"
BODY_BYTES_MAX = 520 * 1024 * 1024
JSON_BYTES_MAX = 1024 * 1024
_IDLE_S = 30.0
_CHUNK = 1024 * 1024


class Refusal(Exception):
    """A no with its status, a code for programs and a message for persons."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(status, code, message)
        self.status = status
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request. `path` is split at `/` and unquoted; `body` reads the whole body, up to so many bytes."""

    method: str
    path: tuple[str, ...]
    query: dict[str, str]
    token: str
    body: Callable[[int], bytes] = field(repr=False)

    def json(self) -> dict[str, object]:
        """The body as a JSON object. Raises Refusal."""
        try:
            document = json.loads(self.body(JSON_BYTES_MAX) or b"{}")
        except ValueError as error:
            raise Refusal(400, "invalid_request", f"the body is not JSON: {error}") from error
        if not isinstance(document, dict):
            raise Refusal(400, "invalid_request", "the body is not a JSON object")
        return document

    def carries(self, token: str) -> bool:
        """Whether it came with this token; compared in constant time."""
        return hmac.compare_digest(self.token.encode(), token.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What to answer. `html` stands in for the JSON document when a fault is played."""

    status: int = 200
    document: object = None
    html: str | None = None


Handle = Callable[[Request], Reply | None]
"""Answers a request; None closes the connection without a word. Raises Refusal."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, port: int, handle: Handle) -> None:
        self.handle = handle
        super().__init__((ADDRESS, port), _Handler)

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)  # the HTTP one also asks DNS for this host's name
        self.server_name, self.server_port = ADDRESS, self.server_address[1]

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), OSError):  # a client that went away is no news
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # passed on as it came


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "failover-local"
    sys_version = ""
    timeout = _IDLE_S
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        """Requests are no news; errors come as tracebacks."""

    def _body(self, bytes_max: int) -> bytes:
        length = int(self.headers.get("Content-Length") or 0)
        if length > bytes_max:
            self.close_connection = True
            raise Refusal(413, "too_large", f"the body has {length} bytes; the limit is {bytes_max}")
        data = self.rfile.read(self._unread)
        self._unread -= len(data)
        return data

    def _request(self) -> Request:
        parts = urlsplit(self.path)
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        return Request(
            method=self.command,
            path=tuple(unquote(part) for part in parts.path.strip("/").split("/")),
            query=dict(parse_qsl(parts.query)),
            token=token.strip() if scheme.lower() == "bearer" else "",
            body=self._body,
        )

    def _serve(self) -> None:
        try:
            self._unread = int(self.headers.get("Content-Length") or 0)
        except ValueError:
            self._unread = -1
        if self._unread < 0 or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            return self._send(_problem(Refusal(411, "length_required", "send a Content-Length")))
        try:
            reply = self.server.handle(self._request())
        except Refusal as refusal:
            reply = _problem(refusal)
        except Stopping:
            reply = None
        if reply is None:
            self.close_connection = True
            return None
        self._drain()
        return self._send(reply)

    def _drain(self) -> None:
        """Read what is left of the body: a client still sending would not hear the answer."""
        while 0 < self._unread <= BODY_BYTES_MAX:
            data = self.rfile.read(min(_CHUNK, self._unread))
            if not data:
                self.close_connection = True
                return
            self._unread -= len(data)

    def _send(self, reply: Reply) -> None:
        html = reply.html is not None
        data = (reply.html or "").encode() if html else json.dumps(reply.document).encode()
        self.send_response(reply.status)
        self.send_header("Content-Type", "text/html" if html else "application/json")
        self.send_header("Content-Length", str(len(data)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - the names that http.server calls


def _problem(refusal: Refusal) -> Reply:
    return Reply(status=refusal.status, document={"error": {"code": refusal.code, "message": refusal.message}})


class ApiServer:
    """Answers on own threads from the moment it is made. Raises OSError when no port can be had."""

    def __init__(self, handle: Handle, port_before: int | None) -> None:
        self._servers: list[_Server] = []
        bind_stable(port_before, lambda port: self._servers.append(_Server(port, handle)))
        threading.Thread(target=self._servers[0].serve_forever, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._servers[0].server_address[1])

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self._servers[0].socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for connections
        self._servers[0].shutdown()
        self._servers[0].server_close()
