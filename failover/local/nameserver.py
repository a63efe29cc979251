"""An authoritative name server for the embedded default: UDP and TCP on one port, zones on disk, dynamic update.

create(directory, ["example.test"], "ns1", "failover", secret)
server = NameServer(directory)
server.start()
… ask 127.0.0.1:server.port …
server.stop()
"""

import contextlib
import errno
import selectors
import socket
import threading
from pathlib import Path

from failover.local.zone_data import create
from failover.local.zone_server import TCP_PAYLOAD, Fault, ZoneServer

__all__ = ["NameServer", "create"]

CONNECTIONS_MAX = 256
"""Connections at a time; beyond them new ones are closed at once."""
IDLE_S = 10.0
"""A connection without a whole message for so long is closed (RFC 7766, section 6.2.3)."""
_DATAGRAMS_PER_TURN = 64
_PORT_TRIES = 50


class NameServer:
    """Serves the zones of a directory that `create` laid down.

    The zones are read here: raises StateDamaged or SecretError when they cannot be. Port 0 is any free one.
    """

    def __init__(self, directory: Path, address: str = "127.0.0.1", port: int = 0) -> None:
        self._server = ZoneServer(directory)
        self._address = address
        self._port = port
        self._main: threading.Thread | None = None
        self._workers: dict[socket.socket, threading.Thread] = {}
        self._lock = threading.Lock()
        self._stopping = False

    @property
    def port(self) -> int:
        """Where it serves; before `start` as asked for."""
        return self._port

    @property
    def zones(self) -> tuple[str, ...]:
        """The names of the zones, sorted, without the final dot."""
        return self._server.zones

    def set_fault(self, mode: str, lag_s: float = 0.0) -> None:
        """Misbehave from now on: `none`, `drop`, `servfail`, `refuse`, `refuse-updates` or `lag` (see `Fault`).

        `lag_s` is how long questions do not see an update that was acknowledged; leaving `lag` shows all at once.
        Raises ValueError for another mode.
        """
        self._server.set_fault(Fault(mode), lag_s)

    def start(self) -> None:
        """Bind both and serve on threads of its own. Raises OSError when the port is taken."""
        self._udp, self._tcp = _bind(self._address, self._port)
        self._port = self._tcp.getsockname()[1]
        self._wake, self._woken = socket.socketpair()
        self._stopping = False
        self._main = threading.Thread(target=self._run, name=f"dns-{self._port}", daemon=True)
        self._main.start()

    def stop(self) -> None:
        """Stop serving and close every socket. May be called twice."""
        if self._main is None:
            return
        self._stopping = True
        self._wake.send(b".")
        self._main.join()
        self._main = None
        with self._lock:
            workers = dict(self._workers)
            for connection in workers:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for worker in workers.values():
            worker.join()
        for used in (self._udp, self._tcp, self._wake, self._woken):
            used.close()

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            for source in (self._udp, self._tcp, self._woken):
                selector.register(source, selectors.EVENT_READ)
            while not self._stopping:
                ready = {key.fileobj for key, _ in selector.select()}
                if self._udp in ready:
                    self._serve_datagrams()
                if self._tcp in ready:
                    self._accept()

    def _serve_datagrams(self) -> None:
        for _ in range(_DATAGRAMS_PER_TURN):
            try:
                wire, client = self._udp.recvfrom(TCP_PAYLOAD)
            except OSError:  # nothing more to read, or a client that went away
                return
            answer = self._server.respond(wire, udp=True)
            if answer is not None:
                with contextlib.suppress(OSError):
                    self._udp.sendto(answer, client)

    def _accept(self) -> None:
        try:
            connection, _ = self._tcp.accept()
        except OSError:  # the client went away before we came, or no file descriptor is left
            return
        with self._lock:
            if len(self._workers) >= CONNECTIONS_MAX:
                connection.close()
                return
            worker = threading.Thread(target=self._serve_connection, args=(connection,), daemon=True)
            self._workers[connection] = worker
        try:
            worker.start()
        except RuntimeError:  # the machine has no thread left: this client has to come again
            self._forget(connection)

    def _serve_connection(self, connection: socket.socket) -> None:
        try:
            connection.settimeout(IDLE_S)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # answers to a pipeline leave at once
            while (wire := _read_message(connection)) is not None:
                answer = self._server.respond(wire, udp=False)
                if answer is not None:
                    connection.sendall(len(answer).to_bytes(2, "big") + answer)
        except OSError:  # idle for too long, or gone
            pass
        finally:
            self._forget(connection)

    def _forget(self, connection: socket.socket) -> None:
        with self._lock:
            del self._workers[connection]
            connection.close()


def _read_message(connection: socket.socket) -> bytes | None:
    """One message behind its length (RFC 1035, section 4.2.2); None at the end of the stream."""
    length = _read_exactly(connection, 2)
    return None if length is None else _read_exactly(connection, int.from_bytes(length, "big"))


def _read_exactly(connection: socket.socket, count: int) -> bytes | None:
    data = bytearray()
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            return None
        data += part
    return bytes(data)


def _bind(address: str, port: int) -> tuple[socket.socket, socket.socket]:
    """UDP and TCP on the same port; for port 0 tries until one is free for both."""
    for _ in range(_PORT_TRIES):
        try:
            return _bind_once(address, port)
        except OSError as error:
            if port != 0 or error.errno != errno.EADDRINUSE:
                raise
    raise OSError(errno.EADDRINUSE, f"no port is free for both UDP and TCP on {address}")


def _bind_once(address: str, port: int) -> tuple[socket.socket, socket.socket]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with contextlib.ExitStack() as undo:
        tcp = undo.enter_context(socket.socket(family, socket.SOCK_STREAM))
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tcp.bind((address, port))
        udp = undo.enter_context(socket.socket(family, socket.SOCK_DGRAM))
        udp.bind((address, tcp.getsockname()[1]))
        tcp.listen(CONNECTIONS_MAX)
        tcp.setblocking(False)
        udp.setblocking(False)
        undo.pop_all()
        return udp, tcp
