"""Cloudflare's words for records, and what it makes of those that are proxied. Pure.

A, AAAA and CNAME records may be proxied: name servers answer the addresses of Cloudflare's edge, which passes HTTP on
to what the record holds. Where one A or AAAA record of a name is, all of them are treated so. A proxied record has the
automatic TTL and no other (Cloudflare's documents: Proxy status, Proxied DNS records).
"""

from collections.abc import Collection, Iterable
from dataclasses import replace

import msgspec

from failover.core.rrsets import Changes, RRset, normal_name
from failover.core.survey import MadeUp
from failover.dns.entries import Create, Delete, Entry, Step, Update
from failover.dns.texts import quoted, unquoted

TTL_AUTO, TTL_AUTO_S = 1, 300
"""What stands for "automatic", and how long that is; proxied records have no other."""
PROXIABLE = ("A", "AAAA", "CNAME")


class _Settings(msgspec.Struct):
    flatten_cname: bool | None = None


class Record(msgspec.Struct):
    id: str
    name: str
    type: str
    ttl: int
    content: str | None = None
    proxied: bool | None = None
    settings: _Settings | None = None


def odd_of(record: Record, zone: str, wished: Collection[str]) -> MadeUp | None:
    """What Cloudflare answers with addresses of its own, unless that is wished, or with those that the target has."""
    name, alias = normal_name(record.name), record.type == "CNAME"
    target = normal_name(record.content or "") if alias else ""
    if record.proxied:
        return None if name in wished else MadeUp(name=name, kind="proxied record", target=target, refused=False)
    if alias and (name == zone or (record.settings is not None and record.settings.flatten_cname)):
        return MadeUp(name=name, kind="flattened CNAME", target=target, refused=False)
    return None


def entry_of(record: Record) -> Entry:
    value = record.content or ""
    if record.type == "CNAME":
        value = normal_name(value)
    elif record.type == "TXT":
        value = unquoted(value)
    return Entry(
        id=record.id,
        name=normal_name(record.name),
        type=record.type,
        ttl_s=TTL_AUTO_S if record.ttl == TTL_AUTO else record.ttl,
        value=value,
        proxied=bool(record.proxied),
    )


def proxied_names(entries: Iterable[Entry]) -> frozenset[str]:
    """The names that stand behind the edge."""
    return frozenset(entry.name for entry in entries if entry.proxied)


def kept_names(entries: Collection[Entry], wished: Collection[str]) -> frozenset[str]:
    """The names that stand behind the edge after a change: those that do, and of the wished ones those that are new.

    Nobody's switch is ever turned: who takes a name from behind the edge, or puts it there, has reasons.
    """
    there = {entry.name for entry in entries if entry.type in PROXIABLE}
    return proxied_names(entries) | (frozenset(wished) - there)


def marked(rrsets: Iterable[RRset], names: Collection[str]) -> tuple[RRset, ...]:
    """The sets as they stand, with those of these names behind the edge."""
    return tuple(replace(r, proxied=r.name in names and r.type in PROXIABLE) for r in rrsets)


def automatic(changes: Changes, names: Collection[str]) -> Changes:
    """The changes with the only TTL that these names have: no record is written for the sake of another."""
    put = tuple(replace(r, ttl_s=TTL_AUTO_S) if r.name in names and r.type in PROXIABLE else r for r in changes.put)
    return replace(changes, put=put)


def body_of(batch: Iterable[Step], names: Collection[str]) -> dict[str, object]:
    """A batch. New records of these `names` come to stand behind the edge; others stay as they are."""
    deletes: list[object] = []
    patches: list[object] = []
    posts: list[object] = []
    for step in batch:
        match step:
            case Delete(entry=entry):
                deletes.append({"id": entry.id})
            case Update(entry=entry):
                record = _record(entry.name, entry.type, step.ttl_s, step.value)
                patches.append({"id": entry.id, **record, **({"ttl": TTL_AUTO} if entry.proxied else {})})
            case Create():
                posts.append(_created(step, proxied=step.name in names))
    parts = {"deletes": deletes, "patches": patches, "posts": posts}
    return {name: part for name, part in parts.items() if part}


def _created(step: Create, *, proxied: bool) -> dict[str, object]:
    record = _record(step.name, step.type, step.ttl_s, step.value)
    if step.type not in PROXIABLE:
        return record
    return {**record, "proxied": proxied, **({"ttl": TTL_AUTO} if proxied else {})}


def _record(name: str, type: str, ttl_s: int, value: str) -> dict[str, object]:
    content = quoted(value) if type == "TXT" else value
    return {"name": name, "type": type, "ttl": ttl_s, "content": content}
