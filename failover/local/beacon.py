"""A control: takes connections and closes them. That it answers shows that the observer is not cut off."""

import contextlib
import socket
import threading

from failover.local.daemon import Context, Endpoint, bind_stable

ADDRESS = "127.0.0.1"
_BACKLOG = 128


class BeaconService:
    """The daemon of one control."""

    def __init__(self, context: Context) -> None:
        self._port_before = context.port_before
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)

    def start(self) -> Endpoint:
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bind_stable(self._port_before, lambda port: self._listener.bind((ADDRESS, port)))
        self._listener.listen(_BACKLOG)
        threading.Thread(target=self._accept, daemon=True).start()
        return Endpoint(address=ADDRESS, port=self._listener.getsockname()[1])

    def stop(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # closed, or out of descriptors: the next connection tries again
                if self._listener.fileno() < 0:
                    return
                continue
            with contextlib.suppress(OSError):
                connection.close()
