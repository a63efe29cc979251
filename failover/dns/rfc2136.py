"""A DNS host that takes dynamic updates (RFC 2136): BIND, Knot, PowerDNS and others, and the local one. Grade 1.

The prerequisites of an update and its changes are one transaction at the primary, so the epoch TXT guards the
addresses exactly.
"""

from collections.abc import Iterator, Sequence

import dns.exception
import dns.name
import dns.rcode
import dns.tsig
import tenacity

from failover.core.rights import Act, Right, allowed, refused
from failover.core.rrsets import Changes, RRset, normal_name
from failover.core.survey import MadeUp
from failover.dns.compare import require_limits
from failover.dns.conversation import Conversation
from failover.dns.found import Sets
from failover.dns.packets import AA, ANSWER, CNAME, SOA, TC, Packet, wire_name
from failover.dns.records import to_type
from failover.dns.rights import Key, narrowed, never_there
from failover.dns.transaction import OPERATION, Parts, check_transaction, epoch_in
from failover.dns.transfer import NoTransfer, Pair, by_pair, copy_zone, serial_of
from failover.dns.update import MESSAGE_ROOM, compose, compose_removal
from failover.dns.wire import Deadline, parse_server
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

_READ, _ASK = "read DNS", "ask rights"
_TRIED_MAX = 100
"""Sets in one update that is only tried."""
_ALIAS = "TYPE65401"
"""PowerDNS's own type, by the number that it stores and transfers it with."""
_READINGS_MAX = 5
_ATTEMPTS_MAX = 3
TRANSFER_FROM = 200
"""Fewer questions cost so little that a transfer, which many servers refuse, is not worth a line in their log."""
_TRANSFER_BYTES = 1024
"""For each pair asked for. A question with its answer costs about as much as this much of a zone."""
_NEVER = 1 << 62
_CONFLICTS = (dns.rcode.NXRRSET, dns.rcode.YXRRSET, dns.rcode.NXDOMAIN, dns.rcode.YXDOMAIN)
_IN_THE_WAY = (dns.rcode.YXRRSET, dns.rcode.YXDOMAIN)
_REFUSALS = (dns.rcode.REFUSED, dns.rcode.NOTAUTH)
_REJECTIONS = (dns.rcode.FORMERR, dns.rcode.NOTIMP, dns.rcode.NOTZONE)


class Rfc2136:
    """Speaks to the primary at `server` (`address:port`) by TCP only: no spoofed answers, no repeated updates.

    `servers` are the authoritative servers that the world asks, the primary itself when empty. `timeout_s` bounds
    connecting, each exchange of at most 20 messages, and each message of a transfer; `deadline_s` bounds a whole call.
    Reads are tried again within it; updates never are. For so many names as `transfer_from` a reading is a transfer.
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
        transfer_from: int = TRANSFER_FROM,
    ) -> None:
        self.name = name
        self._server = parse_server(server)
        self._servers = servers or (server,)
        self._key = None if key is None else dns.tsig.Key(key.name, key.secret, key.algorithm)
        self._timeout_s = timeout_s
        self._deadline_s = deadline_s
        self._transfer_from = transfer_from
        self._transfer_later: dict[str, int] = {}
        """By zone: the same, after one that was refused or too long."""

    def traits(self) -> HostTraits:
        """The limit is one message of 64 KiB, some 1,000 sets; beyond it a change is several messages."""
        return HostTraits(grade=1, servers=self._servers, ttl_s_max=2**31 - 1, message_bytes=MESSAGE_ROOM)

    # ------------------------------------------------------------------------------------------ reading

    def read(self, zone: str, names: Sequence[tuple[str, str]]) -> tuple[RRset, ...]:
        """As the port says. The sets are of one version of the zone.

        Hundreds of names are read by one transfer of the zone, where the server gives one. Else they are asked for,
        until the serial is the same before and after, or until two readings in a row are the same: in a busy zone the
        serial moves with other people's records.
        Where a wildcard stands, a name below it seems to hold the wildcard's values: that is what visitors get. What
        it says at the epoch's name (the only TXT that is asked for) is left out. Raises NotFound when the server has
        no such zone.
        """
        deadline = Deadline(self._deadline_s)
        pairs = tuple(dict.fromkeys(names))
        found = self._transferred(zone, pairs, deadline)
        if found is not None:
            return found
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type((Unreachable, TimedOut, Unreadable)),
            stop=tenacity.stop_after_attempt(_ATTEMPTS_MAX) | tenacity.stop_before_delay(self._deadline_s),
            wait=tenacity.wait_random_exponential(multiplier=0.1, max=1.0),
            reraise=True,
        )
        return retrying(self._asked, zone, pairs, deadline)

    def made_up(self, zone: str, names: Sequence[str]) -> tuple[MadeUp, ...]:
        """As the port says: PowerDNS's ALIAS, which its servers give away to those who ask for that type.

        Others answer that they have none, and so they do. An update puts addresses beside it, and these are answered.
        """
        asked = sorted({normal_name(name) for name in names})
        with self._conversation(Deadline(self._deadline_s), _READ) as conversation:
            self._serial(conversation, zone)
            answers = conversation.ask([(name, _ALIAS) for name in asked])
        for name, answer in zip(asked, answers, strict=True):
            self._check_answer(answer, f"{name} ALIAS")
        targets = {
            name: target for name, answer in zip(asked, answers, strict=True) if (target := _alias(name, answer))
        }
        return tuple(MadeUp(name=n, kind="ALIAS", target=target, refused=False) for n, target in targets.items())

    def _transferred(self, zone: str, pairs: Sequence[Pair], deadline: Deadline) -> tuple[RRset, ...] | None:
        """None: ask for each. Half a transfer is not believed, and has at most half of the time."""
        if len(pairs) < self._transfer_later.get(zone, self._transfer_from):
            return None
        try:
            with self._conversation(Deadline(min(self._deadline_s / 2, deadline.left_s())), _READ) as conversation:
                copy = copy_zone(conversation, zone, [n for n, _ in pairs], bytes_max=_TRANSFER_BYTES * len(pairs))
                known, asked = copy.found(pairs)
                if asked:
                    known |= self._exact(conversation, zone, self._answers(conversation, asked))
                    if self._serial(conversation, zone) != copy.serial:
                        return None
        except NoTransfer as error:
            self._transfer_later[zone] = _NEVER if error.refused else 2 * len(pairs)
            return None
        except (TimedOut, Unreachable, Unreadable, TimeoutError):
            return None
        return by_pair(pairs, known)

    def _asked(self, zone: str, pairs: Sequence[Pair], deadline: Deadline) -> tuple[RRset, ...]:
        with self._conversation(deadline, _READ) as conversation:
            serial = self._serial(conversation, zone)
            before: tuple[RRset, ...] | None = None
            for _ in range(_READINGS_MAX):
                found = by_pair(pairs, self._exact(conversation, zone, self._answers(conversation, pairs)))
                serial_before, serial = serial, self._serial(conversation, zone)
                if serial == serial_before or found == before:
                    return found
                before = found
        raise Unreadable(_READ, zone, f"the records changed during each of {_READINGS_MAX} readings", "try again")

    def _answers(self, conversation: Conversation, pairs: Sequence[Pair]) -> dict[Pair, RRset | None]:
        found: dict[Pair, RRset | None] = {}
        for (name, type), answer in zip(pairs, conversation.ask(pairs), strict=True):
            self._check_answer(answer, f"{name} {type}")
            owner = wire_name(name)
            sets, types = Sets({owner: name}), (to_type(type), CNAME)
            for record in answer.records:
                if record.section == ANSWER and record.owner == owner and record.type in types:
                    sets.add(answer, record)
            found[name, type] = sets.at(owner, types)
        return found

    def _exact(
        self, conversation: Conversation, zone: str, found: dict[Pair, RRset | None]
    ) -> dict[Pair, RRset | None]:
        """Without what a wildcard says where an epoch belongs (RFC 4592): a zone may well hold `* TXT "v=spf1 -all"`.

        A record of one's own with just the same contents is taken for the wildcard's. That is safe: an update that
        expects none there is refused.
        """
        odd = [(p, r) for p, r in found.items() if p[1].upper() == "TXT" and r is not None and epoch_in(r) is None]
        above = {p: [(name, r.type) for name in _wildcards(p[0], zone)] for p, r in odd}
        told = self._answers(conversation, list(dict.fromkeys(key for keys in above.values() for key in keys)))
        made = [p for p, r in odd if any(w is not None and w.values == r.values for w in map(told.get, above[p]))]
        return {**found, **dict.fromkeys(made)}

    def _serial(self, conversation: Conversation, zone: str) -> int:
        (answer,) = conversation.ask([(zone, "SOA")])
        self._check_answer(answer, zone)
        for record in answer.records:
            if record.section == ANSWER and record.type == SOA and record.owner == wire_name(zone):
                return serial_of(answer, record)
        raise NotFound(_READ, zone, f"{self.name} has no such zone", "create the zone at the host")

    def _check_answer(self, answer: Packet, object: str) -> None:
        rcode = answer.rcode
        if rcode in _REFUSALS:
            raise AccessRefused(_READ, object, f"{self.name} answers {_told(rcode)}")
        if rcode not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            raise Unreadable(_READ, object, f"{self.name} answers {_told(rcode)}")
        if not answer.flags & AA or answer.flags & TC:
            raise Unreadable(_READ, object, f"{self.name} does not answer whole and with authority")

    def _conversation(self, deadline: Deadline, what: str) -> Conversation:
        return Conversation(self._server, self._key, timeout_s=self._timeout_s, deadline=deadline, what=what)

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
        updates = compose(zone, changes, expect, fence)
        with self._conversation(Deadline(self._deadline_s), OPERATION) as conversation:
            parts = Parts(zone)
            for update in updates:
                with parts.next():
                    self._update(conversation, update, zone)

    def _update(self, conversation: Conversation, update: bytes, zone: str) -> None:
        """An answer that proves nothing is none: the update may be done all the same."""
        try:
            (answer,) = conversation.exchange([update])
        except Unreadable as error:
            raise TimedOut(OPERATION, zone, f"{error.cause}; it may be done all the same") from error
        problem = self._problem(answer.rcode, zone)
        if problem is not None:
            raise problem

    def rights(self, zone: str, names: Sequence[tuple[str, str]]) -> tuple[Right, ...]:
        """As the port says, by removing values that stand nowhere.

        Whoever may update changes nothing by it (RFC 2136, section 3.4.2.4), and so no serial (section 3.6). An update
        that fails by a prerequisite would prove less: servers may look at permissions after those (section 3.3).
        """
        with self._conversation(Deadline(self._deadline_s), _ASK) as conversation:
            return narrowed(names, lambda some: self._right(zone, some, conversation))

    def _right(self, zone: str, names: Sequence[Key], conversation: Conversation) -> Right:
        for start in range(0, len(names), _TRIED_MAX):
            some = names[start : start + _TRIED_MAX]
            (answer,) = conversation.exchange([compose_removal(zone, [never_there(*key) for key in some])])
            if answer.rcode in _REFUSALS:
                return refused(Act.CHANGE, f"it answers {_told(answer.rcode)} to an update")
            if answer.rcode != dns.rcode.NOERROR:
                raise Unreadable(_ASK, zone, f"{self.name} answers {_told(answer.rcode)}")
        return allowed(Act.CHANGE)

    def _problem(self, rcode: int, zone: str) -> AdapterError | None:
        """SERVFAIL is also what a server says whose primary did not answer in time (RFC 2136, section 2.2)."""
        said = f"{self.name} answers {_told(rcode)}"
        if rcode == dns.rcode.NOERROR:
            return None
        if rcode in _CONFLICTS:
            why = (
                "something stands where nothing may, beside an alias for one"
                if rcode in _IN_THE_WAY
                else "it has changed"
            )
            return Conflict(OPERATION, zone, f"{why}: {said}", "read again")
        if rcode in _REFUSALS:
            return AccessRefused(OPERATION, zone, said, "the server must let this key update the zone")
        if rcode in _REJECTIONS:
            return Rejected(OPERATION, zone, said)
        return TimedOut(OPERATION, zone, f"{said}; it may be done all the same")


def _wildcards(name: str, zone: str) -> Iterator[str]:
    """Those that may answer for a name, nearest first; a wildcard's own name stands for itself."""
    here, apex = normal_name(name), normal_name(zone)
    while here and here != apex and not here.startswith("*."):
        here = here.partition(".")[2]
        yield f"*.{here}"


def _alias(name: str, answer: Packet) -> str:
    """Where the ALIAS asked for leads, "" where there is none. Its data is one name, as in a CNAME."""
    for record in answer.records:
        if record.section == ANSWER and record.owner == wire_name(name) and record.type == to_type(_ALIAS):
            try:
                target, _ = dns.name.from_wire(answer.wire, record.at)
            except dns.exception.DNSException as error:
                raise Unreadable(_READ, f"{name} ALIAS", "it holds no name") from error
            return normal_name(target.to_text())
    return ""


def _told(rcode: int) -> str:
    return dns.rcode.to_text(dns.rcode.Rcode.make(rcode))
