"""HTTP and HTTPS at a pinned address: one request, one answer, judged by status, headers and body.

No redirects, proxies, cookies or kept connections: what is judged is this address and nothing else.
"""

import socket
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse, RemoteDisconnected
from typing import cast

import failover
from failover.core.model import Check, CheckKind, Failure, Target
from failover.probes import tls
from failover.probes.connection import Limit, LimitedSocket, connect, talking_trouble
from failover.probes.trouble import Finding, Trouble, place, quoted

BODY_BYTES_MAX = 64 * 1024
READ_BYTES = 16 * 1024
DEFAULT_PORTS = {CheckKind.HTTP: 80, CheckKind.HTTPS: 443}

WantedHeaders = Mapping[str, tuple[str, ...]]
"""By name: the values of which one must stand there."""


def ask(target: Target, limit: Limit, now_utc_s: float) -> Finding:
    """One probe. Raises Trouble when there is no answer to judge."""
    check = target.check
    headers = _wanted_headers(target)
    if check.tls_days_left_min > 0 and not check.verify_tls:
        raise Trouble(Failure.LOCAL, "the days left of a certificate are only known with verify_tls")
    sock = connect(target.address, check.port, limit)
    if check.kind is CheckKind.HTTP:
        with sock:
            return Finding(detail=_judge(sock, target, headers, limit))
    secured = tls.handshake(
        sock,
        target.address,
        check.port,
        host=check.host or target.address,
        limit=limit,
        verify=check.verify_tls,
        ca_file=check.ca_file,
    )
    with secured:
        days_left = tls.days_left(secured, now_utc_s)
        try:
            _judge_days(days_left, check)
            detail = _judge(secured, target, headers, limit)
        except Trouble as trouble:
            return Finding(failure=trouble.failure, detail=trouble.detail, tls_days_left=days_left)
    return Finding(detail=detail, tls_days_left=days_left)


class Exchange:
    """One request and its answer on an open connection. Both raise Trouble."""

    def __init__(self, sock: socket.socket, address: str, port: int, limit: Limit) -> None:
        self._sock = sock
        self._address = address
        self._port = port
        self._limit = limit
        self._where = place(address, port)

    def answer(self, method: str, path: str, host: str) -> HTTPResponse:
        """Sends the request and reads the answer's head."""
        connection = HTTPConnection(self._address, self._port)
        connection.sock = cast(socket.socket, LimitedSocket(self._sock, self._limit, self._flood))
        headers = {"Host": host, "User-Agent": f"failover/{failover.__version__}", "Accept": "*/*"}
        try:
            connection.request(method, path, headers=headers | {"Connection": "close"})
        except OSError as error:
            raise talking_trouble(error, self._address, self._port, self._limit) from None
        except (ValueError, HTTPException) as error:
            raise Trouble(Failure.LOCAL, f"the request cannot be sent: {quoted(str(error))}") from None
        try:
            return connection.getresponse()
        except RemoteDisconnected:
            raise Trouble(Failure.RESET, f"{self._where} closed the connection without an answer") from None
        except (ValueError, HTTPException) as error:
            raise Trouble(Failure.PROTOCOL, f"{self._where} does not speak HTTP: {_said(error)}") from None
        except OSError as error:
            raise talking_trouble(error, self._address, self._port, self._limit) from None

    def read(self, response: HTTPResponse) -> bytes:
        """The next piece of the body as it comes; b"" at its end."""
        try:
            return response.read1(READ_BYTES)
        except (ValueError, HTTPException) as error:
            raise Trouble(Failure.PROTOCOL, f"{self._where} broke off its answer: {_said(error)}") from None
        except OSError as error:
            raise talking_trouble(error, self._address, self._port, self._limit) from None

    def _flood(self) -> Trouble:
        return Trouble(Failure.PROTOCOL, f"{self._where} sends an answer without end")


def _said(error: Exception) -> str:
    return quoted(str(error).strip() or type(error).__name__)


def _judge(sock: socket.socket, target: Target, headers: WantedHeaders, limit: Limit) -> str:
    """What was good, in words. Raises Trouble."""
    check = target.check
    exchange = Exchange(sock, target.address, check.port, limit)
    path = check.path.replace("{address}", target.address)
    with exchange.answer(check.method, path, host_header(check, target.address)) as response:
        _judge_status(response.status, check)
        for name, values in headers.items():
            _judge_header(response, name, values)
        if check.body is not None:
            _judge_body(exchange, response, check.body)
    return f"status {response.status}"


def host_header(check: Check, address: str) -> str:
    """The configured host as it stands; without one the address, with its port unless that is the usual one."""
    if check.host is not None:
        return check.host
    if check.port == DEFAULT_PORTS[check.kind]:
        return f"[{address}]" if ":" in address else address
    return place(address, check.port)


def _wanted_headers(target: Target) -> WantedHeaders:
    wanted: dict[str, tuple[str, ...]] = {}
    for name, pattern in target.check.headers.items():
        value = pattern.replace("{site}", target.site)
        if "{release}" not in value:
            wanted[name] = (value,)
        elif target.releases:
            wanted[name] = tuple(value.replace("{release}", release) for release in target.releases)
        else:
            raise Trouble(Failure.LOCAL, f"header {name} cannot be judged: no release is known")
    return wanted


def _judge_days(days_left: int | None, check: Check) -> None:
    if days_left is not None and days_left < check.tls_days_left_min:
        raise Trouble(
            Failure.TLS, f"the certificate ends in {days_left} days, expected {check.tls_days_left_min} or more"
        )


def _judge_status(status: int, check: Check) -> None:
    if check.status_min <= status <= check.status_max:
        return
    single = check.status_min == check.status_max
    expected = f"{check.status_min}" if single else f"{check.status_min}-{check.status_max}"
    note = " (redirects are not followed)" if 300 <= status <= 399 else ""
    raise Trouble(Failure.STATUS, f"status {status}, expected {expected}{note}")


def _judge_header(response: HTTPResponse, name: str, values: tuple[str, ...]) -> None:
    found = [value.strip() for value in response.headers.get_all(name, [])]
    if any(value in values for value in found):
        return
    expected = " or ".join(quoted(value) for value in values)
    is_now = f"is {quoted(', '.join(found))}" if found else "is missing"
    raise Trouble(Failure.HEADER, f"header {name} {is_now}, expected {expected}")


def _judge_body(exchange: Exchange, response: HTTPResponse, expected: str) -> None:
    """Stops at the first match, so a page that never ends passes once it has said the word."""
    wanted = expected.encode()
    body = bytearray()
    while len(body) < BODY_BYTES_MAX:
        piece = exchange.read(response)
        if not piece:
            raise Trouble(Failure.BODY, f"body of {len(body)} bytes does not hold {quoted(expected)}")
        unseen = max(0, len(body) - len(wanted) + 1)
        body += piece
        if body.find(wanted, unseen, BODY_BYTES_MAX) >= 0:
            return
    raise Trouble(Failure.BODY, f"the first {BODY_BYTES_MAX // 1024} KiB of the body do not hold {quoted(expected)}")
