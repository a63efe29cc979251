from collections.abc import Iterator

import pytest

from failover.core.model import Control, ControlKind, Failure, Outcome, Target
from failover.probes.prober import Prober
from failover.testing.memory_probe import Answer, MemoryProbe
from failover.testing.probes import ProbeBench, ProbeConformance
from tests.ports import free_port
from tests.probes.asking import target
from tests.probes.conftest import now
from tests.probes.servers import Server, answers, hangs, page


class TestProber(ProbeConformance):
    @pytest.fixture
    def bench(self, prober: Prober) -> Iterator[ProbeBench]:
        with Server(answers(page())) as good, Server(hangs) as silent:
            dead = free_port()
            yield ProbeBench(
                probe=prober,
                good=target(good.port),
                refused=target(dead),
                silent=target(silent.port),
                good_control=Control(kind=ControlKind.TCP, target=f"127.0.0.1:{good.port}", provider="x"),
                dead_control=Control(kind=ControlKind.TCP, target=f"127.0.0.1:{dead}", provider="y"),
            )


class TestMemoryProbe(ProbeConformance):
    @pytest.fixture
    def bench(self) -> ProbeBench:
        good, refused, silent = target(1), target(2), target(3)
        told: dict[int, Answer] = {
            good.check.port: (Outcome.PASS, None, "status 200"),
            refused.check.port: (Outcome.FAIL, Failure.REFUSED, "refused the connection"),
            silent.check.port: (Outcome.FAIL, Failure.READ_TIMEOUT, "did not answer"),
        }

        def tell(asked: Target) -> Answer:
            return told[asked.check.port]

        good_control = Control(kind=ControlKind.TCP, target="192.0.2.1:1", provider="x")
        return ProbeBench(
            probe=MemoryProbe(now=now, targets=tell, controls=lambda control: control == good_control),
            good=good,
            refused=refused,
            silent=silent,
            good_control=good_control,
            dead_control=Control(kind=ControlKind.TCP, target="192.0.2.1:2", provider="y"),
        )
