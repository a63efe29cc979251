"""Plans: their steps, their record sets, their digest."""

from dataclasses import fields, replace

import pytest

from failover.core.cutover import (
    PIVOT,
    UNDOABLE,
    CutoverPlan,
    PlanKind,
    Step,
    groups_of_targets,
    in_zone,
    names_of,
    our_keys,
    record_sets,
    seal,
    steps_for,
)
from failover.core.model import Record, Site, Standby
from tests.core.builders import AURORA, BOREAS, CIRRUS, NOW, SERVICE, SITES, address_set, plan

V4, V6 = "192.0.2.1", "2001:db8::1"


def steps(
    kind: PlanKind,
    *,
    standby: Standby = Standby.HOT,
    given: bool = False,
    automatic: bool = False,
    hooks: bool = False,
) -> str:
    site = Site(name=BOREAS, provider="b", standby=standby, addresses={"web": (V4,)} if given else None)
    service = replace(SERVICE, sites=(SITES[0], site, SITES[2]))
    return " ".join(steps_for(service, kind, BOREAS, automatic=automatic, hooks=hooks))


def test_a_publication_or_a_refresh_is_short() -> None:
    short = "claim verify swap confirm commit"
    for kind in (PlanKind.PUBLISH, PlanKind.REFRESH):
        assert steps(kind, standby=Standby.COLD, automatic=True, hooks=True) == short
    assert steps(PlanKind.WITHDRAW) == "claim swap confirm commit"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "claim preflight verify swap confirm commit"),
        ({"automatic": True}, "claim reconfirm preflight verify swap confirm commit"),
        ({"hooks": True}, "claim preflight before-hooks verify swap confirm after-hooks commit"),
        ({"standby": Standby.WARM}, "claim preflight scale verify swap confirm commit"),
        ({"standby": Standby.COLD}, "claim preflight scale verify swap confirm commit"),
        ({"standby": Standby.COLD, "given": True}, "claim preflight verify swap confirm commit"),
        (
            {"standby": Standby.COLD, "automatic": True, "hooks": True},
            "claim reconfirm preflight before-hooks scale verify swap confirm after-hooks commit",
        ),
    ],
)
def test_a_cutover_has_the_steps_it_needs(options: dict[str, bool], expected: str) -> None:
    assert steps(PlanKind.CUTOVER, **options) == expected  # type: ignore[arg-type]


def test_every_plan_claims_first_pivots_once_and_commits_last() -> None:
    order = list(Step)
    for kind in PlanKind:
        for automatic, hooks in ((False, False), (True, True)):
            found = steps_for(SERVICE, kind, BOREAS, automatic=automatic, hooks=hooks)
            assert (found[0], found[-1]) == (Step.CLAIM, Step.COMMIT)
            assert found.count(PIVOT) == 1
            assert sorted(found, key=order.index) == list(found)
    assert all(order.index(step) < order.index(PIVOT) for step in UNDOABLE)


def test_a_cutover_to_a_site_that_is_not_there() -> None:
    with pytest.raises(KeyError):
        steps_for(SERVICE, PlanKind.CUTOVER, "nowhere", automatic=False, hooks=False)


# ------------------------------------------------------------------------------------ record sets

RECORDS = (
    Record(name="www.example.org", zone="example.org", type="A", group="web"),
    Record(name="www.example.org", zone="example.org", type="AAAA", group="web"),
    Record(name="api.example.net", zone="example.net", type="A", group="api"),
)
WIDE = replace(SERVICE, records=RECORDS, zones=("example.org", "example.net"))


def test_each_record_takes_the_addresses_of_its_group_and_kind() -> None:
    sets = record_sets(WIDE, SITES[0], {"web": (V4, V6, "192.0.2.9"), "api": ("192.0.2.5",)})
    assert sets == (
        address_set(V4, "192.0.2.9"),
        address_set(V6, type="AAAA"),
        address_set("192.0.2.5", name="api.example.net"),
    )
    assert all(s.ttl_s == WIDE.ttl_s for s in sets)


@pytest.mark.parametrize(
    "addresses", [{}, {"web": (V4,), "api": (V4,)}, {"web": (V6,), "api": (V4,)}, {"web": (V4, V6), "api": (V6,)}]
)
def test_s3_a_record_that_would_be_empty_is_refused(addresses: dict[str, tuple[str, ...]]) -> None:
    with pytest.raises(ValueError, match="would be empty"):
        record_sets(WIDE, SITES[0], addresses)


def test_names_and_sets_by_zone() -> None:
    assert names_of(WIDE, "example.org") == (
        ("www.example.org", "A"),
        ("www.example.org", "AAAA"),
        ("_failover.guestbook.example.org", "TXT"),
    )
    sets = record_sets(WIDE, SITES[0], {"web": (V4, V6), "api": (V4,)})
    assert in_zone(WIDE, sets, "example.org") == sets[:2]
    assert in_zone(WIDE, sets, "example.net") == sets[2:]
    assert in_zone(WIDE, sets, "elsewhere") == ()


BALANCED = replace(SITES[1], provider=None, targets={"www.example.org": "lb.example.com"})
MIXED = replace(WIDE, sites=(SITES[0], BALANCED, SITES[2]))


def test_a_name_is_an_alias_where_the_site_has_a_target_for_it_and_addresses_elsewhere() -> None:
    assert BALANCED.given
    assert record_sets(MIXED, BALANCED, {"api": (V4,)}) == (
        address_set("lb.example.com", type="CNAME"),
        address_set(V4, name="api.example.net"),
    )
    there = record_sets(MIXED, SITES[0], {"web": (V4, V6), "api": (V4,)}, ttl_s=300)
    assert [(r.type, r.ttl_s) for r in there] == [("A", 300), ("AAAA", 300), ("A", 300)]


def test_a_name_that_is_an_alias_somewhere_is_ours_as_a_whole() -> None:
    one = replace(MIXED, records=RECORDS[:1])
    assert names_of(one, "example.org") == (
        ("www.example.org", "A"),
        ("www.example.org", "AAAA"),
        ("www.example.org", "CNAME"),
        ("_failover.guestbook.example.org", "TXT"),
    )
    assert our_keys(SERVICE) == {("www.example.org", "A"): "example.org"}


def test_which_names_serve_which_group() -> None:
    assert groups_of_targets(MIXED, BALANCED) == (("web", "lb.example.com"),)
    assert groups_of_targets(MIXED, SITES[0]) == ()


# ------------------------------------------------------------------------------------ the digest

OTHER: dict[str, object] = {
    "id": "plan2",
    "kind": PlanKind.REFRESH,
    "service": "other",
    "parent_epoch": 6,
    "epoch": 9,
    "source": CIRRUS,
    "target": AURORA,
    "steps": (Step.CLAIM, Step.COMMIT),
    "zones": ("example.net",),
    "hosts": ("one",),
    "rrsets": (),
    "before": (),
    "addresses": {"web": (V4,)},
}
SAYS_NOTHING_NEW = {"at", "automatic", "forced", "verdict", "reasons", "digest"}
"""Why and when the plan was made: not what it would do."""


def test_the_digest_covers_everything_that_the_plan_would_do() -> None:
    base = seal(plan())
    digests = {seal(replace(plan(), **{name: value})).digest for name, value in OTHER.items()}  # type: ignore[arg-type]
    assert len(digests - {base.digest}) == len(OTHER)
    assert set(OTHER) | SAYS_NOTHING_NEW == {f.name for f in fields(CutoverPlan)}


def test_the_digest_is_sixteen_hexadecimal_digits_and_does_not_feed_on_itself() -> None:
    sealed = seal(plan())
    assert len(sealed.digest) == 16
    assert int(sealed.digest, 16) >= 0
    assert seal(sealed) == sealed
    assert seal(replace(plan(), at=NOW.plus(60), reasons=("later",))).digest == sealed.digest


def test_the_digest_does_not_depend_on_the_order_of_sets() -> None:
    first = address_set("192.0.2.1", "192.0.2.2", "192.0.2.3")
    second = address_set("192.0.2.3", "192.0.2.2", "192.0.2.1")
    assert seal(replace(plan(), rrsets=(first,))).digest == seal(replace(plan(), rrsets=(second,))).digest
