"""A zone at a PowerDNS authoritative server, by its HTTP API. Grade 3.

One PATCH is one transaction of the server's database, but it takes no precondition: the fence is compared before, and
what stands there is looked at again after. For grade 1 let PowerDNS take dynamic updates (`rfc2136`).
Source: https://doc.powerdns.com/authoritative/http-api/zone.html
"""

from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import quote

import dns.exception
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.TXT
import msgspec

from failover.core.rrsets import Changes, RRset, normal_name
from failover.dns.compare import Key, Records, confirm, removed, require, require_limits, standing
from failover.dns.records import to_rdatas
from failover.dns.transaction import OPERATION, check_transaction
from failover.errors import AdapterError, Rejected, TimedOut, Unreadable
from failover.net.calls import Deadline
from failover.net.http import ApiClient
from failover.ports import HostTraits

_READ = "read DNS"
_PRIMARY = ("Native", "Master", "Primary", "Producer")
_NOTIFYING = ("Master", "Primary", "Producer")
_FILTERED_MAX = 4
"""For more names than this the whole zone is read: one question instead of many."""
_MADE_UP = {"A": ("ALIAS", "LUA"), "AAAA": ("ALIAS", "LUA"), "CNAME": ("ALIAS", "LUA"), "TXT": ("LUA",)}
"""Types of PowerDNS's own that make up answers of these types at query time."""
_TTL_S_MAX = 2**31 - 1
"""RFC 2181, section 8. The API takes larger numbers, and stores something else."""


class _Record(msgspec.Struct):
    content: str
    disabled: bool = False


class _Set(msgspec.Struct):
    name: str
    type: str
    ttl: int
    records: list[_Record]

    @property
    def key(self) -> Key:
        return (normal_name(self.name), self.type.upper())


class _Zone(msgspec.Struct):
    kind: str
    serial: int
    rrsets: list[_Set]
    soa_edit_api: str = ""


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
        self._zones = f"/api/v1/servers/{quote(server_id, safe='')}/zones"
        self._client = ApiClient(
            base=endpoint, token=token, header="X-API-Key", timeout_s=timeout_s, deadline_s=deadline_s, ca_file=ca_file
        )

    def traits(self) -> HostTraits:
        """An older change may still be under way for as long as a call may take."""
        return HostTraits(grade=3, servers=self._servers, ttl_s_max=_TTL_S_MAX, converges_s=self._deadline_s)

    # ------------------------------------------------------------------------------------------ reading

    def read(self, zone: str, names: Sequence[tuple[str, str]]) -> tuple[RRset, ...]:
        """As the port says, of one version of the zone.

        Disabled records are not served, and are left out. Raises Rejected for a name whose answers PowerDNS makes up
        (ALIAS, LUA), and NotFound when the server has no such zone.
        """
        deadline = Deadline(self._deadline_s)
        found = self._look(zone, names, deadline)
        for name, type in names:
            _require_plain(found, normal_name(name), type.upper(), _READ)
        return standing(_records(found), names)

    def _look(self, zone: str, names: Sequence[tuple[str, str]], deadline: Deadline) -> _Zone:
        """The zone with every set of these names; perhaps with others.

        A few names are asked for one by one. Their answers are of one version if the serial stayed the same, which
        says so only where the API moves it. Servers that do not know these filters answer with the whole zone.
        """
        wanted = sorted({normal_name(name) for name, _ in names})
        if len(wanted) > _FILTERED_MAX:
            return self._whole(zone, deadline)
        first = self._get(zone, deadline, rrset_name=_dotted(zone), rrset_type="SOA")
        if len(first.rrsets) > 1:
            return _sound(first, zone)
        if not first.soa_edit_api:
            return self._whole(zone, deadline)
        parts = [self._get(zone, deadline, rrset_name=_dotted(name)) for name in wanted]
        if any(part.serial != first.serial for part in parts):
            return self._whole(zone, deadline)
        sets = {rrset.key: rrset for part in (first, *parts) for rrset in part.rrsets}
        return _sound(msgspec.structs.replace(first, rrsets=list(sets.values())), zone)

    def _whole(self, zone: str, deadline: Deadline) -> _Zone:
        return _sound(self._get(zone, deadline), zone)

    def _get(self, zone: str, deadline: Deadline, **filters: str) -> _Zone:
        left_s = deadline.bound_s(self._deadline_s, _READ, zone)
        return self._client.get(self._path(zone), _Zone, _READ, zone, filters, deadline_s=left_s)

    def _path(self, zone: str) -> str:
        """The API's id of a zone is its name; `=2F` stands for a slash (RFC 2317)."""
        return f"{self._zones}/{quote(_dotted(zone).replace('/', '=2F'), safe='=')}"

    # ------------------------------------------------------------------------------------------ changing

    def apply(self, zone: str, changes: Changes, *, expect: RRset | None, fence: RRset | None) -> None:
        """As the port says for grade 3: compared, written by one PATCH, read again.

        Conflict also when by then something else stands there. Sets that hold somebody's disabled records are never
        replaced. Comments stay with a set until it is removed. Secondaries are notified at once.
        """
        check_transaction(zone, changes, expect, fence)
        require_limits(zone, changes, self.traits())
        deadline = Deadline(self._deadline_s)
        fences = tuple(rrset.key for rrset in (expect, fence) if rrset is not None)
        names = (*(rrset.key for rrset in changes.put), *removed(changes), *fences)
        found = self._look(zone, names, deadline)
        _require_ours(found, zone, names)
        require(zone, changes, expect, fence, _records(found))
        rrsets = _patch(changes, expect, fence)
        left_s = deadline.bound_s(self._deadline_s, OPERATION, zone)
        self._client.send("PATCH", self._path(zone), {"rrsets": rrsets}, OPERATION, zone, deadline_s=left_s)
        self._notify(zone, found, deadline)
        self._confirm(zone, changes, expect, fence, names, deadline)

    def _notify(self, zone: str, found: _Zone, deadline: Deadline) -> None:
        """PowerDNS itself tells secondaries within a minute. Whether they know is seen by asking them."""
        if found.kind in _NOTIFYING:
            with suppress(AdapterError):
                left_s = deadline.bound_s(self._deadline_s, OPERATION, zone)
                self._client.send("PUT", f"{self._path(zone)}/notify", {}, OPERATION, zone, deadline_s=left_s)

    def _confirm(
        self,
        zone: str,
        changes: Changes,
        expect: RRset | None,
        fence: RRset | None,
        names: Sequence[tuple[str, str]],
        deadline: Deadline,
    ) -> None:
        try:
            found = self._look(zone, names, deadline)
        except AdapterError as error:
            raise TimedOut(OPERATION, zone, f"written, but it cannot be read again: {error.cause}") from error
        confirm(zone, changes, expect, fence, _records(found))


def _dotted(name: str) -> str:
    return f"{normal_name(name)}."


def _sound(found: _Zone, zone: str) -> _Zone:
    """Every zone has an SOA: a list without one is not the zone."""
    if (normal_name(zone), "SOA") not in {rrset.key for rrset in found.rrsets}:
        raise Unreadable(_READ, zone, "the API's list of the zone has no SOA", "try again")
    return found


def _records(found: _Zone) -> Records:
    """What is served, by key."""
    records = {}
    for each in found.rrsets:
        contents = [record.content for record in each.records if not record.disabled]
        if contents:
            records[each.key] = _from_contents(each, contents)
    return records


def _from_contents(found: _Set, contents: Sequence[str]) -> RRset:
    """Raises Unreadable for values of our own types that are none."""
    try:
        rdtype = dns.rdatatype.from_text(found.type)
        rdatas = [dns.rdata.from_text(dns.rdataclass.IN, rdtype, content) for content in contents]
    except (dns.exception.DNSException, ValueError) as error:
        if found.type in _MADE_UP:
            raise Unreadable(_READ, f"{found.name} {found.type}", f"no such value can be: {error}") from error
        return RRset(name=found.name, type=found.type, ttl_s=found.ttl, values=frozenset(contents))
    values = frozenset(map(_text, rdatas))
    return RRset(name=found.name, type=found.type, ttl_s=found.ttl, values=values)


def _text(rdata: dns.rdata.Rdata) -> str:
    """A TXT value that is no UTF-8 is somebody else's: it is shown as well as it can be."""
    if isinstance(rdata, dns.rdtypes.ANY.TXT.TXT):
        return b"".join(rdata.strings).decode(errors="backslashreplace")
    return rdata.to_text()


def _require_plain(found: _Zone, name: str, type: str, operation: str) -> None:
    standing_types = {each.type for each in found.rrsets if each.key[0] == name}
    for made_up in _MADE_UP.get(type, ()):
        if made_up in standing_types:
            hint = f"failover does not touch it: remove the {made_up} record, or take another name"
            raise Rejected(operation, name, f"its {type} answers come from a record of type {made_up}", hint)


def _require_ours(found: _Zone, zone: str, names: Sequence[tuple[str, str]]) -> None:
    """The zone takes changes here, they reach its secondaries, and nothing of others would be lost."""
    if found.kind not in _PRIMARY:
        hint = "change it at its primary"
        raise Rejected(OPERATION, zone, f"this server is not its primary: its kind is {found.kind}", hint)
    if found.kind in _NOTIFYING and not found.soa_edit_api:
        hint = f"pdnsutil set-meta {normal_name(zone)} SOA-EDIT-API DEFAULT"
        raise Rejected(OPERATION, zone, "the API does not move its serial: secondaries would never know", hint)
    for name, type in names:
        _require_plain(found, name, type, OPERATION)
    for each in found.rrsets:
        if each.key in names and any(record.disabled for record in each.records):
            hint = "failover does not touch it: remove or enable the record, or take another name"
            raise Rejected(OPERATION, zone, f"{each.key[0]} {each.type} holds a disabled record", hint)


def _patch(changes: Changes, expect: RRset | None, fence: RRset | None) -> list[dict[str, object]]:
    """Removals first: PowerDNS looks at each set in turn, and refuses one beside a CNAME that is still there."""
    gone = removed(changes) + (() if expect is None or fence is not None else (expect.key,))
    deletes: list[dict[str, object]] = [
        {"name": _dotted(name), "type": type, "changetype": "DELETE", "records": []} for name, type in gone
    ]
    puts = (*changes.put, *(() if fence is None else (fence,)))
    return [*deletes, *(_replacement(rrset) for rrset in puts)]


def _replacement(rrset: RRset) -> dict[str, object]:
    records = [{"content": rdata.to_text(), "disabled": False} for rdata in to_rdatas(rrset)]
    return {
        "name": _dotted(rrset.name),
        "type": rrset.type,
        "ttl": rrset.ttl_s,
        "changetype": "REPLACE",
        "records": records,
    }
