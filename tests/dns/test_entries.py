"""Single records as sets: the writes that bring a change about, and what stands there after each of them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.core.rrsets import Changes, RRset
from failover.dns.compare import require_room
from failover.dns.entries import (
    Create,
    Delete,
    DeleteSet,
    Entry,
    Replace,
    ReplaceSet,
    Step,
    Update,
    record_steps,
    require_fence,
    retyped,
    set_steps,
    sets_of,
    stands,
)
from failover.errors import Conflict, Unreadable

WWW = "www.example.test"
KEY = (WWW, "A")


def entry(id: int, value: str, *, name: str = WWW, type: str = "A", ttl_s: int = 60) -> Entry:
    return Entry(id=str(id), name=name, type=type, ttl_s=ttl_s, value=value)


def address_set(*values: str, name: str = WWW, type: str = "A", ttl_s: int = 60) -> RRset:
    return RRset(name=name, type=type, ttl_s=ttl_s, values=frozenset(values))


def put(*rrsets: RRset) -> Changes:
    return Changes(put=rrsets)


def carried_out(entries: list[Entry], step: Step) -> list[Entry]:
    """What a host of single records holds after a write."""
    match step:
        case Create():
            return [*entries, entry(1000 + len(entries), step.value, name=step.name, type=step.type, ttl_s=step.ttl_s)]
        case Update():
            return [replace(e, value=step.value, ttl_s=step.ttl_s) if e == step.entry else e for e in entries]
        case Delete():
            return [e for e in entries if e != step.entry]
    raise AssertionError(step)


# -------------------------------------------------------------------------------------------- as sets


def test_records_of_a_name_and_type_are_one_set() -> None:
    entries = [entry(1, "192.0.2.1"), entry(2, "192.0.2.2", ttl_s=300), entry(3, "192.0.2.9", name="ftp.example.test")]
    assert sets_of(entries, [("WWW.example.test.", "a")]) == (address_set("192.0.2.1", "192.0.2.2", ttl_s=300),)
    assert sets_of(entries, [(WWW, "AAAA")]) == ()


def test_a_cname_is_shown_where_addresses_are_asked_for() -> None:
    alias = entry(1, "lb.example.net", type="CNAME")
    assert sets_of([alias], [KEY, (WWW, "AAAA")]) == (address_set("lb.example.net", type="CNAME"),)


def test_what_cannot_be_an_address_is_unreadable_only_where_it_is_ours() -> None:
    entries = [entry(1, "no address"), entry(2, "192.0.2.2", name="ftp.example.test")]
    assert sets_of(entries, [("ftp.example.test", "A")])
    with pytest.raises(Unreadable, match=WWW):
        sets_of(entries, [KEY])


# -------------------------------------------------------------------------------------------- what must hold


def test_the_fence_is_one_of_those_allowed() -> None:
    old, new = address_set("old", type="TXT"), address_set("new", type="TXT")
    for standing, allowed in (([], (None,)), (["old"], (old,)), (["old"], (None, old)), (["new"], (old, new))):
        require_fence("example.test", [entry(n, v, type="TXT") for n, v in enumerate(standing)], old.key, allowed)
    for standing, allowed in ((["old"], (None,)), ([], (old,)), (["old", "new"], (old, new)), (["else"], (old,))):
        with pytest.raises(Conflict):
            require_fence("example.test", [entry(n, v, type="TXT") for n, v in enumerate(standing)], old.key, allowed)


def test_an_alias_stands_alone() -> None:
    alias = address_set("lb.example.net", type="CNAME")
    text = entry(2, "keep me", type="TXT")
    require_room("example.test", Changes(put=(alias,), remove=(KEY,)), [entry(1, "192.0.2.1").key])
    for entries, changes in (
        ([entry(1, "192.0.2.1")], put(alias)),
        ([entry(1, "192.0.2.1"), text], Changes(put=(alias,), remove=(KEY,))),
        ([entry(1, "lb.example.net", type="CNAME")], put(address_set("192.0.2.1"))),
    ):
        with pytest.raises(Conflict):
            require_room("example.test", changes, [each.key for each in entries])


def test_names_that_change_between_alias_and_data() -> None:
    alias = address_set("lb.example.net", type="CNAME")
    assert retyped(Changes(put=(alias,), remove=(KEY, (WWW, "AAAA")))) == {WWW}
    assert retyped(Changes(put=(address_set("192.0.2.1"),), remove=((WWW, "CNAME"),))) == {WWW}
    assert retyped(Changes(put=(address_set("2001:db8::1", type="AAAA"),), remove=(KEY,))) == frozenset()
    assert retyped(put(alias)) == frozenset()


# -------------------------------------------------------------------------------------------- writes


def test_a_record_is_rewritten_rather_than_removed() -> None:
    old = entry(1, "192.0.2.1")
    assert record_steps(put(address_set("192.0.2.2")), [old]) == (Update(entry=old, ttl_s=60, value="192.0.2.2"),)


def test_more_come_before_any_goes() -> None:
    old = [entry(n, f"192.0.2.{n}") for n in (1, 2, 3)]
    steps = record_steps(put(address_set("198.51.100.1"), address_set("2001:db8::1", type="AAAA")), old)
    assert [type(step).__name__ for step in steps] == ["Update", "Create", "Delete", "Delete"]


def test_a_copy_goes_and_what_is_right_stays() -> None:
    kept, copy = entry(1, "192.0.2.1"), entry(2, "192.0.2.1")
    assert record_steps(put(address_set("192.0.2.1")), [copy, kept]) == (Delete(entry=copy),)
    assert record_steps(put(address_set("192.0.2.1")), [kept]) == ()


def test_a_time_to_live_is_rewritten_in_place() -> None:
    old = entry(1, "192.0.2.1", ttl_s=300)
    changes = put(address_set("192.0.2.1"))
    assert record_steps(changes, [old]) == (Update(entry=old, ttl_s=60, value="192.0.2.1"),)
    assert stands(changes, [old])


ADDRESSES = st.sampled_from([f"192.0.2.{n}" for n in range(1, 6)])


@given(
    have=st.lists(st.tuples(ADDRESSES, st.sampled_from([60, 300])), max_size=6),
    want=st.frozensets(ADDRESSES, min_size=1),
    also_removed=st.booleans(),
)
def test_any_set_becomes_any_other_and_is_never_empty(
    have: list[tuple[str, int]], want: frozenset[str], also_removed: bool
) -> None:
    foreign = [entry(90, "192.0.2.9", name="ftp.example.test"), entry(91, "keep me", type="TXT")]
    entries = [entry(n, value, ttl_s=ttl_s) for n, (value, ttl_s) in enumerate(have)]
    six = [entry(50, "2001:db8::1", type="AAAA")]
    changes = Changes(put=(address_set(*want),), remove=((WWW, "AAAA"),) if also_removed else ())
    before = {e.value for e in entries}
    found = [*entries, *six, *foreign]
    for step in record_steps(changes, found):
        found = carried_out(found, step)
        here = {e.value for e in found if e.key == KEY}
        assert here <= before | want
        assert here or not before
    assert sets_of(found, [KEY]) == changes.put
    assert sorted(e.value for e in found if e.key == KEY) == sorted(want)
    assert stands(changes, found)
    assert record_steps(changes, found) == ()
    assert set(foreign) <= set(found)
    assert (six[0] in found) is not also_removed


# -------------------------------------------------------------------------------------------- whole sets


def test_only_sets_that_differ_are_replaced() -> None:
    same, other = address_set("192.0.2.1"), address_set("2001:db8::2", type="AAAA")
    entries = [entry(1, "192.0.2.1"), entry(2, "2001:db8::1", type="AAAA"), entry(3, "gone", type="TXT")]
    changes = Changes(put=(same, other), remove=((WWW, "txt"), ("ftp.example.test", "A")))
    assert set_steps(changes, entries) == (ReplaceSet(rrset=other), DeleteSet(name=WWW, type="TXT"))


def test_a_name_changes_its_type_in_one_write() -> None:
    alias, plain = address_set("lb.example.net", type="CNAME"), address_set("192.0.2.1")
    there = Changes(put=(alias,), remove=(KEY, (WWW, "AAAA")))
    assert set_steps(there, [entry(1, "192.0.2.1")]) == (Replace(name=WWW, sets=(alias,)),)
    assert set_steps(there, [entry(1, "lb.example.net", type="CNAME")]) == ()
    back = Changes(put=(plain,), remove=((WWW, "CNAME"),))
    assert set_steps(back, [entry(1, "lb.example.net", type="CNAME")]) == (Replace(name=WWW, sets=(plain,)),)
    # where no alias stands, other sets may: they are left alone
    assert set_steps(back, [entry(1, "192.0.2.7"), entry(2, "keep", type="TXT")]) == (ReplaceSet(rrset=plain),)
