"""IPv4 and IPv6: which addresses count, and what an address that we have no way to says about its site."""

from dataclasses import replace

import pytest

from failover.core.cutover import ip_versions, record_sets, usable_addresses
from failover.core.health import reachable, round_outcome
from failover.core.model import Failure, Outcome, Record, Sample
from tests.core.builders import AURORA, BOREAS, RECORD, SERVICE, SITES, sample

V4, V6 = "192.0.2.1", "2001:db8::1"
AAAA = replace(RECORD, type="AAAA")
OTHER = Record(name="api.example.org", zone="example.org", type="AAAA", group="api")
BOTH = replace(SERVICE, records=(RECORD, AAAA))


@pytest.mark.parametrize(
    ("records", "group", "versions"),
    [
        ((RECORD,), "web", {4}),
        ((AAAA,), "web", {6}),
        ((RECORD, AAAA), "web", {4, 6}),
        ((RECORD, OTHER), "web", {4}),
        ((RECORD, OTHER), "api", {6}),
        ((RECORD, OTHER), "db", {4, 6}),
    ],
)
def test_versions_follow_from_the_records(records: tuple[Record, ...], group: str, versions: set[int]) -> None:
    assert ip_versions(replace(SERVICE, records=records), group) == versions


@pytest.mark.parametrize(
    ("records", "given", "used"),
    [
        ((RECORD,), (V4, V6), (V4,)),
        ((RECORD,), (V6,), ()),
        ((AAAA,), (V4, V6), (V6,)),
        ((RECORD, AAAA), (V4, V6), (V4, V6)),
        ((RECORD, AAAA), (V4,), ()),
        ((RECORD, AAAA), (), ()),
    ],
)
def test_only_addresses_that_records_hold_are_used_and_only_all_of_them(
    records: tuple[Record, ...], given: tuple[str, ...], used: tuple[str, ...]
) -> None:
    assert usable_addresses(replace(SERVICE, records=records), "web", given) == used


def test_one_name_has_both_sets() -> None:
    assert {(s.type, s.values) for s in record_sets(BOTH, SITES[0], {"web": (V4, V6)})} == {
        ("A", frozenset({V4})),
        ("AAAA", frozenset({V6})),
    }


def test_one_of_two_sets_is_never_empty() -> None:
    with pytest.raises(ValueError, match="AAAA would be empty"):
        record_sets(BOTH, SITES[0], {"web": (V4,)})


def no_way(address: str, site: str = AURORA) -> Sample:
    return replace(sample(site, Outcome.UNKNOWN, address=address), failure=Failure.LOCAL)


@pytest.mark.parametrize(
    ("story", "samples", "outcome"),
    [
        ("1 no IPv6 here, IPv4 answers", [sample(AURORA, Outcome.PASS, address=V4), no_way(V6)], Outcome.PASS),
        ("2 no IPv6 here, IPv4 fails", [sample(AURORA, Outcome.FAIL, address=V4), no_way(V6)], Outcome.FAIL),
        ("3 no IPv4 here, IPv6 fails", [sample(AURORA, Outcome.FAIL, address=V6), no_way(V4)], Outcome.FAIL),
        ("4 no network here", [no_way(V4), no_way(V6)], Outcome.UNKNOWN),
        ("5 IPv4 only, and no way", [no_way(V4)], Outcome.UNKNOWN),
        (
            "6 only this node's IPv6 cannot be asked",
            [sample(AURORA, Outcome.FAIL, address=V4), no_way(V6), sample(BOREAS, Outcome.PASS, address="2001:db8::2")],
            Outcome.UNKNOWN,
        ),
    ],
)
def test_where_we_have_no_way_to_says_nothing(story: str, samples: list[Sample], outcome: Outcome) -> None:
    kept = [s for s in reachable(samples) if s.site == AURORA]
    assert round_outcome(kept)[0] is outcome, story
