"""Durations as they are written at the shell."""

import pytest

from failover.cli.durations import patience_s, seconds_for
from failover.errors import UsageError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0s", 0.0), ("90s", 90.0), ("10m", 600.0), ("2h", 7200.0), ("1d", 86400.0), ("120", 120.0), ("0.5", 0.5)],
)
def test_patience_is_a_duration_or_a_bare_number_of_seconds(text: str, seconds: float) -> None:
    assert patience_s("--wait", text) == seconds


@pytest.mark.parametrize(
    "text", ["", "s", "soon", "-5s", "-3", "1w", "1.5m", "1e3", "nan", "inf", "\u0665", "1234567890"]
)
def test_what_is_no_duration_is_refused_by_the_options_name(text: str) -> None:
    with pytest.raises(UsageError, match="--timeout"):
        patience_s("--timeout", text)


@pytest.mark.parametrize("text", ["0s", "120", "0.5"])
def test_an_order_lasts_and_says_its_unit(text: str) -> None:
    with pytest.raises(UsageError, match="--for"):
        seconds_for(text)
