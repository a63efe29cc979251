"""The local host is found by its directory, whatever happened to it."""

import json
from pathlib import Path

import pytest

from failover.core.rrsets import Changes
from failover.dns.local import LocalHost
from failover.errors import SecretError, Unreachable, Unreadable
from failover.local.nameserver import NameServer
from failover.testing.dns import FENCE, ZONE, fence


def announce(directory: Path, port: int) -> None:
    daemon = {"pid": 1, "start": "x", "address": "127.0.0.1", "port": port}
    (directory / "daemon.json").write_text(json.dumps(daemon))


@pytest.fixture
def host(directory: Path) -> LocalHost:
    return LocalHost(root=directory.parent.parent, name="north", timeout_s=60.0, deadline_s=120.0)


def test_a_server_that_was_never_started(host: LocalHost) -> None:
    for call in (
        host.traits,
        lambda: host.read(ZONE, [FENCE]),
        lambda: host.apply(ZONE, Changes(), expect=None, fence=fence(1)),
    ):
        with pytest.raises(Unreachable) as raised:
            call()
        assert raised.value.hint == "failover local start north"
        assert "north" in str(raised.value)


def test_a_server_that_died(host: LocalHost, directory: Path, server: NameServer) -> None:
    announce(directory, server.port)
    assert host.read(ZONE, [FENCE]) == ()
    server.stop()
    with pytest.raises(Unreachable) as raised:
        host.read(ZONE, [FENCE])
    assert raised.value.hint == "failover local start north"
    with pytest.raises(Unreachable):
        host.apply(ZONE, Changes(), expect=None, fence=fence(1))


def test_a_server_that_came_back_elsewhere(host: LocalHost, directory: Path, server: NameServer) -> None:
    announce(directory, server.port)
    host.apply(ZONE, Changes(), expect=None, fence=fence(1))
    server.stop()
    again = NameServer(directory)
    again.start()
    try:
        announce(directory, again.port)
        assert host.read(ZONE, [FENCE]) == (fence(1),)
        assert host.traits().servers == (f"127.0.0.1:{again.port}",)
    finally:
        again.stop()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"address": "127.0.0.1"}', '{"address": 1, "port": "x"}'])
def test_a_record_that_makes_no_sense(host: LocalHost, directory: Path, text: str) -> None:
    (directory / "daemon.json").write_text(text)
    with pytest.raises(Unreadable):
        host.read(ZONE, [FENCE])


def test_a_key_that_others_can_read(host: LocalHost, directory: Path, server: NameServer) -> None:
    announce(directory, server.port)
    (directory / "tsig.key").chmod(0o640)
    with pytest.raises(SecretError):
        host.read(ZONE, [FENCE])
