"""What a DNS host can promise for a service, and whose turn it is in a change."""

from dataclasses import replace

import dns.update
import pytest

from failover.core.hosting import (
    bound_s,
    fitting_grade,
    held,
    held_back,
    held_ttl_s,
    is_graded,
    longest_ttl_s,
    message_bytes,
    turns,
    unread,
)
from failover.core.model import HostReading, HostTraits, Record
from failover.core.rrsets import Epoch, RRset, epoch_set
from tests.core.builders import SERVICE, address_set

ONE = HostTraits(grade=1, servers=("192.0.2.53:53",))
BESIDE = "A AAAA CAA CERT DNAME HINFO HTTPS LOC MX NAPTR NS PTR RP SPF SRV SSHFP SVCB TLSA TXT URI"


def many(count: int, type: str = "A") -> tuple[Record, ...]:
    return tuple(Record(name=f"n{n}.example.org", zone="example.org", type=type, group="web") for n in range(count))


def of(host: str, grade: int = 1, problem: str | None = None, **options: object) -> HostReading:
    return HostReading(host=host, grade=grade, problem=problem, traits=replace(ONE, grade=grade), **options)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------ grades


@pytest.mark.parametrize(
    ("count", "grade"),
    [(8, 1), (9, 1), (10, 3)],
)
def test_what_does_not_fit_into_one_transaction_has_grade_3(count: int, grade: int) -> None:
    """The epoch is one of the sets."""
    service = replace(SERVICE, records=many(count))
    found, why = fitting_grade(service, replace(ONE, atomic_changes=10))
    assert found == grade
    assert bool(why) is (grade == 3)
    assert not why or why == (
        "11 values in example.org, one transaction takes 10: "
        "let the names be aliases of one steering name, and move that"
    )


def sets_of(count: int, *values: str, type: str = "A") -> tuple[RRset, ...]:
    return tuple(RRset(name=r.name, type=type, ttl_s=60, values=frozenset(values)) for r in many(count))


def test_every_value_counts_and_what_goes_as_well_as_what_comes() -> None:
    """Sets of two addresses each: half as many of them. Where more goes than comes, that is what counts."""
    service, limit = replace(SERVICE, records=many(9)), replace(ONE, atomic_changes=18)
    two, one = sets_of(9, "192.0.2.1", "192.0.2.2"), sets_of(9, "192.0.2.3")
    assert fitting_grade(service, limit, one) == (1, "")
    for known in ((two, ()), (one, two), (two, one)):
        grade, why = fitting_grade(service, limit, *known)
        assert (grade, why.partition(",")[0]) == (3, "19 values in example.org")


def test_long_values_count_by_their_length() -> None:
    service, limit = replace(SERVICE, records=many(9)), replace(ONE, atomic_changes=500, atomic_characters=500)
    names = sets_of(9, f"{'x' * 60}.elb.example.net", type="CNAME")
    site = replace(SERVICE.sites[0], targets={r.name: "lb.example.net" for r in many(9)})
    service = replace(service, sites=(site, *SERVICE.sites[1:]))
    assert fitting_grade(service, limit, sets_of(9, "192.0.2.1")) == (1, "")
    grade, why = fitting_grade(service, limit, names)
    assert grade == 3
    assert why.startswith("values of 702 characters in example.org, one transaction takes 500: ")


def test_zones_are_one_transaction_each() -> None:
    there = tuple(replace(r, name=f"{r.name}.example.net", zone="example.net") for r in many(9))
    service = replace(SERVICE, records=(*many(9), *there), zones=("example.org", "example.net"))
    assert fitting_grade(service, replace(ONE, atomic_changes=10)) == (1, "")
    assert fitting_grade(service, replace(ONE, atomic_changes=9))[0] == 3


def test_a_host_without_a_limit_keeps_its_grade_and_a_last_writer_cannot_sink() -> None:
    service = replace(SERVICE, records=many(5000))
    assert fitting_grade(service, ONE) == (1, "")
    assert fitting_grade(service, replace(ONE, grade=3, atomic_changes=1)) == (3, "")


def test_a_message_that_is_too_long_has_grade_3() -> None:
    service = replace(SERVICE, records=many(2000))
    found, why = fitting_grade(service, replace(ONE, message_bytes=65_000))
    assert found == 3
    assert "one message takes 65000" in why
    assert fitting_grade(SERVICE, replace(ONE, message_bytes=65_000)) == (1, "")


@pytest.mark.parametrize("type", ["A", "AAAA", "CNAME"])
@pytest.mark.parametrize("values", [1, 3])
def test_the_estimate_is_never_below_the_real_message_and_not_far_above(type: str, values: int) -> None:
    """Held against dnspython's own encoding of the same update."""
    if type == "CNAME":
        sites = (replace(SERVICE.sites[0], targets={r.name: "lb.example.net" for r in many(150)}),)
        service, values = replace(SERVICE, records=many(150), sites=sites), 1
    else:
        service = replace(SERVICE, records=many(300, type))
    texts = {"A": "192.0.2.{}", "AAAA": "2001:db8::{}", "CNAME": f"{'x' * 60}.example.net."}
    beside = {"CNAME": BESIDE.split()}.get(type, ["CNAME"])
    update = dns.update.UpdateMessage("example.org")
    sets = []
    for record in service.records:
        found = [texts[type].format(n) for n in range(values)]
        for other in beside:
            update.absent(f"{record.name}.", other)
        update.replace(f"{record.name}.", 60, type, *found)
        sets.append(RRset(name=record.name, type=type, ttl_s=60, values=frozenset(found)))
    update.replace("_failover.guestbook.example.org.", 60, "TXT", "x" * 90)
    real = len(update.to_wire(max_size=65535))
    guess = message_bytes(service, "example.org", sets)
    assert real <= guess <= 1.6 * real
    assert message_bytes(service, "example.org") > 0.3 * real, "before the values are known"


# ------------------------------------------------------------------------------------ TTLs and bounds


@pytest.mark.parametrize(("asked", "kept"), [(30, 60), (60, 60), (300, 300), (9000, 3600)])
def test_a_ttl_is_what_the_host_can_keep(asked: int, kept: int) -> None:
    traits = replace(ONE, ttl_s_min=60, ttl_s_max=3600)
    assert held_ttl_s(asked, traits) == kept
    assert held(address_set("192.0.2.1", ttl_s=asked), traits) == address_set("192.0.2.1", ttl_s=kept)


def test_the_longest_ttl_counts() -> None:
    slow = replace(of("two"), traits=replace(ONE, ttl_s_min=300))
    unknown = HostReading(host="three")
    assert longest_ttl_s(60, [of("one"), slow, unknown]) == 300
    assert longest_ttl_s(60, [unknown]) == 60


def test_how_long_an_older_plan_may_come_through() -> None:
    assert bound_s(of("one"), SERVICE) == 0.0
    slow = replace(of("two", 3), traits=replace(ONE, grade=3, converges_s=60.0))
    assert bound_s(slow, SERVICE) == 60.0
    assert bound_s(of("two", 3), SERVICE) == SERVICE.call_s
    assert bound_s(HostReading(host="x", grade=3), SERVICE) == SERVICE.call_s


# ------------------------------------------------------------------------------------ order


def test_the_best_fenced_go_first_and_those_of_one_grade_together() -> None:
    readings = {r.host: r for r in (of("c", 3), of("a"), of("b", 2), of("d", 3), of("e"))}
    assert turns(readings) == [("a", "e"), ("b",), ("c", "d")]


def test_a_host_of_which_nothing_is_known_leads() -> None:
    silent = HostReading(host="a", problem="no answer", unreachable=True)
    assert turns({"a": silent, "b": of("b", 3)}) == [("a",), ("b",)]
    assert turns({"a": replace(of("a", 3, "no answer")), "b": of("b", 2)}) == [("b",), ("a",)]


def test_a_host_that_was_never_asked_has_the_grade_of_its_kind() -> None:
    service = replace(SERVICE, host_grades={"a": 1, "c": 3})
    kind, nobody_knows = (replace(unread(service, n), problem="no answer") for n in ("c", "b"))
    assert (kind.grade, kind.by_kind, is_graded(kind)) == (3, True, True)
    assert (nobody_knows.grade, nobody_knows.by_kind, is_graded(nobody_knows)) == (3, False, False)
    assert turns({"c": kind, "d": of("d", 2)}) == [("d",), ("c",)], "a worse host that is silent holds no better one up"
    assert turns({"b": nobody_knows, "d": of("d", 2)}) == [("b",), ("d",)]


def test_what_a_host_once_said_of_itself_counts_more_than_its_kind() -> None:
    service = replace(SERVICE, host_grades={"a": 1})
    sunk = replace(of("a", 3), rrsets=(epoch_set("guestbook", "example.org", Epoch(number=1, site="x", plan="p")),))
    assert unread(service, "a", sunk) == of("a", 3)
    never = HostReading(host="a", problem="no answer")
    assert (unread(service, "a", never).grade, unread(service, "a", never).by_kind) == (1, True)


def down(host: str) -> HostReading:
    return of(host, problem="connection refused", unreachable=True)


def garbage(host: str) -> HostReading:
    return of(host, problem="403")


@pytest.mark.parametrize(
    ("leaders", "accepted", "over", "forced", "why"),
    [
        pytest.param((of("a"), of("b")), ("a",), False, False, None, id="one accepted it"),
        pytest.param((down("a"), of("b")), ("b",), False, False, None, id="one is down, the other accepted it"),
        pytest.param((of("a"),), (), False, False, "waits until a has accepted it", id="not yet"),
        pytest.param((down("a"),), (), False, False, "waits until a has accepted it", id="down, for a moment"),
        pytest.param((down("a"),), (), True, False, None, id="down, for long"),
        pytest.param((of("a"),), (), True, False, None, id="readable, older, and does not take it for long"),
        pytest.param((garbage("a"),), (), True, False, "a answers, but cannot be read", id="cannot be read"),
        pytest.param((garbage("a"),), (), True, True, None, id="cannot be read, and a person says go"),
        pytest.param((garbage("a"),), (), False, True, "waits until", id="a person waits too"),
        pytest.param((down("a"), garbage("b")), (), True, False, "b answers", id="one of two"),
    ],
)
def test_when_lower_grades_may_follow(
    leaders: tuple[HostReading, ...], accepted: tuple[str, ...], over: bool, forced: bool, why: str | None
) -> None:
    found = held_back(leaders, accepted, patience_over=over, forced=forced)
    assert found is None if why is None else (found or "").startswith(why)
