"""A zone at a PowerDNS authoritative server, by its HTTP API. Grade 3.

One PATCH is one transaction of the server's database, but it takes no precondition: the fence is compared before, and
what stands there is looked at again after (docs/adr/0010). For grade 1 let PowerDNS take dynamic updates (`rfc2136`).
Source: https://doc.powerdns.com/authoritative/http-api/zone.html
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import quote

from failover.core.rights import Act, Right, allowed, refused, unproven
from failover.core.rrsets import Changes, RRset, normal_name
from failover.core.survey import MadeUp
from failover.dns.compare import Key, confirm, removed, require_fence, require_limits, require_room, standing
from failover.dns.powerdns_zone import Document, Look, dotted, patch
from failover.dns.transaction import OPERATION, check_transaction, reading_again
from failover.errors import AccessRefused, AdapterError, Rejected, Unreadable
from failover.net.calls import Deadline
from failover.net.http import ApiClient, answer_of
from failover.ports import HostTraits

_READ, _ASK = "read DNS", "ask rights"
_UNPROCESSABLE = 422
_NEW_SERIAL = "X-PDNS-New-Serial"
_TTL_S_MAX = 2**31 - 1
"""RFC 2181, section 8. The API takes larger numbers, and stores something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """The last one of a whole zone: what it says of these names, and for how long it is remembered."""

    look: Look
    names: frozenset[str]
    until: Deadline


class PowerDns:
    """Speaks to the API at `endpoint` (`https://ns1.example.net:8081`) with its key.

    `servers` are the authoritative servers that the world asks, each `address:port`. `server_id` is the API's name for
    the server. `timeout_s` bounds each wait for the network, `deadline_s` a whole call. Reads are repeated within it;
    changes never are.
    """

    def __init__(
        self,
        *,
        name: str,
        endpoint: str,
        token: str,
        servers: tuple[str, ...],
        server_id: str = "localhost",
        ca_file: str | None = None,
        timeout_s: float = 3.0,
        deadline_s: float = 10.0,
    ) -> None:
        self.name = name
        self._servers = servers
        self._deadline_s = deadline_s
        self._readings: dict[str, _Reading] = {}
        self._zones = f"/api/v1/servers/{quote(server_id, safe='')}/zones"
        self._client = ApiClient(
            base=endpoint, token=token, header="X-API-Key", timeout_s=timeout_s, deadline_s=deadline_s, ca_file=ca_file
        )

    def traits(self) -> HostTraits:
        """An older change may still be under way for as long as a call may take."""
        return HostTraits(grade=3, servers=self._servers, ttl_s_max=_TTL_S_MAX, converges_s=self._deadline_s)

    # ------------------------------------------------------------------------------------------ reading

    def read(self, zone: str, names: Sequence[tuple[str, str]]) -> tuple[RRset, ...]:
        """As the port says. Disabled records are not served, and are left out.

        Raises Rejected for a name whose answers PowerDNS makes up (ALIAS, LUA), and NotFound when the server does not
        have the zone.
        """
        deadline = Deadline(self._deadline_s)
        wanted = frozenset(normal_name(name) for name, _ in names)
        look = self._whole(zone, wanted, deadline)
        look.require_plain(names, _READ)
        self._readings[normal_name(zone)] = _Reading(look=look, names=wanted, until=Deadline(self._deadline_s))
        return standing(look.records(), names)

    def made_up(self, zone: str, names: Sequence[str]) -> tuple[MadeUp, ...]:
        """As the port says: records of the types ALIAS and LUA."""
        wanted = frozenset(map(normal_name, names))
        look = self._whole(zone, wanted, Deadline(self._deadline_s))
        return tuple(odd for odd in look.made_up() if odd.name in wanted)

    def _whole(self, zone: str, names: frozenset[str], deadline: Deadline) -> Look:
        """The whole zone in one answer: what stands there at one moment. Of these names it is told."""
        found = self._get(zone, {}, deadline)
        look = Look.of(found, names | {normal_name(zone)})
        if (normal_name(zone), "SOA") not in look.sets:
            raise Unreadable(_READ, zone, "the API's list of the zone has no SOA", "try again")
        return look

    def _glance(self, zone: str, key: Key, deadline: Deadline) -> Look:
        """The zone's serial and one set, which may be less than the whole truth: servers up to 4.7 leave out its
        disabled records. So it only ever shows that nothing has changed."""
        name, type = key
        found = self._get(zone, {"rrset_name": dotted(name), "rrset_type": type}, deadline)
        return Look.of(found, frozenset({name}))

    def _get(self, zone: str, query: dict[str, str], deadline: Deadline) -> Document:
        left_s = deadline.bound_s(self._deadline_s, _READ, zone)
        return self._client.get(self._path(zone), Document, _READ, zone, query, deadline_s=left_s)

    def _path(self, zone: str) -> str:
        """The API's id of a zone is its name; `=2F` stands for a slash (RFC 2317)."""
        return f"{self._zones}/{quote(dotted(zone).replace('/', '=2F'), safe='=')}"

    # ------------------------------------------------------------------------------------------ changing

    def apply(self, zone: str, changes: Changes, *, expect: RRset | None, fence: RRset | None) -> None:
        """As the port says for grade 3: compared, written by one PATCH, looked at again.

        Conflict also when by then something else stands there. Sets that hold somebody's disabled records are never
        replaced. Comments stay with a set until it is removed. Secondaries are notified at once.
        """
        check_transaction(zone, changes, expect, fence)
        require_limits(zone, changes, self.traits())
        deadline = Deadline(self._deadline_s)
        keys = (*(rrset.key for rrset in changes.put), *removed(changes))
        place = next(rrset.key for rrset in (expect, fence) if rrset is not None)
        names = frozenset({name for name, _ in (*keys, place)})
        look = self._before(zone, names, place, deadline)
        look.require_ours(zone, (*keys, place))
        require_fence(zone, expect, fence, look.records_at(place))
        require_room(zone, changes, look.served())
        left_s = deadline.bound_s(self._deadline_s, OPERATION, zone)
        document = {"rrsets": patch(changes, expect, fence)}
        headers = self._client.send("PATCH", self._path(zone), document, OPERATION, zone, deadline_s=left_s)
        self._notify(zone, look, deadline)
        with reading_again(zone):
            serial = headers.get(_NEW_SERIAL) if look.counts else None
            if fence is None or not self._stands(zone, fence, serial, deadline):
                confirm(zone, changes, expect, fence, self._whole(zone, names, deadline).records())

    def rights(self, zone: str, names: Sequence[tuple[str, str]]) -> tuple[Right, ...]:
        """As the port says, by a PATCH whose kind of change does not exist: 422, and nothing is done.

        A key may do everything or nothing; but what stands before the API may let reading through alone. The removal
        of what is not there, or a PATCH of nothing, would be no way: either moves the serial (tried with 4.7).
        """
        deadline = Deadline(self._deadline_s)
        keys = [(normal_name(name), type.upper()) for name, type in names]
        look = self._whole(zone, frozenset(name for name, _ in keys), deadline)
        try:
            look.require_ours(zone, keys)
        except Rejected as error:
            return (refused(Act.CHANGE, error.cause),)
        none = {"name": dotted(names[0][0]), "type": names[0][1], "changetype": "NONE", "records": []}
        try:
            left_s = deadline.bound_s(self._deadline_s, _ASK, zone)
            self._client.send("PATCH", self._path(zone), {"rrsets": [none]}, _ASK, zone, deadline_s=left_s)
        except (Rejected, AccessRefused) as error:
            answer = answer_of(error)
            if answer is not None and answer.status == _UNPROCESSABLE:
                return (allowed(Act.CHANGE),)
            if isinstance(error, AccessRefused):
                return (refused(Act.CHANGE, error.cause),)
            return (unproven(Act.CHANGE, error.cause),)
        return (unproven(Act.CHANGE, "it took a change that does not exist"),)

    def _before(self, zone: str, names: frozenset[str], place: Key, deadline: Deadline) -> Look:
        """What stands there now: what was read a moment ago, if serial and fence prove it, else what is read now."""
        last = self._readings.pop(normal_name(zone), None)
        if last is not None and last.look.counts and names <= last.names and last.until.left_s():
            now = self._glance(zone, place, deadline)
            if now.version == last.look.version and now.records_at(place) == last.look.records_at(place):
                return last.look
        return self._whole(zone, names, deadline)

    def _stands(self, zone: str, fence: RRset, serial: str | None, deadline: Deadline) -> bool:
        """Whether the zone is still the version that our PATCH made, and holds our fence: then it holds all of it.

        The PATCH was one transaction. A zone that counts no changes has no such serial.
        """
        if serial is None:
            return False
        now = self._glance(zone, fence.key, deadline)
        found = now.records_at(fence.key).get(fence.key)
        return str(now.serial) == serial and found is not None and found.values == fence.values

    def _notify(self, zone: str, look: Look, deadline: Deadline) -> None:
        """PowerDNS itself tells secondaries within a minute. Whether they know is seen by asking them."""
        if look.notifies:
            with suppress(AdapterError):
                left_s = deadline.bound_s(self._deadline_s, OPERATION, zone)
                self._client.send("PUT", f"{self._path(zone)}/notify", {}, OPERATION, zone, deadline_s=left_s)
