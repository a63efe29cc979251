"""State ↔ text: the same text for the same value, everything comes back, and what is not understood is refused."""

import json
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from enum import Enum
from types import MappingProxyType, NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from failover.core.cutover import CutoverPlan
from failover.core.model import AccountReport, Instant, Reading
from failover.core.rrsets import RRset
from failover.core.saga import Event, EventKind
from failover.core.verdict import Verdict, VerdictKind
from failover.core.world import SCHEMA_VERSION, Orders, State, Watch
from failover.errors import StateDamaged, StateError
from failover.stores import codec
from failover.stores.codec import _StoredEvent
from failover.testing.stores import event, full_state, instant, plan

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
texts = st.text(max_size=12)
seconds = st.floats(allow_nan=False, allow_infinity=False)
integers = st.integers(-(2**63), 2**63 - 1)
json_values = st.recursive(
    st.none() | st.booleans() | integers | seconds | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
rrsets = st.builds(
    RRset,
    name=st.sampled_from(["WWW.example.org.", "example.org"]),
    type=st.sampled_from(["A", "txt"]),
    ttl_s=st.integers(0, 2**31),
    values=st.frozensets(st.sampled_from(["192.0.2.1", "192.0.2.2", "198.51.100.7"]), min_size=1),
)
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: texts,
    int: integers,
    float: seconds,
    bool: st.booleans(),
    NoneType: st.none(),
    RRset: rrsets,
}


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Any value of an annotation, with something in every field."""
    arguments = get_args(hint)
    origin = get_origin(hint)
    if hint in PLAIN:
        return PLAIN[hint]
    if origin in (Union, UnionType):
        return st.one_of(*map(values, arguments))
    if origin is tuple:
        return st.lists(values(arguments[0]), max_size=2).map(tuple)
    if origin is frozenset:
        return st.frozensets(values(arguments[0]), max_size=3)
    if origin is Mapping:
        return st.dictionaries(values(arguments[0]), values(arguments[1]), max_size=2)
    if issubclass(hint, Enum):
        return st.sampled_from(hint)
    return st.deferred(lambda: st.builds(hint, **{name: values(each) for name, each in get_type_hints(hint).items()}))


PLAIN[State] = st.builds(
    State, **{name: values(each) for name, each in get_type_hints(State).items() if name != "schema_version"}
)
states = values(State)
plans = values(CutoverPlan)
orders = values(Orders)
events = st.builds(
    Event,
    plan=texts,
    step=texts,
    kind=values(EventKind),
    at=values(Instant),
    reason=texts,
    output=st.dictionaries(texts, json_values, max_size=4),
    sequence=integers,
)


@patient
@given(states)
def test_a_state_comes_back(state: State) -> None:
    assert codec.decode_state(codec.encode(state)) == state


@patient
@given(plans)
def test_a_plan_comes_back(plan: CutoverPlan) -> None:
    assert codec.decode_plan(codec.encode(plan)) == plan


@patient
@given(events)
def test_an_event_comes_back(event: Event) -> None:
    assert codec.decode_event(codec.encode(event)) == event


@patient
@given(orders)
def test_orders_come_back(orders: Orders) -> None:
    assert codec.decode_orders(codec.encode(orders)) == orders


@patient
@given(states, st.randoms())
def test_equal_values_have_the_same_text(state: State, random: Any) -> None:
    items = list(state.health.items())
    random.shuffle(items)
    assert codec.encode(replace(state, health=dict(items))) == codec.encode(state)


def test_sets_are_written_in_order() -> None:
    names = [f"p{number}" for number in range(50)]
    found = json.loads(codec.encode(Orders(aborted=frozenset(names))))
    assert found["aborted"] == sorted(names)


def test_the_stored_event_has_the_fields_of_the_event() -> None:
    assert [field.name for field in fields(Event)] == list(_StoredEvent.__struct_fields__)


@patient
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_cut_text_is_damage(share: float) -> None:
    text = codec.encode(full_state())
    with pytest.raises(StateDamaged):
        codec.decode_state(text[: int(len(text) * share)])


def change(value: object, edit: Callable[[Any], object]) -> str:
    tree = json.loads(codec.encode(value))  # type: ignore[arg-type]
    edit(tree)
    return json.dumps(tree)


@pytest.mark.parametrize(
    ("edit", "place"),
    [
        (lambda tree: tree.update(epoch="7"), "$.epoch"),
        (lambda tree: tree.update(epoch=None), "$.epoch"),
        (lambda tree: tree.update(epoci=7), "$.epoci"),
        (lambda tree: tree.pop("service"), "service"),
        (lambda tree: tree["published"]["at"].update(zone="UTC"), "$.published.at.zone"),
        (lambda tree: tree["published"].update(kind="leap"), "$.published.kind"),
        (lambda tree: tree["debts"][0].update(extra=1), "$.debts[0].extra"),
        (lambda tree: tree["adopted"][0].update(values=[]), "$.adopted[0]"),
        (lambda tree: tree["published"]["rrsets"][0].update(values=["not an address"]), "$.published.rrsets[0]"),
        (lambda tree: tree["health"]["boreas"]["http"].update(state="fine"), "$.health[...]"),
        (lambda tree: tree.update(schema_version="1"), "$.schema_version"),
    ],
)
def test_damage_is_refused_and_its_place_named(edit: Callable[[Any], object], place: str) -> None:
    with pytest.raises(StateDamaged) as caught:
        codec.decode_state(change(full_state(), edit))
    assert place in str(caught.value)


def test_an_unknown_field_of_an_event_or_plan_is_refused() -> None:
    with pytest.raises(StateDamaged, match=r"event 3.*\$\.mood"):
        codec.decode_event(change(event("p", "claim"), lambda tree: tree.update(mood="good")), "event 3")
    with pytest.raises(StateDamaged, match=r"plan x.*\$\.mood"):
        codec.decode_plan(change(plan("x"), lambda tree: tree.update(mood="good")), "plan x")


def test_a_missing_field_takes_its_default() -> None:
    state = full_state()
    assert codec.decode_state(change(state, lambda tree: tree.pop("decision"))) == state
    assert codec.decode_event(change(event("p", "s"), lambda tree: tree.pop("output"))).output == {}


def test_a_newer_state_is_not_called_damaged() -> None:
    newer = change(full_state(), lambda tree: tree.update(schema_version=SCHEMA_VERSION + 1, surprise=[1]))
    with pytest.raises(StateError, match="newer failover") as caught:
        codec.decode_state(newer)
    assert not isinstance(caught.value, StateDamaged)
    assert "upgrade" in caught.value.hint


@pytest.mark.parametrize("damage", ["", "null", "[]", "{}", '{"schema_version":1}', "\x00", "nonsense"])
def test_no_text_is_taken_for_an_empty_state(damage: str) -> None:
    with pytest.raises(StateDamaged):
        codec.decode_state(damage)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_number_that_json_cannot_hold_is_not_written(bad: float) -> None:
    with pytest.raises(StateError, match="read back"):
        codec.encode(replace(full_state(), last_tick=Instant(boot_id="b", boottime_s=bad, utc_s=0.0)))


def test_any_mapping_is_written() -> None:
    inventory = MappingProxyType(dict(full_state().inventory))
    assert codec.decode_state(codec.encode(replace(full_state(), inventory=inventory))) == full_state()


def test_a_value_of_a_foreign_type_is_not_written() -> None:
    foreign: Any = {"when": object()}
    with pytest.raises(StateError):
        codec.encode(Event(plan="p", step="s", kind=EventKind.OK, at=instant(1), output=foreign))


def test_every_corner_of_watch_comes_back() -> None:
    watch = Watch(
        report=AccountReport(reading=Reading.CLOSED, code="account_closed", message="terms"),
        verdict=Verdict(kind=VerdictKind.ACCOUNT_CLOSED, since=instant(1), evidence=("it says so",), explicit=True),
        failed_at=instant(2),
    )
    state = replace(full_state(), watch={"aurora": watch})
    assert codec.decode_state(codec.encode(state)).watch == {"aurora": watch}
