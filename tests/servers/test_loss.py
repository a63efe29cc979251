"""Packets that get lost between us and a site: retransmissions are not failures, and a lossy way is no dead site."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from failover.core.health import HealthState
from failover.core.judge import Observation, judge
from failover.core.model import Failure, Outcome, Sample, Service, Site, Target
from failover.core.verdict import VerdictKind
from failover.core.world import State
from failover.probes.prober import Prober
from tests.core.builders import BOREAS, HTTP, SERVICE, at, controls, sample
from tests.probes.conftest import now
from tests.probes.servers import Server, answers, page
from tests.servers.lossy import LossyCable
from tests.servers.network import Network

NEAR, FAR = "10.99.0.1", "10.99.0.2"
CHECK = replace(HTTP, timeout_s=4.0, fall=3, rise=1, body="ok")
SITES = (
    Site(name="aurora", provider=None, addresses={"web": (FAR,)}),
    Site(name=BOREAS, provider=None, addresses={"web": ("198.51.100.2",)}),
)
TIMEOUTS = {Failure.CONNECT_TIMEOUT, Failure.READ_TIMEOUT}


class Way:
    """From the prober to the site aurora, over a cable that loses packets."""

    def __init__(self, near: Network, cable: LossyCable, port: int) -> None:
        self.cable = cable
        self._near = near
        self._target = Target(site="aurora", address=FAR, check=replace(CHECK, port=port))
        self.service: Service = replace(SERVICE, sites=SITES, checks=(self._target.check,), release=None)
        self._state = State(service="guestbook", active_site="aurora")
        self._number = 0

    def ask(self, count: int, *, timeout_s: float = 4.0) -> tuple[Sample, ...]:
        check = replace(self._target.check, timeout_s=timeout_s)
        with self._near.inside():
            return Prober(now=now).run([replace(self._target, check=check)] * count, timeout_s + 4.0)

    def judged(self, seen: Sample) -> VerdictKind:
        """The verdict after one more round, in which the other site and our controls were well."""
        samples = (seen, sample(BOREAS, Outcome.PASS))
        observed = Observation(at=at(10.0 * self._number), samples=samples, controls=controls(True, True))
        self._state = judge(self.service, self._state, observed)
        self._number += 1
        found = self._state.watch["aurora"].verdict
        assert found is not None
        return found.kind

    @property
    def health(self) -> HealthState:
        return self._state.health["aurora"]["http"].state


@pytest.fixture
def way() -> Iterator[Way]:
    with ExitStack() as stack:
        near, far = stack.enter_context(Network()), stack.enter_context(Network())
        cable = stack.enter_context(LossyCable(near, far, near_address=NEAR, far_address=FAR))
        with far.inside():
            server = Server(answers(page(b"ok" * 2000)), address=FAR)
        stack.enter_context(server)
        yield Way(near, cable, server.port)
        cable.loss = 0.0  # so that the server hears of every connection's end


@pytest.mark.parametrize("loss", [0.01, 0.1])
def test_few_lost_packets_leave_a_site_up(way: Way, loss: float) -> None:
    """A lost packet is sent again after a second or less: three rounds in a row without an answer are out of reach."""
    seen = [*way.ask(1)]
    way.cable.loss = loss
    seen += way.ask(20)
    assert {s.failure for s in seen} <= {None, *TIMEOUTS}
    assert {way.judged(s) for s in seen} <= {VerdictKind.UP}
    assert way.cable.lost > 0


def test_half_of_the_packets_lost(way: Way) -> None:
    """Some probes come through and some do not: each is well or silent, nothing else, and only three silent ones in
    a row are DOWN."""
    seen = [*way.ask(1)]
    way.cable.loss = 0.5
    seen += way.ask(24)
    assert {s.failure for s in seen} <= {None, *TIMEOUTS}
    silent = 0
    for one in seen:
        verdict = way.judged(one)
        silent = silent + 1 if one.outcome is Outcome.FAIL else 0
        assert (way.health is HealthState.DOWN) == (silent >= CHECK.fall)
        assert verdict is (VerdictKind.DOWN_UNEXPLAINED if silent >= CHECK.fall else VerdictKind.UP)


def test_all_packets_lost_is_silence(way: Way) -> None:
    assert way.judged(way.ask(1)[0]) is VerdictKind.UP
    way.cable.loss = 1.0
    seen = way.ask(3, timeout_s=0.5)
    assert {(s.outcome, s.failure) for s in seen} == {(Outcome.FAIL, Failure.CONNECT_TIMEOUT)}
    verdicts = [way.judged(s) for s in seen]
    assert verdicts == [VerdictKind.UP, VerdictKind.UP, VerdictKind.DOWN_UNEXPLAINED]


def test_without_a_way_at_all_it_is_our_own_trouble(way: Way) -> None:
    """The same probe from a network that has no route: UNKNOWN, and no step towards DOWN."""
    with Network() as nowhere, nowhere.inside():
        (seen,) = Prober(now=now).run([way._target], 8.0)
    assert (seen.outcome, seen.failure) == (Outcome.UNKNOWN, Failure.LOCAL)
    assert way.judged(seen) is VerdictKind.UNKNOWN
