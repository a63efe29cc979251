"""Hosts by octoDNS's providers pass the suite, on a real PowerDNS and a real BIND; what hangs is killed."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import dns.name
import dns.query
import dns.tsig
import dns.update
import dns.zone
import pytest

from failover.core.rrsets import Changes, RRset
from failover.core.survey import MadeUp
from failover.dns.authority import DnsAuthority
from failover.dns.octodns import OctodnsHost
from failover.dns.octodns_process import CHILDREN
from failover.errors import (
    AccessRefused,
    ConfigError,
    NotFound,
    Rejected,
    TimedOut,
    Unreachable,
    Unreadable,
)
from failover.net.secret import remember
from failover.ports import Dns
from failover.testing.dns import (
    WWW,
    ZONE,
    DnsConformance,
    Trouble,
    TroubleConformance,
    address_set,
    fence,
    put,
    wait_until,
    www_published,
)
from tests.dns.foreign import Census, by_updates
from tests.dns.trouble import one_by_one
from tests.e2e.given import Web, directory, webs
from tests.ports import free_port
from tests.servers.pdns import API_KEY, TSIG, Pdns
from tests.servers.pdns_front import Front
from tests.servers.test_bind import _START_TRIES, KEY, Bind, _start, _stop
from tests.servers.test_powerdns import alias_at
from tests.servers.tools import need

POWERDNS = "octodns_powerdns.PowerDnsProvider"
HERE = "tests.servers.octodns_providers"
PATIENCE_S = 120.0


@pytest.fixture(scope="module", autouse=True)
def children() -> Iterator[None]:
    yield
    CHILDREN.end()


class OctodnsConformance(DnsConformance):
    """What octoDNS can be trusted with: its providers differ in how they quote marks in texts, so those are refused."""

    @pytest.fixture
    def authority(self) -> DnsAuthority:
        return DnsAuthority(timeout_s=60.0)

    def test_texts_of_any_length_come_back_as_they_were(self, host: Dns, published: RRset) -> None:
        texts = {"v=1 epoch=7 site=aurora", "x" * 255, "y" * 700}
        rrset = RRset(name=f"note.{ZONE}", type="TXT", ttl_s=60, values=frozenset(texts))
        host.apply(ZONE, put(rrset), expect=published, fence=fence(2))
        (found,) = host.read(ZONE, [rrset.key])
        assert found.values == texts

    @pytest.mark.parametrize("text", ['a "mark"', "a;b", "a\\b"])
    def test_texts_that_would_come_back_changed_are_refused(self, host: Dns, published: RRset, text: str) -> None:
        rrset = RRset(name=f"note.{ZONE}", type="TXT", ttl_s=60, values=frozenset({text}))
        with pytest.raises(Rejected):
            host.apply(ZONE, put(rrset), expect=published, fence=fence(2))
        assert host.read(ZONE, [rrset.key, published.key]) == (published,)


# ------------------------------------------------------------------------------------ PowerDNS


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pdns]:
    with Pdns(tmp_path_factory.mktemp("pdns")) as found:
        yield found


@pytest.fixture
def pdns(started: Pdns) -> Pdns:
    started.renew()
    return started


def powerdns(pdns: Pdns, *, provider: str = POWERDNS, deadline_s: float = PATIENCE_S, **options: object) -> OctodnsHost:
    told = {"host": "127.0.0.1", "port": pdns.api_port, "api_key": API_KEY, **options}
    return OctodnsHost(name="tail", provider=provider, options=told, servers=(pdns.place,), deadline_s=deadline_s)


@pytest.mark.server("powerdns")
class TestOctodnsOnPowerDns(OctodnsConformance):
    @pytest.fixture
    def host(self, pdns: Pdns) -> OctodnsHost:
        return powerdns(pdns)

    @pytest.fixture
    def odd(self, pdns: Pdns) -> Callable[[], MadeUp]:
        return partial(alias_at, pdns, ZONE)

    @pytest.fixture
    def census(self, pdns: Pdns) -> Census:
        return by_updates(pdns.place, TSIG)


@pytest.mark.server("powerdns")
class TestOctodnsInTrouble(TroubleConformance):
    """One PATCH of PowerDNS's API is all of a change."""

    @pytest.fixture
    def front(self, pdns: Pdns) -> Iterator[Front]:
        with Front(pdns) as front:
            yield front

    @pytest.fixture
    def host(self, pdns: Pdns, front: Front) -> OctodnsHost:
        return powerdns(pdns, port=int(front.url.rpartition(":")[2]))

    @pytest.fixture
    def published(self, host: OctodnsHost) -> RRset:
        return www_published(host)

    @pytest.fixture
    def trouble(self, front: Front) -> Trouble:
        return partial(one_by_one, front, "^PATCH ")


FOREIGN = (
    ("geo", "LOC", "51 30 12.748 N 0 7 39.611 W 0.00m 0.00m 0.00m 0.00m"),
    ("m", "TXT", '"v=DKIM1\\; k=rsa\\; p=MIGf" "MA0G"', '"b; c"'),
    ("m", "CAA", '0 issue "ca.example.net"'),
    ("_s._tcp", "SRV", "1 2 80 M.EXAMPLE.net."),
    ("*.w", "A", "192.0.2.7"),
)


@pytest.mark.server("powerdns")
def test_foreign_records_stay_as_they_are(pdns: Pdns) -> None:
    """Also those that octoDNS would write another way."""
    for name, type, *contents in FOREIGN:
        records = [{"content": content, "disabled": False} for content in contents]
        pdns.patch({"name": f"{name}.{ZONE}.", "type": type, "ttl": 77, "records": records})
    before = {key: found for key, found in pdns.census().items() if key[1] != "SOA"}
    host = powerdns(pdns)
    host.apply(ZONE, put(address_set(WWW, "192.0.2.1")), expect=None, fence=fence(1))
    host.apply(ZONE, put(address_set(WWW, "192.0.2.2")), expect=fence(1), fence=fence(2))
    host.apply(ZONE, Changes(remove=((WWW, "A"),)), expect=fence(2), fence=None)
    assert {key: found for key, found in pdns.census().items() if key[1] != "SOA"} == before


@pytest.mark.server("powerdns")
def test_what_is_refused_and_what_is_absent(pdns: Pdns) -> None:
    remember("a-wrong-key-of-the-tests")
    with pytest.raises(AccessRefused) as refused:
        powerdns(pdns, api_key="a-wrong-key-of-the-tests").read(ZONE, [(WWW, "A")])
    assert "a-wrong-key" not in str(refused.value)
    with pytest.raises(NotFound):
        powerdns(pdns).read("absent.test", [("www.absent.test", "A")])
    with pytest.raises(Unreachable):
        powerdns(pdns, port=1).read(ZONE, [(WWW, "A")])


# ------------------------------------------------------------------------------------ providers that misbehave


@pytest.mark.server("powerdns")
def test_a_provider_that_sleeps_is_killed_and_the_outcome_is_unknown(pdns: Pdns, tmp_path: Path) -> None:
    """The change went out before it fell asleep; a later look shows it. Its own child is killed with it."""
    note = tmp_path / "pid"
    powerdns(pdns).read(ZONE, [])  # so that the import is no part of the deadline
    with pytest.raises(TimedOut) as raised:
        powerdns(pdns, provider=f"{HERE}.Sleeper", deadline_s=6.0, note=str(note)).apply(
            ZONE, put(address_set(WWW, "192.0.2.1")), expect=None, fence=fence(1)
        )
    assert "was killed" in raised.value.cause
    assert powerdns(pdns).read(ZONE, [(WWW, "A")]) == (address_set(WWW, "192.0.2.1"),)
    assert _ends(int(note.read_text()))


def test_a_provider_ends_with_the_command_that_is_killed(tmp_path: Path) -> None:
    """What it would still write would come late, over a newer plan perhaps. No server is asked."""
    note = tmp_path / "pid"
    options = {"host": "127.0.0.1", "port": 9, "api_key": "k", "note": str(note)}
    script = (
        "from failover.dns.octodns import OctodnsHost\n"
        f"host = OctodnsHost(name='tail', provider='{HERE}.Waiting', options={options!r}, servers=('127.0.0.1:53',),"
        " deadline_s=250.0)\n"
        f"host.read({ZONE!r}, [({WWW!r}, 'A')])\n"
    )
    command = subprocess.Popen([sys.executable, "-c", script], cwd=Path(__file__).parents[2])
    try:
        wait_until(lambda: note.exists() and note.read_text() != "")
    finally:
        command.kill()
        command.wait()
    assert _ends(int(note.read_text()))


@pytest.mark.server("powerdns")
def test_a_provider_that_dies(pdns: Pdns) -> None:
    with pytest.raises(Unreadable, match="ended without an answer"):
        powerdns(pdns, provider=f"{HERE}.Dying").read(ZONE, [(WWW, "A")])
    assert powerdns(pdns).read(ZONE, [(WWW, "A")]) == ()


@pytest.mark.server("powerdns")
def test_a_provider_that_dies_at_work_leaves_the_outcome_unknown(pdns: Pdns) -> None:
    with pytest.raises(TimedOut, match="may be done"):
        powerdns(pdns, provider=f"{HERE}.DyingAtWork").apply(
            ZONE, put(address_set(WWW, "192.0.2.1")), expect=None, fence=fence(1)
        )


@pytest.mark.server("powerdns")
def test_a_provider_that_would_touch_more_is_refused(pdns: Pdns) -> None:
    before = pdns.census()
    with pytest.raises(Rejected, match=r"sets that are not ours: ns1\.example\.test A"):
        powerdns(pdns, provider=f"{HERE}.Meddler").apply(
            ZONE, put(address_set(WWW, "192.0.2.1")), expect=None, fence=fence(1)
        )
    with pytest.raises(Rejected, match="settings of the zone"):
        powerdns(pdns, provider=f"{HERE}.Settler").apply(
            ZONE, put(address_set(WWW, "192.0.2.1")), expect=None, fence=fence(1)
        )
    assert pdns.census() == before


@pytest.mark.server("powerdns")
def test_a_provider_that_says_yes_and_does_nothing(pdns: Pdns) -> None:
    with pytest.raises(TimedOut, match="does not show it yet"):
        powerdns(pdns, apply_disabled=True).apply(ZONE, put(address_set(WWW, "192.0.2.1")), expect=None, fence=fence(1))


@pytest.mark.server("powerdns")
def test_a_provider_that_fails_half_way(pdns: Pdns) -> None:
    with pytest.raises(TimedOut, match="whether it was carried out is unknown: RuntimeError"):
        powerdns(pdns, provider=f"{HERE}.HalfWay").apply(
            ZONE, put(address_set(WWW, "192.0.2.1")), expect=None, fence=fence(1)
        )


@pytest.mark.server("powerdns")
def test_a_provider_that_prints_does_not_disturb(pdns: Pdns) -> None:
    assert powerdns(pdns, provider=f"{HERE}.Chatterbox").read(ZONE, [(WWW, "A")]) == ()


@pytest.mark.parametrize(
    ("provider", "options"),
    [("octodns_powerdns.Absent", {}), ("no_such_package.Provider", {}), (POWERDNS, {"nonsense": 1})],
)
def test_a_class_or_options_that_cannot_be(provider: str, options: dict[str, object]) -> None:
    host = OctodnsHost(
        name="tail", provider=provider, options=options, servers=("127.0.0.1:53",), deadline_s=PATIENCE_S
    )
    with pytest.raises(ConfigError):
        host.read(ZONE, [(WWW, "A")])


def _ends(pid: int) -> bool:
    """Whether that process ends, or waits only to be reaped by whoever has adopted it."""
    stat = Path(f"/proc/{pid}/stat")

    def ended() -> bool:
        return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"

    wait_until(ended)
    return True


# ------------------------------------------------------------------------------------ the real command


NEAR, FAR = "127.62.0.1", "127.62.0.2"
CONFIG = """\
version: 1
service: guestbook
runner: {{every: 1s, call_timeout: 20s}}
sites:
  near: {{provider: near, addresses: {{web: [{near}]}}}}
  far: {{provider: far, addresses: {{web: [{far}]}}}}
dns:
  zones: [{zone}]
  ttl: 1
  hosts:
    tail:
      kind: octodns
      class: {kind}
      options: {{host: 127.0.0.1, port: {api_port}}}
      credentials: {{api_key: {{file: key}}}}
      servers: ["{place}"]
      converges: 1s
  records: {{{name}: {{type: A, nodes: web}}}}
checks:
  main: {{tcp: "{{address}}:{port}", interval: 2s, timeout: 2s, fall: 2, rise: 1}}
policy: {{min_grade: 3, cooldown: 0s, tilt: 0s}}
"""


@pytest.mark.server("powerdns")
@pytest.mark.timeout(600)
def test_apply_cutover_and_destroy_by_the_real_command(pdns: Pdns, tmp_path: Path) -> None:
    play = directory(tmp_path / "play")
    key, port = play.directory / "key", free_port(NEAR, FAR)
    key.touch(0o600)
    key.write_text(API_KEY + "\n")
    said = {"api_port": pdns.api_port, "place": pdns.place, "near": NEAR, "far": FAR, "port": port}
    play.config.write_text(CONFIG.format(zone=ZONE, name=WWW, kind=POWERDNS, **said))
    before = {name for name in pdns.census() if name[1] != "SOA"}
    try:
        with webs(Web(NEAR, port), Web(FAR, port)):
            play.run("validate")
            play.run("apply", "--yes")
            assert pdns.serves(WWW, "A") == {NEAR}
            play.check_until(lambda c: c["verdicts"] == {"near": "UP", "far": "UP"})
            assert play.ask("cutover", "far", "--yes")["target"] == "far"
            assert pdns.serves(WWW, "A") == {FAR}
            key.write_text("a-wrong-key-of-the-tests\n")
            assert "PowerDNS unauthorized" in play.run("plan", code=1).out
            key.write_text(API_KEY + "\n")
            play.run("destroy", "--yes")
        assert {name for name in pdns.census() if name[1] != "SOA"} == before
        assert not [text for text in play.said if API_KEY in text or "a-wrong-key" in text]
    finally:
        play.close()


# ------------------------------------------------------------------------------------ BIND


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bind]:
    named = need("named", "bind9")
    directory = tmp_path_factory.mktemp("bind")
    for _ in range(_START_TRIES):
        started = _start(named, directory)
        if started is not None:
            break
    else:
        pytest.fail((directory / "log").read_text())
    yield started
    _stop(started.process)


@pytest.fixture
def bind(running: Bind) -> Bind:
    """With an empty zone: all that stands there is taken away again."""
    key = dns.tsig.Key(KEY.name, KEY.secret, KEY.algorithm)
    transfer = dns.query.xfr("127.0.0.1", ZONE, port=running.port, keyring={key.name: key}, relativize=False)
    zone, apex = dns.zone.from_xfr(transfer, relativize=False), dns.name.from_text(ZONE)
    update = dns.update.UpdateMessage(apex, keyring=key)
    for name in zone.nodes:
        if name != apex and not name.to_text().startswith("ns1."):
            update.delete(name)
    for type in ("A", "AAAA", "MX"):
        update.delete(apex, type)
    dns.query.tcp(update, "127.0.0.1", port=running.port, timeout=60)
    return running


@pytest.mark.server("bind")
class TestOctodnsOnBind(OctodnsConformance):
    @pytest.fixture
    def host(self, bind: Bind) -> OctodnsHost:
        options = {
            "host": "127.0.0.1",
            "port": bind.port,
            "key_name": KEY.name,
            "key_secret": KEY.secret,
            "key_algorithm": KEY.algorithm,
        }
        return OctodnsHost(
            name="bind",
            provider="octodns_bind.Rfc2136Provider",
            options=options,
            servers=(f"127.0.0.1:{bind.port}",),
            deadline_s=PATIENCE_S,
        )

    @pytest.fixture
    def census(self, bind: Bind) -> Census:
        return by_updates(f"127.0.0.1:{bind.port}", KEY)
