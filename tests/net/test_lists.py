"""Lists of pages are whole, or an error: also when things come and go while they are read."""

from collections.abc import Callable, Sequence

import pytest

from failover.errors import Unreadable
from failover.net.libcloud import Api, Line
from failover.net.lists import PAGES_MAX, Page, whole


def api() -> Api:
    made = Api("vultr", Line(1.0), {})
    made.begin("list nodes", "here", 5.0)
    return made


def reading(pages: Sequence[Page[str]]) -> Callable[[str | None], Page[str]]:
    """The pages, one after the other, whichever is asked for."""
    left = list(pages)
    return lambda _: left.pop(0)


def page(text: str, total: int, next: str | None = None) -> Page[str]:
    return Page(list(text), total, next)


def test_a_list_has_as_many_items_as_the_provider_says() -> None:
    assert whole(api(), reading([page("ab", 3, "2"), page("c", 3)])) == ["a", "b", "c"]


def test_what_goes_between_two_pages_skips_no_other() -> None:
    """`a` went after the first page: `c` moved up to it, and is on none that was read. Only the numbers tell."""
    skipped = [page("ab", 4, "2"), page("d", 3)]
    assert whole(api(), reading([*skipped, page("bc", 3, "2"), page("d", 3)])) == ["b", "c", "d"]


def test_what_comes_between_two_pages_is_shown_once() -> None:
    twice = [page("ab", 3, "2"), page("bc", 4)]
    assert whole(api(), reading([*twice, page("xa", 4, "2"), page("bc", 4)]), key=str) == ["x", "a", "b", "c"]


@pytest.mark.parametrize(
    "pages",
    [
        [page("ab", 3)],
        [page("ab", 3, "2"), page("", 3)],
        [page("ab", 4, "2"), page("cd", 5)],
        [page("ab", 4, "2"), page("bc", 4)],
    ],
    ids=["short", "an empty page", "numbers that differ", "twice the same"],
)
def test_a_list_that_stays_so_is_unreadable(pages: list[Page[str]]) -> None:
    with pytest.raises(Unreadable, match="items were listed"):
        whole(api(), reading(pages * 3), key=str)


def test_a_list_without_an_end_is_unreadable() -> None:
    read: list[int] = []

    def more(_: str | None) -> Page[str]:
        read.append(1)
        return page("a", 1, "more")

    with pytest.raises(Unreadable):
        whole(api(), more)
    assert len(read) == 3 * (PAGES_MAX + 1)


def test_an_empty_list_is_one_that_says_so() -> None:
    assert whole(api(), reading([page("", 0)])) == []
