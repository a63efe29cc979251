"""A local cloud that `apply` would open first, as `plan` sees it: there, and empty. Nothing is made by looking."""

import json
from pathlib import Path

from failover.clouds.local import LocalCloud
from failover.core.model import Node, NodeSpec, Quota, Size
from failover.core.rights import Right
from failover.local.registry import Kind, place, read_record
from failover.local.wish import IMAGES, SIZES
from failover.net.decode import decode

_SIZES = tuple(decode(json.dumps(size), Size) for size in SIZES)


def never_opened(root: Path, name: str) -> bool:
    """Whether its daemon never ran."""
    return read_record(place(root, Kind.CLOUD, name).directory) is None


class UnopenedCloud(LocalCloud):
    """Reads as a cloud that was opened a moment ago. It takes no changes: there is nobody who could."""

    def __init__(self, root: Path, name: str, nodes_max: int) -> None:
        super().__init__(root, name)
        self._nodes_max = nodes_max

    def nodes(self, service: str, site: str) -> tuple[Node, ...]:
        del service, site
        return ()

    def rights(self, spec: NodeSpec) -> tuple[Right, ...]:
        del spec
        return ()

    def images(self) -> frozenset[str]:
        return frozenset(IMAGES)

    def sizes(self) -> tuple[Size, ...]:
        return _SIZES

    def quota(self) -> Quota:
        return Quota(nodes_max=self._nodes_max, nodes_used=0)

    def has(self, digest: str) -> bool:
        del digest
        return False

    def list(self) -> frozenset[str]:
        return frozenset()
