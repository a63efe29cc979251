"""Carries connections from one address to another: `tunnel.py tcp:9000 unix:/tmp/x`. A path leads out of a network."""

import socket
import socketserver
import sys
import threading


def connected(place: str) -> socket.socket:
    kind, _, where = place.partition(":")
    if kind == "tcp":
        return socket.create_connection(("127.0.0.1", int(where)))
    found = socket.socket(socket.AF_UNIX)
    found.connect(where)
    return found


def pump(source: socket.socket, target: socket.socket) -> None:
    while data := source.recv(65536):
        target.sendall(data)
    target.shutdown(socket.SHUT_WR)


class Carrier(socketserver.BaseRequestHandler):
    """One connection, both ways."""

    target = ""

    def handle(self) -> None:
        with connected(self.target) as other:
            back = threading.Thread(target=pump, args=(other, self.request))
            back.start()
            pump(self.request, other)
            back.join()


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


class TcpServer(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True


def main(source: str, target: str) -> None:
    Carrier.target = target
    kind, _, where = source.partition(":")
    server = UnixServer(where, Carrier) if kind == "unix" else TcpServer(("127.0.0.1", int(where)), Carrier)
    with server:
        server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
