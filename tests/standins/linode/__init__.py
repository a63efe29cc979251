"""A stand-in for Linode (API v4), written from Linode's OpenAPI document, version 4.173.0.

The words of refusals are those that users report; the place is named where they stand. What a suspended account gets
from most of the API is documented nowhere: here it is a 403, while the account and the Linodes, whose status says
`billing_suspension`, can still be read.
"""

from collections.abc import Iterable

from tests.standins.base import Machine
from tests.standins.linode.domains import DomainsPart
from tests.standins.linode.firewalls import FirewallsPart
from tests.standins.linode.instances import Linode


class LinodeStandIn(FirewallsPart, DomainsPart):
    """`linodes`, `firewalls`, `keys`, `tags` and `domains` are the account's contents, for tests to look at."""

    def node_ids(self) -> tuple[str, ...]:
        return tuple(str(linode.id) for linode in self._existing())

    def halt(self, id: str) -> None:
        self.linodes[int(id)].off = True

    def switched_on(self) -> Iterable[Machine]:
        there = (linode for linode in self._existing() if not linode.off)
        return [
            Machine(id=str(on.id), address=on.v4, user_data=on.user_data.decode(), image=str(on.image)) for on in there
        ]

    def forget(self, id: str) -> None:
        self.linodes[int(id)].deleted = self.ticks - self.pace.gone

    def foreign(self, name: str) -> str:
        """A running Linode without tags."""
        linode = Linode(
            id=self._number(),
            label=name,
            region="eu-central",
            type="g6-nanode-1",
            image="linode/ubuntu24.04",
            tags=[],
            made=self.ticks - 1000,
            v4=next(self.free_v4),
            v6=next(self.free_v6),
        )
        self.linodes[linode.id] = linode
        return str(linode.id)

    def empty(self) -> None:
        for contents in (self.linodes, self.firewalls, self.keys, self.tags, self.domains):
            contents.clear()
