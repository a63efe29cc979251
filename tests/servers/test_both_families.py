"""Verification over IPv4 and IPv6, by UDP and by TCP: BIND at 127.0.0.1 and at ::1, each with a zone of its own.

An update reaches the one that it is sent to, so the other lags behind, as a server does whose IPv6 leads elsewhere.
"""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from failover.core.cutover import CutoverPlan
from failover.core.facts import HostFacts, served
from failover.core.rrsets import Changes, RRset, epoch_set
from failover.core.survey import ServerFacts
from failover.dns.authority import DnsAuthority
from failover.dns.rfc2136 import Rfc2136
from failover.dns.survey import DnsSurvey
from failover.engine.context import Context
from failover.engine.publish import fence_of
from failover.engine.runtime import RealRuntime
from failover.engine.served import prove
from failover.testing.dns import wait_until
from failover.testing.sim_world import NAME, ZONE
from tests.engine.play import published
from tests.ports import free_port
from tests.servers.dns_tree import is_running, zone_text
from tests.servers.tools import need

pytestmark = pytest.mark.server("bind")

FOUR, SIX = "127.0.0.1", "::1"
_START_TRIES = 5
_CONFIG = """\
options {{
    directory "{directory}"; pid-file "{directory}/pid"; session-keyfile "{directory}/session.key"; recursion no;
    listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 port {port} {{ ::1; }}; notify no; dnssec-validation no;
    querylog yes;
}};
controls {{ }};
view "four" {{ match-destinations {{ 127.0.0.1; }}; {zone} }};
view "six" {{ match-destinations {{ ::1; }}; {other} }};
"""
_ZONE = 'zone "{zone}" {{ type primary; file "{file}"; allow-update {{ any; }}; check-integrity no; }};'


@dataclass(frozen=True, slots=True)
class Both:
    """One server, two addresses."""

    port: int
    log: Path

    @property
    def four(self) -> str:
        return f"{FOUR}:{self.port}"

    @property
    def six(self) -> str:
        return f"[{SIX}]:{self.port}"

    def host(self, server: str) -> Rfc2136:
        """Changes the zone that stands there; the world asks at both addresses."""
        servers = (self.four, self.six)
        return Rfc2136(name="one", server=server, servers=servers, timeout_s=30.0, deadline_s=60.0)

    def ways(self, name: str) -> set[tuple[str, bool]]:
        """From where and whether by TCP that name was asked for, as the server has logged it."""
        asked = [line for line in self.log.read_text().splitlines() if f"query: {name} IN A " in line]
        return {(SIX if f"({SIX})" in line else FOUR, "T" in line.rsplit(" ", 2)[1]) for line in asked}


def _has_ipv6() -> bool:
    try:
        with closing(socket.create_server((SIX, 0), family=socket.AF_INET6)):
            return True
    except OSError:
        return False


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Both]:
    named = need("named", "bind9")
    if not _has_ipv6():
        pytest.skip("this machine has no ::1")
    log = tmp_path / "log"
    for _ in range(_START_TRIES):
        port = free_port()
        zones = []
        for view in ("four", "six"):
            (tmp_path / view).write_text(zone_text(ZONE, ("ns1.north.test",), www=""))
            zones.append(_ZONE.format(zone=ZONE, file=tmp_path / view))
        (tmp_path / "config").write_text(_CONFIG.format(directory=tmp_path, port=port, zone=zones[0], other=zones[1]))
        with log.open("wb") as file:
            words = [named, "-g", "-n", "1", "-c", str(tmp_path / "config")]
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        try:
            wait_until(lambda: process.poll() is not None or is_running(log))  # noqa: B023 - it is called at once
            if process.poll() is None and "address in use" not in log.read_text():
                yield Both(port, log)
                return
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    raise AssertionError(log.read_text())


# -------------------------------------------------------------------------------------------- one plan

BEFORE = (
    RRset(name=NAME, type="A", ttl_s=20, values=frozenset({"192.0.2.1"})),
    RRset(name=NAME, type="AAAA", ttl_s=20, values=frozenset({"2001:db8::1"})),
)
AFTER = (
    RRset(name=NAME, type="A", ttl_s=20, values=frozenset({"198.51.100.1"})),
    RRset(name=NAME, type="AAAA", ttl_s=20, values=frozenset({"2001:db8::2"})),
)


@dataclass(frozen=True, slots=True)
class Verification:
    """What the engine asks of a change; both zones hold the state before it, under epoch 1."""

    both: Both
    context: Context
    plan: CutoverPlan

    def facts(self) -> HostFacts:
        answers = prove(self.context, self.plan, AFTER, ["one"]).answers
        return served({}, answers, epoch=self.plan.epoch, now=self.context.runtime.now())["one"]

    def move(self, server: str, *rrsets: RRset) -> None:
        """The change arrives at that address, with its epoch."""
        service = self.context.service.name
        before = replace(self.plan, epoch=self.plan.epoch - 1)
        self.both.host(server).apply(
            ZONE,
            Changes(put=rrsets),
            expect=epoch_set(service, ZONE, fence_of(before)),
            fence=epoch_set(service, ZONE, fence_of(self.plan)),
        )


@pytest.fixture
def verification(both: Both) -> Verification:
    found = published()
    plan = replace(found.plan(), epoch=2)
    service = replace(found.context.service, hosts=("one",), call_s=10.0)
    found.context = replace(
        found.context,
        service=service,
        hosts={"one": both.host(both.four)},
        authority=DnsAuthority(timeout_s=5.0),
        runtime=RealRuntime(),
    )
    for server in (both.four, both.six):
        fence = epoch_set(service.name, ZONE, fence_of(replace(plan, epoch=1)))
        both.host(server).apply(ZONE, Changes(put=BEFORE), expect=None, fence=fence)
    return Verification(both, found.context, plan)


def test_both_families_are_asked_by_udp_and_by_tcp(verification: Verification) -> None:
    both = verification.both
    for server in (both.four, both.six):
        verification.move(server, *AFTER)
    facts = verification.facts()
    assert facts.served is not None
    assert facts.late == ()
    wait_until(lambda: len(both.ways(NAME)) == 4)
    assert both.ways(NAME) == {(FOUR, False), (FOUR, True), (SIX, False), (SIX, True)}


def test_a_server_that_lags_over_ipv6_is_named_with_its_family(verification: Verification) -> None:
    verification.move(verification.both.four, *AFTER)
    facts = verification.facts()
    assert facts.served is None
    says = f"{verification.both.six}: it answers 192.0.2.1 for {NAME} A over IPv6"
    assert facts.late == (says, f"{says} by TCP")


def test_addresses_that_moved_in_one_family_only_are_not_served(verification: Verification) -> None:
    """The epoch is there, and so is the new A; but AAAA still leads to the old site, and half of the world with it."""
    verification.move(verification.both.four, *AFTER)
    verification.move(verification.both.six, AFTER[0], BEFORE[1])
    facts = verification.facts()
    assert facts.served is None
    says = f"{verification.both.six}: it answers 2001:db8::1 for {NAME} AAAA over IPv6"
    assert facts.late == (says, f"{says} by TCP")


def test_a_server_that_does_not_answer_over_ipv6_is_named_with_its_family(verification: Verification) -> None:
    both = verification.both
    verification.move(both.four, *AFTER)
    with closing(socket.create_server((SIX, 0), family=socket.AF_INET6)) as reserved:
        nobody = f"[{SIX}]:{reserved.getsockname()[1]}"
    host = Rfc2136(name="one", server=both.four, servers=(both.four, nobody), timeout_s=30.0, deadline_s=60.0)
    facts = replace(verification, context=replace(verification.context, hosts={"one": host})).facts()
    assert facts.served is None
    assert len(facts.late) == 2
    assert all(late.startswith(f"{nobody}: ") and " over IPv6" in late for late in facts.late), facts.late
    assert facts.late[1].endswith(" by TCP")


def test_the_doctor_sees_each_family(both: Both) -> None:
    survey = DnsSurvey(timeout_s=5.0, deadline_s=10.0)
    for place in (both.four, both.six):
        facts = survey.server(place, ZONE, [(NAME, "A")], now_utc_s=0.0)
        assert (facts.answers, facts.udp, facts.tcp, facts.routed) == (True, None, None, True)
    with closing(socket.create_server((SIX, 0), family=socket.AF_INET6)) as reserved:
        nobody = f"[{SIX}]:{reserved.getsockname()[1]}"
    silent: ServerFacts = survey.server(nobody, ZONE, [(NAME, "A")], now_utc_s=0.0)
    assert (silent.answers, silent.routed) == (False, True)
    assert silent.udp
    assert silent.tcp
