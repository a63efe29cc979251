"""The local cloud passes the common suite with real daemons and real processes."""

import http.client
import json
import signal
from collections.abc import Collection, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from failover.clouds.local import LocalCloud
from failover.clouds.table import Cloud
from failover.core.model import Node
from failover.local import control, tokens
from failover.local.ledger import read_ledger
from failover.local.process import send
from failover.local.registry import running
from failover.local.tokens import Role
from failover.ports import Account
from failover.testing.clouds import CloudConformance, Operator

NAME = "aurora"


class LocalOperator:
    """Plays the provider by what `failover local` does."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._directory = root / "clouds" / NAME

    def close(self, reason: str) -> None:
        control.close(self._root, NAME, reason)

    def reopen(self) -> None:
        control.reopen(self._root, NAME)

    def warn(self, message: str) -> None:
        control.warn(self._root, NAME, message)

    def refuse(self) -> None:
        control.fail(self._root, NAME, "refuse")

    def cut(self) -> None:
        control.fail(self._root, NAME, "drop")

    def recover(self) -> None:
        control.start(self._root, [NAME])

    def stop(self, node: Node) -> None:
        record = read_ledger(self._directory).node(node.id)
        assert record is not None
        assert record.identity is not None
        send(record.identity, signal.SIGKILL)

    def foreign(self, name: str) -> str:
        """By the mirror's token, but with labels of another kind."""
        daemon = running(self._directory)
        assert daemon is not None
        (archive,) = (self._directory / "archives").glob("*.tar.gz")
        wish = {
            "name": name,
            "labels": {"owner": "somebody-else"},
            "image": "debian-12",
            "ports": [8080],
            "release": archive.name.removesuffix(".tar.gz").replace("-", ":", 1),
            "command": "sleep 600",
        }
        headers = {"Authorization": f"Bearer {tokens.read(self._directory, Role.MIRROR)}"}
        with closing(http.client.HTTPConnection(daemon.address, daemon.port)) as connection:
            connection.request("POST", "/v1/nodes", json.dumps(wish), headers)
            return str(json.load(connection.getresponse())["id"])

    def has_node(self, id: str) -> bool:
        return read_ledger(self._directory).node(id) is not None

    def walls(self) -> Mapping[str, frozenset[int]]:
        return {}

    def set_wall(self, name: str, ports: Collection[int]) -> None:
        """There are none."""


class TestLocalCloud(CloudConformance):
    @pytest.fixture
    def cloud(self, root: Path) -> Cloud:
        control.create_cloud(root, NAME, nodes_max=self.nodes_max)
        control.start(root)
        return LocalCloud(root, NAME, "mirror", page_size=2)

    @pytest.fixture
    def reader(self, cloud: Cloud, root: Path) -> Account:
        return LocalCloud(root, NAME, "watch")

    @pytest.fixture
    def operator(self, cloud: Cloud, root: Path) -> Operator:
        return LocalOperator(root)
