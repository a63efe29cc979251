"""Looking names up from the root down, on loopback: two servers, the upper one refers to the lower one."""

from collections.abc import Callable, Iterator
from pathlib import Path

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rrset
import pytest

from failover.core.rrsets import Changes, RRset
from failover.dns.resolver import ROOTS, AuthoritativeResolver
from failover.dns.rfc2136 import Rfc2136
from failover.dns.wire import parse_server
from failover.errors import AdapterError, ConfigError, TimedOut, Unreadable
from failover.local.nameserver import NameServer, create
from failover.local.zone_data import KEY_FILE
from failover.net.tsig import read_key
from failover.testing.dns import fence
from failover.testing.memory_dns import MemoryResolver
from failover.testing.resolver import BROKEN, NAMES, ResolverConformance
from tests.dns.conftest import SECRET
from tests.dns.scripted import reply, scripted

UPPER = """\
$ORIGIN example.
north 60 IN NS ns1.north
ns1.north 60 IN A 127.0.0.2
south 60 IN NS ns1.north
broken 60 IN NS ns1.north
www 60 IN CNAME lb.north
both 60 IN NS both.north
loop1 60 IN CNAME loop2
loop2 60 IN CNAME loop1
"""
LOWER = """\
$ORIGIN north.example.
ns1 60 IN A 127.0.0.2
lb 60 IN A 192.0.2.1
lb 60 IN A 192.0.2.2
lb 60 IN AAAA 2001:db8::1
six 60 IN AAAA 2001:db8::6
empty 60 IN TXT "nothing"
both 60 IN A 255.255.255.255
both 60 IN AAAA ::1
"""


def server_of(directory: Path, zones: dict[str, str], address: str, port: int) -> NameServer:
    create(directory, list(zones), "ns1", "failover", SECRET)
    for zone, records in zones.items():
        with (directory / f"{zone}.zone").open("a") as file:
            file.write(records)
    found = NameServer(directory, address, port)
    found.start()
    return found


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Where 127.0.0.1 knows `example`, and 127.0.0.2 the zones below it."""
    upper = server_of(tmp_path / "upper", {"example": UPPER}, "127.0.0.1", 0)
    south = "$ORIGIN south.example.\nwww 60 IN A 192.0.2.9\n"
    lower = server_of(tmp_path / "lower", {"north.example": LOWER, "south.example": south}, "127.0.0.2", upper.port)
    yield upper.port
    lower.stop()
    upper.stop()


@pytest.fixture
def resolver(port: int) -> AuthoritativeResolver:
    return AuthoritativeResolver(roots=(f"127.0.0.1:{port}",), timeout_s=60.0, deadline_s=120.0)


class TestAuthoritativeResolver(ResolverConformance):
    @pytest.fixture
    def resolver(self, resolver: AuthoritativeResolver) -> AuthoritativeResolver:
        return resolver


class TestMemoryResolver(ResolverConformance):
    @pytest.fixture
    def resolver(self) -> MemoryResolver:
        return MemoryResolver(NAMES, lambda name: Unreadable("look up", name, "REFUSED") if name == BROKEN else None)


def test_a_change_is_seen_at_once(resolver: AuthoritativeResolver, port: int, tmp_path: Path) -> None:
    """Although the set may be cached for a minute."""
    assert resolver.addresses("www.example") == NAMES["www.example"]
    key = read_key(tmp_path / "lower" / KEY_FILE)
    moved = RRset(name="lb.north.example", type="A", ttl_s=60, values=frozenset({"192.0.2.7"}))
    host = Rfc2136(name="lower", server=f"127.0.0.2:{port}", key=key, timeout_s=60.0, deadline_s=120.0)
    first = RRset(name="_failover.x.north.example", type="TXT", ttl_s=60, values=fence(1).values)
    host.apply("north.example", Changes(put=(moved,)), expect=None, fence=first)
    assert resolver.addresses("www.example") == ("192.0.2.7", "2001:db8::1")


def test_a_name_server_without_glue_is_looked_up_itself(resolver: AuthoritativeResolver) -> None:
    """The servers of `south` are named in `north`."""
    assert resolver.addresses("www.south.example") == ("192.0.2.9",)


def test_a_name_server_is_asked_in_the_family_that_there_is_a_way_to(
    resolver: AuthoritativeResolver, port: int, tmp_path: Path
) -> None:
    """No machine may ask 255.255.255.255 by UDP, as none without IPv4 any such address."""
    zone = {"both.example": "$ORIGIN both.example.\nwww 60 IN A 192.0.2.8\n"}
    if not Path("/proc/net/if_inet6").read_text():
        pytest.skip("no IPv6 here")
    only_six = server_of(tmp_path / "six", zone, "::1", port)
    try:
        assert resolver.addresses("www.both.example") == ("192.0.2.8",)
    finally:
        only_six.stop()


def test_a_circle_of_aliases_ends(resolver: AuthoritativeResolver) -> None:
    with pytest.raises(Unreadable):
        resolver.addresses("loop1.example")


def endless(message: dns.message.Message) -> None:
    message.flags |= dns.flags.AA
    name = message.question[0].name
    message.answer.append(dns.rrset.from_text(name, 60, "IN", "CNAME", f"x.{name.to_text()}"))


def circular(message: dns.message.Message) -> None:
    message.flags |= dns.flags.AA
    name = message.question[0].name.to_text()
    for here, there in ((name, "b."), ("b.", name)):
        message.answer.append(dns.rrset.from_text(here, 60, "IN", "CNAME", there))


def lame(message: dns.message.Message) -> None:
    """Neither an answer nor a referral."""


def upwards(message: dns.message.Message) -> None:
    message.authority.append(dns.rrset.from_text(".", 60, "IN", "NS", "ns.example."))


def sideways(message: dns.message.Message) -> None:
    message.authority.append(dns.rrset.from_text("other.test.", 60, "IN", "NS", "ns.example."))


def broken(message: dns.message.Message) -> None:
    message.set_rcode(dns.rcode.SERVFAIL)


def refused(message: dns.message.Message) -> None:
    message.set_rcode(dns.rcode.REFUSED)


def from_a_cache(message: dns.message.Message) -> None:
    message.answer.append(dns.rrset.from_text(message.question[0].name, 60, "IN", "A", "192.0.2.1"))


class Deeper:
    """Refers ever one label deeper, and then begins again."""

    def __init__(self) -> None:
        self.depth = 0

    def __call__(self, message: dns.message.Message) -> None:
        self.depth += 1
        name = message.question[0].name
        zone = dns.name.Name(name.labels[-2 - self.depth % (len(name.labels) - 2) :])
        message.authority.append(dns.rrset.from_text(zone, 60, "IN", "NS", "ns.example."))
        message.additional.append(dns.rrset.from_text("ns.example.", 60, "IN", "A", "127.0.0.1"))


@pytest.mark.parametrize(
    "change", [lame, upwards, sideways, broken, refused, from_a_cache, Deeper(), endless, circular]
)
def test_whatever_is_no_answer_with_authority_is_unreadable(change: Callable[[dns.message.Message], None]) -> None:
    with scripted(lambda wire: reply(wire, change)) as there:
        found = AuthoritativeResolver(roots=(there.server,), timeout_s=5.0, deadline_s=30.0)
        with pytest.raises(AdapterError):
            found.addresses("a.b.c.d.e.f.example")


def test_a_truncated_answer_is_asked_for_by_tcp() -> None:
    def script(wire: bytes) -> bytes:
        def change(message: dns.message.Message) -> None:
            message.flags |= dns.flags.AA
            if there.asked % 2:
                message.flags |= dns.flags.TC
            elif message.question[0].rdtype == dns.rdatatype.A:
                from_a_cache(message)

        return reply(wire, change)

    with scripted(script) as there:
        found = AuthoritativeResolver(roots=(there.server,), timeout_s=5.0, deadline_s=30.0)
        assert found.addresses("lb.example") == ("192.0.2.1",)


def test_silence_ends_at_the_deadline() -> None:
    with scripted(lambda _: None) as there:
        found = AuthoritativeResolver(roots=(there.server, there.server), timeout_s=0.1, deadline_s=0.15)
        with pytest.raises(TimedOut):
            found.addresses("lb.example")


def test_another_server_of_the_zone_helps_out(port: int) -> None:
    with scripted(lambda wire: reply(wire, broken)) as there:
        roots = (there.server, f"127.0.0.1:{port}")
        found = AuthoritativeResolver(roots=roots, timeout_s=5.0, deadline_s=60.0)
        assert [found.addresses("loop3.example") for _ in range(4)] == [()] * 4


def test_the_root_servers_are_addresses_and_a_bad_root_is_refused() -> None:
    assert {port for _, port in map(parse_server, ROOTS)} == {53}
    families = [":" in host for host, _ in map(parse_server, ROOTS)]
    assert (families.count(False), families.count(True), len(set(ROOTS))) == (13, 13, 26)
    with pytest.raises(ConfigError):
        AuthoritativeResolver(roots=("nowhere:0",))
