"""The child process in which octoDNS works: one request for each line of standard input, one reply for each.

It is killed when it takes too long: octoDNS and its providers sleep and repeat as they like (Cloudflare's waits 300 s),
and most set no deadline. It prints nothing else, for what providers say may hold secrets.
"""

import importlib
import logging
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, cast

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import msgspec
from octodns.provider import SupportsException
from octodns.record import Record
from octodns.record.exception import RecordException
from octodns.record.rr import Rrset
from octodns.zone import Zone
from octodns.zone.exception import ZoneException
from requests import RequestException
from requests.exceptions import ConnectTimeout, Timeout
from urllib3.exceptions import NewConnectionError

from failover.core.rrsets import Changes, RRset, by_key
from failover.dns.compare import Key, confirm, require, standing
from failover.dns.octodns_words import Odd, Reply, Request, Set
from failover.dns.records import from_rrset, to_name, to_rdatas
from failover.errors import (
    AccessRefused,
    AdapterError,
    ConfigError,
    FailoverError,
    NotFound,
    Rejected,
    Throttled,
    TimedOut,
    Unreachable,
    Unreadable,
)
from failover.net.decode import decode

_READ, _CHANGE = "read DNS", "change DNS"
_VENDORS = ("ALIAS", "ANAME")
_RULES = ("dynamic", "geo")
_TEXT_UNSAFE = frozenset('"\\;')
"""Providers differ in how they quote these; the epoch has none of them."""


class Provider(Protocol):
    """As much of `octodns.provider.base.BaseProvider` as is used."""

    def populate(self, zone: Any, target: bool = False, lenient: bool = False) -> bool | None: ...

    def plan(self, desired: Any) -> Any: ...

    def apply(self, plan: Any) -> int: ...


# ---------------------------------------------------------------------------------------------- one request


def work(request: Request) -> Reply:
    """Never raises: whatever goes wrong is a reply of the right kind."""
    try:
        if request.operation == "read":
            return Reply(sets=_read(request))
        if request.operation == "made_up":
            return Reply(odd=_odd(_zone(request, _READ), {name for name, _ in request.names}))
        _apply(request)
        return Reply()
    except FailoverError as error:
        return Reply(error=type(error).__name__, cause=error.cause, hint=error.hint)


def _provider(request: Request) -> Provider:
    """A fresh one for each operation: they keep what they have read. Raises ConfigError."""
    module, _, name = request.kind.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
        return cast(Provider, found(id="failover", **request.options))
    except ImportError as error:
        hint = f"pip install the package that has {module} (docs/dns.md)"
        raise ConfigError(_READ, request.kind, f"cannot be imported: {error}", hint) from error
    except Exception as error:
        cause = f"does not take these options: {type(error).__name__}: {error}"
        raise ConfigError(_READ, request.kind, cause, "its own documentation names them") from error


def _zone(request: Request, operation: str) -> Any:
    """Everything that stands at the host now. Raises NotFound where there is no such zone: it would be created.

    Unreadable for an empty list of a provider that lists the zone's own name servers: every zone has some.
    """
    zone = Zone(f"{request.zone}.", [])
    provider = _provider(request)
    try:
        exists = provider.populate(zone, target=True, lenient=True)
    except FailoverError:
        raise
    except Exception as error:
        raise _translated(error, operation, request.zone) from error
    if not exists and not zone.records:
        raise NotFound(operation, request.zone, "the host has no such zone", "create the zone at the host")
    if not zone.records and getattr(provider, "SUPPORTS_ROOT_NS", False):
        raise Unreadable(operation, request.zone, "its list is empty, without its name servers even", "try again")
    return zone


def _read(request: Request) -> list[Set]:
    names = {name for name, _ in request.names}
    zone = _zone(request, _READ)
    _require_plain(zone, names, _READ)
    return [Set.of(rrset) for rrset in standing(_records(zone, names), request.names)]


def _odd(zone: Any, names: set[str]) -> list[Odd]:
    """What no record set says: a vendor's alias, and rules by which a provider chooses its answers."""
    found = set()
    for record in zone.records:
        name, type = _key(record)
        rules = [kind for kind in _RULES if getattr(record, kind, None)]
        if name in names and (rules or type in _VENDORS):
            target = str(getattr(record, "value", "")).rstrip(".").lower() if type in _VENDORS else ""
            found.add(Odd(name, f"{rules[0]} {type}" if rules else type, target))
    return sorted(found, key=lambda odd: (odd.name, odd.kind))


def _require_plain(zone: Any, names: set[str], operation: str) -> None:
    for odd in _odd(zone, names):
        hint = "failover does not touch it: remove it, or take another name"
        raise Rejected(operation, odd.name, f"its answers come from a record of kind {odd.kind}", hint)


def _records(zone: Any, names: Iterable[str]) -> Mapping[Key, RRset]:
    """All that stands at these names."""
    wanted = set(names)
    return by_key(_from_record(record) for record in zone.records if _key(record)[0] in wanted)


def _key(record: Any) -> Key:
    return record.fqdn.rstrip(".").lower(), record._type


def _apply(request: Request) -> None:
    """Read, compare, write, read again: grade 3."""
    changes = Changes(put=tuple(one.rrset() for one in request.put), remove=tuple(request.remove))
    expect, fence = (one.rrset() if one is not None else None for one in (request.expect, request.fence))
    ours = {one.key for one in (*changes.put, expect, fence) if one is not None} | set(changes.remove)
    names = {name for name, _ in ours}
    zone = _zone(request, _CHANGE)
    _require_plain(zone, names, _CHANGE)
    require(request.zone, changes, expect, fence, _records(zone, names))
    provider = _provider(request)
    plan = _planned(provider, _desired(zone, request.zone, changes, expect, fence), request.zone)
    if plan is not None:
        require(request.zone, changes, expect, fence, _records(plan.existing, names))  # read a moment ago
        _check_plan(plan, request.zone, ours)
        before = _records(plan.existing, names)
        _carry_out(provider, plan, request.zone, lambda: _still(request, before, names))
    _look_again(request, changes, expect, fence, names)


def _planned(provider: Provider, desired: Any, name: str) -> Any:
    """None: nothing has to change."""
    try:
        return provider.plan(desired)
    except SupportsException as error:
        raise Rejected(_CHANGE, name, f"octoDNS cannot do this there: {error}") from error
    except Exception as error:
        raise _translated(error, _CHANGE, name) from error


def _desired(zone: Any, name: str, changes: Changes, expect: RRset | None, fence: RRset | None) -> Any:
    """The zone with our names replaced. Raises Rejected for what octoDNS does not take."""
    leaving = {*changes.remove, *(one.key for one in (expect,) if one is not None)}
    desired = zone.copy()
    try:
        for record in [record for record in desired.records if _key(record) in leaving]:
            desired.remove_record(record)
        for rrset in (*changes.put, *(one for one in (fence,) if one is not None)):
            desired.add_record(_to_record(zone, rrset), replace=True, lenient=True)
    except (ZoneException, RecordException) as error:
        raise Rejected(_CHANGE, name, f"{type(error).__name__}: {error}") from error
    return desired


def _check_plan(plan: Any, name: str, ours: set[Key]) -> None:
    """Raises Rejected when octoDNS would touch anything else: a provider may add changes of its own."""
    touched = {_key(change.record) for change in plan.changes}
    strange = sorted(" ".join(key) for key in touched - ours)
    if strange:
        told = ", ".join(strange[:5])
        raise Rejected(_CHANGE, name, f"octoDNS would change {len(strange)} sets that are not ours: {told}")
    if plan.meta is not None:
        raise Rejected(_CHANGE, name, "octoDNS would change settings of the zone itself")


def _carry_out(provider: Provider, plan: Any, name: str, untouched: Callable[[], bool]) -> None:
    """Raises TimedOut for nearly everything: after some requests of several nobody knows what was done.

    `untouched`: whether what stands there, looked at again, is what stood there before.
    """
    try:
        provider.apply(plan)
    except Exception as error:
        found = _translated(error, _CHANGE, name)
        if _is_no(found, error) and untouched():
            raise found from error
        raise TimedOut(_CHANGE, name, f"whether it was carried out is unknown: {found.cause}") from error


def _still(request: Request, before: Mapping[Key, RRset], names: Iterable[str]) -> bool:
    """Whether these sets stand there now; False where that cannot be seen."""
    try:
        return _records(_zone(request, _CHANGE), names) == before
    except AdapterError:
        return False


def _is_no(found: AdapterError, error: Exception) -> bool:
    """A plain no of the host to one request, or one that never left."""
    if isinstance(found, Unreachable):
        reason = getattr(next(iter(error.args), None), "reason", None)
        return isinstance(error, ConnectTimeout | ConnectionRefusedError) or isinstance(reason, NewConnectionError)
    return isinstance(found, AccessRefused | Throttled)


def _look_again(
    request: Request, changes: Changes, expect: RRset | None, fence: RRset | None, names: Iterable[str]
) -> None:
    """Raises Conflict when somebody else's change stands there, TimedOut while ours is not to be seen."""
    try:
        found = _records(_zone(request, _CHANGE), names)
    except AdapterError as error:
        cause = f"the host took the change, but could not be read then: {error.cause}"
        raise TimedOut(_CHANGE, request.zone, cause) from error
    before = found.get(fence.key) if fence is not None else None
    if fence is not None and (before.values if before else None) == (expect.values if expect else None):
        raise TimedOut(_CHANGE, request.zone, "the host took the change, but does not show it yet")
    confirm(request.zone, changes, expect, fence, found)


# ---------------------------------------------------------------------------------------------- words


def _to_record(zone: Any, rrset: RRset) -> Any:
    """By the presentation format (RFC 1035, section 5), which octoDNS reads as dnspython writes it."""
    if rrset.type == "TXT" and any(_TEXT_UNSAFE & set(value) for value in rrset.values):
        raise Rejected(_CHANGE, rrset.name, "octoDNS's providers disagree about texts with \" \\ or ;")
    rdatas = [rdata.to_text() for rdata in to_rdatas(rrset)]
    return Record.from_rrset(zone, Rrset(f"{rrset.name}.", rrset.type, rrset.ttl_s, rdatas), lenient=True)


def _from_record(record: Any) -> RRset:
    found = record.to_rrset()
    rdtype = dns.rdatatype.from_text(found._type)
    try:
        rdatas = [dns.rdata.from_text(dns.rdataclass.IN, rdtype, text, relativize=False) for text in found.rdatas]
    except dns.exception.DNSException as error:
        raise Unreadable(_READ, f"{found.name} {found._type}", str(error)) from error
    return from_rrset(dns.rrset.from_rdata_list(to_name(found.name), found.ttl, rdatas))


def _translated(error: Exception, operation: str, name: str) -> AdapterError:
    """Most providers speak HTTP by requests; what others raise says nothing that can be relied on."""
    told = f"{type(error).__name__}: {error}"
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403) or "nauthorized" in told:
        return AccessRefused(operation, name, told)
    if status == 429:
        return Throttled(operation, name, told)
    if isinstance(status, int) and 400 <= status < 500:
        return Rejected(operation, name, told)
    if isinstance(error, Timeout | dns.exception.Timeout) and not isinstance(error, ConnectTimeout):
        return TimedOut(operation, name, told)
    if status is None and isinstance(error, RequestException | OSError):
        return Unreachable(operation, name, told)
    return Unreadable(operation, name, told)


# ---------------------------------------------------------------------------------------------- the process


def _end_with_who_asks() -> None:
    """Who asked has been killed: what is still to be written would come late, and nobody would look at it."""
    watch = select.poll()
    watch.register(sys.stdin.fileno(), 0)
    if not any(said & select.POLLHUP for _, said in watch.poll()):
        return
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def main() -> None:
    """Until the end of input. The reply goes to what was standard output; nothing that octoDNS prints gets there."""
    logging.disable(logging.CRITICAL)
    threading.Thread(target=_end_with_who_asks, daemon=True).start()
    with os.fdopen(os.dup(1), "wb", buffering=0) as out:
        os.dup2(2, 1)
        for line in sys.stdin.buffer:
            out.write(msgspec.json.encode(work(decode(line, Request))) + b"\n")


if __name__ == "__main__":
    main()
