"""What tests with real servers share: is it there, and a port for it."""

import os
import shutil
import socket

import pytest


def need(program: str, package: str) -> str:
    """The program's path. Without it the test is skipped, but fails under CI=true, where it must be there."""
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin:/sbin")
    if path is not None:
        return path
    reason = f"{program} is not installed (package {package}; tests/servers/install.sh)"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def free_port() -> int:
    """A port that is free for both UDP and TCP on 127.0.0.1, a moment ago at least."""
    while True:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        ):
            tcp.bind(("127.0.0.1", 0))
            port: int = tcp.getsockname()[1]
            try:
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
