"""Linode's X-Filter header, as its document describes it ("Filtering and Sorting")."""

from collections.abc import Callable, Mapping
from operator import ge, gt, le, lt, ne
from typing import Any

from tests.standins.base import Refused

COMPARED: Mapping[str, Callable[[Any, Any], bool]] = {
    "+gt": gt,
    "+gte": ge,
    "+lt": lt,
    "+lte": le,
    "+neq": ne,
    "+contains": lambda value, wanted: wanted in value,
}


def filtered(items: list[dict[str, Any]], wish: Mapping[str, Any], filterable: frozenset[str]) -> list[dict[str, Any]]:
    """What of a list a filter lets through, in its order. Raises Refused for a field that cannot be asked for."""
    for name in fields(wish):
        if name not in filterable:
            raise Refused(400, f"Cannot filter on {name}", "X-Filter")
    found = [item for item in items if matches(item, wish)]
    if "+order_by" in wish:
        found.sort(key=lambda item: item[wish["+order_by"]], reverse=wish.get("+order") == "desc")
    return found


def fields(wish: Mapping[str, Any]) -> set[str]:
    """Every field that a filter speaks of."""
    named = {wish["+order_by"]} if "+order_by" in wish else set()
    for key, value in wish.items():
        if key in ("+and", "+or"):
            named |= set().union(*(fields(part) for part in value))
        elif not key.startswith("+"):
            named.add(key)
    return named


def matches(item: Mapping[str, Any], wish: Mapping[str, Any]) -> bool:
    return all(_holds(item, key, value) for key, value in wish.items() if key not in ("+order", "+order_by"))


def _holds(item: Mapping[str, Any], key: str, wanted: Any) -> bool:
    if key == "+and":
        return all(matches(item, part) for part in wanted)
    if key == "+or":
        return any(matches(item, part) for part in wanted)
    if key.startswith("+"):
        raise Refused(400, f"Unknown operator {key}", "X-Filter")
    value = item[key]
    if isinstance(wanted, dict):
        return all(COMPARED[operator](value, operand) for operator, operand in wanted.items())
    return wanted in value if isinstance(value, list) else bool(value == wanted)
