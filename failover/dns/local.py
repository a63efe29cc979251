"""The local name server as a DNS host: found by what its daemon wrote into its directory."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from failover.core.rights import Right
from failover.core.rrsets import Changes, RRset
from failover.core.survey import MadeUp
from failover.dns.rfc2136 import Rfc2136
from failover.dns.wire import show_server
from failover.errors import Unreachable, Unreadable
from failover.local.zone_data import KEY_FILE
from failover.net.decode import decode
from failover.net.tsig import read_key
from failover.ports import HostTraits


class _Daemon(msgspec.Struct):
    """`daemon.json`, as far as it matters here."""

    address: str
    port: int


class LocalHost:
    """The name server `ROOT/dns/NAME`. Looks for it anew on each call: it may have been started again elsewhere."""

    def __init__(self, *, root: Path, name: str, timeout_s: float = 3.0, deadline_s: float = 10.0) -> None:
        self.name = name
        self._directory = root / "dns" / name
        self._timeout_s = timeout_s
        self._deadline_s = deadline_s

    def traits(self) -> HostTraits:
        """Raises Unreachable when the server was never started."""
        return self._host().traits()

    def read(self, zone: str, names: Sequence[tuple[str, str]]) -> tuple[RRset, ...]:
        try:
            return self._host().read(zone, names)
        except Unreachable as error:
            raise self._explained(error) from error

    def made_up(self, zone: str, names: Sequence[str]) -> tuple[MadeUp, ...]:
        try:
            return self._host().made_up(zone, names)
        except Unreachable as error:
            raise self._explained(error) from error

    def apply(self, zone: str, changes: Changes, *, expect: RRset | None, fence: RRset | None) -> None:
        try:
            self._host().apply(zone, changes, expect=expect, fence=fence)
        except Unreachable as error:
            raise self._explained(error) from error

    def rights(self, zone: str, names: Sequence[tuple[str, str]]) -> tuple[Right, ...]:
        try:
            return self._host().rights(zone, names)
        except Unreachable as error:
            raise self._explained(error) from error

    def _host(self) -> Rfc2136:
        path = self._directory / "daemon.json"
        try:
            daemon = decode(path.read_bytes(), _Daemon)
        except OSError as error:
            cause = f"no such name server runs here ({path}: {error.strerror})"
            raise Unreachable("find name server", self.name, cause, self._hint()) from error
        except msgspec.DecodeError as error:
            raise Unreadable("find name server", self.name, f"{path}: {error}", self._hint()) from error
        return Rfc2136(
            name=self.name,
            server=show_server((daemon.address, daemon.port)),
            key=read_key(self._directory / KEY_FILE),
            timeout_s=self._timeout_s,
            deadline_s=self._deadline_s,
        )

    def _explained(self, error: Unreachable) -> Unreachable:
        return Unreachable(error.operation, f"{self.name} ({error.object})", error.cause, self._hint())

    def _hint(self) -> str:
        return f"failover local start {self.name}"
