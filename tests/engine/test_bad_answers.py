"""Bad days of a site, real servers and real probes under the whole engine: each is told apart, judged, asked about.

Aurora is active and falls ill; boreas and cirrus stay well. All are given sites on loopback addresses, under TLS. The
clock of the engine is virtual, so windows pass at once; probes take their real time.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from failover.core.decide import DecisionKind
from failover.core.health import HealthState
from failover.core.model import CheckKind, Site
from failover.core.verdict import VerdictKind
from failover.core.world import State
from failover.probes.prober import Prober
from failover.testing.sim_runtime import VirtualClock
from failover.testing.sim_world import SITES, Outside, guestbook
from tests.engine.play import Play
from tests.ports import free_port
from tests.probes.conftest import now
from tests.probes.servers import Behaviour, Server, answers, drips, floods, hangs, page, resets
from tests.probes.test_tls import HOST, context

ADDRESSES = dict(zip(SITES, ("127.71.0.1", "127.71.0.2", "127.71.0.3"), strict=True))
WELL = answers(page(b"guestbook", headers=("X-Site: mine",)))
TIMEOUT_S = 1.5
FALL = 3


@dataclass(slots=True)
class Bench:
    """A published service, its servers by site, and who signs their certificates."""

    play: Play
    servers: dict[str, Server]
    authority: trustme.CA

    def certificate(self, host: str = HOST, *, ends_in: timedelta = timedelta(days=60)) -> None:
        """Aurora shows this one from now on."""
        ends = datetime.now(UTC) + ends_in
        begins = ends - timedelta(days=90)
        self.servers["aurora"].context = context(self.authority.issue_cert(host, not_before=begins, not_after=ends))

    def falls_ill(self) -> State:
        """Bad rounds until the policy speaks; the state then."""
        confirm_s = self.play.outside.service.policy.unexplained_down.confirm_s
        rounds = FALL + int(confirm_s / self.play.outside.service.every_s)
        for number in range(1, rounds + 1):
            report = self.play.tick()
            if number < FALL:
                assert report.decision.kind is DecisionKind.HOLD, "less than `fall` bad rounds decide nothing"
                assert self.verdict() is VerdictKind.UP
            self.play.wait()
        return self.play.state

    def verdict(self) -> VerdictKind:
        found = self.play.state.watch["aurora"].verdict
        assert found is not None
        return found.kind


@pytest.fixture
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    authority, ca_file = trustme.CA(), tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    port = free_port(*ADDRESSES.values())
    plain = guestbook(given=SITES)
    check = replace(
        plain.checks[0],
        kind=CheckKind.HTTPS,
        port=port,
        host=HOST,
        body="guestbook",
        headers={"X-Site": "mine"},
        ca_file=str(ca_file),
        tls_days_left_min=7,
        timeout_s=TIMEOUT_S,
        fall=FALL,
        rise=1,
    )
    sites = tuple(Site(name=n, provider=None, addresses={"web": (a,)}) for n, a in ADDRESSES.items())
    clock = VirtualClock()
    play = Play(Outside(replace(plain, sites=sites, checks=(check,), controls=()), clock), clock)
    play.context = replace(play.context, probe=Prober(now=now))
    with ExitStack() as stack:
        servers = {
            site: stack.enter_context(
                Server(WELL, context=context(authority.issue_cert(HOST)), address=address, port=port)
            )
            for site, address in ADDRESSES.items()
        }
        play.apply()
        play.ticks(3)
        assert play.state.active_site == "aurora"
        assert {w.verdict.kind for w in play.state.watch.values() if w.verdict} == {VerdictKind.UP}
        play.wait()
        yield Bench(play, servers, authority)


def expect_question(bench: Bench, detail: str) -> None:
    """Down for a reason that is told, nothing to ask an account about: a person is asked, and DNS stands."""
    state = bench.falls_ill()
    assert bench.verdict() is VerdictKind.DOWN_UNEXPLAINED
    assert state.decision == DecisionKind.ASK.value
    assert state.proposal is not None
    health = state.health["aurora"]["http"]
    assert health.state is HealthState.DOWN
    assert detail in health.reason
    assert any(detail in reason for reason in state.reasons)
    assert state.active_site == "aurora"
    others = [state.watch[site].verdict for site in ("boreas", "cirrus")]
    assert [v.kind for v in others if v] == [VerdictKind.UP] * 2


SUSPENDED = page(b"<h1>This account has been suspended</h1>", headers=("X-Site: mine",))
PARKED = page(b"a page about your guestbook, parked here")
PAGES: dict[str, tuple[Behaviour, str]] = {
    "a suspension page that says 200": (answers(SUSPENDED), "does not hold 'guestbook'"),
    "a parking page that knows the word": (answers(PARKED), "header X-Site is missing"),
    "a redirect to the provider": (
        answers(page(status="302 Found", headers=("Location: https://billing.example/",))),
        "status 302, expected 200-299 (redirects are not followed)",
    ),
    "an error of the program": (answers(page(status="500 No")), "status 500, expected 200-299"),
    "one byte at a time": (drips(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 900), "did not finish its answer within 1.5 s"),
    "silence after the handshake": (hangs, "did not finish its answer within 1.5 s"),
    "a reset": (resets, "closed the connection without an answer"),
    "another protocol": (answers(b"220 mail.example ESMTP\r\n"), "does not speak HTTP: '220 mail.example ESMTP'"),
    "a head without end": (floods(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 999), "a head of more than 64 KiB"),
}


@pytest.mark.parametrize("day", sorted(PAGES))
def test_what_a_site_says(bench: Bench, day: str) -> None:
    bench.servers["aurora"].behave, detail = PAGES[day]
    expect_question(bench, detail)


def test_a_handshake_that_hangs(bench: Bench) -> None:
    bench.servers["aurora"].context, bench.servers["aurora"].behave = None, hangs
    expect_question(bench, "did not finish its answer within 1.5 s")


def test_no_tls_at_all(bench: Bench) -> None:
    bench.servers["aurora"].context = None
    bench.servers["aurora"].behave = lambda server, connection: connection.sendall(b"x" * 500)
    expect_question(bench, "no TLS with 127.71.0.1")


def test_nobody_listens(bench: Bench) -> None:
    bench.servers["aurora"].close()
    expect_question(bench, "refused the connection")


def test_an_expired_certificate(bench: Bench) -> None:
    bench.certificate(ends_in=timedelta(days=-2))
    expect_question(bench, "certificate has expired")


def test_a_certificate_for_another_name(bench: Bench) -> None:
    bench.certificate("parked.example.net")
    expect_question(bench, "hostname mismatch")


def test_a_certificate_that_nobody_renews(bench: Bench) -> None:
    bench.certificate(ends_in=timedelta(days=2, hours=1))
    expect_question(bench, "the certificate ends in 2 days, expected 7 or more")


def test_our_own_trouble_is_no_verdict_on_the_site(bench: Bench) -> None:
    """Without a file of authorities nothing can be judged: unknown, and nothing is asked, let alone moved."""
    service = bench.play.context.service
    check = replace(service.checks[0], ca_file="/nowhere/ca.pem")
    bench.play.context = replace(bench.play.context, service=replace(service, checks=(check,)))
    state = bench.falls_ill()
    assert state.decision == DecisionKind.HOLD.value
    assert state.proposal is None
    assert state.health["aurora"]["http"].fails == 0
