"""Values of the core ↔ JSON text, the same text for the same value.

Decoding is strict: a wrong type, a value that the core refuses, or a field that this version does not know is
`StateDamaged` and names the place. A missing field takes its default, so that a new field needs no migration.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

import msgspec

from failover.core.cutover import CutoverPlan
from failover.core.model import Instant
from failover.core.saga import Event, EventKind
from failover.core.world import SCHEMA_VERSION, Orders, State
from failover.errors import StateDamaged, StateError
from failover.net.decode import decoder

T = TypeVar("T")


def _plain(value: object) -> object:
    """What msgspec does not know by itself: any other mapping is a mapping too."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no place in a document")


_encoder = msgspec.json.Encoder(order="sorted", enc_hook=_plain)


class _StoredEvent(msgspec.Struct, kw_only=True):
    """The shape of an Event on disk. msgspec cannot follow the recursive type of `output`; any JSON has that type."""

    plan: str
    step: str
    kind: EventKind
    at: Instant
    reason: str = ""
    output: dict[str, Any] = msgspec.field(default_factory=dict)
    sequence: int = 0


class _Versioned(msgspec.Struct):
    schema_version: int


def _decoder(kind: type[Any]) -> msgspec.json.Decoder[Any]:
    return decoder(_StoredEvent if kind is Event else kind)


def encode(value: State | Orders | CutoverPlan | Event | Mapping[str, int]) -> str:
    """The canonical JSON text. Raises StateError for a value that could not be read back (NaN, a foreign type)."""
    try:
        text = _encoder.encode(value)
        _decoder(dict[str, int] if isinstance(value, Mapping) else type(value)).decode(text)
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise StateError("write", f"a {type(value).__name__}", f"it could not be read back: {error}") from error
    return text.decode()


def decode_state(text: str) -> State:
    """Raises StateDamaged; StateError when a newer failover wrote it."""
    version = _parse("the state", text, _Versioned).schema_version
    if version > SCHEMA_VERSION:
        raise StateError(
            "read",
            "the state",
            f"it was written by a newer failover (schema {version}, this one knows {SCHEMA_VERSION})",
            "upgrade failover on this machine",
        )
    return _decode("the state", text, State)


def decode_orders(text: str) -> Orders:
    """Raises StateDamaged."""
    return _decode("the orders", text, Orders)


def decode_plan(text: str, what: str = "a plan") -> CutoverPlan:
    """Raises StateDamaged, which names `what`."""
    return _decode(what, text, CutoverPlan)


def decode_terms(text: str) -> dict[str, int]:
    """By role, the newest term. Raises StateDamaged."""
    found: dict[str, int] = _parse("the terms", text, dict[str, int])
    return found


def decode_event(text: str, what: str = "an event") -> Event:
    """Raises StateDamaged, which names `what`."""
    stored = _parse(what, text, _StoredEvent)
    event = Event(**{field.name: getattr(stored, field.name) for field in fields(Event)})
    _refuse_unknown(what, text, event)
    return event


def _decode(what: str, text: str, kind: type[T]) -> T:
    value = _parse(what, text, kind)
    _refuse_unknown(what, text, value)
    return value


def _parse(what: str, text: str, kind: type[T]) -> T:
    try:
        value: T = _decoder(kind).decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise StateDamaged("read", what, str(error)) from error
    return value


def _refuse_unknown(what: str, text: str, value: object) -> None:
    """A field that this version does not know (of a newer one, or damage) would be lost at the next write."""
    again = _encoder.encode(value)
    if again == text.encode():
        return
    place = _unknown(msgspec.json.decode(text), msgspec.json.decode(again), "$")
    if place is not None:
        raise StateDamaged("read", what, f"it holds a field that this version does not know: {place}")


def _unknown(found: object, known: object, place: str) -> str | None:
    """The path of the first key in `found` that `known` lacks."""
    if isinstance(found, dict) and isinstance(known, dict):
        for key, value in found.items():
            if key not in known:
                return f"{place}.{key}"
            if inner := _unknown(value, known[key], f"{place}.{key}"):
                return inner
    if isinstance(found, list) and isinstance(known, list):
        for number, (value, other) in enumerate(zip(found, known, strict=False)):
            if inner := _unknown(value, other, f"{place}[{number}]"):
                return inner
    return None
