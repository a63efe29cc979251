"""Puts one name server behind several loopback addresses: BIND listens only at addresses that an interface has.

It sees who is asked by where the question comes from: each address asks it from itself (`match-clients`).
"""

import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterator, Sequence

Place = tuple[str, int]


def _udp(address: str, upstream: Place) -> type[socketserver.BaseRequestHandler]:
    class Udp(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            wire, back = self.request
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as up, contextlib.suppress(OSError):
                up.bind((address, 0))
                up.settimeout(10)
                up.sendto(wire, upstream)
                back.sendto(up.recv(65535), self.client_address)

    return Udp


def _tcp(address: str, upstream: Place) -> type[socketserver.BaseRequestHandler]:
    class Tcp(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError), socket.create_connection(upstream, 10, (address, 0)) as up:
                answers = threading.Thread(target=_pump, args=(up, self.request))
                answers.start()
                _pump(self.request, up)
                answers.join()

    return Tcp


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def relays(addresses: Sequence[str], port: int, upstream: Place, *, deaf: Sequence[str] = ()) -> Iterator[None]:
    """`addresses` answer at `port`, by UDP and TCP, what `upstream` says to each; the `deaf` ones by UDP only.

    Raises OSError: a place is taken.
    """
    with contextlib.ExitStack() as stack:
        for address in addresses:
            servers: list[socketserver.BaseServer] = [
                socketserver.ThreadingUDPServer((address, port), _udp(address, upstream))
            ]
            if address not in deaf:
                servers.append(socketserver.ThreadingTCPServer((address, port), _tcp(address, upstream)))
            for server in servers:
                stack.callback(server.server_close)
                thread = threading.Thread(target=server.serve_forever, args=(0.05,))
                thread.start()
                stack.callback(thread.join)
                stack.callback(server.shutdown)
        yield
