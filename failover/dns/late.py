"""A DNS host that is built by the first call that needs it.

So a secret that cannot be read is the trouble of one host, not of the whole cutover, and a host's library loads in the
commands that talk to it.
"""

from collections.abc import Callable, Sequence

from failover.core.rights import Right
from failover.core.rrsets import Changes, RRset
from failover.core.survey import MadeUp
from failover.errors import AccessRefused, ConfigError
from failover.ports import Dns, HostTraits


class LateHost:
    """`ports.Dns`. A config that turns out to be unusable (a secret, a missing library) raises AccessRefused."""

    def __init__(self, name: str, host: Callable[[], Dns]) -> None:
        self.name = name
        self._host = host

    def traits(self) -> HostTraits:
        """See `ports.Dns`."""
        return self._built("find name servers").traits()

    def read(self, zone: str, names: Sequence[tuple[str, str]]) -> tuple[RRset, ...]:
        """See `ports.Dns`."""
        return self._built("read DNS").read(zone, names)

    def made_up(self, zone: str, names: Sequence[str]) -> tuple[MadeUp, ...]:
        """See `ports.Dns`."""
        return self._built("look for aliases").made_up(zone, names)

    def apply(self, zone: str, changes: Changes, *, expect: RRset | None, fence: RRset | None) -> None:
        """See `ports.Dns`."""
        self._built("change DNS").apply(zone, changes, expect=expect, fence=fence)

    def rights(self, zone: str, names: Sequence[tuple[str, str]]) -> tuple[Right, ...]:
        """See `ports.Dns`."""
        return self._built("ask rights").rights(zone, names)

    def _built(self, operation: str) -> Dns:
        try:
            return self._host()
        except ConfigError as error:
            raise AccessRefused(operation, self.name, str(error), error.hint) from error
