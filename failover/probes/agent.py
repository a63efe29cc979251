"""`failover vantage serve`: looks when a controller asks, and answers signed. It holds no credential of any provider.

It asks only what its own config has checks for, only at addresses that a signed question names, and never at metadata
services; so whoever has no key gets nothing from it, and whoever has one gets no open proxy.
"""

import contextlib
import re
import socket
import socketserver
import ssl
import sys
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec

from failover.core.model import Check, ControlSample, Failure, Outcome, Sample, Service, Target
from failover.net.decode import decode
from failover.ports import Probe
from failover.probes import ballots
from failover.probes.remote import LOOK

HEALTH = "/healthz"
_SITE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
BODY_BYTES_MAX = 4 * 1024 * 1024
CONNECTIONS_MAX = 32
LIFE_S = 60.0
"""No connection lasts longer, however slowly the other side talks."""
IDLE_S = 10.0
DEADLINE_S_MAX = 45.0


class Refused(Exception):
    """A question that is not answered: the HTTP status and the reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason


class VantageAgent:
    """Answers questions: `service` is what its own config says, `key` the secret shared with the controller."""

    def __init__(self, *, service: Service, vantage: str, key: str, probe: Probe) -> None:
        self._service, self._vantage, self._key, self._probe = service, vantage, key, probe
        self._checks = {check.name: check for check in service.checks}

    def answer(self, data: bytes) -> bytes:
        """The sealed answer to a sealed question. Raises Refused."""
        question = self._question(data)
        differs = ballots.differing(self._checks, question.checks)
        reply = self._said(question) if not differs else self._reply(question, differs=differs)
        return msgspec.json.encode(ballots.seal(self._key, ballots.ANSWER, reply))

    def _said(self, question: ballots.Question) -> ballots.Reply:
        """What one round here sees."""
        targets = [self._target(asked) for asked in question.targets]
        known = [target for target in targets if target is not None]
        samples, controls = self._round(known, min(question.deadline_s, DEADLINE_S_MAX))
        found = iter(samples)
        return self._reply(
            question,
            samples=tuple(_UNKNOWN if target is None else _said(next(found)) for target in targets),
            controls=tuple(
                ballots.Heard(target=c.target, provider=c.provider, ok=c.ok, detail=c.detail) for c in controls
            ),
        )

    def _reply(
        self,
        question: ballots.Question,
        *,
        samples: tuple[ballots.Said, ...] = (),
        controls: tuple[ballots.Heard, ...] = (),
        differs: tuple[str, ...] = (),
    ) -> ballots.Reply:
        return ballots.Reply(
            schema_version=ballots.SCHEMA_VERSION,
            service=self._service.name,
            vantage=self._vantage,
            nonce=question.nonce,
            samples=samples,
            controls=controls,
            differs=differs,
        )

    def _question(self, data: bytes) -> ballots.Question:
        try:
            envelope = decode(data, ballots.Envelope)
        except (msgspec.DecodeError, UnicodeError) as error:
            raise Refused(400, "this is no question") from error
        try:
            question = ballots.unseal(self._key, ballots.QUESTION, envelope, ballots.Question)
        except ValueError as error:
            raise Refused(403, "the question is not signed with this vantage's key") from error
        if question.schema_version != ballots.SCHEMA_VERSION:
            raise Refused(400, f"this vantage speaks version {ballots.SCHEMA_VERSION}")
        if (question.service, question.vantage) != (self._service.name, self._vantage):
            raise Refused(400, f"this is vantage {self._vantage} of {self._service.name}")
        if not question.deadline_s > 0 or len(question.targets) > ballots.TARGETS_MAX:
            raise Refused(400, "a question needs a deadline, and not too many targets")
        if not all(_SITE.fullmatch(asked.site) for asked in question.targets):
            raise Refused(400, "a site has no such name")  # plug-ins get it as an argument
        return question

    def _target(self, asked: ballots.Asked) -> Target | None:
        check: Check | None = self._checks.get(asked.check)
        if check is None:
            return None
        return Target(site=asked.site, address=asked.address, check=check, releases=asked.releases)

    def _round(self, targets: Sequence[Target], deadline_s: float) -> tuple[Sequence[Sample], Sequence[ControlSample]]:
        """Targets and controls at the same time."""
        controls: list[ControlSample] = []
        asking = threading.Thread(
            target=lambda: controls.extend(self._probe.controls(self._service.controls, deadline_s)), daemon=True
        )
        asking.start()
        samples = self._probe.run(targets, deadline_s)
        asking.join()
        return samples, controls


_UNKNOWN = ballots.Said(
    outcome=Outcome.UNKNOWN, failure=Failure.LOCAL, detail="this vantage's config has no check of that name"
)


def _said(sample: Sample) -> ballots.Said:
    return ballots.Said(
        outcome=sample.outcome,
        failure=sample.failure,
        latency_ms=sample.latency_ms,
        detail=sample.detail,
        tls_days_left=sample.tls_days_left,
    )


# ---------------------------------------------------------------------------------------------- the server


class AgentServer(ThreadingHTTPServer):
    """Serves one agent at `address` (`host, port`; port 0: a free one), with TLS where a context is given.

    A handshake takes place in the connection's own thread: whoever connects and keeps silent holds up nobody else.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], agent: VantageAgent, *, tls: ssl.SSLContext | None = None) -> None:
        self.agent = agent
        self._tls = tls
        self._free = threading.BoundedSemaphore(CONNECTIONS_MAX)
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)  # the HTTP one also asks DNS for this host's name
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def verify_request(self, request: object, client_address: object) -> bool:
        """Whether there is room for one more connection; otherwise it is closed."""
        del request, client_address
        return self._free.acquire(blocking=False)

    def process_request_thread(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def finish_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        assert isinstance(request, socket.socket)  # noqa: S101 - of a TCP server it is
        request.settimeout(IDLE_S)
        tls = self._tls
        connection = tls.wrap_socket(request, server_side=True, do_handshake_on_connect=False) if tls else request
        end = threading.Timer(LIFE_S, _hang_up, [connection])
        end.daemon = True
        end.start()
        try:
            if isinstance(connection, ssl.SSLSocket):
                connection.do_handshake()
            super().finish_request(connection, client_address)
        finally:
            end.cancel()
            connection.close()

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), OSError):  # a client that went away, or speaks no TLS, is no news
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # passed on as it came


def _hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "failover-vantage"
    sys_version = ""
    timeout = IDLE_S
    wbufsize = -1
    server: AgentServer

    def log_message(self, format: str, *args: object) -> None:
        """Questions are no news."""

    def do_GET(self) -> None:
        if self.path == HEALTH:
            self._send(200, b"ok\n", "text/plain")
        else:
            self._refuse(Refused(404, "there is nothing here"))

    def do_POST(self) -> None:
        try:
            if self.path != LOOK:
                raise Refused(404, "there is nothing here")
            answer = self.server.agent.answer(self._body())
        except Refused as refused:
            self._refuse(refused)
        else:
            self._send(200, answer, "application/json")

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or "Transfer-Encoding" in self.headers:
            raise Refused(411, "send a Content-Length")
        if int(length) > BODY_BYTES_MAX:
            raise Refused(413, f"a question has {BODY_BYTES_MAX} bytes at most")
        return self.rfile.read(int(length))

    def _refuse(self, refused: Refused) -> None:
        self.close_connection = True
        document = {"error": {"code": "refused", "message": refused.reason}}
        self._send(refused.status, msgspec.json.encode(document), "application/json")

    def _send(self, status: int, data: bytes, type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", type)
        self.send_header("Content-Length", str(len(data)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)


def tls_context(certificate: Path, private_key: Path) -> ssl.SSLContext:
    """For the server: TLS 1.2 and newer. Raises OSError (ssl.SSLError among them) for files that cannot be used."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, private_key)
    return context
