"""Record sets as Route 53's API lists them, and the batch that changes them. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from failover.core.rrsets import Changes, RRset, normal_name
from failover.core.survey import MadeUp
from failover.dns.compare import Key, Records, removed
from failover.dns.records import to_texts
from failover.dns.rights import never_there
from failover.dns.route53_names import plain_name, quoted_name
from failover.dns.texts import Escapes, unquoted
from failover.dns.transaction import OPERATION
from failover.errors import Rejected, Unreadable

RECORDS_MAX, CHARACTERS_MAX = 1000, 32_000
"""Values in one batch, those that go included, and their length together."""
_READ = "read DNS"
_PLAIN = {"Name", "Type", "TTL", "ResourceRecords"}
"""What a set of ours has. Anything else in one makes it an alias, or part of a routing policy."""

Raw = Mapping[str, Any]
Found = Mapping[Key, Sequence[Raw]]
"""By normal name and type: several where they have a routing policy."""


def _key(raw: Raw) -> Key:
    return (plain_name(raw["Name"]), raw["Type"])


def by_key(listed: Iterable[Raw]) -> Found:
    found: dict[Key, list[Raw]] = {}
    for raw in listed:
        found.setdefault(_key(raw), []).append(raw)
    return found


def whole(found: Found, zone: str) -> Found:
    """Every zone has an SOA: a list without one is not the zone."""
    if (normal_name(zone), "SOA") not in found:
        raise Unreadable(_READ, zone, "the list of the zone has no SOA", "try again")
    return found


def require_plain(found: Found, key: Key, operation: str) -> None:
    for raw in found.get(key, ()):
        if set(raw) - _PLAIN:
            kind = "is an alias" if "AliasTarget" in raw else "has a routing policy or a health check"
            hint = "failover does not touch it: remove it, or take another name"
            raise Rejected(operation, f"{key[0]} {key[1]}", f"it {kind}", hint)


def made_up_of(found: Found, names: Iterable[str]) -> tuple[MadeUp, ...]:
    """What no plain record set says, at these names (see `ports.Dns.made_up`)."""
    wanted = {normal_name(name) for name in names}
    here = {_odd(key[0], raw) for key, raws in found.items() for raw in raws if key[0] in wanted and set(raw) - _PLAIN}
    return tuple(sorted(here, key=lambda odd: (odd.name, odd.kind, odd.target)))


def _odd(name: str, raw: Raw) -> MadeUp:
    if "AliasTarget" in raw:
        return MadeUp(name=name, kind="alias", target=plain_name(raw["AliasTarget"]["DNSName"]))
    return MadeUp(name=name, kind="routing policy" if "SetIdentifier" in raw else "health check")


def records_of(found: Found) -> Records:
    """By key. An alias or a routing policy stands there too: nothing has room beside or instead of it."""
    return {key: _rrset(raw[0]) for key, raw in found.items()}


def _rrset(raw: Raw) -> RRset:
    name, type = _key(raw)
    if set(raw) - _PLAIN:
        return RRset(name=name, type="ALIAS", ttl_s=0, values=frozenset({"(not of our kind)"}))
    values = [str(record["Value"]) for record in raw["ResourceRecords"]]
    texts = [unquoted(value, Escapes.OCTAL) for value in values] if type == "TXT" else values
    try:
        return RRset(name=name, type=type, ttl_s=raw["TTL"], values=frozenset(texts))
    except ValueError as error:
        raise Unreadable(_READ, f"{name} {type}", str(error)) from error


# ------------------------------------------------------------------------------------ a batch


def batches_of(zone: str, changes: Changes, expect: RRset | None, fence: RRset | None, found: Found) -> list[list[Raw]]:
    """What goes, exactly as it stands there, then what comes; one batch, or as few as it fits into, the fence in the
    last. What stands at one name changes in one batch; sets that stay as they are do not appear.

    Raises Rejected for a name whose sets do not fit into any.
    """
    records = records_of(found)
    puts = [rrset for rrset in changes.put if records.get(rrset.key) != rrset]
    names: dict[str, list[Raw]] = {}
    for key in (*removed(changes), *(rrset.key for rrset in puts)):
        names.setdefault(key[0], []).extend(_gone(found, key))
    for rrset in puts:
        names[rrset.name].append({"Action": "CREATE", "ResourceRecordSet": _raw(rrset)})
    place = place_of(expect, fence)
    new: list[Raw] = [] if fence is None else [{"Action": "CREATE", "ResourceRecordSet": _raw(fence)}]
    names[place[0]] = [*names.pop(place[0], []), *_gone(found, place), *new]
    return [sorted(batch, key=lambda change: change["Action"], reverse=True) for batch in _packed(zone, names)]


def place_of(expect: RRset | None, fence: RRset | None) -> Key:
    """Where the fence stands."""
    return next(rrset.key for rrset in (expect, fence) if rrset is not None)


def _gone(found: Found, key: Key) -> list[Raw]:
    return [{"Action": "DELETE", "ResourceRecordSet": raw} for raw in found.get(key, ())]


def _packed(zone: str, names: Mapping[str, list[Raw]]) -> list[list[Raw]]:
    batches: list[list[Raw]] = [[]]
    values = characters = 0
    for name, steps in names.items():
        more = [str(record["Value"]) for step in steps for record in step["ResourceRecordSet"]["ResourceRecords"]]
        length = sum(map(len, more))
        if len(more) > RECORDS_MAX or length > CHARACTERS_MAX:
            limits = f"one batch takes {RECORDS_MAX} of {CHARACTERS_MAX}"
            cause = f"{len(more)} values of {length} characters at {name}; {limits}"
            raise Rejected(OPERATION, zone, cause, "fewer values for that name")
        if values + len(more) > RECORDS_MAX or characters + length > CHARACTERS_MAX:
            batches.append([])
            values = characters = 0
        batches[-1] += steps
        values, characters = values + len(more), characters + length
    return batches


def keys_in(batch: Iterable[Raw]) -> tuple[Key, ...]:
    """What it changes."""
    return tuple(dict.fromkeys(_key(change["ResourceRecordSet"]) for change in batch))


def _raw(rrset: RRset) -> dict[str, Any]:
    values = to_texts(rrset, Escapes.OCTAL)
    records = [{"Value": value} for value in values]
    return {"Name": quoted_name(rrset.name), "Type": rrset.type, "TTL": rrset.ttl_s, "ResourceRecords": records}


def batch_that_fails(names: Iterable[Key]) -> list[Raw]:
    """Removes sets with values that stand nowhere."""
    return [{"Action": "DELETE", "ResourceRecordSet": _raw(never_there(*key))} for key in names]
