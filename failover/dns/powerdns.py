"""A zone at a PowerDNS authoritative server, by its HTTP API. Grade 3.

One PATCH is one transaction of the server's database, but it takes no precondition: the fence is compared before, and
what stands there is looked at again after. For grade 1 let PowerDNS take dynamic updates (`rfc2136`).
Source: https://doc.powerdns.com/authoritative/http-api/zone.html
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from urllib.parse import quote

import dns.exception
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import msgspec

from failover.core.rights import Act, Right, allowed, refused, unproven
from failover.core.rrsets import Changes, RRset, normal_name
from failover.core.survey import MadeUp
from failover.dns.compare import Key, Records, confirm, removed, require, require_limits, standing, types_by_name
from failover.dns.records import to_texts
from failover.dns.transaction import OPERATION, check_transaction
from failover.errors import AccessRefused, AdapterError, Rejected, TimedOut, Unreadable
from failover.net.calls import Deadline
from failover.net.http import ApiClient, answer_of
from failover.ports import HostTraits

_READ, _ASK = "read DNS", "ask rights"
_UNPROCESSABLE = 422
_PRIMARY = ("Native", "Master", "Primary", "Producer")
_NOTIFYING = ("Master", "Primary", "Producer")
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
        """As the port says. Disabled records are not served, and are left out.

        Raises Rejected for a name whose answers PowerDNS makes up (ALIAS, LUA), and NotFound when the server does not
        have the zone.
        """
        deadline = Deadline(self._deadline_s)
        found = self._look(zone, deadline)
        _require_plain(found, names, _READ)
        return standing(_records(found, names), names)

    def made_up(self, zone: str, names: Sequence[str]) -> tuple[MadeUp, ...]:
        """As the port says: records of the types ALIAS and LUA."""
        wanted = {normal_name(name) for name in names}
        found = self._look(zone, Deadline(self._deadline_s))
        return tuple(
            MadeUp(name=each.key[0], kind=each.type, target=_target(each))
            for each in sorted(found.rrsets, key=lambda each: each.key)
            if each.key[0] in wanted and each.type in ("ALIAS", "LUA") and not all(r.disabled for r in each.records)
        )

    def _look(self, zone: str, deadline: Deadline) -> _Zone:
        """The whole zone in one answer: what stands there at one moment.

        The API could filter by name. But then servers up to 4.7 leave out disabled records, and show what their cache
        remembers.
        """
        left_s = deadline.bound_s(self._deadline_s, _READ, zone)
        found = self._client.get(self._path(zone), _Zone, _READ, zone, deadline_s=left_s)
        if (normal_name(zone), "SOA") not in {rrset.key for rrset in found.rrsets}:
            raise Unreadable(_READ, zone, "the API's list of the zone has no SOA", "try again")
        return found

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
        found = self._look(zone, deadline)
        _require_ours(found, zone, names)
        require(zone, changes, expect, fence, _records(found, names))
        rrsets = _patch(changes, expect, fence)
        left_s = deadline.bound_s(self._deadline_s, OPERATION, zone)
        self._client.send("PATCH", self._path(zone), {"rrsets": rrsets}, OPERATION, zone, deadline_s=left_s)
        self._notify(zone, found, deadline)
        self._confirm(zone, changes, expect, fence, names, deadline)

    def rights(self, zone: str, names: Sequence[tuple[str, str]]) -> tuple[Right, ...]:
        """As the port says, by a PATCH whose kind of change does not exist: 422, and nothing is done.

        A key may do everything or nothing; but what stands before the API may let reading through alone. The removal
        of what is not there, or a PATCH of nothing, would be no way: either moves the serial (tried with 4.7).
        """
        deadline = Deadline(self._deadline_s)
        found = self._look(zone, deadline)
        try:
            _require_ours(found, zone, [(normal_name(name), type.upper()) for name, type in names])
        except Rejected as error:
            return (refused(Act.CHANGE, error.cause),)
        none = {"name": _dotted(names[0][0]), "type": names[0][1], "changetype": "NONE", "records": []}
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
        names: Sequence[Key],
        deadline: Deadline,
    ) -> None:
        try:
            found = self._look(zone, deadline)
        except AdapterError as error:
            raise TimedOut(OPERATION, zone, f"written, but it cannot be read again: {error.cause}") from error
        confirm(zone, changes, expect, fence, _records(found, names))


def _target(found: _Set) -> str:
    """Of an ALIAS."""
    return normal_name(found.records[0].content) if found.type == "ALIAS" else ""


def _dotted(name: str) -> str:
    return f"{normal_name(name)}."


def _records(found: _Zone, names: Sequence[tuple[str, str]]) -> Records:
    """What is served under these names, of any type, by key."""
    wanted = {normal_name(name) for name, _ in names}
    records = {}
    for each in found.rrsets:
        contents = [record.content for record in each.records if not record.disabled]
        if contents and each.key[0] in wanted:
            values = map(_text, contents) if each.type == "TXT" else contents
            records[each.key] = _rrset(each, values)
    return records


def _rrset(found: _Set, values: Iterable[str]) -> RRset:
    try:
        return RRset(name=found.name, type=found.type, ttl_s=found.ttl, values=frozenset(values))
    except ValueError as error:
        raise Unreadable(_READ, f"{found.name} {found.type}", str(error)) from error


def _text(content: str) -> str:
    """The text of one TXT value. What is none, or no UTF-8, is somebody else's: shown as well as it can be."""
    try:
        rdata = dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.TXT, content)
    except dns.exception.DNSException:
        return content
    return b"".join(rdata.strings).decode(errors="backslashreplace")  # type: ignore[attr-defined]  # a TXT has them


def _require_plain(found: _Zone, names: Sequence[tuple[str, str]], operation: str) -> None:
    here = types_by_name(each.key for each in found.rrsets)
    for name, type in ((normal_name(n), t.upper()) for n, t in names):
        made_up = here.get(name, set()).intersection(_MADE_UP.get(type, ()))
        if made_up:
            kind = min(made_up)
            hint = f"failover does not touch it: remove the {kind} record, or take another name"
            raise Rejected(operation, name, f"its {type} answers come from a record of type {kind}", hint)


def _require_ours(found: _Zone, zone: str, names: Sequence[Key]) -> None:
    """The zone takes changes here, they reach its secondaries, and nothing of others would be lost."""
    if found.kind not in _PRIMARY:
        hint = "change it at its primary"
        raise Rejected(OPERATION, zone, f"this server is not its primary: its kind is {found.kind}", hint)
    if found.kind in _NOTIFYING and not found.soa_edit_api:
        hint = f"pdnsutil set-meta {normal_name(zone)} SOA-EDIT-API DEFAULT"
        raise Rejected(OPERATION, zone, "the API does not move its serial: secondaries would never know", hint)
    _require_plain(found, names, OPERATION)
    ours = set(names)
    for each in found.rrsets:
        if each.key in ours and any(record.disabled for record in each.records):
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
    records = [{"content": text, "disabled": False} for text in to_texts(rrset)]
    return {
        "name": _dotted(rrset.name),
        "type": rrset.type,
        "ttl": rrset.ttl_s,
        "changetype": "REPLACE",
        "records": records,
    }
