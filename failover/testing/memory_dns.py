"""A DNS host in memory, strict about everything that real hosts let pass, and its name servers.

It passes the same suite as the real ones (`failover.testing.dns`). For simulations it takes a virtual clock, faults and
a lag between what the API says and what its name servers answer.
"""

import threading
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from failover.core.rights import Act, Right, allowed, refused
from failover.core.rrsets import Changes, RRset, normal_name
from failover.core.survey import MadeUp
from failover.dns.compare import Records, removed, require, require_limits, standing
from failover.dns.transaction import OPERATION, Parts, check_transaction, is_inside
from failover.errors import AdapterError, NotFound, Rejected, TimedOut, Unreachable, Unreadable
from failover.ports import HostTraits

Faults = Callable[[str], Exception | None]
TORN, ONE_AFTER_ANOTHER = 2, 3


class ReplyLost(TimedOut):
    """As a fault: the change is carried out, but nobody learns of it."""

    def __init__(self, object: str = "") -> None:
        super().__init__(OPERATION, object, "the reply was lost")


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """What a zone holds from `at_s` of the host's clock on."""

    at_s: float
    records: Records


def no_faults(_: str) -> None:
    """Everything works."""


class MemoryDns:
    """A DNS host. Grades 1 and 2 carry out a change as a whole, but the name servers of grade 2 learn of one name after
    the other. Grade 3 compares, then writes set by set; a name that becomes an alias, or stops being one, is one write.

    `faults` is asked before each operation: `read`, `apply`, and at grade 3 `write` for each write. What it returns is
    raised, after other writes as a TimedOut; a ReplyLost after the change. `lag_s` is how long its name servers still
    answer what was before. `on_change` sees every version of a zone as it comes about. `odd` is what is made up there.
    `behind`: by name that stands behind the host's edge the edge's addresses, which its name servers answer. All may be
    set anew at any time.
    """

    def __init__(
        self,
        *,
        name: str = "memory",
        zones: Iterable[str] = ("example.test",),
        grade: int = 1,
        servers: tuple[str, ...] = (),
        traits: HostTraits | None = None,
        lag_s: float = 0.0,
        clock: Callable[[], float] = lambda: 0.0,
        faults: Faults = no_faults,
    ) -> None:
        self.name = name
        self.lag_s = lag_s
        self.faults = faults
        self.odd: tuple[MadeUp, ...] = ()
        """What a vendor's own kinds of records make up here, by hand."""
        self.behind: Mapping[str, frozenset[str]] = {}
        self.on_change: Callable[[str, Records], None] | None = None
        self.lacks: frozenset[str] = frozenset()
        """Names that the credential may not change, as `rights` tells it."""
        self._traits = traits or HostTraits(grade=grade, servers=servers or (f"{name}:53",))
        self._clock = clock
        self._zones = {normal_name(zone): [Version(at_s=float("-inf"), records={})] for zone in zones}
        self._known_s: dict[str, float] = {}
        """By name, of which version the name servers know."""
        self._lock = threading.RLock()

    def traits(self) -> HostTraits:
        return self._traits

    def read(self, zone: str, names: Sequence[tuple[str, str]]) -> tuple[RRset, ...]:
        fault = self.faults("read")
        if fault is not None:
            raise fault
        with self._lock:
            records = self._versions(zone)[-1].records
        self._require_plain((name for name, _ in names), "read DNS")
        found = standing(records, names)
        return tuple(replace(r, proxied=True) if r.name in self.behind and r.type != "TXT" else r for r in found)

    def made_up(self, zone: str, names: Sequence[str]) -> tuple[MadeUp, ...]:
        fault = self.faults("read")
        if fault is not None:
            raise fault
        with self._lock:
            self._versions(zone)
        wanted = {normal_name(name) for name in names}
        here = (odd for odd in self.odd if odd.name in wanted and self.zone_of(odd.name) == normal_name(zone))
        return tuple(sorted(here, key=lambda odd: (odd.name, odd.kind)))

    def _require_plain(self, names: Iterable[str], operation: str) -> None:
        for odd in self.odd:
            if odd.refused and odd.name in map(normal_name, names):
                raise Rejected(operation, odd.name, f"its answers come from a record of kind {odd.kind}")

    def apply(self, zone: str, changes: Changes, *, expect: RRset | None, fence: RRset | None) -> None:
        fault = self.faults("apply")
        if fault is not None and not isinstance(fault, ReplyLost):
            raise fault
        check_transaction(zone, changes, expect, fence)
        require_limits(zone, changes, self._traits)
        self._require_plain((*(r.name for r in changes.put), *(name for name, _ in changes.remove)), OPERATION)
        if self._traits.grade < ONE_AFTER_ANOTHER:
            self._apply_whole(zone, changes, expect, fence)
        else:
            self._apply_singly(zone, changes, expect, fence)
        if fault is not None:
            raise fault

    def rights(self, zone: str, names: Sequence[tuple[str, str]]) -> tuple[Right, ...]:
        fault = self.faults("rights")
        if fault is not None:
            raise fault
        self._versions(zone)
        return tuple(
            refused(Act.CHANGE, "the zone's owner did not grant it", f"{name} {type}")
            if normal_name(name) in self.lacks
            else allowed(Act.CHANGE, f"{name} {type}")
            for name, type in names
        )

    def visible(self, zone: str) -> Records:
        """What its name servers answer now. Raises NotFound."""
        with self._lock:
            versions = self._versions(zone)
            now = self._clock()
            while len(versions) > 1 and versions[1].at_s + self.lag_s <= now:
                del versions[0]
            if self._traits.grade != TORN or len(versions) == 1:
                return self._shown(versions[0].records)
            return self._shown(self._torn(versions, now))

    def _shown(self, records: Records) -> Records:
        hidden = {key: r for key, r in records.items() if key[0] in self.behind and key[1] != "TXT"}
        if not hidden:
            return records
        edge = [RRset(name=n, type="A", ttl_s=300, values=self.behind[n]) for n, _ in hidden if self.behind[n]]
        return {key: r for key, r in (*records.items(), *((r.key, r) for r in edge)) if hidden.get(key) is not r}

    def _torn(self, versions: list[Version], now_s: float) -> Records:
        """Each name as it is known by now, some at once, some after the whole lag. None is forgotten again."""
        names = {name for version in versions for name, _ in version.records}
        records: dict[tuple[str, str], RRset] = {}
        for name in names:
            known = [v for v in versions if v.at_s + self.lag_s * _share(name) <= now_s or v.at_s <= self._known(name)]
            newest = known[-1] if known else versions[0]
            self._known_s[name] = max(newest.at_s, self._known(name))
            records |= {key: rrset for key, rrset in newest.records.items() if key[0] == name}
        return records

    def _known(self, name: str) -> float:
        return self._known_s.get(name, float("-inf"))

    def zone_of(self, name: str) -> str | None:
        """The longest of its zones that holds the name."""
        return max((zone for zone in self._zones if is_inside(name, zone)), key=len, default=None)

    def _versions(self, zone: str) -> list[Version]:
        try:
            return self._zones[normal_name(zone)]
        except KeyError:
            raise NotFound("find zone", zone, f"{self.name} has no such zone") from None

    def _apply_whole(self, zone: str, changes: Changes, expect: RRset | None, fence: RRset | None) -> None:
        with self._lock:
            records = dict(self._versions(zone)[-1].records)
            require(zone, changes, expect, fence, records)
            for write in _writes(changes, expect, fence):
                _write(records, write)
            self._publish(zone, records)

    def _apply_singly(self, zone: str, changes: Changes, expect: RRset | None, fence: RRset | None) -> None:
        with self._lock:
            require(zone, changes, expect, fence, self._versions(zone)[-1].records)
        parts = Parts(zone)
        for write in _writes(changes, expect, fence):
            with parts.next():
                fault = self.faults("write")
                if fault is not None and not isinstance(fault, ReplyLost):
                    raise fault
                with self._lock:
                    records = dict(self._versions(zone)[-1].records)
                    _write(records, write)
                    self._publish(zone, records)
                if fault is not None:
                    raise fault

    def _publish(self, zone: str, records: Records) -> None:
        self.visible(zone)  # forgets versions that nobody can see any more
        self._versions(zone).append(Version(at_s=self._clock(), records=records))
        if self.on_change is not None:
            self.on_change(normal_name(zone), records)


class MemoryAuthority:
    """The name servers of memory hosts, by the addresses in their traits, and resolvers that cache what these say.

    `faults` is asked with the server's address before each answer; what it returns is raised. Any other address is a
    caching resolver: it asks a server that answers it, and keeps what it heard for the TTL, on `clock`.
    """

    def __init__(self, *hosts: MemoryDns, faults: Faults = no_faults, clock: Callable[[], float] = lambda: 0.0) -> None:
        self.faults = faults
        self._hosts = {server: host for host in hosts for server in host.traits().servers}
        self._clock = clock
        self._cache: dict[tuple[str, str, str], tuple[float, RRset | None]] = {}

    def ask(self, server: str, name: str, type: str) -> RRset | None:
        fault = self.faults(server)
        if fault is not None:
            raise fault
        host = self._hosts.get(server)
        if host is None:
            raise Unreachable("ask name server", server, "nothing is there")
        zone = host.zone_of(name)
        if zone is None:
            raise Unreadable("ask name server", f"{server} for {name} {type}", "it answers REFUSED")
        return _answered(host.visible(zone), normal_name(name), type)

    def ask_all(
        self, server: str, questions: Sequence[tuple[str, str]], *, tcp: bool = False
    ) -> tuple[RRset | None, ...]:
        """By TCP a server may have other faults: they are asked for `tcp ADDRESS` then."""
        fault = self.faults(f"tcp {server}") if tcp else None
        if fault is not None:
            raise fault
        return tuple(self.ask(server, name, type) for name, type in questions)

    def addresses(self, server: str) -> tuple[str, ...]:
        """Its name may be unknown while it answers: faults are asked for `name SERVER`."""
        fault = self.faults(f"name {server}")
        if fault is not None:
            raise fault
        return (server,)

    def recall(self, resolver: str, name: str, type: str) -> RRset | None:
        fault = self.faults(resolver)
        if fault is not None:
            raise fault
        key = (resolver, normal_name(name), type.upper())
        until, kept = self._cache.get(key, (float("-inf"), None))
        if until > self._clock():
            return kept
        for server in self._hosts:
            try:
                found = self.ask(server, name, type)
            except AdapterError:
                continue
            self._cache[key] = (self._clock() + (found.ttl_s if found is not None else 0.0), found)
            return found
        raise Unreadable("ask name server", f"{resolver} for {name} {type}", "it answers SERVFAIL")


class MemoryResolver:
    """Names and their addresses, as their authorities would give them. What is not in `names` has no address.

    `faults` is asked with the name before each answer; what it returns is raised.
    """

    def __init__(self, names: Mapping[str, tuple[str, ...]], faults: Faults = no_faults) -> None:
        self.names = names
        self.faults = faults

    def addresses(self, name: str) -> tuple[str, ...]:
        """See `ports.Resolver.addresses`."""
        fault = self.faults(name)
        if fault is not None:
            raise fault
        return self.names.get(normal_name(name), ())


Write = Mapping[tuple[str, str], RRset | None]
"""What stands at these keys after one write; None: nothing."""


def _share(name: str) -> float:
    """Of the lag, the part after which a name server knows this name, the same in every run. The epoch comes first:
    the worst order for whoever looks at it alone."""
    return 0.0 if name.startswith("_failover.") else 0.5 + (zlib.crc32(name.encode()) % 51) / 100


def _writes(changes: Changes, expect: RRset | None, fence: RRset | None) -> list[Write]:
    """New sets first, so that a change that ends halfway leaves something to answer; the fence last, so that it is seen
    as unfinished. A name that changes between an alias and data does so in one write."""
    gone = dict.fromkeys(sorted(removed(changes)))
    writes: list[Write] = []
    for rrset in changes.put:
        beside = [key for key in gone if key[0] == rrset.name and "CNAME" in (key[1], rrset.type)]
        writes.append({rrset.key: rrset, **{key: gone.pop(key) for key in beside}})
    writes += [{key: None} for key in gone]
    if fence is not None:
        writes.append({fence.key: fence})
    elif expect is not None:
        writes.append({expect.key: None})
    return writes


def _write(records: dict[tuple[str, str], RRset], write: Write) -> None:
    for key, rrset in write.items():
        if rrset is None:
            records.pop(key, None)
        else:
            records[key] = rrset


def _answered(records: Records, name: str, type: str) -> RRset | None:
    """What stands at the name; where nothing does, what a wildcard right below the closest name says (RFC 4592)."""
    found = standing(records, [(name, type)])
    closest = name
    while closest and not any(there == closest or there.endswith(f".{closest}") for there, _ in records):
        closest = closest.partition(".")[2]
    if not found and closest != name:
        found = tuple(replace(r, name=name) for r in standing(records, [(f"*.{closest}", type)]))
    return next(iter(found), None)
