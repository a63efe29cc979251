"""What the local name server answers, asked by dnspython's own client."""

import base64
import contextlib
import logging
import random
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.query
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.tsig
import dns.update
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from failover.errors import SecretError, StateDamaged, UsageError
from failover.local.nameserver import CONNECTIONS_MAX, NameServer, create
from failover.local.zone_server import ZoneServer
from failover.testing.dns import wait_until

SECRET = base64.b64encode(b"a secret of the tests, 32 bytes!").decode()
KEY = dns.tsig.Key("failover", SECRET)
RECORDS = """\
www 60 IN A 192.0.2.1
www 60 IN A 192.0.2.2
WWW 60 IN TXT "hello" "world"
alias 60 IN CNAME www
chain 60 IN CNAME alias
out 60 IN CNAME www.elsewhere.example.
dangling 60 IN CNAME absent
loop1 60 IN CNAME loop2
loop2 60 IN CNAME loop1
a.deep.down 60 IN A 192.0.2.3
*.wild 60 IN A 192.0.2.4
*.wild 60 IN TXT "star"
real.wild 60 IN A 192.0.2.5
below.ent.wild 60 IN A 192.0.2.6
*.walias 60 IN CNAME www
child 60 IN NS ns.child
ns.child 60 IN A 192.0.2.53
mid 60 IN TXT "{0}" "1"
mid 60 IN TXT "{0}" "2"
mid 60 IN TXT "{0}" "3"
big 60 IN TXT "{0}" "1"
big 60 IN TXT "{0}" "2"
big 60 IN TXT "{0}" "3"
big 60 IN TXT "{0}" "4"
big 60 IN TXT "{0}" "5"
big 60 IN TXT "{0}" "6"
""".format("x" * 250)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    create(tmp_path, ["example.test", "sub.example.test"], "ns1", "failover", SECRET)
    with (tmp_path / "example.test.zone").open("a") as file:
        file.write("$ORIGIN example.test.\n" + RECORDS)
    return tmp_path


@pytest.fixture
def server(directory: Path) -> Iterator[NameServer]:
    running = NameServer(directory)
    running.start()
    yield running
    running.stop()


def ask(server: NameServer, name: str, type: str, **options: object) -> dns.message.Message:
    query = dns.message.make_query(name, type, **options)  # type: ignore[arg-type]
    return dns.query.udp(query, "127.0.0.1", timeout=60, port=server.port)


def shown(answer: dns.message.Message) -> set[str]:
    return {f"{r.name.to_text()} {dns.rdatatype.to_text(r.rdtype)} {v}" for r in answer.answer for v in r}


# ---------------------------------------------------------------------------------------------- answers


@pytest.mark.parametrize(
    ("name", "type", "wanted"),
    [
        ("www.example.test", "A", {"A 192.0.2.1", "A 192.0.2.2"}),
        ("wWw.EXAMPLE.Test", "A", {"A 192.0.2.1", "A 192.0.2.2"}),
        ("www.example.test", "TXT", {'TXT "hello" "world"'}),
        ("a.deep.down.example.test", "A", {"A 192.0.2.3"}),
        ("alias.example.test", "CNAME", {"CNAME www.example.test."}),
        ("x.wild.example.test", "A", {"A 192.0.2.4"}),
        ("x.y.wild.example.test", "TXT", {'TXT "star"'}),
        ("real.wild.example.test", "A", {"A 192.0.2.5"}),
        ("example.test", "NS", {"NS ns1.example.test."}),
        ("ns1.example.test", "A", {"A 127.0.0.1"}),
        ("ns1.sub.example.test", "A", {"A 127.0.0.1"}),
    ],
)
def test_sets_that_stand_there(server: NameServer, name: str, type: str, wanted: set[str]) -> None:
    answer = ask(server, name, type)
    assert answer.rcode() == dns.rcode.NOERROR
    assert answer.flags & dns.flags.AA
    assert not answer.flags & dns.flags.RA
    assert {text.partition(" ")[2] for text in shown(answer)} == wanted
    assert {r.name for r in answer.answer} == {dns.name.from_text(name)}


@pytest.mark.parametrize(
    ("name", "type", "rcode"),
    [
        ("www.example.test", "AAAA", dns.rcode.NOERROR),
        ("absent.example.test", "A", dns.rcode.NXDOMAIN),
        ("deep.down.example.test", "A", dns.rcode.NOERROR),
        ("down.example.test", "A", dns.rcode.NOERROR),
        ("x.wild.example.test", "MX", dns.rcode.NOERROR),
        ("real.wild.example.test", "TXT", dns.rcode.NOERROR),
        ("ent.wild.example.test", "A", dns.rcode.NOERROR),
        ("x.ent.wild.example.test", "A", dns.rcode.NXDOMAIN),
        ("x.real.wild.example.test", "A", dns.rcode.NXDOMAIN),
        ("example.test", "A", dns.rcode.NOERROR),
    ],
)
def test_nothing_of_that_kind(server: NameServer, name: str, type: str, rcode: dns.rcode.Rcode) -> None:
    answer = ask(server, name, type)
    assert answer.rcode() == rcode
    assert answer.flags & dns.flags.AA
    assert answer.answer == []
    (soa,) = answer.authority
    assert soa.rdtype == dns.rdatatype.SOA
    assert soa.ttl == soa[0].minimum
    assert 1 <= soa[0].minimum <= 60


@pytest.mark.parametrize(
    ("name", "wanted", "rcode"),
    [
        ("alias", {"alias CNAME www", "www A 192.0.2.1", "www A 192.0.2.2"}, dns.rcode.NOERROR),
        ("chain", {"chain CNAME alias", "alias CNAME www", "www A 192.0.2.1", "www A 192.0.2.2"}, dns.rcode.NOERROR),
        ("x.walias", {"x.walias CNAME www", "www A 192.0.2.1", "www A 192.0.2.2"}, dns.rcode.NOERROR),
        ("out", {"out CNAME www.elsewhere.example."}, dns.rcode.NOERROR),
        ("dangling", {"dangling CNAME absent"}, dns.rcode.NXDOMAIN),
        ("loop1", {"loop1 CNAME loop2", "loop2 CNAME loop1"}, dns.rcode.SERVFAIL),
    ],
)
def test_aliases_are_followed_within_the_zone(
    server: NameServer, name: str, wanted: set[str], rcode: dns.rcode.Rcode
) -> None:
    answer = ask(server, f"{name}.example.test", "A")
    assert answer.rcode() == rcode
    assert {text.replace(".example.test.", "") for text in shown(answer)} == wanted


def test_a_delegation_is_referred_to(server: NameServer) -> None:
    answer = ask(server, "www.child.example.test", "A")
    assert answer.rcode() == dns.rcode.NOERROR
    assert not answer.flags & dns.flags.AA
    assert [r.to_text() for r in answer.authority] == ["child.example.test. 60 IN NS ns.child.example.test."]
    assert [r.to_text() for r in answer.additional] == ["ns.child.example.test. 60 IN A 192.0.2.53"]


def test_the_longest_zone_answers(server: NameServer) -> None:
    (soa,) = ask(server, "x.sub.example.test", "A").authority
    assert soa.name == dns.name.from_text("sub.example.test")
    assert server.zones == ("example.test", "sub.example.test")


@pytest.mark.parametrize(
    ("name", "type"), [("www.elsewhere.example", "A"), (".", "NS"), ("test", "SOA"), ("example.test", "AXFR")]
)
def test_what_is_not_ours_is_refused(server: NameServer, name: str, type: str) -> None:
    answer = ask(server, name, type)
    assert answer.rcode() == dns.rcode.REFUSED
    assert answer.answer == []


def test_other_classes_and_operations(server: NameServer) -> None:
    assert ask(server, "version.bind", "TXT", rdclass=dns.rdataclass.CH).rcode() == dns.rcode.REFUSED
    query = dns.message.make_query("example.test", "SOA")
    query.set_opcode(dns.opcode.NOTIFY)
    assert dns.query.udp(query, "127.0.0.1", timeout=60, port=server.port).rcode() == dns.rcode.NOTIMP


def test_any_gets_one_set(server: NameServer) -> None:
    assert len(ask(server, "www.example.test", "ANY").answer) == 1
    assert ask(server, "absent.example.test", "ANY").rcode() == dns.rcode.NXDOMAIN


# ---------------------------------------------------------------------------------------------- transport


@pytest.mark.parametrize(
    ("name", "payload", "truncated"),
    [
        ("mid", None, True),
        ("mid", 512, True),
        ("mid", 1232, False),
        ("mid", 4096, False),
        ("big", 512, True),
        ("big", 4096, True),
    ],
)
def test_too_big_for_udp_is_truncated_and_whole_by_tcp(
    server: NameServer, name: str, payload: int | None, *, truncated: bool
) -> None:
    query = dns.message.make_query(f"{name}.example.test", "TXT", payload=payload)
    answer = dns.query.udp(query, "127.0.0.1", timeout=60, port=server.port)
    assert bool(answer.flags & dns.flags.TC) == truncated
    assert len(answer.to_wire()) <= min(payload or 512, 1232)
    whole, by_tcp = dns.query.udp_with_fallback(query, "127.0.0.1", timeout=60, port=server.port)
    assert by_tcp == truncated
    assert not whole.flags & dns.flags.TC
    assert len(whole.answer[0]) == (3 if name == "mid" else 6)


def test_edns_is_answered_by_edns_only(server: NameServer) -> None:
    assert ask(server, "www.example.test", "A").edns == -1
    answer = ask(server, "www.example.test", "A", use_edns=0, payload=4096)
    assert answer.edns == 0
    assert answer.payload == 1232
    assert ask(server, "www.example.test", "A", use_edns=1).rcode() == dns.rcode.BADVERS


def test_many_questions_on_one_connection(server: NameServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as tcp:
        queries = [dns.message.make_query("www.example.test", "A", id=n) for n in range(50)]
        tcp.sendall(b"".join(query.to_wire(prepend_length=True) for query in queries))
        tcp.setblocking(False)
        answers = [dns.query.receive_tcp(tcp, None)[0] for _ in queries]
    assert [answer.id for answer in answers] == list(range(50))
    assert all(len(answer.answer[0]) == 2 for answer in answers)


def test_a_connection_that_sends_half_a_message_holds_nobody_up(server: NameServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as tcp:
        tcp.sendall(b"\x00\x40half")
        query = dns.message.make_query("www.example.test", "A")
        assert dns.query.tcp(query, "127.0.0.1", timeout=60, port=server.port).answer


def test_connections_beyond_the_limit_are_closed_at_once(server: NameServer) -> None:
    query = dns.message.make_query("www.example.test", "A").to_wire(prepend_length=True)
    with contextlib.ExitStack() as stack:
        for _ in range(CONNECTIONS_MAX):
            held = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=60))
            held.sendall(query)
            assert held.recv(2)
        extra = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=60))
        assert extra.recv(2) == b""
        assert ask(server, "www.example.test", "A").answer
    wait_until(lambda: _is_served(server, query))


def _is_served(server: NameServer, query: bytes) -> bool:
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as tcp:
        try:
            tcp.sendall(query)
            return tcp.recv(2) != b""
        except ConnectionError:
            return False


def test_ipv6(directory: Path) -> None:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 here")
    running = NameServer(directory, "::1")
    running.start()
    try:
        query = dns.message.make_query("www.example.test", "A")
        assert dns.query.udp(query, "::1", timeout=60, port=running.port).answer
        assert dns.query.tcp(query, "::1", timeout=60, port=running.port).answer
    finally:
        running.stop()


def test_a_taken_port_is_an_error(server: NameServer, directory: Path) -> None:
    with pytest.raises(OSError):
        NameServer(directory, "127.0.0.1", server.port).start()


def test_a_port_taken_for_udp_only_is_an_error(directory: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        with pytest.raises(OSError):
            NameServer(directory, "127.0.0.1", other.getsockname()[1]).start()


def test_stop_ends_threads_and_open_connections(directory: Path) -> None:
    before = threading.active_count()
    running = NameServer(directory)
    running.stop()
    running.start()
    port = running.port
    with socket.create_connection(("127.0.0.1", port), timeout=60) as tcp:
        tcp.sendall(dns.message.make_query("example.test", "SOA").to_wire(prepend_length=True))
        assert tcp.recv(2)
        running.stop()
        running.stop()
    assert threading.active_count() == before
    again = NameServer(directory, "127.0.0.1", port)
    again.start()
    again.stop()


# ---------------------------------------------------------------------------------------------- hostile input


@pytest.fixture(scope="module")
def responder(tmp_path_factory: pytest.TempPathFactory) -> ZoneServer:
    directory = tmp_path_factory.mktemp("responder")
    create(directory, ["example.test"], "ns1", "failover", SECRET)
    return ZoneServer(directory)


def _valid_messages() -> list[bytes]:
    update = dns.update.UpdateMessage("example.test", keyring=KEY)
    update.present("www")
    update.replace("www", 60, "A", "192.0.2.1")
    edns = dns.message.make_query("www.example.test", "A", use_edns=0)
    return [dns.message.make_query("example.test", "ANY").to_wire(), edns.to_wire(), update.to_wire()]


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(wire=st.binary(max_size=200), udp=st.booleans())
def test_any_bytes_are_answered_or_passed_over(
    responder: ZoneServer, caplog: pytest.LogCaptureFixture, wire: bytes, *, udp: bool
) -> None:
    answer = responder.respond(wire, udp=udp)
    assert answer is None or answer[:2] == wire[:2]
    assert answer is None or answer[2] & 0x80
    assert caplog.records == []


@settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(which=st.integers(0, 2), at=st.integers(0, 200), change=st.binary(min_size=1, max_size=4), cut=st.booleans())
def test_damaged_messages_are_answered_or_passed_over(
    responder: ZoneServer, caplog: pytest.LogCaptureFixture, which: int, at: int, change: bytes, *, cut: bool
) -> None:
    wire = bytearray(_valid_messages()[which])
    at %= len(wire)
    wire[at : at + len(change)] = b"" if cut else change
    responder.respond(bytes(wire), udp=True)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.parametrize(
    ("wire", "rcode"),
    [
        (b"", None),
        (b"\x12\x34", None),
        (struct.pack("!6H", 7, 0x8000, 1, 0, 0, 0), None),
        (struct.pack("!6H", 7, 0x0100, 1, 0, 0, 0), dns.rcode.FORMERR),
        (struct.pack("!6H", 7, 0x0000, 0, 0, 0, 0), dns.rcode.FORMERR),
        (struct.pack("!6H", 7, 0x2800, 0, 0, 0, 0), dns.rcode.REFUSED),
    ],
    ids=["empty", "short", "an answer", "question missing", "no question", "empty update"],
)
def test_malformed_messages(responder: ZoneServer, wire: bytes, rcode: dns.rcode.Rcode | None) -> None:
    answer = responder.respond(wire, udp=True)
    if rcode is None:
        assert answer is None
    else:
        assert answer is not None
        assert dns.message.from_wire(answer).rcode() == rcode


def test_garbage_on_both_sockets_kills_nothing(server: NameServer) -> None:
    rng = random.Random(7)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        for _ in range(200):
            udp.sendto(rng.randbytes(rng.randrange(0, 600)), ("127.0.0.1", server.port))
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as tcp:
            tcp.sendall(rng.randbytes(100))
    query = dns.message.make_query("www.example.test", "A")
    assert dns.query.tcp(query, "127.0.0.1", timeout=60, port=server.port).answer
    assert ask_until_answered(server, query).answer  # the garbage may fill the queue, so that questions are lost


def ask_until_answered(server: NameServer, query: dns.message.Message) -> dns.message.Message:
    for _ in range(60):
        try:
            return dns.query.udp(query, "127.0.0.1", timeout=0.5, port=server.port)
        except dns.exception.Timeout:
            continue
    raise AssertionError("no answer by UDP any more")


# ---------------------------------------------------------------------------------------------- faults


def test_drop_answers_nothing(server: NameServer) -> None:
    server.set_fault("drop")
    query = dns.message.make_query("www.example.test", "A")
    with pytest.raises(dns.exception.Timeout):
        dns.query.udp(query, "127.0.0.1", timeout=0.2, port=server.port)
    with pytest.raises(dns.exception.Timeout):
        dns.query.tcp(query, "127.0.0.1", timeout=0.2, port=server.port)
    server.set_fault("none")
    assert ask(server, "www.example.test", "A").answer


@pytest.mark.parametrize(("mode", "rcode"), [("servfail", dns.rcode.SERVFAIL), ("refuse", dns.rcode.REFUSED)])
def test_faults_that_answer_no(server: NameServer, mode: str, rcode: dns.rcode.Rcode) -> None:
    server.set_fault(mode)
    answer = ask(server, "www.example.test", "A")
    assert answer.rcode() == rcode
    assert answer.answer == []


def test_unknown_fault(server: NameServer) -> None:
    with pytest.raises(ValueError):
        server.set_fault("sulk")


# ---------------------------------------------------------------------------------------------- creation


def test_creating_again_keeps_what_is_there(directory: Path) -> None:
    before = {path.name: path.read_bytes() for path in directory.iterdir()}
    create(directory, ["example.test", "third.test"], "ns9", "other", base64.b64encode(b"other").decode())
    after = {path.name: path.read_bytes() for path in directory.iterdir()}
    assert after.items() >= before.items()
    assert set(after) - set(before) == {"third.test.zone"}
    assert (directory / "tsig.key").stat().st_mode & 0o077 == 0


def test_a_server_name_of_another_zone_gets_no_address(tmp_path: Path) -> None:
    create(tmp_path, ["example.test"], "ns.elsewhere.example", "failover", SECRET)
    text = (tmp_path / "example.test.zone").read_text()
    assert "NS ns.elsewhere.example." in text
    assert "IN A" not in text


@pytest.mark.parametrize("zone", ["", ".", "a..b", "../evil", "x" * 64 + ".test"])
def test_names_that_are_no_zones(tmp_path: Path, zone: str) -> None:
    with pytest.raises(UsageError):
        create(tmp_path, [zone], "ns1", "failover", SECRET)


def test_a_key_that_others_can_read_is_refused(directory: Path) -> None:
    (directory / "tsig.key").chmod(0o644)
    with pytest.raises(SecretError):
        NameServer(directory)


@pytest.mark.parametrize("text", ["", "@ 60 IN NS ns1\n", "garbage", "@ 60 IN SOA ns1 h 1 1 1 1 1\n@ IN NS x\n\x00"])
def test_a_zone_that_is_damaged_is_never_served(directory: Path, text: str) -> None:
    (directory / "example.test.zone").write_text(text)
    with pytest.raises(StateDamaged):
        NameServer(directory)


def test_a_zone_that_is_cut_short_or_binary(directory: Path) -> None:
    (directory / "example.test.zone").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StateDamaged):
        NameServer(directory)
