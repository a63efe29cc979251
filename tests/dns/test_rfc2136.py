"""The RFC 2136 host against servers that refuse, lie, stay silent and go away."""

import base64
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from failover.core.rrsets import Changes, RRset, by_key, read_epoch
from failover.dns.rfc2136 import Rfc2136
from failover.dns.update import compose
from failover.errors import (
    AccessRefused,
    AdapterError,
    ConfigError,
    Conflict,
    NotFound,
    Rejected,
    TimedOut,
    Unreachable,
    Unreadable,
)
from failover.local.nameserver import NameServer
from failover.net.tsig import TsigKey
from failover.testing.dns import FENCE, SERVICE, WWW, ZONE, address_set, fence, put
from tests.dns.conftest import SECRET
from tests.dns.scripted import reply, scripted
from tests.ports import free_port

WWW_A = (WWW, "A")


def host_at(server: str, *, key: TsigKey | None = None, timeout_s: float = 60.0, deadline_s: float = 120.0) -> Rfc2136:
    return Rfc2136(name="there", server=server, key=key, timeout_s=timeout_s, deadline_s=deadline_s)


def publish(host: Rfc2136) -> None:
    host.apply(ZONE, put(address_set(WWW, "192.0.2.1")), expect=None, fence=fence(1))


# ---------------------------------------------------------------------------------------------- what a server may say


@pytest.mark.parametrize(
    ("rcode", "error"),
    [
        (dns.rcode.NXRRSET, Conflict),
        (dns.rcode.YXRRSET, Conflict),
        (dns.rcode.NXDOMAIN, Conflict),
        (dns.rcode.YXDOMAIN, Conflict),
        (dns.rcode.REFUSED, AccessRefused),
        (dns.rcode.NOTAUTH, AccessRefused),
        (dns.rcode.SERVFAIL, TimedOut),
        (dns.rcode.FORMERR, Rejected),
        (dns.rcode.NOTIMP, Rejected),
        (dns.rcode.NOTZONE, Rejected),
        (dns.rcode.BADVERS, TimedOut),
    ],
)
def test_every_answer_to_an_update_is_an_error_of_its_type(rcode: dns.rcode.Rcode, error: type[AdapterError]) -> None:
    def script(wire: bytes) -> bytes:
        def change(answer: dns.message.Message) -> None:
            answer.use_edns(0)
            answer.set_rcode(rcode)

        return reply(wire, change)

    with scripted(script) as there, pytest.raises(error) as raised:
        publish(host_at(there.server))
    assert type(raised.value) is error
    assert there.asked == 1
    assert dns.rcode.to_text(rcode) in raised.value.cause


def _soa(answer: dns.message.Message) -> None:
    answer.flags |= dns.flags.AA
    if answer.question[0].name.to_text() == f"{ZONE}.":
        answer.answer.append(dns.rrset.from_text(f"{ZONE}.", 60, "IN", "SOA", f"ns1.{ZONE}. h.{ZONE}. 1 1 1 1 1"))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda m: m.set_rcode(dns.rcode.SERVFAIL), Unreadable),
        (lambda m: m.set_rcode(dns.rcode.REFUSED), AccessRefused),
        (lambda m: m.set_rcode(dns.rcode.NOTIMP), Unreadable),
        (lambda m: setattr(m, "flags", m.flags & ~dns.flags.AA), Unreadable),
        (lambda m: setattr(m, "flags", m.flags | dns.flags.TC), Unreadable),
        (lambda m: m.question.clear(), Unreadable),
    ],
    ids=["servfail", "refused", "notimp", "no authority", "truncated", "another question"],
)
def test_what_is_no_clear_answer_is_never_read_as_empty(change: object, error: type[AdapterError]) -> None:
    def script(wire: bytes) -> bytes:
        def spoil(answer: dns.message.Message) -> None:
            _soa(answer)
            if answer.question[0].name.to_text() == f"{WWW}.":
                change(answer)  # type: ignore[operator]

        return reply(wire, spoil)

    with scripted(script) as there, pytest.raises(error) as raised:
        host_at(there.server).read(ZONE, [WWW_A])
    assert type(raised.value) is error


def test_absent_is_what_the_server_says_is_absent() -> None:
    with scripted(lambda wire: reply(wire, _soa)) as there:
        assert host_at(there.server).read(ZONE, [WWW_A]) == ()


def test_a_server_of_the_parent_knows_no_such_zone() -> None:
    def script(wire: bytes) -> bytes:
        def change(answer: dns.message.Message) -> None:
            answer.flags |= dns.flags.AA
            answer.set_rcode(dns.rcode.NXDOMAIN)

        return reply(wire, change)

    with scripted(script) as there, pytest.raises(NotFound):
        host_at(there.server).read(ZONE, [WWW_A])


@pytest.mark.parametrize("garbage", [b"", b"\x00", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00" * 12])
def test_garbage_is_unreadable_and_proves_nothing_of_an_update(garbage: bytes) -> None:
    with scripted(lambda wire: wire[:2] + garbage) as there:
        with pytest.raises(TimedOut, match="may be done"):
            publish(host_at(there.server))
        with pytest.raises(Unreadable):
            host_at(there.server).read(ZONE, [WWW_A])


def test_an_answer_to_another_question_proves_nothing() -> None:
    with scripted(lambda wire: b"\xff\xff" + reply(wire)[2:]) as there, pytest.raises(TimedOut, match="may be done"):
        publish(host_at(there.server))


def test_an_unsigned_yes_to_a_signed_update_is_not_believed() -> None:
    key = TsigKey(name="failover", secret=SECRET)
    with scripted(reply) as there, pytest.raises(TimedOut, match="not signed"):
        publish(host_at(there.server, key=key))


def test_a_clock_that_differs_is_told_apart_from_a_wrong_key() -> None:
    def script(wire: bytes) -> bytes:
        query = dns.message.from_wire(wire, keyring=False)
        answer = dns.message.make_response(query)
        answer.set_rcode(dns.rcode.NOTAUTH)
        assert query.tsig is not None
        rdata = query.tsig[0].replace(error=dns.rcode.BADTIME, other=b"\x00" * 6)
        answer.tsig = dns.rrset.from_rdata(query.tsig.name, 0, rdata)
        answer.want_tsig_sign = False
        return answer.to_wire()

    with scripted(script) as there, pytest.raises(AccessRefused) as raised:
        publish(host_at(there.server, key=TsigKey(name="failover", secret=SECRET)))
    assert "clock" in raised.value.hint


# ---------------------------------------------------------------------------------------------- silence


def test_a_deadline_that_is_over_before_it_begins() -> None:
    with pytest.raises(TimedOut):
        publish(host_at("127.0.0.1:9", deadline_s=0.0))
    with pytest.raises(TimedOut):
        host_at("127.0.0.1:9", deadline_s=0.0).read(ZONE, [WWW_A])


def test_nobody_listens() -> None:
    server = f"127.0.0.1:{free_port()}"
    with pytest.raises(Unreachable):
        publish(host_at(server))
    with pytest.raises(Unreachable):
        host_at(server).read(ZONE, [WWW_A])


def test_a_connection_closed_before_the_answer_leaves_the_outcome_unknown() -> None:
    with scripted(lambda wire: None) as there:
        with pytest.raises(TimedOut):
            publish(host_at(there.server))
        assert there.asked == 1


def test_silence_leaves_the_outcome_unknown(server: NameServer, north: Rfc2136, key: TsigKey) -> None:
    server.set_fault("drop")
    host = host_at(f"127.0.0.1:{server.port}", key=key, timeout_s=0.2, deadline_s=0.5)
    with pytest.raises(TimedOut):
        publish(host)
    with pytest.raises(TimedOut):
        host.read(ZONE, [WWW_A])
    server.set_fault("none")
    assert north.read(ZONE, [WWW_A, FENCE]) == ()


def test_a_read_is_tried_again_an_update_is_not() -> None:
    failures = [None, None]

    def script(wire: bytes) -> bytes | None:
        return failures.pop() if failures else reply(wire, _soa)

    with scripted(script) as there:
        assert host_at(there.server).read(ZONE, [WWW_A]) == ()
        assert there.asked == 2 + 3
        failures.append(None)
        with pytest.raises(TimedOut):
            publish(host_at(there.server))
        assert there.asked == 2 + 3 + 1


# ---------------------------------------------------------------------------------------------- faults of the local one


def test_faults(server: NameServer, north: Rfc2136, key: TsigKey) -> None:
    publish(north)
    hasty = host_at(f"127.0.0.1:{server.port}", key=key)
    for mode, error, outcome in (("servfail", Unreadable, TimedOut), ("refuse", AccessRefused, AccessRefused)):
        server.set_fault(mode)
        with pytest.raises(error):
            hasty.read(ZONE, [WWW_A])
        with pytest.raises(outcome):
            hasty.apply(ZONE, Changes(), expect=fence(1), fence=fence(2))
    server.set_fault("refuse-updates")
    with pytest.raises(AccessRefused):
        north.apply(ZONE, Changes(), expect=fence(1), fence=fence(2))
    assert north.read(ZONE, [FENCE]) == (fence(1),)


@pytest.mark.parametrize(
    "wrong",
    [
        TsigKey(name="failover", secret=base64.b64encode(b"wrong").decode()),
        TsigKey(name="stranger", secret=SECRET),
        TsigKey(name="failover", secret=SECRET, algorithm="hmac-sha384"),
        None,
    ],
    ids=["secret", "name", "algorithm", "none"],
)
def test_a_wrong_key_is_refused(server: NameServer, north: Rfc2136, wrong: TsigKey | None) -> None:
    with pytest.raises(AccessRefused) as raised:
        publish(host_at(f"127.0.0.1:{server.port}", key=wrong))
    assert raised.value.hint
    assert north.read(ZONE, [WWW_A]) == ()


# ---------------------------------------------------------------------------------------------- one version


def test_a_reading_is_of_one_version(north: Rfc2136) -> None:
    """Address and epoch are swapped together, and no reader ever sees one without the other.

    A reader may be told that the records do not rest, but not something that never stood there.
    """
    north.apply(ZONE, put(address_set(WWW, "192.0.2.1")), expect=None, fence=fence(1))
    done = threading.Event()

    def look() -> int:
        looks = 0
        while not done.is_set():
            try:
                found = north.read(ZONE, [WWW_A, FENCE])
            except Unreadable:
                continue
            epoch = read_epoch(found, SERVICE, ZONE)
            assert epoch is not None
            assert by_key(found)[WWW_A].values == {f"192.0.2.{epoch.number}"}
            looks += 1
        return looks

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(look) for _ in range(2)]
        try:
            for n in range(2, 60):
                change = put(address_set(WWW, f"192.0.2.{n}"))
                north.apply(ZONE, change, expect=fence(n - 1), fence=fence(n))
        finally:
            done.set()
        assert sum(reader.result() for reader in readers) > 0


def _restless(address: Callable[[], str]) -> Callable[[bytes], bytes]:
    """A server whose serial is another one each time it is asked."""
    serials = iter(range(1, 1000))

    def script(wire: bytes) -> bytes:
        def change(answer: dns.message.Message) -> None:
            answer.flags |= dns.flags.AA
            if answer.question[0].name.to_text() == f"{ZONE}.":
                text = f"ns1.{ZONE}. h.{ZONE}. {next(serials)} 1 1 1 1"
                answer.answer.append(dns.rrset.from_text(f"{ZONE}.", 60, "IN", "SOA", text))
            else:
                answer.answer.append(dns.rrset.from_text(f"{WWW}.", 60, "IN", "A", address()))

        return reply(wire, change)

    return script


def test_a_busy_zone_is_read_when_our_records_rest() -> None:
    with scripted(_restless(lambda: "192.0.2.1")) as there:
        assert host_at(there.server).read(ZONE, [WWW_A]) == (address_set(WWW, "192.0.2.1"),)


def test_records_that_never_rest_are_unreadable() -> None:
    numbers = iter(range(1, 250))
    with scripted(_restless(lambda: f"192.0.2.{next(numbers)}")) as there, pytest.raises(Unreadable, match="changed"):
        host_at(there.server).read(ZONE, [WWW_A])


# ---------------------------------------------------------------------------------------------- limits


def test_hundreds_of_sets_are_one_transaction(north: Rfc2136) -> None:
    sets = tuple(address_set(f"n{n}.{ZONE}", f"198.51.100.{n % 250}", "203.0.113.9") for n in range(600))
    north.apply(ZONE, put(*sets), expect=None, fence=fence(1))
    assert by_key(north.read(ZONE, [rrset.key for rrset in sets])) == by_key(sets)


LONG = ".".join(["x" * 59] * 3)


def wide(count: int) -> tuple[RRset, ...]:
    """Sets with names so long that 200 of them are more than 64 KiB."""
    return tuple(address_set(f"{LONG}{n}.{ZONE}", "192.0.2.1") for n in range(count))


def messages(changes: Changes) -> list[dns.update.UpdateMessage]:
    """The messages of a change under a new fence, as dnspython reads them."""
    found = [dns.message.from_wire(wire) for wire in compose(ZONE, changes, fence(1), fence(2))]
    assert all(isinstance(each, dns.update.UpdateMessage) for each in found)
    return found  # type: ignore[return-value]  # asserted


def counted() -> list[dns.update.UpdateMessage]:
    """Those for 200 sets."""
    return messages(put(*wide(200)))


def test_what_does_not_fit_into_one_message_goes_in_few_and_the_fence_comes_last(north: Rfc2136) -> None:
    sets = wide(200)
    north.apply(ZONE, put(*sets), expect=None, fence=fence(1))
    assert by_key(north.read(ZONE, [rrset.key for rrset in sets])) == by_key(sets)
    assert north.read(ZONE, [FENCE]) == (fence(1),)
    found = counted()
    sizes = [len(m.to_wire()) for m in found]
    assert len(found) <= 1 + sum(sizes) // 65535, "as few as possible"
    assert [any("epoch=2" in str(r) for r in m.update) for m in found] == [False] * (len(found) - 1) + [True]
    assert all(any("epoch=1" in str(r) for r in m.prerequisite) for m in found), "each on its own condition"


def test_names_are_never_torn_between_messages() -> None:
    """What becomes an alias loses its addresses in the same message."""
    names = [f"{LONG}{n}.{ZONE}" for n in range(120)]
    aliases = tuple(RRset(name=n, type="CNAME", ttl_s=60, values=frozenset({"lb.example.net"})) for n in names)
    changes = Changes(put=aliases, remove=tuple((n, "A") for n in names))
    for message in messages(changes):
        gone = {r.name for r in message.update if r.rdtype == dns.rdatatype.A}
        there = {r.name for r in message.update if r.rdtype == dns.rdatatype.CNAME and r.ttl}
        assert gone == there


def test_a_change_in_several_messages_that_is_overtaken_ends_there_and_is_seen_as_unfinished(north: Rfc2136) -> None:
    north.apply(ZONE, put(address_set(WWW, "192.0.2.1")), expect=None, fence=fence(1))
    first, *rest = counted()
    north.apply(ZONE, put(address_set(WWW, "192.0.2.9")), expect=fence(1), fence=fence(9))
    assert rest
    with pytest.raises(Conflict):
        north.apply(ZONE, put(*wide(200)), expect=fence(1), fence=fence(2))
    assert north.read(ZONE, [FENCE, wide(1)[0].key]) == (fence(9),)
    assert first.prerequisite


def test_one_name_that_does_not_fit_is_rejected_before_anything_is_sent() -> None:
    huge = RRset(name=WWW, type="TXT", ttl_s=60, values=frozenset(f"{n}{'x' * 200}" for n in range(400)))
    with scripted(reply) as there:
        with pytest.raises(Rejected, match=f"the sets of {WWW} do not fit"):
            host_at(there.server).apply(ZONE, put(huge, *wide(3)), expect=None, fence=fence(1))
        assert there.asked == 0


@pytest.mark.parametrize(
    "rrset",
    [
        RRset(name=WWW, type="MX", ttl_s=60, values=frozenset({"no number here"})),
        RRset(name=WWW, type="NOSUCH", ttl_s=60, values=frozenset({"x"})),
        RRset(name=f"{'x' * 64}.{ZONE}", type="A", ttl_s=60, values=frozenset({"192.0.2.1"})),
        RRset(name=f"a..{ZONE}", type="A", ttl_s=60, values=frozenset({"192.0.2.1"})),
    ],
    ids=["value", "type", "label", "empty label"],
)
def test_what_cannot_be_said_in_dns_is_rejected(north: Rfc2136, rrset: RRset) -> None:
    with pytest.raises(Rejected):
        north.apply(ZONE, put(rrset), expect=None, fence=fence(1))
    assert north.read(ZONE, [FENCE]) == ()


def test_a_text_that_is_not_unicode_is_unreadable() -> None:
    def script(wire: bytes) -> bytes:
        def change(answer: dns.message.Message) -> None:
            _soa(answer)
            if not answer.answer:
                answer.answer.append(dns.rrset.from_text(f"{WWW}.", 60, "IN", "TXT", r'"\255\254"'))

        return reply(wire, change)

    with scripted(script) as there, pytest.raises(Unreadable):
        host_at(there.server).read(ZONE, [(WWW, "TXT")])


# ---------------------------------------------------------------------------------------------- secrets, settings


def test_no_secret_shows(server: NameServer, north: Rfc2136, key: TsigKey) -> None:
    wrong = TsigKey(name="stranger", secret=base64.b64encode(b"another secret").decode())
    with pytest.raises(AccessRefused) as raised:
        publish(host_at(f"127.0.0.1:{server.port}", key=wrong))
    for text in (repr(north), repr(key), repr(wrong), str(raised.value), repr(raised.value)):
        assert SECRET not in text
        assert wrong.secret not in text


def test_traits() -> None:
    assert host_at("192.0.2.1:53").traits().servers == ("192.0.2.1:53",)
    servers = ("192.0.2.1:53", "[2001:db8::1]:53")
    assert Rfc2136(name="x", server="192.0.2.9", servers=servers).traits().servers == servers
    assert host_at("192.0.2.1").traits().grade == 1


def test_a_server_that_cannot_be_one() -> None:
    with pytest.raises(ConfigError):
        host_at("192.0.2.1:no")
