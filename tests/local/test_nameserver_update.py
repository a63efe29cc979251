"""Dynamic update at the local name server (RFC 2136), by dnspython's own client."""

import base64
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.serial
import dns.tsig
import dns.update
import pytest

from failover.local.nameserver import NameServer, create
from failover.local.zone_server import ZoneServer

SECRET = base64.b64encode(b"a secret of the tests, 32 bytes!").decode()
KEY = dns.tsig.Key("failover", SECRET)
ZONE = "example.test"
NOERROR, FORMERR, REFUSED = dns.rcode.NOERROR, dns.rcode.FORMERR, dns.rcode.REFUSED
Change = Callable[[dns.update.UpdateMessage], object]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    create(tmp_path, [ZONE, "other.test"], "ns1", "failover", SECRET)
    with (tmp_path / f"{ZONE}.zone").open("a") as file:
        file.write(
            '$ORIGIN example.test.\nwww 60 IN A 192.0.2.1\nwww 60 IN A 192.0.2.2\nwww 60 IN TXT "t"\n'
            "alias 60 IN CNAME www\nx.deep 60 IN A 192.0.2.3\n"
        )
    return tmp_path


@pytest.fixture
def server(directory: Path) -> Iterator[NameServer]:
    running = NameServer(directory)
    running.start()
    yield running
    running.stop()


def update(*changes: Change, zone: str = ZONE, key: dns.tsig.Key | None = KEY) -> dns.update.UpdateMessage:
    message = dns.update.UpdateMessage(zone, keyring=key)
    for change in changes:
        change(message)
    return message


def send(server: NameServer, message: dns.message.Message) -> dns.rcode.Rcode:
    return dns.query.tcp(message, "127.0.0.1", timeout=60, port=server.port).rcode()


def values(server: NameServer, name: str, type: str) -> set[str]:
    query = dns.message.make_query(f"{name}.{ZONE}", type)
    answer = dns.query.tcp(query, "127.0.0.1", timeout=60, port=server.port)
    here = [rrset for rrset in answer.answer if rrset.name == query.question[0].name]
    return {rdata.to_text() for rrset in here if rrset.rdtype == query.question[0].rdtype for rdata in rrset}


def serial(server: NameServer) -> int:
    answer = dns.query.tcp(dns.message.make_query(ZONE, "SOA"), "127.0.0.1", timeout=60, port=server.port)
    return int(answer.answer[0][0].serial)


# ---------------------------------------------------------------------------------------------- prerequisites


@pytest.mark.parametrize(
    ("prerequisite", "rcode"),
    [
        (lambda m: m.present("www"), NOERROR),
        (lambda m: m.present("WWW"), NOERROR),
        (lambda m: m.present("absent"), dns.rcode.NXDOMAIN),
        (lambda m: m.present("deep"), dns.rcode.NXDOMAIN),
        (lambda m: m.absent("absent"), NOERROR),
        (lambda m: m.absent("deep"), NOERROR),
        (lambda m: m.absent("www"), dns.rcode.YXDOMAIN),
        (lambda m: m.present("www", "A"), NOERROR),
        (lambda m: m.present("www", "AAAA"), dns.rcode.NXRRSET),
        (lambda m: m.present("absent", "A"), dns.rcode.NXRRSET),
        (lambda m: m.absent("www", "AAAA"), NOERROR),
        (lambda m: m.absent("www", "A"), dns.rcode.YXRRSET),
        (lambda m: m.present("www", "A", "192.0.2.1", "192.0.2.2"), NOERROR),
        (lambda m: m.present("www", "A", "192.0.2.2", "192.0.2.1"), NOERROR),
        (lambda m: m.present("www", "A", "192.0.2.1"), dns.rcode.NXRRSET),
        (lambda m: m.present("www", "A", "192.0.2.1", "192.0.2.2", "192.0.2.3"), dns.rcode.NXRRSET),
        (lambda m: m.present("www", "A", "192.0.2.8", "192.0.2.9"), dns.rcode.NXRRSET),
        (lambda m: m.present("www", "TXT", '"t"'), NOERROR),
        (lambda m: m.present("www", "TXT", '"T"'), dns.rcode.NXRRSET),
        (lambda m: m.present("alias", "CNAME", "WWW"), NOERROR),
        (lambda m: m.absent(dns.name.from_text("www.elsewhere.example")), dns.rcode.NOTZONE),
        (lambda m: (m.present("www"), m.absent("www", "A")), dns.rcode.YXRRSET),
    ],
)
def test_every_form_of_prerequisite(server: NameServer, prerequisite: Change, rcode: dns.rcode.Rcode) -> None:
    assert send(server, update(prerequisite, lambda m: m.add("new", 60, "A", "192.0.2.9"))) == rcode
    assert values(server, "new", "A") == ({"192.0.2.9"} if rcode == NOERROR else set())


def test_a_prerequisite_with_a_time_to_live_is_malformed(server: NameServer) -> None:
    message = update()
    message.prerequisite.append(dns.rrset.from_text(f"www.{ZONE}.", 5, "IN", "A", "192.0.2.1"))
    assert send(server, message) == FORMERR


# ---------------------------------------------------------------------------------------------- changes


@pytest.mark.parametrize(
    ("change", "name", "type", "wanted"),
    [
        (lambda m: m.add("new", 60, "A", "192.0.2.9"), "new", "A", {"192.0.2.9"}),
        (lambda m: m.add("www", 60, "A", "192.0.2.9"), "www", "A", {"192.0.2.1", "192.0.2.2", "192.0.2.9"}),
        (lambda m: m.replace("www", 60, "A", "192.0.2.9"), "www", "A", {"192.0.2.9"}),
        (lambda m: m.delete("www", "A"), "www", "A", set()),
        (lambda m: m.delete("www", "A"), "www", "TXT", {'"t"'}),
        (lambda m: m.delete("www", "A", "192.0.2.1"), "www", "A", {"192.0.2.2"}),
        (lambda m: m.delete("www"), "www", "TXT", set()),
        (lambda m: m.add("alias", 60, "CNAME", "x"), "alias", "CNAME", {f"x.{ZONE}."}),
        (lambda m: (m.delete("www"), m.add("www", 60, "CNAME", "x")), "www", "CNAME", {f"x.{ZONE}."}),
        (lambda m: (m.delete("alias"), m.add("alias", 60, "A", "192.0.2.9")), "alias", "A", {"192.0.2.9"}),
    ],
)
def test_every_form_of_change(server: NameServer, change: Change, name: str, type: str, wanted: set[str]) -> None:
    before = serial(server)
    assert send(server, update(change)) == NOERROR
    assert values(server, name, type) == wanted
    assert dns.serial.Serial(serial(server)) > dns.serial.Serial(before)


@pytest.mark.parametrize(
    ("change", "name", "type", "wanted"),
    [
        (lambda m: m.add("www", 60, "A", "192.0.2.1"), "www", "A", {"192.0.2.1", "192.0.2.2"}),
        (lambda m: m.delete("www", "A", "192.0.2.77"), "www", "A", {"192.0.2.1", "192.0.2.2"}),
        (lambda m: m.delete("absent"), "www", "TXT", {'"t"'}),
        (lambda m: m.add("www", 60, "CNAME", "x"), "www", "CNAME", set()),
        (lambda m: m.add("alias", 60, "TXT", "x"), "alias", "TXT", set()),
        (lambda m: (m.add("new", 60, "A", "192.0.2.9"), m.delete("new", "A")), "new", "A", set()),
    ],
)
def test_what_changes_nothing_moves_no_serial(
    server: NameServer, change: Change, name: str, type: str, wanted: set[str]
) -> None:
    before = serial(server)
    assert send(server, update(change)) == NOERROR
    assert values(server, name, type) == wanted
    assert serial(server) == before


def test_a_name_that_lost_its_last_set_is_gone(server: NameServer) -> None:
    assert send(server, update(lambda m: m.delete("x.deep", "A"))) == NOERROR
    for name in ("x.deep", "deep"):
        query = dns.message.make_query(f"{name}.{ZONE}", "A")
        assert dns.query.udp(query, "127.0.0.1", timeout=60, port=server.port).rcode() == dns.rcode.NXDOMAIN


def test_the_whole_set_takes_the_new_time_to_live(server: NameServer) -> None:
    assert send(server, update(lambda m: m.add("www", 300, "A", "192.0.2.9"))) == NOERROR
    answer = dns.query.tcp(dns.message.make_query(f"www.{ZONE}", "A"), "127.0.0.1", timeout=60, port=server.port)
    assert answer.answer[0].ttl == 300
    assert len(answer.answer[0]) == 3


def test_the_apex_keeps_its_soa_and_a_name_server(server: NameServer) -> None:
    for change in (
        lambda m: m.delete("@"),
        lambda m: m.delete("@", "NS"),
        lambda m: m.delete("@", "NS", "ns1"),
        lambda m: m.delete("@", "SOA"),
        lambda m: m.add("www", 60, "SOA", f"ns1.{ZONE}. h.{ZONE}. 99 1 1 1 1"),
    ):
        assert send(server, update(change)) == NOERROR
    query = dns.message.make_query(ZONE, "NS")
    assert dns.query.tcp(query, "127.0.0.1", timeout=60, port=server.port).answer[0][0].to_text() == f"ns1.{ZONE}."
    assert values(server, "www", "SOA") == set()
    assert serial(server) < 99


def test_the_serial_goes_only_forward(server: NameServer) -> None:
    def soa(number: int) -> Change:
        return lambda m: m.replace("@", 60, "SOA", f"ns1.{ZONE}. h.{ZONE}. {number} 1 1 1 5")

    assert send(server, update(soa(1000))) == NOERROR
    assert serial(server) == 1000
    assert send(server, update(soa(999))) == NOERROR
    assert serial(server) == 1000


def test_an_update_without_changes_changes_nothing(server: NameServer) -> None:
    before = serial(server)
    assert send(server, update(lambda m: m.present("www"))) == NOERROR
    assert serial(server) == before


@pytest.mark.parametrize(
    ("rrset", "rcode"),
    [
        (dns.rrset.from_text("www.elsewhere.example.", 60, "IN", "A", "192.0.2.9"), dns.rcode.NOTZONE),
        (dns.rrset.from_text(f"www.{ZONE}.", 60, "CH", "TXT", "x"), FORMERR),
    ],
)
def test_one_bad_change_spoils_all(server: NameServer, rrset: dns.rrset.RRset, rcode: dns.rcode.Rcode) -> None:
    message = update(lambda m: m.delete("www"), lambda m: m.add("new", 60, "A", "192.0.2.9"))
    message.update.append(rrset)
    assert send(server, message) == rcode
    assert values(server, "www", "A") == {"192.0.2.1", "192.0.2.2"}
    assert values(server, "new", "A") == set()


def test_question_types_cannot_be_deleted(server: NameServer) -> None:
    assert send(server, update(lambda m: m.delete("www", "MAILB"))) == FORMERR


# ---------------------------------------------------------------------------------------------- who may


@pytest.mark.parametrize(
    ("key", "error"),
    [
        (dns.tsig.Key("failover", base64.b64encode(b"wrong").decode()), dns.tsig.PeerBadSignature),
        (dns.tsig.Key("stranger", SECRET), dns.tsig.PeerBadKey),
        (dns.tsig.Key("failover", SECRET, "hmac-sha512"), dns.tsig.PeerBadKey),
    ],
    ids=["secret", "name", "algorithm"],
)
def test_a_wrong_key_is_told_why(server: NameServer, key: dns.tsig.Key, error: type[Exception]) -> None:
    with pytest.raises(error):
        send(server, update(lambda m: m.delete("www"), key=key))
    assert values(server, "www", "A")


def _at(wire_time: int, message: dns.update.UpdateMessage) -> bytes:
    """The message as signed at that time: dnspython signs at the present only."""
    message.use_tsig(KEY)
    assert message.tsig is not None
    owner, rdata = message.tsig.name, message.tsig[0]
    message.tsig = None
    signed = dns.tsig.sign(message.to_wire(), KEY, rdata, wire_time)[0]  # type: ignore[no-untyped-call]
    message.tsig = dns.rrset.from_rdata(owner, 0, signed)
    message.want_tsig_sign = False
    return message.to_wire()


@pytest.mark.parametrize("off_s", [-301, 3600, -86400])
def test_a_replayed_update_is_refused_and_the_refusal_is_signed(directory: Path, off_s: int) -> None:
    server = ZoneServer(directory)
    message = update(lambda m: m.delete("www"), key=None)
    asked_at = int(time.time()) + off_s
    wire = _at(asked_at, message)
    answer = server.respond(wire, udp=False)
    assert answer is not None
    seen = dns.message.from_wire(answer, keyring=False)
    assert seen.rcode() == dns.rcode.NOTAUTH
    assert seen.tsig is not None
    tsig = seen.tsig[0]
    assert tsig.error == dns.rcode.BADTIME
    assert tsig.time_signed == asked_at
    assert abs(int.from_bytes(tsig.other, "big") - time.time()) < 60
    _check_signature(answer, tsig, message)


def _check_signature(answer: bytes, tsig: object, message: dns.update.UpdateMessage) -> None:
    """Sign the answer without its TSIG anew: the same signature must come out."""
    assert message.tsig is not None
    bare = dns.message.from_wire(answer, keyring=False)
    bare.tsig = None
    again = dns.tsig.sign(bare.to_wire(), KEY, tsig, tsig.time_signed, message.mac)[0]  # type: ignore[no-untyped-call, attr-defined]
    assert again.mac == tsig.mac  # type: ignore[attr-defined]
    assert len(again.mac) == 32


def test_an_update_without_a_key_is_refused(server: NameServer) -> None:
    assert send(server, update(lambda m: m.delete("www"), key=None)) == REFUSED
    assert values(server, "www", "A")


def test_a_zone_of_others_is_not_ours_to_change(server: NameServer) -> None:
    for zone in ("elsewhere.example", f"www.{ZONE}", "test"):
        assert send(server, update(zone=zone)) == dns.rcode.NOTAUTH


def test_signed_questions_get_signed_answers(server: NameServer) -> None:
    query = dns.message.make_query(f"www.{ZONE}", "A")
    query.use_tsig(KEY)
    answer = dns.query.udp(query, "127.0.0.1", timeout=60, port=server.port)
    assert answer.had_tsig


def test_updates_come_by_udp_too(server: NameServer) -> None:
    message = update(lambda m: m.replace("www", 60, "A", "192.0.2.9"))
    assert dns.query.udp(message, "127.0.0.1", timeout=60, port=server.port).rcode() == NOERROR
    assert values(server, "www", "A") == {"192.0.2.9"}


# ---------------------------------------------------------------------------------------------- faults


def test_updates_refused_while_questions_are_answered(server: NameServer) -> None:
    server.set_fault("refuse-updates")
    assert send(server, update(lambda m: m.delete("www"))) == REFUSED
    assert values(server, "www", "A")


def test_lag_says_yes_and_serves_the_old(server: NameServer) -> None:
    server.set_fault("lag", 3600.0)
    for number in (7, 8):
        assert send(server, update(lambda m, n=number: m.replace("www", 60, "A", f"192.0.2.{n}"))) == NOERROR  # type: ignore[misc]
    assert values(server, "www", "A") == {"192.0.2.1", "192.0.2.2"}
    # What counts for prerequisites is what is, not what is served.
    assert send(server, update(lambda m: m.present("www", "A", "192.0.2.8"))) == NOERROR
    server.set_fault("none")
    assert values(server, "www", "A") == {"192.0.2.8"}


def test_lag_ends_by_itself(server: NameServer) -> None:
    server.set_fault("lag", 0.2)
    assert send(server, update(lambda m: m.replace("www", 60, "A", "192.0.2.7"))) == NOERROR
    end = time.monotonic() + 30
    while values(server, "www", "A") != {"192.0.2.7"}:
        assert time.monotonic() < end


# ---------------------------------------------------------------------------------------------- on the disk


def test_a_restart_serves_the_same(server: NameServer, directory: Path) -> None:
    texts = ('"v=1 epoch=7 site=boreas plan=abc"', '"semi;colon \\"quoted\\" \\255\\000"', '""')
    changes = (
        lambda m: m.replace("www", 60, "A", "192.0.2.9"),
        lambda m: m.add("_failover.app", 60, "TXT", *texts),
        lambda m: m.add("*.wild", 60, "A", "192.0.2.4"),
        lambda m: m.add(dns.name.Name([b"a.b c"]), 60, "A", "192.0.2.5"),
    )
    assert send(server, update(*changes)) == NOERROR
    names = (("www", "A"), ("_failover.app", "TXT"), ("x.wild", "A"), (r"a\.b\032c", "A"))
    before = [values(server, *pair) for pair in names], serial(server)
    assert all(before[0])
    server.stop()
    again = NameServer(directory, "127.0.0.1", server.port)
    again.start()
    try:
        assert ([values(again, *pair) for pair in names], serial(again)) == before
    finally:
        again.stop()


def test_what_cannot_be_written_is_not_served(server: NameServer, directory: Path) -> None:
    moved = directory.with_name("moved")
    directory.rename(moved)
    try:
        assert send(server, update(lambda m: m.delete("www"))) == dns.rcode.SERVFAIL
    finally:
        moved.rename(directory)
    assert values(server, "www", "A") == {"192.0.2.1", "192.0.2.2"}
    assert send(server, update(lambda m: m.delete("www"))) == NOERROR


def test_concurrent_updates_are_all_carried_out(server: NameServer) -> None:
    def add(number: int) -> dns.rcode.Rcode:
        return send(server, update(lambda m: m.add("many", 60, "A", f"198.51.100.{number}")))

    before = serial(server)
    with ThreadPoolExecutor(40) as pool:
        assert set(pool.map(add, range(1, 101))) == {NOERROR}
    assert len(values(server, "many", "A")) == 100
    assert serial(server) == before + 100


_CHILD = """
import sys, time
from pathlib import Path
from failover.local.nameserver import NameServer
server = NameServer(Path(sys.argv[1]))
server.start()
print(server.port, flush=True)
time.sleep(3600)
"""


def test_what_was_acknowledged_outlives_kill_9(directory: Path) -> None:
    """The last acknowledged update, or the one that was under way, stands on the disk; never anything else."""
    for turn in range(3):
        command = [sys.executable, "-c", _CHILD, str(directory)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            port = int(child.stdout.readline())
            acknowledged = _update_until_killed(child, port, first=turn * 1000)
        running = NameServer(directory)
        running.start()
        try:
            (value,) = values(running, "counter", "TXT")
            assert int(value.strip('"')) - acknowledged in (0, 1)
        finally:
            running.stop()


def _update_until_killed(child: subprocess.Popen[str], port: int, *, first: int) -> int:
    last = first
    for number in range(first + 1, first + 1000):
        message = update(lambda m, n=number: m.replace("counter", 60, "TXT", str(n)))  # type: ignore[misc]
        if number == first + 15:
            os.kill(child.pid, signal.SIGKILL)
        try:
            assert dns.query.tcp(message, "127.0.0.1", timeout=60, port=port).rcode() == NOERROR
        except (OSError, EOFError):
            return last
        last = number
    raise AssertionError("the child was not killed")
