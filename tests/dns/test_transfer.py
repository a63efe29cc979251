"""Reading by a transfer: whole and proven, or not at all."""

from collections.abc import Callable, Iterable

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.tsig
import pytest

from failover.core.rrsets import RRset
from failover.dns.rfc2136 import TRANSFER_FROM, Rfc2136
from failover.errors import AccessRefused, Unreadable
from failover.net.tsig import TsigKey
from failover.testing.dns import WWW, ZONE, address_set
from tests.dns.conftest import SECRET
from tests.dns.scripted import Script, reply, scripted

KEY = TsigKey(name="failover", secret=SECRET)
ALL = tuple(address_set(f"n{n}.{ZONE}", f"192.0.2.{n}") for n in range(1, 250))
PAIRS = [rrset.key for rrset in ALL]
Frames = list[bytes | None]


def soa(serial: int = 1) -> str:
    return f"{ZONE}. 60 IN SOA ns1.{ZONE}. h.{ZONE}. {serial} 1 1 1 1"


def zone(*others: str, serial: int = 1, last: int | None = None) -> list[str]:
    lines = [f"{rrset.name}. {rrset.ttl_s} IN A {value}" for rrset in ALL for value in rrset.values]
    return [soa(serial), *others, *lines, soa(serial if last is None else last)]


def stream(
    query: bytes, records: Iterable[str], *, per: int = 20, signed: Callable[[int], bool] = lambda _: True
) -> Frames:
    """A transfer as dnspython makes it: so many records in a message, signed where the question was."""
    lines = list(records)
    asked = dns.message.from_wire(query, keyring=dns.tsig.Key(KEY.name, KEY.secret))
    frames: Frames = []
    context = None
    starts = range(0, len(lines), per)
    for number, start in enumerate(starts):
        message = dns.message.make_response(asked)
        message.flags |= dns.flags.AA
        for line in lines[start : start + per]:
            owner, ttl, rdclass, rdtype, *data = line.split(" ")
            rrset = dns.rrset.from_text(owner, int(ttl), rdclass, rdtype, " ".join(data))
            message.answer.append(rrset)
        if number:
            message.question.clear()
        if asked.had_tsig and not signed(number):
            message.tsig, message.want_tsig_sign = None, False
            frames.append(message.to_wire())
            if context is not None:
                context.update(frames[-1])
        else:
            frames.append(message.to_wire(multi=True, tsig_ctx=context))
            context = message.tsig_ctx
    return frames


def is_transfer(wire: bytes) -> bool:
    return dns.message.from_wire(wire, keyring=False).question[0].rdtype == dns.rdatatype.AXFR


def server(transfer: Callable[[bytes], bytes | Frames | None], single: Script | None = None) -> Script:
    """Transfers as told; any other question is a SERVFAIL, unless it is told."""

    def fail(wire: bytes) -> bytes:
        return reply(wire, lambda m: m.set_rcode(dns.rcode.SERVFAIL))

    return lambda wire: transfer(wire) if is_transfer(wire) else (single or fail)(wire)


def host_at(
    place: str, *, key: TsigKey | None = KEY, timeout_s: float = 60.0, transfer_from: int = TRANSFER_FROM
) -> Rfc2136:
    return Rfc2136(
        name="there", server=place, key=key, timeout_s=timeout_s, deadline_s=120.0, transfer_from=transfer_from
    )


# ---------------------------------------------------------------------------------------------- whole


@pytest.mark.parametrize("per", [1, 20, 1000])
@pytest.mark.parametrize("key", [KEY, None], ids=["signed", "without a key"])
def test_hundreds_of_names_are_one_transfer(per: int, key: TsigKey | None) -> None:
    with scripted(server(lambda wire: stream(wire, zone(), per=per))) as there:
        assert host_at(there.server, key=key).read(ZONE, PAIRS) == ALL
        assert there.asked == 1


def test_a_signature_counts_for_the_messages_before_it() -> None:
    with scripted(server(lambda wire: stream(wire, zone(), per=5, signed=lambda n: n % 5 == 0))) as there:
        assert host_at(there.server).read(ZONE, PAIRS) == ALL
        assert there.asked == 1


def test_few_names_are_asked_for() -> None:
    with scripted(server(lambda wire: stream(wire, zone()), lambda wire: reply(wire, answered))) as there:
        assert host_at(there.server, key=None).read(ZONE, PAIRS[:199]) == ()
        assert there.asked == 2 + 199


def answered(message: dns.message.Message) -> None:
    """Nothing stands anywhere, but for the SOA."""
    message.flags |= dns.flags.AA
    if message.question[0].rdtype == dns.rdatatype.SOA:
        owner, ttl, rdclass, rdtype, *data = soa().split(" ")
        message.answer.append(dns.rrset.from_text(owner, int(ttl), rdclass, rdtype, " ".join(data)))


def test_what_only_the_server_can_tell_is_asked_for() -> None:
    """Names below a wildcard, at and below a delegation or a DNAME, and where answers are made up."""
    told = [
        f"*.wild.{ZONE}. 60 IN A 192.0.2.9",
        f"child.{ZONE}. 60 IN NS ns.child.{ZONE}.",
        f"ns.child.{ZONE}. 60 IN A 192.0.2.9",
        f"moved.{ZONE}. 60 IN DNAME example.net.",
        f"up.{ZONE}. 60 IN TYPE65401 \\# 1 00",
        f"alias.{ZONE}. 60 IN CNAME lb.example.net.",
        f"{WWW}. 60 IN A 192.0.2.1",
    ]
    asked: list[str] = []

    def single(wire: bytes) -> bytes:
        asked.append(dns.message.from_wire(wire).question[0].name.to_text(omit_final_dot=True))
        return reply(wire, answered)

    clear = [WWW, f"alias.{ZONE}", f"absent.{ZONE}", f"wild.{ZONE}", f"*.wild.{ZONE}"]
    unclear = [
        f"x.wild.{ZONE}",
        f"a.b.wild.{ZONE}",
        f"child.{ZONE}",
        f"ns.child.{ZONE}",
        f"a.moved.{ZONE}",
        f"up.{ZONE}",
    ]
    with scripted(server(lambda wire: stream(wire, zone(*told)), single)) as there:
        found = host_at(there.server, key=None).read(ZONE, [*PAIRS, *((name, "A") for name in clear + unclear)])
    alias = RRset(name=f"alias.{ZONE}", type="CNAME", ttl_s=60, values=frozenset({"lb.example.net"}))
    assert found == (*ALL, address_set(WWW, "192.0.2.1"), alias, address_set(f"*.wild.{ZONE}", "192.0.2.9"))
    assert sorted(asked) == sorted([*unclear, ZONE])


def test_what_nobody_asks_for_need_not_be_readable() -> None:
    """A TXT of somebody else's that is no UTF-8, at a name of ours, whose address is asked for."""
    odd = f'{ALL[0].name}. 60 IN TXT "\\255"'
    with scripted(server(lambda wire: stream(wire, zone(odd)))) as there:
        assert host_at(there.server).read(ZONE, PAIRS) == ALL
        assert there.asked == 1
        with pytest.raises(Unreadable):
            host_at(there.server).read(ZONE, [*PAIRS, (ALL[0].name, "TXT")])


# ---------------------------------------------------------------------------------------------- half


def cut(frames: Frames) -> Frames:
    return [*frames[:-1], None]


def spoilt(frames: Frames) -> Frames:
    """One address in the middle is another one."""
    middle = frames[len(frames) // 2]
    assert middle is not None
    at = middle.index(bytes([192, 0, 2]))
    frames[len(frames) // 2] = middle[: at + 2] + b"\x03" + middle[at + 3 :]
    return frames


@pytest.mark.parametrize(
    "transfer",
    [
        lambda wire: cut(stream(wire, zone())),
        lambda wire: [stream(wire, zone())[0], None],
        lambda wire: [None],
        lambda wire: spoilt(stream(wire, zone())),
        lambda wire: stream(wire, zone(), signed=lambda n: n == 0),
        lambda wire: stream(wire, zone(), signed=lambda n: n > 0),
        lambda wire: stream(wire, zone(), signed=lambda n: False),
        lambda wire: stream(wire, zone(), per=2, signed=lambda n: n in (0, 101, 125)),
        lambda wire: stream(wire, zone()[1:]),
        lambda wire: stream(wire, zone(last=2)),
        lambda wire: stream(wire, [*zone(), f"more.{ZONE}. 60 IN A 192.0.2.1"], per=1000),
        lambda wire: reply(wire, lambda m: m.set_rcode(dns.rcode.SERVFAIL)),
        lambda wire: [stream(wire, zone())[0], reply(wire, lambda m: m.set_rcode(dns.rcode.REFUSED))],
        lambda wire: [b"HTTP/1.1 400 Bad Request\r\n\r\n"],
    ],
    ids=[
        "without its end", "its beginning only", "closed at once", "a byte changed", "no signature at the end",
        "no signature at the beginning", "no signature", "a hundred without a signature", "no SOA first",
        "another SOA last", "something behind the end", "SERVFAIL", "refused half-way", "garbage",
    ],
)  # fmt: skip
def test_half_a_transfer_is_never_read_as_what_stands_there(transfer: Callable[[bytes], bytes | Frames]) -> None:
    """The server answers no other question either, so it is an error."""
    with scripted(server(transfer)) as there, pytest.raises(Unreadable):
        host_at(there.server).read(ZONE, PAIRS)


def test_a_transfer_that_hangs_leaves_time_to_ask() -> None:
    with scripted(server(lambda wire: [], lambda wire: reply(wire, answered))) as there:
        assert host_at(there.server, key=None, timeout_s=2.0).read(ZONE, PAIRS) == ()


def test_a_zone_that_moves_on_before_the_rest_is_asked_is_asked_for_all_over() -> None:
    told = f"*.wild.{ZONE}. 60 IN A 192.0.2.9"
    transfer = lambda wire: stream(wire, zone(told, serial=7))  # noqa: E731 - as in the rows above
    with scripted(server(transfer, lambda wire: reply(wire, answered))) as there:
        assert host_at(there.server, key=None).read(ZONE, [*PAIRS, (f"a.wild.{ZONE}", "A")]) == ()


# ---------------------------------------------------------------------------------------------- refused


@pytest.mark.parametrize("rcode", [dns.rcode.REFUSED, dns.rcode.NOTAUTH, dns.rcode.NOTIMP])
def test_a_refused_transfer_is_not_asked_for_again(rcode: dns.rcode.Rcode) -> None:
    transfers: list[bytes] = []

    def transfer(wire: bytes) -> bytes:
        transfers.append(wire)
        return reply(wire, lambda m: m.set_rcode(rcode))

    with scripted(server(transfer, lambda wire: reply(wire, answered))) as there:
        host = host_at(there.server, key=None)
        for _ in range(3):
            assert host.read(ZONE, PAIRS) == ()
    assert len(transfers) == 1


def test_a_zone_that_is_too_long_is_left_until_more_names_are_asked_for() -> None:
    sizes: list[int] = []

    def transfer(wire: bytes) -> Frames:
        frames = stream(wire, [soa(), *(f"x{n}.{ZONE}. 60 IN TXT {'x' * 250}" for n in range(200))], per=20)
        sizes.append(sum(len(f or b"") for f in frames))
        return frames

    names = [(f"a{n}.{ZONE}", "A") for n in range(40)]
    with scripted(server(transfer, lambda wire: reply(wire, answered))) as there:
        host = host_at(there.server, key=None, transfer_from=20)
        for count in (20, 20, 39, 40):
            assert host.read(ZONE, names[:count]) == ()
    assert len(sizes) == 2
    assert sizes[0] > 20 * 1024


def test_a_key_that_is_refused_is_told_as_such() -> None:
    def script(wire: bytes) -> bytes:
        query = dns.message.from_wire(wire, keyring=False)
        answer = dns.message.make_response(query)
        answer.set_rcode(dns.rcode.NOTAUTH)
        assert query.tsig is not None
        rdata = query.tsig[0].replace(error=dns.rcode.BADKEY, mac=b"")
        answer.tsig = dns.rrset.from_rdata(query.tsig.name, 0, rdata)
        answer.want_tsig_sign = False
        return answer.to_wire()

    with scripted(script) as there, pytest.raises(AccessRefused, match="key"):
        host_at(there.server).read(ZONE, PAIRS)
    assert there.asked == 1
