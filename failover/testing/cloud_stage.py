"""The stage of the conformance suite for clouds: an empty account, somebody who plays the provider, a small release."""

# ruff: noqa: S101 - this is a test suite that ships

import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Protocol

import pytest

from failover.clouds.table import Cloud
from failover.core.model import Node, NodeSpec, NodeState
from failover.net.archive import Packed, pack

SERVICE = "guestbook"
SITE = "aurora"
SETTLE_S = 30.0
_LOOK_EVERY_S = 0.02


class Operator(Protocol):
    """The provider's own staff, and what happens there without us. What a provider cannot play raises pytest.skip."""

    def close(self, reason: str) -> None: ...

    def reopen(self) -> None: ...

    def warn(self, message: str) -> None: ...

    def refuse(self) -> None:
        """From now on our credentials are refused, without a word about the account."""
        ...

    def cut(self) -> None:
        """From now on the API cannot be reached."""
        ...

    def recover(self) -> None:
        """Neither of both any more."""
        ...

    def stop(self, node: Node) -> None:
        """The node ends by itself."""
        ...

    def foreign(self, name: str) -> str:
        """A node of somebody else in the same account: its id."""
        ...

    def has_node(self, id: str) -> bool:
        """Whether a node of that id exists, whoever owns it."""
        ...

    def walls(self) -> Mapping[str, frozenset[int]]:
        """By name every firewall of the account, with the TCP ports that it opens to everybody over both families.

        Asked only where nodes stand behind one.
        """
        ...

    def set_wall(self, name: str, ports: Collection[int]) -> None:
        """Somebody changes that firewall by hand to exactly these TCP ports, or makes it for nodes of their own."""
        ...


class CloudStage:
    """What every part of the suite plays on: fixtures, a wish for a node, and patience."""

    nodes_max = 4
    """How many nodes the account of the fixture may have."""
    command = "sleep 600"
    port = 8080

    @pytest.fixture
    def cloud(self) -> Cloud:
        """An empty, active account. Let its lists have at most two nodes a page, so that paging is tried."""
        raise NotImplementedError

    @pytest.fixture
    def operator(self) -> Operator:
        """Plays the provider."""
        pytest.skip("nobody plays the provider here")

    @pytest.fixture
    def release(self, tmp_path: Path) -> Packed:
        """A small release that is not in the depot yet."""
        return self.packed(tmp_path, "first")

    @pytest.fixture
    def stocked(self, cloud: Cloud, release: Packed) -> Packed:
        """A small release that is in the depot."""
        cloud.put(release.digest, release.archive)
        return release

    def packed(self, tmp_path: Path, text: str) -> Packed:
        tree = tmp_path / f"tree-{text}"
        tree.mkdir()
        (tree / "server.py").write_text(f"print({text!r})\n", encoding="utf-8")
        return pack(tree)

    def spec(self, release: Packed, ordinal: int = 0, *, site: str = SITE, service: str = SERVICE) -> NodeSpec:
        """A wish for a node. The same arguments give the same wish."""
        return NodeSpec(
            name=f"{service}-{site}-web-{ordinal}",
            service=service,
            site=site,
            group="web",
            ordinal=ordinal,
            spec="spec1",
            cpus=1,
            memory_mib=512,
            disk_gib=1,
            image="debian-12",
            ports=(self.port,),
            release=release.digest,
            command=self.command,
            environment={"MODE": "live"},
        )

    def settled(self, cloud: Cloud, good: Callable[[tuple[Node, ...]], bool], site: str = SITE) -> tuple[Node, ...]:
        """The list, once it is as wanted. Fails when that takes too long."""
        deadline = time.monotonic() + SETTLE_S
        while not good(nodes := cloud.nodes(SERVICE, site)):
            assert time.monotonic() < deadline, f"still {nodes}"
            time.sleep(_LOOK_EVERY_S)
        return nodes

    def running(self, cloud: Cloud, count: int, site: str = SITE) -> tuple[Node, ...]:
        """The list, once so many nodes and no others are there and run."""
        return self.settled(
            cloud, lambda n: len(n) == count and all(node.state is NodeState.RUNNING for node in n), site
        )
