"""Small servers that misbehave in exact ways, on free loopback ports."""

import socket
import ssl
import struct
import threading
from collections.abc import Callable
from types import TracebackType

Behaviour = Callable[["Server", socket.socket], None]


class Server:
    """Accepts connections and does `behave` with each, on threads of its own. Everything ends with the `with` block.

    `behave` and `context` may be changed meanwhile.
    """

    def __init__(
        self, behave: Behaviour, *, context: ssl.SSLContext | None = None, address: str = "127.0.0.1", port: int = 0
    ) -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = socket.create_server((address, port), family=family)
        self.address = address
        self.port: int = self._listener.getsockname()[1]
        self.stopped = threading.Event()
        self.requests: list[bytes] = []
        self.connections = 0
        self.behave = behave
        self.context = context
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> "Server":
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Nobody listens any more. May be called again."""
        if self.stopped.is_set():
            return
        self.stopped.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while not self.stopped.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(connection,))
            thread.start()
            self._threads.append(thread)

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection:
                connection.settimeout(30.0)
                if self.context is None:
                    self.behave(self, connection)
                else:
                    with self.context.wrap_socket(connection, server_side=True) as secured:
                        self.behave(self, secured)
        except OSError:
            return  # the client went away, which is what many tests are about

    def read_request(self, connection: socket.socket) -> bytes:
        request = b""
        while b"\r\n\r\n" not in request and (piece := connection.recv(65536)):
            request += piece
        self.requests.append(request)
        return request


def answers(data: bytes) -> Behaviour:
    """Reads the request, sends these bytes, closes."""

    def behave(server: Server, connection: socket.socket) -> None:
        server.read_request(connection)
        connection.sendall(data)

    return behave


def page(
    body: bytes = b"ok\n", status: str = "200 OK", headers: tuple[str, ...] = (), length: int | None = None
) -> bytes:
    """One HTTP answer."""
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body) if length is None else length}", "", ""]
    return "\r\n".join(lines).encode() + body


def hangs(server: Server, connection: socket.socket) -> None:
    """Takes the request and says nothing."""
    server.stopped.wait()


def drips(data: bytes, every_s: float = 0.02) -> Behaviour:
    """Sends one byte at a time, again and again."""

    def behave(server: Server, connection: socket.socket) -> None:
        server.read_request(connection)
        while True:
            for byte in data:
                if server.stopped.wait(every_s):
                    return
                connection.sendall(bytes([byte]))

    return behave


def resets(server: Server, connection: socket.socket) -> None:
    """Takes the request and resets the connection (SO_LINGER with no time: RST in place of FIN)."""
    server.read_request(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def floods(start: bytes, piece: bytes) -> Behaviour:
    """Sends without end, as fast as it is read."""

    def behave(server: Server, connection: socket.socket) -> None:
        server.read_request(connection)
        connection.sendall(start)
        while not server.stopped.is_set():
            connection.sendall(piece)

    return behave
