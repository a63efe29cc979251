"""Asking a name server: whole exchanges within a deadline.

dnspython composes and reads the messages. The sockets are here because dnspython counts its timeouts on the wall
clock, which may step.
"""

import ipaddress
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import TracebackType

import dns.exception
import dns.message

from failover.errors import ConfigError, TimedOut, Unreachable, Unreadable

PORT = 53
_WINDOW = 100
"""Questions under way at once. Of a connection BIND works on 23 at a time, and reads on then; by UDP the answers to so
many fit into a socket's usual buffer (some 200 KiB, of which each takes about one)."""
_PAUSE_S = 0.1
"""Without any datagram, until more questions are sent: one that is lost holds up no other."""
_PART_BYTES = 64 * 1024


def parse_server(text: str) -> tuple[str, int]:
    """`192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1`, `[2001:db8::1]:5353` or `ns1.example.net:53` → host and port.

    Raises ConfigError.
    """
    host, port = _split(text.strip())
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ConfigError("read server", text, "not an address with a port", "write it as 192.0.2.1:53")
    return host, int(port)


def _split(text: str) -> tuple[str, str]:
    try:
        return str(ipaddress.ip_address(text)), str(PORT)
    except ValueError:
        pass
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            return "", ""
        return host, (rest.removeprefix(":") if rest.startswith(":") else str(PORT) if bracket and not rest else "")
    host, colon, port = text.partition(":")
    return host, port if colon else str(PORT)


class Deadline:
    """A moment on the monotonic clock by which something has to be done."""

    __slots__ = ("_at",)

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def left_s(self) -> float:
        """Raises TimeoutError when nothing is left."""
        left = self._at - time.monotonic()
        if left <= 0:
            raise TimeoutError("the deadline is over")
        return left


def ask_udp(
    server: tuple[str, int], query: dns.message.Message, *, tries: int, timeout_s: float, what: str
) -> dns.message.Message:
    """One question by UDP, as `ask_udp_many`."""
    (answer,) = ask_udp_many(server, [query], tries=tries, timeout_s=timeout_s, what=what)
    return answer


def ask_udp_many(
    server: tuple[str, int], queries: Sequence[dns.message.Message], *, tries: int, timeout_s: float, what: str
) -> list[dns.message.Message]:
    """Questions by UDP, some at a time, and each again when no answer comes within a try's share of `timeout_s`.

    Datagrams that are not the answer are passed over. Ids must differ. Raises Unreachable or TimedOut.
    """
    deadline = Deadline(timeout_s)
    try:
        family, address = _resolve(server, socket.SOCK_DGRAM)
        with socket.socket(family, socket.SOCK_DGRAM) as udp:
            udp.connect(address)
            asking = _Datagrams(udp=udp, waiting={query.id: query for query in queries})
            for _ in range(tries):
                asking.ask(Deadline(min(timeout_s / tries, deadline.left_s())))
                if not asking.waiting:
                    return [asking.answers[query.id] for query in queries]
    except TimeoutError:
        pass
    except OSError as error:
        raise Unreachable(what, show_server(server), _reason(error)) from error
    raise TimedOut(what, show_server(server), f"no answer within {timeout_s:g} s")


@dataclass(slots=True, kw_only=True)
class _Datagrams:
    """Questions to one server by UDP, by their ids."""

    udp: socket.socket
    waiting: dict[int, dns.message.Message]
    answers: dict[int, dns.message.Message] = field(default_factory=dict)

    def ask(self, deadline: Deadline) -> None:
        """Each question that waits, once, until all are answered or the deadline is over."""
        asked = list(self.waiting.values())
        with suppress(TimeoutError):
            for start in range(0, len(asked), _WINDOW):
                self._ask_some(asked[start : start + _WINDOW], deadline)
            while self.waiting:
                self._receive(deadline.left_s())

    def _ask_some(self, queries: Sequence[dns.message.Message], deadline: Deadline) -> None:
        """Until they are answered, or nothing has come for a while."""
        deadline.left_s()
        for query in queries:
            self.udp.send(query.to_wire())
        with suppress(TimeoutError):
            while any(query.id in self.waiting for query in queries):
                self._receive(min(_PAUSE_S, deadline.left_s()))

    def _receive(self, wait_s: float) -> None:
        """The next datagram, whatever it is. Raises TimeoutError."""
        self.udp.settimeout(wait_s)
        wire = self.udp.recv(65535)
        with suppress(dns.exception.DNSException, ValueError):
            answer = dns.message.from_wire(wire, ignore_trailing=True)
            asked = self.waiting.get(answer.id)
            if asked is not None and asked.is_response(answer):
                self.answers[answer.id] = answer
                del self.waiting[answer.id]


class Connection:
    """A TCP connection to one name server, used by one thread, closed by `with`.

    Raises Unreachable while nothing has been sent: then nothing has been done. From the first message on, silence
    and a lost connection are TimedOut: the outcome is unknown.
    """

    def __init__(self, server: tuple[str, int], *, timeout_s: float, what: str) -> None:
        self._what = what
        self._server = show_server(server)
        self._came = bytearray()
        try:
            self._tcp = socket.create_connection(server, timeout=timeout_s)
            self._tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            raise Unreachable(what, self._server, _reason(error)) from error

    def __enter__(self) -> "Connection":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._tcp.close()

    def ask(
        self, queries: Sequence[dns.message.Message], deadline: Deadline, *, timeout_s: float
    ) -> list[dns.message.Message]:
        """The answers in the order of the questions, whose ids differ. Raises Unreadable as well."""
        answers = self.exchange([query.to_wire() for query in queries], deadline, timeout_s=timeout_s)
        return [self._read(query, wire) for query, wire in zip(queries, answers, strict=True)]

    def exchange(self, wires: Sequence[bytes], deadline: Deadline, *, timeout_s: float) -> list[bytes]:
        """One answer to each message, in their order; their ids (the first two bytes) differ.

        Sent a few at a time (RFC 7766, section 6.2); these may take `timeout_s`, all together until the deadline.
        """
        answers: list[bytes] = []
        with self._told():
            for start in range(0, len(wires), _WINDOW):
                share = Deadline(min(timeout_s, deadline.left_s()))
                answers += self._exchange_some(wires[start : start + _WINDOW], share)
        return answers

    def send(self, wires: Sequence[bytes], deadline: Deadline) -> None:
        """Each behind its length (RFC 1035, section 4.2.2)."""
        with self._told():
            self._tcp.settimeout(deadline.left_s())
            self._tcp.sendall(b"".join(len(wire).to_bytes(2) + wire for wire in wires))

    def receive(self, deadline: Deadline) -> bytes:
        """The next message that comes."""
        with self._told():
            return self._receive(int.from_bytes(self._receive(2, deadline)), deadline)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError as error:
            raise TimedOut(self._what, self._server, "no answer in time") from error
        except OSError as error:
            raise TimedOut(self._what, self._server, f"the connection was lost: {_reason(error)}") from error

    def _exchange_some(self, wires: Sequence[bytes], deadline: Deadline) -> list[bytes]:
        self.send(wires, deadline)
        waiting = {wire[:2] for wire in wires}
        answers: dict[bytes, bytes] = {}
        while waiting:
            wire = self.receive(deadline)
            if wire[:2] not in waiting:
                raise Unreadable(self._what, self._server, "an answer to a question that was not asked")
            waiting.remove(wire[:2])
            answers[wire[:2]] = wire
        return [answers[wire[:2]] for wire in wires]

    def _receive(self, count: int, deadline: Deadline) -> bytes:
        """So many bytes. What comes with them is kept: a call of the system for each piece costs more than the rest."""
        while len(self._came) < count:
            self._tcp.settimeout(deadline.left_s())
            part = self._tcp.recv(_PART_BYTES)
            if not part:
                raise ConnectionResetError("closed by the server")
            self._came += part
        data = bytes(self._came[:count])
        del self._came[:count]
        return data

    def _read(self, query: dns.message.Message, wire: bytes) -> dns.message.Message:
        try:
            answer = dns.message.from_wire(wire)
        except (dns.exception.DNSException, ValueError) as error:
            raise Unreadable(self._what, self._server, f"{type(error).__name__}: {error}") from error
        if not query.is_response(answer):
            raise Unreadable(self._what, self._server, "the answer belongs to another question")
        return answer


def addresses_of(server: tuple[str, int]) -> list[tuple[str, int]]:
    """Every address of a server. Raises Unreachable when its name leads nowhere."""
    try:
        found = socket.getaddrinfo(*server, type=socket.SOCK_DGRAM)
    except OSError as error:
        raise Unreachable("find name server", show_server(server), _reason(error)) from error
    return list(dict.fromkeys((str(address[0]), server[1]) for *_, address in found))


def _resolve(
    server: tuple[str, int], kind: socket.SocketKind
) -> tuple[int, tuple[str, int] | tuple[str, int, int, int]]:
    family, _, _, _, address = socket.getaddrinfo(*server, type=kind)[0]
    return family, address  # type: ignore[return-value]  # only IPv4 and IPv6 have ports


def show_server(server: tuple[str, int]) -> str:
    """The text that `parse_server` reads."""
    host, port = server
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _reason(error: OSError) -> str:
    return "no connection in time" if isinstance(error, TimeoutError) else (error.strerror or str(error))
