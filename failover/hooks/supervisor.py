"""Words to the service manager: sd_notify(3), one datagram each. Without a manager nothing is sent."""

import os
import socket


class Supervisor:
    """READY, WATCHDOG, RELOADING, STOPPING and a status line, to the socket that NOTIFY_SOCKET names."""

    def __init__(self, address: str | None) -> None:
        self._address = address

    def ready(self, status: str) -> None:
        self._send("READY=1", f"STATUS={status}")

    def alive(self, status: str) -> None:
        """Within each WatchdogSec, or the manager restarts the service."""
        self._send("WATCHDOG=1", f"STATUS={status}")

    def reloading(self, monotonic_us: int) -> None:
        """`ready` follows."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={monotonic_us}")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as found:
            try:
                found.connect(address)
                found.sendall("\n".join(line.replace("\n", " ") for line in lines).encode())
            except OSError:
                return  # a manager that does not listen is no reason to stop watching


def from_environment() -> Supervisor:
    """Its children are not the service: they do not get the address."""
    return Supervisor(os.environ.pop("NOTIFY_SOCKET", None))
