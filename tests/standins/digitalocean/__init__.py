"""A stand-in for DigitalOcean, written from its OpenAPI document (see `openapi.load`).

Every request that the document does not allow is refused, and every answer is held against it. What the document does
not say comes from reports of users, named where it is used. The reply of a locked account to anything but its own state
is documented nowhere: here it is the document's example of a 403.
"""

from collections.abc import Iterable

from tests.standins.base import Machine
from tests.standins.digitalocean.domains import DomainsPart
from tests.standins.digitalocean.firewalls import FirewallsPart


class DigitalOcean(FirewallsPart, DomainsPart):
    """`droplets`, `actions`, `firewalls`, `keys`, `tags` and `domains`: the account's contents, for tests."""

    # ------------------------------------------------------------------------------------------ what a test plays

    def node_ids(self) -> tuple[str, ...]:
        return tuple(str(droplet.id) for droplet in self.droplets.values() if droplet.deleted is None)

    def halt(self, id: str) -> None:
        self.droplets[int(id)].off = True

    def switched_on(self) -> Iterable[Machine]:
        there = (d for d in self.droplets.values() if d.deleted is None and not d.off)
        return [Machine(id=str(d.id), address=d.v4, user_data=d.user_data, image=str(d.image)) for d in there]

    def forget(self, id: str) -> None:
        self.droplets[int(id)].deleted = self.ticks - self.pace.gone

    def foreign(self, name: str) -> str:
        droplet = self._made(name, region="fra1", size="s-1vcpu-1gb", image="ubuntu-24-04-x64")
        droplet.made -= 1000
        return str(droplet.id)

    def empty(self) -> None:
        for contents in (self.droplets, self.actions, self.firewalls, self.keys, self.tags, self.domains):
            contents.clear()
