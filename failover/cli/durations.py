"""How long, as it is written at the shell: `90s`, `30m`, `2h`, `1d`."""

import re

from failover.errors import UsageError

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DIGITS_MAX = 9
_BARE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


def seconds_for(text: str) -> float:
    """Of `--for`, which must last. Raises UsageError."""
    found = _seconds(text)
    if not found:
        raise UsageError("read", f"--for {text}", "it is not a duration", "write 90s, 30m, 2h or 1d")
    return found


def patience_s(option: str, text: str) -> float:
    """Of an option that says how long to wait: not at all (`0s`), too. A bare number is seconds. Raises UsageError."""
    found = float(text) if _BARE.fullmatch(text) else _seconds(text)
    if found is None:
        raise UsageError("read", f"{option} {text}", "it is not a duration", "write 0s, 90s or 2m")
    return found


def _seconds(text: str) -> float | None:
    number, unit = text[:-1], text[-1:]
    plain = number.isascii() and number.isdecimal() and len(number) <= _DIGITS_MAX
    return int(number) * _UNITS[unit] if plain and unit in _UNITS else None
