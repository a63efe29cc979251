"""Lists that a provider gives page by page: whole, or an error."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from failover.errors import Unreadable
from failover.net.decode import decode
from failover.net.libcloud import Api

PAGES_MAX = 1000
READINGS = 3
"""How often a list is read whose length is not what the provider says."""

T = TypeVar("T")

Document = dict[str, msgspec.Raw]
"""An answer whose parts are read one by one."""


def part(api: Api, document: Document, key: str, into: type[T]) -> T:
    """What stands there. Raises Unreadable where nothing does, or something else: never taken for empty."""
    if key not in document:
        raise Unreadable(api.operation, api.object, f"{api.provider} answered without {key}")
    try:
        return decode(document[key], into)
    except msgspec.DecodeError as error:
        raise Unreadable(api.operation, api.object, f"{api.provider} answered another {key}: {error}") from error


def items(api: Api, document: Document, key: str, kind: type[T]) -> list[T]:
    """The list that stands there. Raises Unreadable as `part` does."""
    return part(api, document, key, list[kind])  # type: ignore[valid-type] # the type is a variable


def by_id(item: object) -> object:
    """What tells two things of a provider apart. Those without an id are never taken for the same."""
    return getattr(item, "id", id(item))


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list. `total`: how many items all pages have; `next`: where the next page is, None: nowhere."""

    items: list[T]
    total: int
    next: str | None


def _pages(read: Callable[[str | None], Page[T]]) -> tuple[list[T], set[int], bool]:
    """One reading: the items, how many each page says that there are, and whether the end was reached."""
    page = read(None)
    found, totals = list(page.items), {page.total}
    for _ in range(PAGES_MAX):
        if page.next is None:
            return found, totals, True
        page = read(page.next)
        found += page.items
        totals.add(page.total)
    return found, totals, page.next is None


def whole(api: Api, read: Callable[[str | None], Page[T]], key: Callable[[T], object] | None = None) -> list[T]:
    """Every item of every page, as many as the provider says that there are. `read(None)` reads the first page.

    Things come and go between two pages, so a list of another length is read again, and one whose pages do not agree
    about it: what goes moves the others up, and one of them is skipped. With `key` (what tells two items apart) also
    one that shows an item twice, since then another one is missing.
    """
    problem = ""
    for _ in range(READINGS):
        found, totals, complete = _pages(read)
        different = len(found) if key is None else len({key(item) for item in found})
        if complete and totals == {len(found)} == {different}:
            return found
        problem = f"{different} items were listed, {' or '.join(map(str, sorted(totals)))} there should be"
    raise Unreadable(api.operation, api.object, problem)
