"""A stand-in for Vultr (API v2), written from the provider's API reference and its generated client's documents.

Neither says what a suspended account gets, so everything is refused with 403 in it; an instance's `status` would be
`suspended`, which the reference has (let `open_when_closed` match to see it). The words of most refusals are made up:
nothing but their shape and status may be relied on.
"""

import base64
from collections.abc import Iterable

from tests.standins.base import Machine
from tests.standins.vultr.domains import DomainsPart
from tests.standins.vultr.firewalls import FirewallsPart
from tests.standins.vultr.instances import Instance


class Vultr(FirewallsPart, DomainsPart):
    """`instances`, `groups` (firewalls), `keys` and `domains` are the account's contents, for tests to look at."""

    def node_ids(self) -> tuple[str, ...]:
        return tuple(instance.id for instance in self.instances.values() if instance.deleted is None)

    def halt(self, id: str) -> None:
        self.instances[id].off = True

    def switched_on(self) -> Iterable[Machine]:
        there = (i for i in self.instances.values() if i.deleted is None and not i.off)
        return [
            Machine(id=i.id, address=i.v4, user_data=base64.b64decode(i.user_data).decode(), image=str(i.system))
            for i in there
        ]

    def forget(self, id: str) -> None:
        self.instances[id].deleted = self.ticks - self.pace.gone

    def foreign(self, name: str) -> str:
        """A running instance without tags."""
        instance = Instance(
            id=self._uuid(),
            label=name,
            hostname=name,
            region="fra",
            plan="vc2-1c-1gb",
            system=2284,
            tags=[],
            made=self.ticks - 1000,
            v4=next(self.free_v4),
            v6="",
            internal=next(self._free_internal),
        )
        self.instances[instance.id] = instance
        return instance.id

    def empty(self) -> None:
        for contents in (self.instances, self.groups, self.keys, self.domains):
            contents.clear()
