"""Recorded and documented answers of all providers, one line each in `answers.jsonl`, with the source of each.

`expected` is what the source's own words mean, `says_closed` marks those that say that the account is closed. `status`
is null where the source does not tell it. "Recorded" answers were given by a real server over loopback to the real
client library, whose exception was then read by `failover.net.answers`.
"""

import json
from collections import Counter
from pathlib import Path
from typing import TypedDict

import pytest

from failover.core.reading import AMBIGUOUS, EXPLICIT, Answer, Reading, Signal, Transport, classify, reading_of


class Row(TypedDict, total=False):
    provider: str
    operation: str
    transport: str
    status: int | None
    code: str
    message: str
    html: bool
    expected: str
    says_closed: bool
    source: str


FILE = Path(__file__).with_name("answers.jsonl")
ROWS: list[Row] = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
PROVIDERS = {
    "aws", "google", "azure", "digitalocean", "linode", "vultr", "hetzner", "scaleway", "ovh", "openstack",
    "cloudflare", "gandi", "local",
}  # fmt: skip
WORDS = ("clos", "suspen", "block", "disabled", "locked", "delet", "problem with your", "accountproblem")
"""A source that says that an account is closed uses one of these."""


def answer(row: Row) -> Answer:
    return Answer(
        provider=row["provider"],
        operation=row["operation"],
        transport=Transport(row["transport"]),
        status=row["status"],
        code=row["code"],
        message=row["message"],
        html=row.get("html", False),
    )


def name(row: Row) -> str:
    return f"{row['provider']} {row['operation']} {row['status']} {row['code'] or row['message'][:30]}"


@pytest.mark.parametrize("row", ROWS, ids=name)
def test_each_answer_is_read_as_its_source_says(row: Row) -> None:
    signal = classify(answer(row))
    assert signal is Signal(row["expected"]), row["source"]
    assert (reading_of(signal) is Reading.CLOSED) == row.get("says_closed", False), row["source"]


def test_there_are_enough_of_them_from_everywhere() -> None:
    assert len(ROWS) >= 260
    by_provider = Counter(row["provider"] for row in ROWS)
    assert set(by_provider) == PROVIDERS
    assert min(by_provider.values()) >= 5
    assert all(row["source"] for row in ROWS)
    assert {Signal(row["expected"]) for row in ROWS} == set(Signal)


def test_no_line_stands_there_twice() -> None:
    lines = Counter(json.dumps({k: v for k, v in row.items() if k != "source"}, sort_keys=True) for row in ROWS)
    assert [line for line, count in lines.items() if count > 1] == []


def test_what_says_closed_says_it_in_words() -> None:
    for row in ROWS:
        text = f"{row['code']} {row['message']} {row['operation']}".lower()
        assert row.get("says_closed", False) == (Signal(row["expected"]) in EXPLICIT)
        assert not row.get("says_closed") or any(word in text for word in WORDS), row


def test_a_plain_401_and_403_is_ambiguous_everywhere() -> None:
    """Without a listed code, nobody's refusal says what it is for."""
    for provider in PROVIDERS:
        for status in (401, 402, 403):
            plain = Answer(provider=provider, operation="x", status=status, code="SomethingNew", message="no")
            assert classify(plain) is Signal.AUTH_AMBIGUOUS
            assert classify(plain) in AMBIGUOUS
