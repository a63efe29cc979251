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


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list. `total`: how many items all pages have; `next`: where the next page is, None: nowhere."""

    items: list[T]
    total: int
    next: str | None


def _pages(read: Callable[[str | None], Page[T]]) -> tuple[list[T], int, bool]:
    """One reading: the items, how many the last page says that there are, and whether the end was reached."""
    page = read(None)
    found = list(page.items)
    for _ in range(PAGES_MAX):
        if page.next is None:
            return found, page.total, True
        page = read(page.next)
        found += page.items
    return found, page.total, page.next is None


def whole(api: Api, read: Callable[[str | None], Page[T]], key: Callable[[T], object] | None = None) -> list[T]:
    """Every item of every page, as many as the provider says that there are. `read(None)` reads the first page.

    Things come and go between two pages, so a list of another length is read again; with `key` (what tells two items
    apart) also one that shows an item twice, since then another one is missing.
    """
    problem = ""
    for _ in range(READINGS):
        found, total, complete = _pages(read)
        if complete and len(found) == total and (key is None or len({key(item) for item in found}) == total):
            return found
        problem = f"{len(found)} items were listed, {total} there should be"
    raise Unreadable(api.operation, api.object, problem)
