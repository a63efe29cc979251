"""A name server that answers by a script: whatever a broken or hostile server may say."""

import contextlib
import selectors
import socket
import threading
from collections.abc import Callable, Iterator

import dns.message

Script = Callable[[bytes], bytes | list[bytes | None] | None]
"""From the question's bytes to the answer's; None: silence by UDP, and a closed connection by TCP. Several: by TCP."""


class Scripted:
    """One question at a time, by UDP or TCP, on one port of 127.0.0.1. `asked` counts the questions."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self.asked = 0
        self._stopping, self._stop = socket.socketpair()
        self._tcp, self._udp = _bind()
        self.server = f"127.0.0.1:{self._tcp.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        self._stop.send(b".")
        self._thread.join()
        for used in (self._tcp, self._udp, self._stop, self._stopping):
            used.close()

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            for source in (self._tcp, self._udp, self._stopping):
                selector.register(source, selectors.EVENT_READ)
            while True:
                ready = [key.fileobj for key, _ in selector.select()]
                if self._stopping in ready:
                    return
                if self._udp in ready:
                    wire, client = self._udp.recvfrom(65535)
                    answer = self._answer(wire)
                    if isinstance(answer, bytes):
                        self._udp.sendto(answer, client)
                if self._tcp in ready:
                    with self._tcp.accept()[0] as connection, contextlib.suppress(OSError):
                        self._converse(connection)

    def _converse(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        with connection.makefile("rb") as stream:
            while length := stream.read(2):
                answer = self._answer(stream.read(int.from_bytes(length, "big")))
                for each in answer if isinstance(answer, list) else [answer]:
                    if each is None:
                        return
                    connection.sendall(len(each).to_bytes(2, "big") + each)

    def _answer(self, wire: bytes) -> bytes | list[bytes | None] | None:
        self.asked += 1
        return self._script(wire)


def _bind() -> tuple[socket.socket, socket.socket]:
    while True:
        tcp = socket.create_server(("127.0.0.1", 0))
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            udp.bind(tcp.getsockname())
        except OSError:
            tcp.close()
            udp.close()
            continue
        return tcp, udp


@contextlib.contextmanager
def scripted(script: Script) -> Iterator[Scripted]:
    running = Scripted(script)
    try:
        yield running
    finally:
        running.stop()


def reply(wire: bytes, change: Callable[[dns.message.Message], object] = lambda message: None) -> bytes:
    """An empty answer to the question, changed as wanted."""
    answer = dns.message.make_response(dns.message.from_wire(wire, keyring=False))
    change(answer)
    return answer.to_wire()
