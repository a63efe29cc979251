"""A cloud of a simulated outside."""

from collections.abc import Callable
from dataclasses import replace

from failover.core.model import Node, NodeSpec, NodeState
from failover.testing.memory_cloud import MemoryCloud


class SimCloud(MemoryCloud):
    """A memory cloud that shows every change to an onlooker before it is made."""

    onlooker: Callable[[str, str], None]
    empty_lists = False
    """Its lists are empty although the nodes run: an answer that is whole, and wrong."""

    def nodes(self, service: str, site: str) -> tuple[Node, ...]:
        found = super().nodes(service, site)
        return () if self.empty_lists else found

    def revive(self) -> None:
        """Every node whose program ended runs again by itself."""
        for machine in self._machines.values():
            if machine.node.state is NodeState.STOPPED:
                machine.node = replace(machine.node, state=NodeState.RUNNING)

    def ensure(self, spec: NodeSpec) -> Node:
        self.onlooker("ensure", spec.name)
        return super().ensure(spec)

    def destroy(self, node: Node) -> None:
        self.onlooker("destroy", node.name)
        super().destroy(node)

    def put(self, digest: str, archive: bytes) -> None:
        self.onlooker("put", digest)
        super().put(digest, archive)

    def remove(self, digest: str) -> None:
        self.onlooker("remove", digest)
        super().remove(digest)
