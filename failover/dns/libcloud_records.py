"""DNS hosts that know single records behind one address and one token: DigitalOcean, Linode, Vultr.

What their dialects have in common.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

from libcloud.dns.base import DNSDriver

from failover.core.rrsets import Changes, RRset
from failover.dns.entries import Create, Delete, Entry, Step, Update, record_steps
from failover.dns.libcloud_dialect import Zone, refuse_texts, within
from failover.net.libcloud import Api, Ask, Line, placed
from failover.ports import HostTraits

ADDRESSES_AND_TEXT = frozenset({"A", "AAAA", "TXT"})
"""Where a change between CNAME and addresses would leave a name without either for a moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordDialect(ABC):
    """The beginning of a `Dialect`. `endpoint`: the API's address; `ca_file`: what to trust there."""

    driver: ClassVar[type[DNSDriver]]
    """libcloud's, made from the token and, where it has several, the version of the API."""
    version: ClassVar[str | None] = None
    records: ClassVar[str]
    """The path of a zone's records, with `{id}` for the zone's."""
    update: ClassVar[str] = "PUT"
    """The method that rewrites a record."""
    text_bytes_max: ClassVar[int] = 255

    token: str = field(repr=False)
    endpoint: str
    ca_file: str | None = None
    kind: str
    traits: HostTraits

    @abstractmethod
    def body(self, zone: Zone, name: str, type: str, ttl_s: int, value: str) -> dict[str, Any]:
        """A record in the API's words. Where one is made its type is put in front."""

    def path(self, zone: Zone) -> str:
        return self.records.format(id=zone.id)

    # ------------------------------------------------------------------------------------------ see `Dialect`

    def api(self, timeout_s: float) -> Api:
        version: dict[str, Any] = {} if self.version is None else {"api_version": self.version}
        connection = self.driver(self.token, **version).connection
        return Api(self.kind, Line(timeout_s, self.ca_file), {"api": placed(connection, self.endpoint)})

    def zone(self, api: Api, name: str) -> Zone:  # noqa: ARG002 - most know a zone by its name
        return Zone(name=name, id=name)

    def servers(self, api: Api, zone: Zone) -> tuple[str, ...]:  # noqa: ARG002 - the same for all zones
        return self.traits.servers

    def fitted(self, rrset: RRset) -> RRset:
        refuse_texts(rrset, ('"', "\\"), self.text_bytes_max)
        return within(rrset, self.traits)

    def steps(self, changes: Changes, entries: Iterable[Entry]) -> tuple[Step, ...]:
        return record_steps(changes, entries)

    def send(self, api: Api, zone: Zone, step: Step) -> None:
        path, body = self.path(zone), partial(self.body, zone)
        match step:
            case Create():
                made = {"type": step.type, **body(step.name, step.type, step.ttl_s, step.value)}
                api.sent(Ask(name="records.create", method="POST", path=path, body=made))
            case Update(entry=entry):
                changed = body(entry.name, entry.type, step.ttl_s, step.value)
                api.done(Ask(name="records.update", method=self.update, path=f"{path}/{entry.id}", body=changed))
            case Delete(entry=entry):
                api.done(Ask(name="records.delete", method="DELETE", path=f"{path}/{entry.id}"))
            case _:
                raise AssertionError(f"{step} is not for single records")
