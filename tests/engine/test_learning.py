"""Unknown answers of a provider are written down once, and the state of a round stays small."""

from dataclasses import replace

import pytest

from failover.core.evidence import BODIES_MAX
from failover.core.model import AccountReport, Node, NodeSpec
from failover.core.reading import ServiceReading, Signal, report_of
from failover.core.rights import Right
from failover.core.saga import Event, EventKind
from failover.engine.learning import STEP
from failover.ports import Account
from tests.engine.play import Play, published

BODY = '{"error": "The account is frozen for now, request 67ed842d"}'


class Answers:
    """The account of the first site as it is, but for what its services say about it."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.signals: tuple[ServiceReading, ...] = ()

    def state(self) -> AccountReport:
        return report_of((ServiceReading(service="sts", signal=Signal.OK), *self.signals))

    def nodes(self, service: str, site: str) -> tuple[Node, ...]:
        return self.account.nodes(service, site)

    def rights(self, spec: NodeSpec) -> tuple[Right, ...]:
        return self.account.rights(spec)


def unknown(message: str, raw: str = BODY, code: str = "Frozen") -> ServiceReading:
    return ServiceReading(
        service="ec2", region="us-east-1", signal=Signal.AUTH_AMBIGUOUS, status=403, code=code, message=message, raw=raw
    )


@pytest.fixture
def played() -> tuple[Play, Answers]:
    found = published()
    site = found.context.service.sites[0].name
    answers = Answers(found.context.accounts[site])
    found.context = replace(found.context, accounts={**found.context.accounts, site: answers})
    return found, answers


def notes(found: Play) -> list[Event]:
    return [e for e in found.context.store.events(10_000) if e.step == STEP]


def test_1_an_unknown_answer_is_noted_once(played: tuple[Play, Answers]) -> None:
    found, answers = played
    answers.signals = (unknown("frozen, request 67ed842d"),)
    found.ticks(3)
    answers.signals = (unknown("frozen, request 0a1b2c3d"),)
    found.ticks(2)
    (note,) = notes(found)
    assert note.kind is EventKind.NOTE
    assert note.output["body"] == BODY
    assert note.output["service"] == "ec2"
    assert note.reason.endswith(
        "ec2 said what is not known yet, taken for auth-ambiguous: 403 Frozen frozen, request 67ed842d"
    )
    answers.signals = (unknown("thawing"),)
    found.ticks(2)
    assert len(notes(found)) == 2
    found.context.store.verify()


def test_2_bodies_do_not_stay_in_the_state(played: tuple[Play, Answers]) -> None:
    found, answers = played
    answers.signals = (unknown("frozen"),)
    found.tick()
    report = found.state.watch[found.context.service.sites[0].name].report
    assert report is not None
    assert [(s.service, s.raw) for s in report.signals] == [("sts", ""), ("ec2", "")]


def test_3_known_answers_are_not_noted(played: tuple[Play, Answers]) -> None:
    found, answers = played
    answers.signals = (unknown("no", raw=""), ServiceReading(service="s3", signal=Signal.PERMISSION))
    found.ticks(2)
    assert notes(found) == []


def test_4_the_log_does_not_fill(played: tuple[Play, Answers]) -> None:
    found, answers = played
    for number in range(3):
        answers.signals = tuple(unknown("x", code=f"C{number}-{n}") for n in range(BODIES_MAX))
        found.tick()
    assert len(notes(found)) == BODIES_MAX
