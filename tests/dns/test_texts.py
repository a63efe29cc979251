"""TXT values in quotes: as zone files have them, which dnspython knows too, and as Route 53 does."""

import dns.rdata
import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.dns.texts import Escapes, quoted, strings_of, unquoted


@pytest.mark.parametrize(
    ("text", "decimal", "octal"),
    [
        ("", '""', '""'),
        ("v=1 epoch=7", '"v=1 epoch=7"', '"v=1 epoch=7"'),
        ('a "b" \\ c', r'"a \"b\" \\ c"', r'"a \"b\" \134 c"'),
        ("ä\n", r'"\195\164\010"', r'"\303\244\012"'),
        ("x" * 300, f'"{"x" * 255}" "{"x" * 45}"', f'"{"x" * 255}" "{"x" * 45}"'),
    ],
)
def test_texts(text: str, decimal: str, octal: str) -> None:
    for escapes, written in ((Escapes.DECIMAL, decimal), (Escapes.OCTAL, octal)):
        assert quoted(text, escapes) == written
        assert unquoted(written, escapes) == text


@given(st.text(max_size=600))
def test_dnspython_reads_the_same_of_a_zone_file(text: str) -> None:
    rdata = dns.rdata.from_text("IN", "TXT", quoted(text))
    assert list(rdata.strings) == strings_of(text)  # type: ignore[attr-defined]  # a TXT has them
    assert unquoted(rdata.to_text()) == text


@given(st.text(max_size=600), st.sampled_from(Escapes))
def test_what_is_quoted_is_read_again(text: str, escapes: Escapes) -> None:
    assert unquoted(quoted(text, escapes), escapes) == text


@given(st.text(max_size=40), st.sampled_from(Escapes))
def test_whatever_stands_there_is_shown(content: str, escapes: Escapes) -> None:
    unquoted(content, escapes)


def test_texts_as_others_write_them() -> None:
    assert unquoted(r'"a \\ b"   "c"', Escapes.OCTAL) == r"a \ bc"
    assert unquoted('"ü"') == "ü"
    assert unquoted("bare words") == "bare words"
    assert unquoted('"half') == '"half'
    assert unquoted(r'"\252"') == unquoted(r'"\374"', Escapes.OCTAL) == r"\xfc"
    assert unquoted(r'"\999"') == r'"\999"'
