"""Regular expressions that cannot hold us up."""

import pytest

from failover.net.regex import searcher


def test_it_finds_anywhere_in_bytes() -> None:
    assert searcher("v[0-9]+")(b"guestbook v12\xff")
    assert searcher("caf\u00e9")("un café".encode())
    assert not searcher("^v[0-9]+$")(b"guestbook v12")


def test_a_pattern_that_ruins_backtracking_is_harmless() -> None:
    """Python's own `re` would still be at it when the universe ends; the test's timeout would come first."""
    assert not searcher("(a+)+$")(b"a" * 65_535 + b"b")
    assert not searcher("(a|aa)*(a|aa)*(a|aa)*b")(b"a" * 65_536)


@pytest.mark.parametrize("pattern", ["(", "(?=a)", r"(a)\1", "a{1001}", "(((a{100}){100}){100})"])
def test_what_cannot_be_linear_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"\w+"):
        searcher(pattern)
