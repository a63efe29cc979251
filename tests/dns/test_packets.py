"""Messages as bytes: dnspython reads what is written here, and the other way round; garbage is never read."""

import random

import dns.message
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.update
import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.core.rrsets import Changes, RRset
from failover.dns.packets import IN, Malformed, Packet, TooLong, Writer, parents, plain_ttl_s, wire_name
from failover.dns.update import compose
from failover.errors import Rejected
from failover.testing.dns import fence

ZONE = "example.test"
LABELS = st.from_regex(r"[a-z0-9_]([a-z0-9_-]{0,20}[a-z0-9])?", fullmatch=True) | st.sampled_from(["*", "x" * 63, "ü"])
NAMES = st.lists(LABELS, min_size=0, max_size=3).map(lambda labels: ".".join([*labels, ZONE]))
ADDRESSES = st.ip_addresses(v=4).map(str)


@st.composite
def changes(draw: st.DrawFn) -> Changes:
    names = draw(st.lists(NAMES, max_size=8, unique=True))
    put, remove = [], []
    for name in names:
        kind = draw(st.sampled_from(["A", "AAAA", "CNAME", "TXT", "gone"]))
        if kind == "gone":
            remove.append((name.upper(), "A"))
            continue
        values = {
            "A": st.frozensets(ADDRESSES, min_size=1, max_size=4),
            "AAAA": st.frozensets(st.ip_addresses(v=6).map(str), min_size=1, max_size=3),
            "CNAME": st.just(frozenset({"lb.example.net"})),
            "TXT": st.frozensets(st.text(max_size=300), min_size=1, max_size=3),
        }[kind]
        try:
            put.append(RRset(name=name, type=kind, ttl_s=draw(st.integers(0, 2**31 - 1)), values=draw(values)))
        except ValueError:
            continue
    return Changes(put=tuple(put), remove=tuple(remove))


BESIDE = "A AAAA CAA CERT DNAME HINFO HTTPS LOC MX NAPTR NS PTR RP SPF SRV SSHFP SVCB TLSA TXT URI"


def by_dnspython(change: Changes, expect: RRset | None) -> dns.update.UpdateMessage:
    """The same update, composed by dnspython."""
    update = dns.update.UpdateMessage(ZONE)
    if expect is None:
        for type in ("TXT", "CNAME"):
            update.absent(dns.name.from_text(fence(2).name), type)
    else:
        update.present(dns.name.from_text(expect.name), "TXT", f'"{next(iter(expect.values))}"')
    leaving = {(name.lower(), type) for name, type in change.remove}
    for rrset in change.put:
        others = BESIDE.split() if rrset.type == "CNAME" else ["CNAME"]
        for other in others:
            if (rrset.name, other) not in leaving:
                update.absent(dns.name.from_text(rrset.name), other)
    for name, type in change.remove:
        update.delete(dns.name.from_text(name), type)
    for rrset in (*change.put, fence(2)):
        update.delete(dns.name.from_text(rrset.name), rrset.type)
        for value in sorted(rrset.values):
            update.add(dns.name.from_text(rrset.name), rrset.ttl_s, rrset.type, spoken(rrset.type, value))
    return update


def spoken(type: str, value: str) -> str:
    """As a zone file has it."""
    if type == "CNAME":
        return f"{value}."
    if type != "TXT":
        return value
    data = value.encode()
    parts = [data[at : at + 255] for at in range(0, len(data), 255)] or [b""]
    return " ".join('"' + "".join(f"\\{byte:03d}" for byte in part) + '"' for part in parts)


def content(message: dns.message.Message) -> list[list[str]]:
    return [[str(rrset).lower() for rrset in section] for section in message.sections]


@given(changes(), st.booleans())
def test_an_update_says_what_dnspython_would_say(change: Changes, first: bool) -> None:
    expect = None if first else fence(1)
    (wire,) = compose(ZONE, change, expect, fence(2))
    read = dns.message.from_wire(wire)
    assert content(read) == content(dns.message.from_wire(by_dnspython(change, expect).to_wire()))


@given(st.lists(st.tuples(NAMES, ADDRESSES), max_size=30), st.integers(0, 65535))
def test_what_dnspython_writes_is_read_the_same(records: list[tuple[str, str]], id: int) -> None:
    message = dns.message.make_response(dns.message.make_query(f"www.{ZONE}", "A", id=id, use_edns=0))
    for name, address in records:
        message.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", "A", address))
    packet = Packet(message.to_wire())
    assert (packet.id, packet.question) == (id, (wire_name(f"www.{ZONE}"), 1, 1))
    found = [(r.owner, r.type, r.ttl_s, packet.wire[r.at : r.at + r.size]) for r in packet.records if r.section == 0]
    wanted = [(rrset.name.to_digestable(), 1, 60, rdata.to_digestable()) for rrset in message.answer for rdata in rrset]
    assert found == wanted


def sample() -> bytes:
    message = dns.message.make_response(dns.message.make_query(f"www.{ZONE}", "A", id=7, use_edns=0))
    for n in range(5):
        message.answer.append(dns.rrset.from_text(f"n{n}.{ZONE}.", 60, "IN", "CNAME", f"n{n + 1}.{ZONE}."))
    return message.to_wire()


def test_garbage_is_malformed_and_nothing_else() -> None:
    """Every cut, and many flipped bytes: a message or Malformed, never another error, never for ever."""
    whole, rng = sample(), random.Random(20261122)
    for end in range(len(whole)):
        with pytest.raises(Malformed):
            Packet(whole[:end])
    for _ in range(5000):
        spoilt = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            spoilt[rng.randrange(len(spoilt))] = rng.randrange(256)
        try:
            Packet(bytes(spoilt))
        except Malformed:
            continue


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (b"\xc0\x0c", "nowhere"),
        (b"\x01a\xc0\x0e", "nowhere"),
        (b"\xc0\xff", "nowhere"),
        (b"\x80a\x00", "nowhere"),
        (b"\x40a\x00", "nowhere"),
        (b"\x05ab", "within a name"),
        (b"\xc0", "within a name"),
        ((b"\x3f" + b"x" * 63) * 4 + b"\x00", "255 bytes"),
    ],
    ids=["itself", "its middle", "forward", "reserved", "extended", "cut", "half a pointer", "too long"],
)
def test_names_that_are_none(name: bytes, why: str) -> None:
    header = b"\x00\x01\x80\x00\x00\x01\x00\x00\x00\x00\x00\x00"
    with pytest.raises(Malformed, match=why):
        Packet(header + name)


def test_a_long_chain_of_pointers_is_malformed() -> None:
    """Each of its names would lead through the whole message."""
    first = 12 + 1 + 10  # behind the header, and the head of a record whose data are the chain
    links = [first] + [first + 1 + 2 * n for n in range(300)]
    chain = b"\x00" + b"".join((0xC000 | target).to_bytes(2) for target in links[:-1])
    head = b"\x00\x01\x80\x00\x00\x00\x00\x02\x00\x00\x00\x00"
    record = b"\x00\x00\x10\x00\x01\x00\x00\x00\x00" + len(chain).to_bytes(2) + chain
    last = b"\x00\x01\x00\x01\x00\x00\x00\x00\x00\x00"
    assert len(Packet(head + record + (0xC000 | links[100]).to_bytes(2) + last).records) == 2
    with pytest.raises(Malformed, match="nowhere"):
        Packet(head + record + (0xC000 | links[200]).to_bytes(2) + last)


def test_the_upper_bits_of_an_rcode_stand_in_the_opt_record() -> None:
    message = dns.message.make_response(dns.message.make_query(ZONE, "SOA", use_edns=0))
    message.set_rcode(dns.rcode.BADVERS)
    assert Packet(message.to_wire()).rcode == dns.rcode.BADVERS


def test_what_does_not_fit_is_too_long() -> None:
    writer = Writer(1, 0, room=60)
    writer.question(ZONE, 6)
    writer.record(f"a.{ZONE}", 1, IN, 60, b"\x01\x02\x03\x04")
    with pytest.raises(TooLong):
        writer.record(f"b.{ZONE}", 1, IN, 60, b"\x01\x02\x03\x04")


def test_names() -> None:
    assert wire_name("www.example.test") == b"\x03www\x07example\x04test\x00"
    assert wire_name("WWW.Example.test.") == wire_name("www.example.test")
    assert wire_name(r"a\.b.test") == b"\x03a.b\x04test\x00"
    assert wire_name(r"\042.test") == b"\x01*\x04test\x00"
    assert list(parents(b"\x03www\x04test\x00")) == [b"\x04test\x00", b"\x00"]
    for bad in ("a..test", f"{'x' * 64}.test", ".".join(["x" * 60] * 5)):
        with pytest.raises(Rejected):
            wire_name(bad)


def test_a_time_to_live_with_its_first_bit_set_is_zero() -> None:
    assert [plain_ttl_s(n) for n in (0, 60, 2**31 - 1, 2**31, 2**32 - 1)] == [0, 60, 2**31 - 1, 0, 0]
