"""A DNS host that takes dynamic updates (RFC 2136): BIND, Knot, PowerDNS, Windows DNS, and the local one. Grade 1.

The prerequisites of an update and its changes are one transaction at the primary, so the epoch TXT guards the
addresses exactly.
"""

from collections.abc import Iterable, Sequence

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.tsig
import dns.update
import tenacity

from failover.core.hosting import UpdateSize, value_bytes
from failover.core.rrsets import Changes, RRset, normal_name
from failover.core.survey import MadeUp
from failover.dns.compare import require_limits
from failover.dns.records import standing_at, to_name, to_rdatas, to_type
from failover.dns.transaction import OPERATION, check_transaction
from failover.dns.wire import Connection, Deadline, parse_server
from failover.errors import (
    AccessRefused,
    AdapterError,
    Conflict,
    NotFound,
    Rejected,
    TimedOut,
    Unreachable,
    Unreadable,
)
from failover.net.tsig import TsigKey
from failover.ports import HostTraits

_READ = "read DNS"
_ALIAS = "TYPE65401"
"""PowerDNS's own type, by the number that it stores and transfers it with."""
_READINGS_MAX = 5
_ATTEMPTS_MAX = 3
_MESSAGE_ROOM = 65535 - 512
"""Of a message without its TSIG record (RFC 8945: names, and up to 64 bytes of a MAC)."""
_BESIDE_NO_ALIAS = ("A", "AAAA", "CAA", "MX", "NS", "SRV", "TXT")
_CONFLICTS = (dns.rcode.NXRRSET, dns.rcode.YXRRSET, dns.rcode.NXDOMAIN, dns.rcode.YXDOMAIN)
_REFUSALS = (dns.rcode.REFUSED, dns.rcode.NOTAUTH)
_REJECTIONS = (dns.rcode.FORMERR, dns.rcode.NOTIMP, dns.rcode.NOTZONE)


class Rfc2136:
    """Speaks to the primary at `server` (`address:port`) by TCP only: no spoofed answers, no repeated updates.

    `servers` are the authoritative servers that the world asks, the primary itself when empty. `timeout_s` bounds
    connecting, and each exchange of at most 20 messages; `deadline_s` bounds a whole call. Reads are tried again
    within it; updates never are.
    Raises ConfigError for an address that cannot be one.
    """

    def __init__(
        self,
        *,
        name: str,
        server: str,
        servers: tuple[str, ...] = (),
        key: TsigKey | None = None,
        timeout_s: float = 3.0,
        deadline_s: float = 10.0,
    ) -> None:
        self.name = name
        self._server = parse_server(server)
        self._servers = servers or (server,)
        self._key = None if key is None else dns.tsig.Key(key.name, key.secret, key.algorithm)
        self._timeout_s = timeout_s
        self._deadline_s = deadline_s

    def traits(self) -> HostTraits:
        """The limit is one message of 64 KiB, some 1,000 sets; beyond it a change is several messages."""
        return HostTraits(grade=1, servers=self._servers, ttl_s_max=2**31 - 1, message_bytes=_MESSAGE_ROOM)

    # ------------------------------------------------------------------------------------------ reading

    def read(self, zone: str, names: Sequence[tuple[str, str]]) -> tuple[RRset, ...]:
        """As the port says. The sets are of one version of the zone.

        It is read again until its serial is the same before and after, or until two readings in a row are the same:
        in a busy zone the serial moves with other people's records.
        Where a wildcard stands, a name below it seems to hold the wildcard's values. Raises NotFound when the server
        has no such zone.
        """
        deadline = Deadline(self._deadline_s)
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type((Unreachable, TimedOut, Unreadable)),
            stop=tenacity.stop_after_attempt(_ATTEMPTS_MAX) | tenacity.stop_before_delay(self._deadline_s),
            wait=tenacity.wait_random_exponential(multiplier=0.1, max=1.0),
            reraise=True,
        )
        return retrying(self._read_once, zone, tuple(dict.fromkeys(names)), deadline)

    def made_up(self, zone: str, names: Sequence[str]) -> tuple[MadeUp, ...]:
        """As the port says: PowerDNS's ALIAS, which its servers give away to those who ask for that type.

        Others answer that they have none, and so they do. An update puts addresses beside it, and these are answered.
        """
        deadline = Deadline(self._deadline_s)
        asked = sorted({normal_name(name) for name in names})
        queries = [self._query(number, name, _ALIAS) for number, name in enumerate(asked)]
        with Connection(self._server, timeout_s=self._share_s(deadline), what=_READ) as connection:
            self._serial(connection, zone, deadline)
            answers = connection.ask(queries, deadline, timeout_s=self._timeout_s)
        for name, answer in zip(asked, answers, strict=True):
            self._check_answer(answer, f"{name} ALIAS")
        targets = {name: target for name, answer in zip(asked, answers, strict=True) if (target := _alias(answer))}
        return tuple(MadeUp(name=n, kind="ALIAS", target=target, refused=False) for n, target in targets.items())

    def _read_once(self, zone: str, names: Sequence[tuple[str, str]], deadline: Deadline) -> tuple[RRset, ...]:
        with Connection(self._server, timeout_s=self._share_s(deadline), what=_READ) as connection:
            serial = self._serial(connection, zone, deadline)
            before: tuple[RRset, ...] | None = None
            for _ in range(_READINGS_MAX):
                found = self._read_sets(connection, names, deadline)
                serial_before, serial = serial, self._serial(connection, zone, deadline)
                if serial == serial_before or found == before:
                    return found
                before = found
        raise Unreadable(_READ, zone, f"the records changed during each of {_READINGS_MAX} readings", "try again")

    def _read_sets(
        self, connection: Connection, names: Sequence[tuple[str, str]], deadline: Deadline
    ) -> tuple[RRset, ...]:
        queries = [self._query(number, name, type) for number, (name, type) in enumerate(names)]
        answers = connection.ask(queries, deadline, timeout_s=self._timeout_s)
        found: dict[tuple[str, str], RRset] = {}
        for query, answer, (name, type) in zip(queries, answers, names, strict=True):
            self._check_answer(answer, f"{name} {type}")
            rrset = standing_at(query.question[0].name, type.upper(), answer.answer)
            if rrset is not None:
                found[rrset.key] = rrset
        return tuple(found.values())

    def _serial(self, connection: Connection, zone: str, deadline: Deadline) -> int:
        query = self._query(0, zone, "SOA")
        (answer,) = connection.ask([query], deadline, timeout_s=self._timeout_s)
        self._check_answer(answer, zone)
        for rrset in answer.answer:
            if rrset.rdtype == dns.rdatatype.SOA and rrset.name == query.question[0].name:
                return int(rrset[0].serial)
        raise NotFound(_READ, zone, f"{self.name} has no such zone", "create the zone at the host")

    def _query(self, number: int, name: str, type: str) -> dns.message.Message:
        query = dns.message.make_query(to_name(name), to_type(type), flags=0, id=number)
        if self._key is not None:
            query.use_tsig(self._key)
        return query

    def _check_answer(self, answer: dns.message.Message, object: str) -> None:
        rcode = answer.rcode()
        if rcode in _REFUSALS:
            raise AccessRefused(_READ, object, f"{self.name} answers {dns.rcode.to_text(rcode)}")
        if rcode not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            raise Unreadable(_READ, object, f"{self.name} answers {dns.rcode.to_text(rcode)}")
        if not answer.flags & dns.flags.AA or answer.flags & dns.flags.TC:
            raise Unreadable(_READ, object, f"{self.name} does not answer whole and with authority")

    def _share_s(self, deadline: Deadline) -> float:
        """What one exchange may take. Raises TimedOut when nothing is left."""
        try:
            return min(self._timeout_s, deadline.left_s())
        except TimeoutError as error:
            raise TimedOut(_READ, self.name, f"not done within {self._deadline_s:g} s") from error

    # ------------------------------------------------------------------------------------------ changing

    def apply(self, zone: str, changes: Changes, *, expect: RRset | None, fence: RRset | None) -> None:
        """As the port says, as one update message, sent once.

        Conflict also when other data stands where a CNAME is to go, or a CNAME where other data is to go: a server
        would pass over such an addition in silence (RFC 2136, section 3.4.2.2).
        What is too long for one message goes in several, in order, each of whole names, each on condition that the
        expected fence still stands; the last one replaces it. So a change that ends half-way is seen as unfinished.
        """
        check_transaction(zone, changes, expect, fence)
        require_limits(zone, changes, self.traits())
        updates = self._compose(zone, changes, expect, fence)
        deadline = Deadline(self._deadline_s)
        with Connection(self._server, timeout_s=self._share_s(deadline), what=OPERATION) as connection:
            for update in updates:
                (answer,) = connection.ask([update], deadline, timeout_s=self._timeout_s)
                problem = self._problem(answer.rcode(), zone)
                if problem is not None:
                    raise problem

    def _compose(
        self, zone: str, changes: Changes, expect: RRset | None, fence: RRset | None
    ) -> list[dns.update.UpdateMessage]:
        """As few messages as the changes fit into."""
        whole = self._fitting(zone, changes, expect, fence)
        if whole is not None:
            return [whole]
        chunks = list(_chunks(zone, changes))
        found = [self._fitting(zone, c, expect, fence, keep=c is not chunks[-1]) for c in chunks]
        for chunk, update in zip(chunks, found, strict=True):
            if update is None:
                (name, *_) = [*(r.name for r in chunk.put), *(n for n, _ in chunk.remove)]
                raise Rejected(OPERATION, zone, f"the sets of {name} do not fit into one message of 64 KiB")
        return [update for update in found if update is not None]

    def _fitting(
        self, zone: str, changes: Changes, expect: RRset | None, fence: RRset | None, *, keep: bool = False
    ) -> dns.update.UpdateMessage | None:
        """None: it is too long for one message."""
        update = self._update(zone, changes, expect, fence, keep=keep)
        try:
            update.to_wire()
        except dns.exception.TooBig:
            return None
        return update

    def _update(
        self, zone: str, changes: Changes, expect: RRset | None, fence: RRset | None, *, keep: bool
    ) -> dns.update.UpdateMessage:
        """`keep`: the fence stays as it is expected."""
        update = dns.update.UpdateMessage(to_name(zone), keyring=self._key)
        _require_fence(update, expect, fence)
        _require_room(update, changes)
        # Removals first: an addition beside a CNAME that is still there would be passed over.
        for name, type in changes.remove:
            update.delete(to_name(name), to_type(type))
        for rrset in changes.put:
            update.replace(to_name(rrset.name), rrset.ttl_s, *to_rdatas(rrset))
        if keep:
            return update
        if fence is not None:
            update.replace(to_name(fence.name), fence.ttl_s, *to_rdatas(fence))
        elif expect is not None:
            update.delete(to_name(expect.name), to_type(expect.type))
        return update

    def _problem(self, rcode: dns.rcode.Rcode, zone: str) -> AdapterError | None:
        said = f"{self.name} answers {dns.rcode.to_text(rcode)}"
        if rcode == dns.rcode.NOERROR:
            return None
        if rcode in _CONFLICTS:
            return Conflict(OPERATION, zone, f"a prerequisite does not hold: {said}", "read again")
        if rcode in _REFUSALS:
            return AccessRefused(OPERATION, zone, said, "the server must let this key update the zone")
        if rcode in _REJECTIONS:
            return Rejected(OPERATION, zone, said)
        return Unreadable(OPERATION, zone, said)


def _alias(answer: dns.message.Message) -> str:
    """Where the ALIAS asked for leads, "" where there is none. Its data is one name, as in a CNAME."""
    question = answer.question[0]
    found = answer.get_rrset(answer.answer, question.name, dns.rdataclass.IN, question.rdtype)
    if found is None:
        return ""
    try:
        target, _ = dns.name.from_wire(found[0].to_digestable(), 0)
    except dns.exception.DNSException as error:
        raise Unreadable(_READ, f"{question.name} ALIAS", "it holds no name") from error
    return normal_name(target.to_text())


def _chunks(zone: str, changes: Changes) -> Iterable[Changes]:
    """The changes in parts that fit into one message each. What stands at a name changes in one part."""
    names: dict[str, tuple[list[RRset], list[tuple[str, str]]]] = {}
    for rrset in changes.put:
        names.setdefault(rrset.name, ([], []))[0].append(rrset)
    for key in changes.remove:
        names.setdefault(normal_name(key[0]), ([], []))[1].append(key)
    size = UpdateSize(zone)
    some: list[tuple[list[RRset], list[tuple[str, str]]]] = []
    for name, (put, gone) in names.items():
        sets = [(r.type, len(r.values), value_bytes(r)) for r in put]
        size.add(name, sets, removed=len(gone))
        if some and size.bytes > _MESSAGE_ROOM:
            yield _joined(some)
            size, some = UpdateSize(zone), []
            size.add(name, sets, removed=len(gone))
        some.append((put, gone))
    yield _joined(some)


def _joined(parts: Iterable[tuple[list[RRset], list[tuple[str, str]]]]) -> Changes:
    found = list(parts)
    return Changes(put=tuple(r for put, _ in found for r in put), remove=tuple(k for _, gone in found for k in gone))


def _require_fence(update: dns.update.UpdateMessage, expect: RRset | None, fence: RRset | None) -> None:
    """Exactly the expected set (RFC 2136, section 2.4.2), or none (section 2.4.3)."""
    if expect is not None:
        update.present(to_name(expect.name), *to_rdatas(expect))
    elif fence is not None:
        update.absent(to_name(fence.name), to_type(fence.type))


def _require_room(update: dns.update.UpdateMessage, changes: Changes) -> None:
    """No data may stand beside a CNAME, other than what this very update removes."""
    leaving = {(normal_name(name), type.upper()) for name, type in changes.remove}
    needed = dict.fromkeys(pair for rrset in changes.put for pair in _must_be_absent(rrset))
    for name, type in needed:
        if (name, type) not in leaving:
            update.absent(to_name(name), to_type(type))


def _must_be_absent(rrset: RRset) -> Iterable[tuple[str, str]]:
    types = _BESIDE_NO_ALIAS if rrset.type == "CNAME" else ("CNAME",)
    return ((rrset.name, type) for type in types)
