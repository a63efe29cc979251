"""The verdict table, written out from the design once more, cell by cell."""

from itertools import product

import pytest

from failover.core.health import HealthState
from failover.core.model import AccountReport, Reading
from failover.core.verdict import NodesSeen, Verdict, VerdictKind, judge_site
from tests.core.builders import at

# One row per data plane and reading; columns: our nodes run, are gone, are not known.
EXPECTED = """
    down     active    APP_DOWN           RESOURCES_GONE     DOWN_UNEXPLAINED
    down     warned    APP_DOWN           RESOURCES_GONE     DOWN_UNEXPLAINED
    down     closed    ACCOUNT_CLOSED     ACCOUNT_CLOSED     ACCOUNT_CLOSED
    down     refused   PROVIDER_DOWN      PROVIDER_DOWN      PROVIDER_DOWN
    down     unclear   PROVIDER_DOWN      PROVIDER_DOWN      PROVIDER_DOWN
    down     none      DOWN_UNEXPLAINED   DOWN_UNEXPLAINED   DOWN_UNEXPLAINED
    up       active    UP                 UP                 UP
    up       warned    ACCOUNT_WARNED     ACCOUNT_WARNED     ACCOUNT_WARNED
    up       closed    ACCOUNT_CLOSED     ACCOUNT_CLOSED     ACCOUNT_CLOSED
    up       refused   ACCESS_REFUSED     ACCESS_REFUSED     ACCESS_REFUSED
    up       unclear   UP                 UP                 UP
    up       none      UP                 UP                 UP
    unknown  active    UNKNOWN            UNKNOWN            UNKNOWN
    unknown  warned    UNKNOWN            UNKNOWN            UNKNOWN
    unknown  closed    UNKNOWN            UNKNOWN            UNKNOWN
    unknown  refused   UNKNOWN            UNKNOWN            UNKNOWN
    unknown  unclear   UNKNOWN            UNKNOWN            UNKNOWN
    unknown  none      UNKNOWN            UNKNOWN            UNKNOWN
"""
COLUMNS = ("running", "gone", "unknown")
CELLS = {
    (plane, reading, nodes): kind
    for plane, reading, *kinds in (line.split() for line in EXPECTED.strip().splitlines())
    for nodes, kind in zip(COLUMNS, kinds, strict=True)
}
EVERYTHING = list(product(HealthState, Reading, NodesSeen, (False, True)))


def judged(
    plane: HealthState,
    reading: Reading,
    nodes: NodesSeen = NodesSeen.RUNNING,
    *,
    isolated: bool = False,
    before: Verdict | None = None,
    now_s: float = 0.0,
    details: tuple[str, ...] = (),
    corroborated: bool = False,
    signs: tuple[str, ...] = (),
) -> Verdict:
    return judge_site(
        now=at(now_s),
        before=before,
        data_plane=plane,
        report=AccountReport(reading=reading, code="E7", message="words"),
        nodes=nodes,
        isolated=isolated,
        details=details,
        corroborated=corroborated,
        signs=signs,
    )


@pytest.mark.parametrize(("plane", "reading", "nodes", "isolated"), EVERYTHING)
def test_every_cell(plane: HealthState, reading: Reading, nodes: NodesSeen, isolated: bool) -> None:
    expected = "OBSERVER_ISOLATED" if isolated else CELLS[plane.value, reading.value, nodes.value]
    verdict = judged(plane, reading, nodes, isolated=isolated)
    assert verdict.kind == expected
    assert verdict.explicit == (reading.value == "closed" and not isolated)
    assert verdict.data_plane is plane
    assert verdict.evidence


@pytest.mark.parametrize(("plane", "reading", "nodes", "isolated"), EVERYTHING)
def test_every_cell_with_signs_that_corroborate(
    plane: HealthState, reading: Reading, nodes: NodesSeen, isolated: bool
) -> None:
    """They change the two rows of a provider that is down and does not say why, and no other."""
    without = judged(plane, reading, nodes, isolated=isolated)
    verdict = judged(plane, reading, nodes, isolated=isolated, corroborated=True)
    silent_and_down = plane is HealthState.DOWN and reading in (Reading.REFUSED, Reading.UNCLEAR)
    if silent_and_down and not isolated:
        assert (without.kind, verdict.kind) == (VerdictKind.PROVIDER_DOWN, VerdictKind.ACCOUNT_CLOSED)
        assert not verdict.explicit
    else:
        assert verdict == without


def test_the_table_above_has_no_cell_too_many() -> None:
    assert set(CELLS) == {(p.value, r.value, n.value) for p, r, n, _ in EVERYTHING}
    assert {*CELLS.values(), "OBSERVER_ISOLATED"} == {kind.value for kind in VerdictKind}


@pytest.mark.parametrize("reading", [Reading.REFUSED, Reading.UNCLEAR, Reading.NONE])
@pytest.mark.parametrize("nodes", NodesSeen)
def test_s16_a_refusal_a_timeout_or_a_list_alone_is_no_termination(reading: Reading, nodes: NodesSeen) -> None:
    for plane in HealthState:
        verdict = judged(plane, reading, nodes)
        assert verdict.kind is not VerdictKind.ACCOUNT_CLOSED
        assert not verdict.explicit


def test_1_the_same_row_keeps_its_beginning() -> None:
    first = judged(HealthState.DOWN, Reading.REFUSED)
    assert judged(HealthState.DOWN, Reading.UNCLEAR, before=first, now_s=30).since == first.since


def test_2_another_kind_begins_anew() -> None:
    first = judged(HealthState.DOWN, Reading.REFUSED)
    assert judged(HealthState.DOWN, Reading.CLOSED, before=first, now_s=30).since == at(30)


def test_3_a_closed_account_whose_service_goes_down_later_begins_its_window_then() -> None:
    closed_but_up = judged(HealthState.UP, Reading.CLOSED)
    down = judged(HealthState.DOWN, Reading.CLOSED, before=closed_but_up, now_s=600)
    assert (down.kind, down.since) == (VerdictKind.ACCOUNT_CLOSED, at(600))


def test_4_isolation_lasts_whatever_the_service_seems_to_do() -> None:
    first = judged(HealthState.UP, Reading.ACTIVE, isolated=True)
    assert judged(HealthState.UNKNOWN, Reading.ACTIVE, isolated=True, before=first, now_s=30).since == first.since


def test_5_better_evidence_does_not_lengthen_the_wait() -> None:
    first = judged(HealthState.DOWN, Reading.REFUSED)
    closed = judged(HealthState.DOWN, Reading.REFUSED, before=first, now_s=60, corroborated=True)
    assert (closed.kind, closed.since) == (VerdictKind.ACCOUNT_CLOSED, first.since)
    dark = judged(HealthState.DOWN, Reading.UNCLEAR, before=closed, now_s=90, corroborated=True)
    assert (dark.kind, dark.since) == (VerdictKind.ACCOUNT_CLOSED, first.since)
    said = judged(HealthState.DOWN, Reading.CLOSED, before=dark, now_s=120)
    assert (said.since, said.explicit) == (first.since, True)


def test_6_signs_that_held_before_the_service_went_down_begin_the_window_then() -> None:
    up = judged(HealthState.UP, Reading.REFUSED, corroborated=True)
    assert up.kind is VerdictKind.ACCESS_REFUSED
    assert judged(HealthState.DOWN, Reading.REFUSED, before=up, now_s=600, corroborated=True).since == at(600)


def test_7_signs_that_fall_away_begin_anew() -> None:
    closed = judged(HealthState.DOWN, Reading.REFUSED, corroborated=True)
    fallen = judged(HealthState.DOWN, Reading.REFUSED, before=closed, now_s=30)
    assert (fallen.kind, fallen.since) == (VerdictKind.PROVIDER_DOWN, at(30))


def test_the_signs_are_told_where_the_provider_does_not_say_why() -> None:
    signs = ("a, b, c began to refuse us",)
    assert judged(HealthState.DOWN, Reading.REFUSED, signs=signs).evidence[-1:] == signs
    assert judged(HealthState.UP, Reading.UNCLEAR, signs=signs).evidence[-1:] == signs
    assert signs[0] not in judged(HealthState.DOWN, Reading.CLOSED, signs=signs).evidence


def test_the_evidence_is_told_in_sentences() -> None:
    verdict = judged(HealthState.DOWN, Reading.ACTIVE, NodesSeen.GONE, details=("192.0.2.1: refused", "a: b"))
    assert verdict.evidence == (
        "the service does not answer (192.0.2.1: refused; a: b)",
        "the provider says that the account is active (E7: words)",
        "3 complete lists in a row show none of our nodes running",
    )
    cut_off = judged(HealthState.UNKNOWN, Reading.UNCLEAR, isolated=True)
    assert cut_off.evidence[0] == "our own controls do not answer"


@pytest.mark.parametrize(
    ("code", "message", "said"),
    [("", "", "closed"), ("E7", "", "closed (E7)"), ("", "words", "closed (words)"), ("E7", "words", "(E7: words)")],
)
def test_the_provider_is_quoted(code: str, message: str, said: str) -> None:
    report = AccountReport(reading=Reading.CLOSED, code=code, message=message)
    verdict = judge_site(
        now=at(0), before=None, data_plane=HealthState.UP, report=report, nodes=NodesSeen.RUNNING, isolated=False
    )
    assert verdict.evidence[1].endswith(said)
