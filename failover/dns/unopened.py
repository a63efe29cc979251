"""A local name server that `apply` would open first, as `plan` sees it: there, with nothing of ours in its zones."""

from collections.abc import Sequence
from pathlib import Path

from failover.core.rights import Right
from failover.core.rrsets import RRset
from failover.core.survey import MadeUp
from failover.dns.local import LocalHost
from failover.local.registry import Kind, place, read_record
from failover.ports import HostTraits


def never_opened(root: Path, name: str) -> bool:
    """Whether its daemon never ran."""
    return read_record(place(root, Kind.DNS, name).directory) is None


class UnopenedHost(LocalHost):
    """Reads as a name server that was opened a moment ago. It takes no changes."""

    def traits(self) -> HostTraits:
        return HostTraits(grade=1, servers=())

    def read(self, zone: str, names: Sequence[tuple[str, str]]) -> tuple[RRset, ...]:
        del zone, names
        return ()

    def made_up(self, zone: str, names: Sequence[str]) -> tuple[MadeUp, ...]:
        del zone, names
        return ()

    def rights(self, zone: str, names: Sequence[tuple[str, str]]) -> tuple[Right, ...]:
        del zone, names
        return ()
