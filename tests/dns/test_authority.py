"""What a name server says, and what is no answer."""

import socket

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from failover.core.rrsets import RRset
from failover.dns.authority import DnsAuthority
from failover.dns.rfc2136 import Rfc2136
from failover.errors import AdapterError, ConfigError, Rejected, TimedOut, Unreachable, Unreadable
from failover.local.nameserver import NameServer
from failover.testing.dns import FENCE, WWW, ZONE, address_set, fence, put
from failover.testing.memory_dns import MemoryAuthority, MemoryDns
from tests.dns.scripted import reply, scripted


@pytest.fixture
def authority() -> DnsAuthority:
    return DnsAuthority(timeout_s=15.0)


def test_a_truncated_answer_is_asked_for_by_tcp(server: NameServer, north: Rfc2136, authority: DnsAuthority) -> None:
    wide = address_set(WWW, *(f"198.51.{n // 200}.{n % 200}" for n in range(300)))
    north.apply(ZONE, put(wide), expect=None, fence=fence(1))
    assert authority.ask(f"127.0.0.1:{server.port}", WWW, "A") == wide


def test_the_alias_is_the_answer_and_is_not_followed(
    server: NameServer, north: Rfc2136, authority: DnsAuthority
) -> None:
    alias = RRset(name=f"app.{ZONE}", type="CNAME", ttl_s=60, values=frozenset({WWW}))
    north.apply(ZONE, put(alias, address_set(WWW, "192.0.2.1")), expect=None, fence=fence(1))
    assert authority.ask(f"127.0.0.1:{server.port}", f"APP.{ZONE}.", "A") == alias


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.set_rcode(dns.rcode.SERVFAIL),
        lambda m: m.set_rcode(dns.rcode.REFUSED),
        lambda m: m.set_rcode(dns.rcode.NOTIMP),
        lambda m: setattr(m, "flags", m.flags & ~dns.flags.AA),
        lambda m: setattr(m, "flags", m.flags | dns.flags.TC),
    ],
    ids=["servfail", "refused", "notimp", "lame", "truncated even by tcp"],
)
def test_what_is_no_answer_is_unreadable(authority: DnsAuthority, change: object) -> None:
    def script(wire: bytes) -> bytes:
        def spoil(answer: dns.message.Message) -> None:
            answer.flags |= dns.flags.AA
            change(answer)  # type: ignore[operator]

        return reply(wire, spoil)

    with scripted(script) as there, pytest.raises(Unreadable):
        authority.ask(there.server, WWW, "A")


@pytest.mark.parametrize("mode", ["servfail", "refuse"])
def test_a_failing_server(server: NameServer, authority: DnsAuthority, mode: str) -> None:
    server.set_fault(mode)
    with pytest.raises(Unreadable):
        authority.ask(f"127.0.0.1:{server.port}", ZONE, "SOA")


def test_silence(server: NameServer) -> None:
    server.set_fault("drop")
    with pytest.raises(TimedOut):
        DnsAuthority(timeout_s=0.3).ask(f"127.0.0.1:{server.port}", ZONE, "SOA")


def test_nobody_listens(authority: DnsAuthority) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as reserved:
        reserved.bind(("127.0.0.1", 0))
        server = f"127.0.0.1:{reserved.getsockname()[1]}"
    with pytest.raises(Unreachable):
        authority.ask(server, ZONE, "SOA")


def test_a_lost_datagram_is_asked_again(authority: DnsAuthority) -> None:
    losses = [None]

    def script(wire: bytes) -> bytes | None:
        return losses.pop() if losses else reply(wire, lambda m: setattr(m, "flags", m.flags | dns.flags.AA))

    with scripted(script) as there:
        assert authority.ask(there.server, WWW, "A") is None
        assert there.asked == 2


def test_lost_datagrams_hold_up_no_other_question() -> None:
    questions = [(f"n{number}.{ZONE}", "A") for number in range(300)]
    lost: set[bytes] = set()

    def script(wire: bytes) -> bytes | None:
        if wire[1] % 8 == 0 and wire not in lost:  # by its id: one in eight, and each only once
            lost.add(wire)
            return None
        return reply(wire, lambda m: setattr(m, "flags", m.flags | dns.flags.AA))

    with scripted(script) as there:
        assert DnsAuthority(timeout_s=9.0).ask_all(there.server, questions) == (None,) * 300
        assert there.asked == 300 + len(lost)


def test_datagrams_that_are_no_answer_are_passed_over(authority: DnsAuthority) -> None:
    answers = [b"garbage", b"\xff" * 40]

    def script(wire: bytes) -> bytes:
        wrong_id = bytes([wire[0] ^ 1, wire[1]]) + reply(wire)[2:]
        return [*answers, wrong_id][there.asked - 1] if there.asked <= 2 else _yes(wire)

    with scripted(script) as there:
        found = authority.ask(there.server, WWW, "A")
    assert found == address_set(WWW, "192.0.2.1")


def _yes(wire: bytes) -> bytes:
    def change(answer: dns.message.Message) -> None:
        answer.flags |= dns.flags.AA
        answer.answer.append(dns.rrset.from_text(f"{WWW}.", 60, "IN", "A", "192.0.2.1"))
        answer.answer.append(dns.rrset.from_text(f"other.{ZONE}.", 60, "IN", "A", "192.0.2.66"))

    return reply(wire, change)


def test_records_of_other_names_in_the_answer_do_not_count(authority: DnsAuthority) -> None:
    with scripted(_yes) as there:
        assert authority.ask(there.server, f"third.{ZONE}", "A") is None


def _from_cache(wire: bytes) -> bytes:
    """As a caching resolver answers: without authority, with recursion."""

    def change(answer: dns.message.Message) -> None:
        answer.flags |= dns.flags.RA
        answer.answer.append(dns.rrset.from_text(f"{WWW}.", 17, "IN", "CNAME", "lb.example.net."))
        answer.answer.append(dns.rrset.from_text("lb.example.net.", 17, "IN", "A", "192.0.2.7"))

    assert dns.message.from_wire(wire).flags & dns.flags.RD
    return reply(wire, change)


def test_what_a_resolver_remembers_an_alias_is_not_followed(authority: DnsAuthority) -> None:
    with scripted(_from_cache) as there:
        found = authority.recall(there.server, WWW, "A")
    assert found == RRset(name=WWW, type="CNAME", ttl_s=17, values=frozenset({"lb.example.net"}))


def test_a_server_that_does_not_recurse_is_no_resolver(authority: DnsAuthority) -> None:
    with scripted(reply) as there, pytest.raises(Unreadable):
        authority.recall(there.server, WWW, "A")


def test_where_a_server_is(authority: DnsAuthority) -> None:
    assert authority.addresses("127.0.0.1:5300") == ("127.0.0.1:5300",)
    assert "127.0.0.1:53" in authority.addresses("localhost:53")
    with pytest.raises(AdapterError):
        authority.addresses("no.such.host.invalid:53")
    with pytest.raises(AdapterError):
        authority.addresses("255.255.255.255:53")


@pytest.mark.parametrize(
    ("server", "name", "type", "error"),
    [
        ("nonsense:x", WWW, "A", ConfigError),
        ("127.0.0.1:9", f"a..{ZONE}", "A", Rejected),
        ("127.0.0.1:9", WWW, "NOSUCH", Rejected),
        ("no.such.host.invalid:53", WWW, "A", AdapterError),
    ],
)
def test_questions_that_cannot_be_asked(
    authority: DnsAuthority, server: str, name: str, type: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        authority.ask(server, name, type)


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_many_questions_have_their_answers_in_order(north: Rfc2136, authority: DnsAuthority, tcp: bool) -> None:
    sets = [address_set(f"n{n}.{ZONE}", f"203.0.113.{n}") for n in range(1, 51)]
    north.apply(ZONE, put(*sets), expect=None, fence=fence(1))
    questions = [(f"absent.{ZONE}", "A"), *(rrset.key for rrset in sets), FENCE]
    (server,) = north.traits().servers
    assert authority.ask_all(server, questions, tcp=tcp) == (None, *sets, fence(1))
    assert authority.ask_all(server, (), tcp=tcp) == ()
    memory = MemoryDns(zones=[ZONE])
    memory.apply(ZONE, put(*sets), expect=None, fence=fence(1))
    assert MemoryAuthority(memory).ask_all("memory:53", questions, tcp=tcp) == (None, *sets, fence(1))
