"""BIND passes the suite: what we believe of RFC 2136 is true of the server that most people run."""

import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import dns.query
import dns.rcode
import dns.tsig
import dns.update
import pytest

from failover.core.rights import Act, May, allowed, refused
from failover.core.rrsets import Changes, RRset
from failover.dns.authority import DnsAuthority
from failover.dns.rfc2136 import Rfc2136
from failover.dns.wire import Connection, Deadline
from failover.errors import AccessRefused, AdapterError, Conflict, Unreachable, Unreadable
from failover.net.tsig import TsigKey, write_key
from failover.testing.dns import FENCE, WWW, ZONE, DnsConformance, address_set, fence, put, wait_until
from tests.dns.foreign import Census, by_updates
from tests.ports import free_port
from tests.servers.tools import need

SECRET = "YSBzZWNyZXQgb2YgdGhlIHRlc3RzLCAzMiBieXRlcyE="
KEY = TsigKey(name="failover", secret=SECRET)
_START_TRIES = 5
_CONFIG = """\
include "{directory}/key";
options {{
    directory "{directory}"; pid-file "{directory}/pid"; session-keyfile "{directory}/session.key";
    listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
    recursion no; notify no; allow-transfer {{ key failover; }}; minimal-responses yes; tcp-clients 300;
}};
controls {{ }};
key "narrow" {{ algorithm hmac-sha256; secret "{secret}"; }};
zone "{zone}" {{
    type primary; file "{directory}/zone"; check-integrity no;
    update-policy {{
        grant failover zonesub ANY;
        grant narrow name www.{zone}. A CNAME;
        grant narrow name _failover.guestbook.{zone}. TXT;
    }};
}};
"""
_ZONE = """\
$ORIGIN {zone}.
$TTL 60
@ IN SOA ns1 hostmaster 1 60 30 3600 5
@ IN NS ns1
ns1 IN A 127.0.0.1
"""


class Bind(NamedTuple):
    port: int
    process: subprocess.Popen[bytes]


def _start(named: str, directory: Path) -> Bind | None:
    """None when it ended: someone else took the port meanwhile."""
    port = free_port()
    write_key(directory / "key", KEY)
    (directory / "zone").write_text(_ZONE.format(zone=ZONE))
    (directory / "config").write_text(_CONFIG.format(directory=directory, port=port, zone=ZONE, secret=SECRET))
    with (directory / "log").open("wb") as log:
        command = [named, "-g", "-n", "2", "-c", str(directory / "config")]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def is_ready() -> bool:
        if process.poll() is not None:
            return True
        try:
            return DnsAuthority(timeout_s=0.5).ask(f"127.0.0.1:{port}", ZONE, "SOA") is not None
        except AdapterError:
            return False

    try:
        wait_until(is_ready)
    except AssertionError:
        _stop(process)
        raise
    return None if process.poll() is not None else Bind(port, process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture
def bind() -> Iterator[Bind]:
    named = need("named", "bind9")
    with tempfile.TemporaryDirectory(prefix="failover-bind-") as directory:
        for _ in range(_START_TRIES):
            started = _start(named, Path(directory))
            if started is not None:
                break
        else:
            pytest.fail((Path(directory) / "log").read_text())
        try:
            yield started
        finally:
            _stop(started.process)


@pytest.fixture
def host(bind: Bind) -> Rfc2136:
    return Rfc2136(name="bind", server=f"127.0.0.1:{bind.port}", key=KEY, timeout_s=60.0, deadline_s=120.0)


@pytest.mark.server("bind")
class TestBind(DnsConformance):
    @pytest.fixture
    def host(self, host: Rfc2136) -> Rfc2136:
        return host

    @pytest.fixture
    def authority(self) -> DnsAuthority:
        return DnsAuthority(timeout_s=60.0)

    @pytest.fixture
    def census(self, bind: Bind) -> Census:
        return by_updates(f"127.0.0.1:{bind.port}", KEY)


@pytest.mark.server("bind")
class TestBindByTransfer(DnsConformance):
    """Every reading is a transfer, as it is for hundreds of names."""

    @pytest.fixture
    def host(self, bind: Bind) -> Rfc2136:
        return by_transfer(bind)

    @pytest.fixture
    def census(self, bind: Bind) -> Census:
        return by_updates(f"127.0.0.1:{bind.port}", KEY)


def by_transfer(bind: Bind) -> Rfc2136:
    place = f"127.0.0.1:{bind.port}"
    return Rfc2136(name="bind", server=place, key=KEY, timeout_s=60.0, deadline_s=120.0, transfer_from=1)


ODD = """\
*.wild A 192.0.2.1
a.wild A 192.0.2.2
a.b.wild A 192.0.2.3
*.b.wild TXT "below"
alias.wild CNAME www
*.names CNAME www
www A 192.0.2.4
www AAAA 2001:db8::4
www TXT "one" "two"
deep.empty.www A 192.0.2.5
child NS ns.child
ns.child A 192.0.2.6
a.child A 192.0.2.7
moved DNAME elsewhere.example.
moved A 192.0.2.8
a\\.b TXT "odd"
mail MX 10 www
"""
LABELS = ("", "*.", "a.", "b.", "x.", "a.b.", "x.b.", "*.b.", "x.y.", "ns.", "deep.empty.", "empty.", "alias.")
PARENTS = ("wild.", "names.", "www.", "moved.", "mail.", "absent.", "")


@pytest.mark.server("bind")
def test_a_transfer_shows_what_the_server_answers(bind: Bind, host: Rfc2136) -> None:
    """At every name that wildcards, delegations, aliases and names without records may have a say in."""
    for line in ODD.splitlines():
        owner, type, data = line.split(" ", 2)
        update = dns.update.UpdateMessage(ZONE, keyring=dns.tsig.Key(KEY.name, KEY.secret))
        update.add(owner, 300, type, data)
        assert dns.query.tcp(update, "127.0.0.1", port=bind.port, timeout=60).rcode() == dns.rcode.NOERROR
    names = [*dict.fromkeys(f"{label}{parent}{ZONE}" for parent in PARENTS for label in LABELS), rf"a\.b.{ZONE}"]
    pairs = [(name, type) for name in names for type in ("A", "TXT", "CNAME", "MX")]
    told = [each.read(ZONE, pairs) for each in (host, by_transfer(bind))]
    assert told[0] == told[1]
    assert len(told[0]) >= 40
    for each in (host, by_transfer(bind)):  # below a delegation the server has no say
        with pytest.raises(Unreadable):
            each.read(ZONE, [(f"a.child.{ZONE}", "A")])


@pytest.mark.server("bind")
def test_nothing_is_published_without_its_epoch(bind: Bind, host: Rfc2136) -> None:
    """BIND passes over a TXT beside a CNAME in silence, and would carry out the rest (RFC 2136, section 3.4.2.2)."""
    update = dns.update.UpdateMessage(ZONE, keyring=dns.tsig.Key(KEY.name, KEY.secret))
    update.add(FENCE[0] + ".", 60, "CNAME", "elsewhere.example.")
    assert dns.query.tcp(update, "127.0.0.1", port=bind.port, timeout=60).rcode() == dns.rcode.NOERROR
    with pytest.raises(Conflict):
        host.apply(ZONE, put(address_set(WWW, "192.0.2.1")), expect=None, fence=fence(1))
    assert host.read(ZONE, [(WWW, "A")]) == ()


@pytest.mark.server("bind")
@pytest.mark.parametrize(
    "data", ["HTTPS 1 . alpn=h2", f"SSHFP 4 2 {64 * '0'}", "MX 10 mail", "NAPTR 1 1 U SIP !a!b! ."]
)
def test_addresses_never_go_for_an_alias_that_has_no_room(bind: Bind, host: Rfc2136, data: str) -> None:
    """BIND passes over a CNAME beside other data in silence, and would have removed the addresses."""
    here = address_set(WWW, "192.0.2.1")
    host.apply(ZONE, put(here), expect=None, fence=fence(1))
    type, value = data.split(" ", 1)
    update = dns.update.UpdateMessage(ZONE, keyring=dns.tsig.Key(KEY.name, KEY.secret))
    update.add(f"{WWW}.", 60, type, value)
    assert dns.query.tcp(update, "127.0.0.1", port=bind.port, timeout=60).rcode() == dns.rcode.NOERROR
    alias = RRset(name=WWW, type="CNAME", ttl_s=60, values=frozenset({"lb.example.net"}))
    with pytest.raises(Conflict):
        host.apply(ZONE, Changes(put=(alias,), remove=((WWW, "A"),)), expect=fence(1), fence=fence(2))
    assert host.read(ZONE, [(WWW, "A")]) == (here,)


@pytest.mark.server("bind")
@pytest.mark.parametrize("data", ["CNAME elsewhere.example.", 'TXT "v=spf1 -all"'])
def test_a_wildcard_says_nothing_of_the_epoch_but_its_own_record_does(bind: Bind, host: Rfc2136, data: str) -> None:
    type, value = data.split(" ", 1)
    fences = [(f"_failover.{at}.{ZONE}", "TXT") for at in ("absent", "theirs")]
    for owner, said in (("*", value), (f"_failover.theirs.{ZONE}.", value.replace("el", "il").replace("v=", "x="))):
        update = dns.update.UpdateMessage(ZONE, keyring=dns.tsig.Key(KEY.name, KEY.secret))
        update.add(owner, 60, type, said)
        assert dns.query.tcp(update, "127.0.0.1", port=bind.port, timeout=60).rcode() == dns.rcode.NOERROR
    for each in (host, by_transfer(bind)):
        assert [rrset.name for rrset in each.read(ZONE, fences)] == [fences[1][0]]


@pytest.mark.server("bind")
def test_ten_thousand_sets_are_read_in_one_and_changed_in_few_messages(bind: Bind, host: Rfc2136) -> None:
    sets = tuple(address_set(f"n{n}.{ZONE}", f"192.0.2.{n % 250}") for n in range(10_000))
    asked: list[int] = []
    with counted(asked):
        host.apply(ZONE, put(*sets), expect=None, fence=fence(1))
        changed = sum(asked)
        assert host.read(ZONE, [*(rrset.key for rrset in sets), fence(1).key]) == (*sets, fence(1))
    assert sum(asked) - changed == 1
    assert changed <= 10


@contextmanager
def counted(asked: list[int]) -> Iterator[None]:
    """How many messages each sending holds."""
    send = Connection.send

    def counting(connection: Connection, wires: Sequence[bytes], deadline: Deadline) -> None:
        asked.append(len(wires))
        send(connection, wires, deadline)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Connection, "send", counting)
        yield


@pytest.mark.server("bind")
@pytest.mark.parametrize(
    "key",
    [
        pytest.param(TsigKey(name="failover", secret="b3RoZXI="), id="another secret"),
        pytest.param(TsigKey(name="stranger", secret=SECRET), id="an unknown key"),
        pytest.param(TsigKey(name="failover", secret=SECRET, algorithm="hmac-sha512"), id="another algorithm"),
    ],
)
def test_a_wrong_key_is_refused(bind: Bind, key: TsigKey) -> None:
    host = Rfc2136(name="bind", server=f"127.0.0.1:{bind.port}", key=key)
    with pytest.raises(AccessRefused):
        host.apply(ZONE, Changes(), expect=None, fence=fence(1))
    with pytest.raises(AccessRefused):
        host.read(ZONE, [(ZONE, "A")])


@pytest.mark.server("bind")
def test_a_policy_that_lacks_names_is_told_name_by_name_and_no_serial_moves(bind: Bind, host: Rfc2136) -> None:
    place, narrow = f"127.0.0.1:{bind.port}", TsigKey(name="narrow", secret=SECRET)
    key = Rfc2136(name="bind", server=place, key=narrow, timeout_s=60.0, deadline_s=120.0)
    host.apply(ZONE, put(address_set(WWW, "192.0.2.1")), expect=None, fence=fence(1))
    serial = DnsAuthority(timeout_s=60.0).ask(place, ZONE, "SOA")
    assert key.rights(ZONE, [(WWW, "A"), (WWW, "CNAME"), FENCE]) == (allowed(Act.CHANGE),)
    other = f"mail.{ZONE}"
    assert key.rights(ZONE, [(WWW, "A"), (WWW, "AAAA"), (other, "A"), FENCE]) == (
        allowed(Act.CHANGE, f"{WWW} A"),
        refused(Act.CHANGE, "it answers REFUSED to an update", f"{WWW} AAAA"),
        refused(Act.CHANGE, "it answers REFUSED to an update", f"{other} A"),
        allowed(Act.CHANGE, " ".join(FENCE)),
    )
    assert DnsAuthority(timeout_s=60.0).ask(place, ZONE, "SOA") == serial
    assert host.read(ZONE, [(WWW, "A"), FENCE]) == (address_set(WWW, "192.0.2.1"), fence(1))


def test_without_a_key_nothing_may_be_changed(bind: Bind) -> None:
    keyless = Rfc2136(name="bind", server=f"127.0.0.1:{bind.port}", timeout_s=60.0, deadline_s=120.0)
    assert {right.may for right in keyless.rights(ZONE, [(WWW, "A"), FENCE])} == {May.REFUSED}


def test_without_a_key_reading_works_and_changing_is_refused(bind: Bind) -> None:
    host = Rfc2136(name="bind", server=f"127.0.0.1:{bind.port}")
    assert host.read(ZONE, [(ZONE, "A")]) == ()
    with pytest.raises(AccessRefused):
        host.apply(ZONE, put(address_set(ZONE, "192.0.2.1")), expect=None, fence=fence(1))


@pytest.mark.server("bind")
def test_a_stopped_server_is_unreachable_and_never_empty(bind: Bind, host: Rfc2136) -> None:
    _stop(bind.process)
    with pytest.raises(Unreachable):
        host.read(ZONE, [(ZONE, "A")])
