"""A zone as PowerDNS's API tells it, what may be done with it, and a change in the API's words.

Pure. Source: https://doc.powerdns.com/authoritative/http-api/zone.html
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from failover.core.rrsets import Changes, RRset, normal_name
from failover.core.survey import MadeUp
from failover.dns.compare import Key, Records, removed, types_by_name
from failover.dns.records import to_texts
from failover.dns.texts import unquoted
from failover.dns.transaction import OPERATION
from failover.errors import Rejected, Unreadable

_PRIMARY = ("Native", "Master", "Primary", "Producer")
_NOTIFYING = ("Master", "Primary", "Producer")
_COUNTING = ("DEFAULT", "INCREASE", "SOA-EDIT-INCREASE")
"""Values of SOA-EDIT-API by which each change has a serial of its own. By EPOCH two in one second have the same, and by
SOA-EDIT perhaps all of a week: https://doc.powerdns.com/authoritative/dnsupdate.html#soa-edit-dnsupdate-settings"""
_MAKING_UP = ("ALIAS", "LUA")
_MADE_UP = {"A": ("ALIAS", "LUA"), "AAAA": ("ALIAS", "LUA"), "CNAME": ("ALIAS", "LUA"), "TXT": ("LUA",)}
"""Types of PowerDNS's own that make up answers of these types at query time."""


class Record(msgspec.Struct, gc=False):
    content: str
    disabled: bool = False


class Set(msgspec.Struct, gc=False):
    name: str
    type: str
    ttl: int
    records: list[Record]


class Document(msgspec.Struct):
    """The API's answer."""

    kind: str
    rrsets: list[Set]
    serial: int | None = None
    soa_edit_api: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the API says of a zone, and of some names in it."""

    kind: str
    soa_edit_api: str
    serial: int | None
    sets: Mapping[Key, Set]

    @classmethod
    def of(cls, document: Document, names: frozenset[str]) -> "Look":
        """Of these names, all their sets."""
        named = ((normal_name(each.name), each) for each in document.rrsets)
        sets = {(name, each.type.upper()): each for name, each in named if name in names}
        return cls(kind=document.kind, soa_edit_api=document.soa_edit_api, serial=document.serial, sets=sets)

    @property
    def counts(self) -> bool:
        """Whether the serial moves with each change by the API."""
        return self.soa_edit_api.upper() in _COUNTING and self.serial is not None

    @property
    def version(self) -> tuple[int | None, str, str]:
        return (self.serial, self.kind, self.soa_edit_api)

    @property
    def notifies(self) -> bool:
        return self.kind in _NOTIFYING

    # ------------------------------------------------------------------------------------------ as sets

    def served(self) -> Iterator[Key]:
        """What has any record that is not disabled."""
        return (key for key, each in self.sets.items() if not all(record.disabled for record in each.records))

    def records(self) -> Records:
        """What is served. Raises Unreadable."""
        return {key: rrset for key, each in self.sets.items() if (rrset := _rrset(key, each)) is not None}

    def records_at(self, key: Key) -> Records:
        """The same, of one set: it, or nothing."""
        found = self.sets.get(key)
        rrset = None if found is None else _rrset(key, found)
        return {} if rrset is None else {key: rrset}

    def made_up(self) -> tuple[MadeUp, ...]:
        """Records whose answers PowerDNS makes up, by name, then type."""
        found = ((key, self.sets[key]) for key in sorted(self.served()) if key[1] in _MAKING_UP)
        return tuple(MadeUp(name=name, kind=type, target=_target(each)) for (name, type), each in found)

    # ------------------------------------------------------------------------------------------ what must hold

    def require_plain(self, pairs: Iterable[tuple[str, str]], operation: str) -> None:
        """Raises Rejected for a name whose answers are made up."""
        here = types_by_name(key for key in self.sets if key[1] in _MAKING_UP)
        for name, type in ((normal_name(n), t.upper()) for n, t in pairs if here):
            made_up = here.get(name, set()).intersection(_MADE_UP.get(type, ()))
            if made_up:
                kind = min(made_up)
                hint = f"failover does not touch it: remove the {kind} record, or take another name"
                raise Rejected(operation, name, f"its {type} answers come from a record of type {kind}", hint)

    def require_ours(self, zone: str, keys: Sequence[Key]) -> None:
        """The zone takes changes here, they reach its secondaries, and nothing of others would be lost."""
        if self.kind not in _PRIMARY:
            hint = "change it at its primary"
            raise Rejected(OPERATION, zone, f"this server is not its primary: its kind is {self.kind}", hint)
        if self.notifies and not self.soa_edit_api:
            hint = f"pdnsutil set-meta {normal_name(zone)} SOA-EDIT-API DEFAULT"
            raise Rejected(OPERATION, zone, "the API does not move its serial: secondaries would never know", hint)
        self.require_plain(keys, OPERATION)
        disabled = {key for key, found in self.sets.items() if any(r.disabled for r in found.records)}
        for name, type in disabled.intersection(keys):
            hint = "failover does not touch it: remove or enable the record, or take another name"
            raise Rejected(OPERATION, zone, f"{name} {type} holds a disabled record", hint)


def _rrset(key: Key, found: Set) -> RRset | None:
    contents = [record.content for record in found.records if not record.disabled]
    if not contents:
        return None
    values = map(unquoted, contents) if key[1] == "TXT" else contents
    try:
        return RRset(name=key[0], type=key[1], ttl_s=found.ttl, values=frozenset(values))
    except ValueError as error:
        raise Unreadable("read DNS", f"{found.name} {found.type}", str(error)) from error


def _target(found: Set) -> str:
    """Of an ALIAS."""
    return normal_name(found.records[0].content) if found.type == "ALIAS" else ""


# ---------------------------------------------------------------------------------------------- in the API's words


def dotted(name: str) -> str:
    return f"{normal_name(name)}."


def patch(changes: Changes, expect: RRset | None, fence: RRset | None) -> list[dict[str, object]]:
    """Removals first: PowerDNS looks at each set in turn, and refuses one beside a CNAME that is still there."""
    gone = removed(changes) + (() if expect is None or fence is not None else (expect.key,))
    deletes: list[dict[str, object]] = [
        {"name": dotted(name), "type": type, "changetype": "DELETE", "records": []} for name, type in gone
    ]
    puts = (*changes.put, *(() if fence is None else (fence,)))
    return [*deletes, *(_replacement(rrset) for rrset in puts)]


def _replacement(rrset: RRset) -> dict[str, object]:
    records = [{"content": text, "disabled": False} for text in to_texts(rrset)]
    return {
        "name": f"{rrset.name}.",
        "type": rrset.type,
        "ttl": rrset.ttl_s,
        "changetype": "REPLACE",
        "records": records,
    }
