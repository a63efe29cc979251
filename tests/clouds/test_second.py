"""Two credentials for one account: the first one's report, the second one's word beside it."""

import threading

import pytest

from failover.clouds.second import CREDENTIAL, Seconded
from failover.core.model import AccountReport, Node, NodeSpec
from failover.core.reading import Reading, ServiceReading, Signal, report_of
from failover.core.rights import Right
from failover.errors import SecretError
from tests.clouds.libcloud_support import wish


class Says:
    """An account that says this of every service; `hold` keeps it from answering."""

    def __init__(self, *signals: Signal, hold: threading.Event | None = None) -> None:
        self.report = report_of(ServiceReading(service=f"s{n}", signal=s) for n, s in enumerate(signals))
        self.hold = hold

    def state(self) -> AccountReport:
        if self.hold is not None:
            self.hold.wait(30)
        return self.report

    def nodes(self, service: str, site: str) -> tuple[Node, ...]:
        raise LookupError(f"{service} at {site}")

    def rights(self, spec: NodeSpec) -> tuple[Right, ...]:
        raise LookupError(f"rights for {spec.name}")


def test_1_the_second_is_evidence_and_nothing_else() -> None:
    report = Seconded(Says(Signal.OK, Signal.OK), Says(Signal.AUTH_AMBIGUOUS), deadline_s=30).state()
    assert report.reading is Reading.ACTIVE
    assert [(s.service, s.credential, s.signal) for s in report.signals] == [
        ("s0", "", Signal.OK),
        ("s1", "", Signal.OK),
        ("s0", CREDENTIAL, Signal.AUTH_AMBIGUOUS),
    ]


def test_2_a_second_that_hangs_takes_nothing_from_the_first() -> None:
    hold = threading.Event()
    report = Seconded(Says(Signal.AUTH_AMBIGUOUS), Says(Signal.OK, hold=hold), deadline_s=0.05).state()
    hold.set()
    assert report == Says(Signal.AUTH_AMBIGUOUS).report


def test_4_a_second_whose_secret_cannot_be_read_is_none() -> None:
    class Locked(Says):
        def state(self) -> AccountReport:
            raise SecretError("read secret", "env ACME_SECOND", "the variable is not set")

    assert Seconded(Says(Signal.OK), Locked(), deadline_s=30).state() == Says(Signal.OK).report


def test_3_nodes_are_the_first_ones() -> None:
    with pytest.raises(LookupError, match="guestbook at aurora"):
        Seconded(Says(Signal.OK), Says(Signal.OK), deadline_s=1).nodes("guestbook", "aurora")


def test_4_rights_are_the_first_ones() -> None:
    with pytest.raises(LookupError, match=f"rights for {wish().name}"):
        Seconded(Says(Signal.OK), Says(Signal.OK), deadline_s=1).rights(wish())
