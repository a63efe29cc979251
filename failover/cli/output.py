"""Standard output is data, standard error is progress and refusals. Secrets are hidden in both."""

import json
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from enum import StrEnum

from failover.errors import ConfigError, FailoverError
from failover.net.secret import redact

SCHEMA_VERSION = 1


class Output(StrEnum):
    TABLE = "table"
    JSON = "json"


def emit(text: str) -> None:
    """One piece of data."""
    sys.stdout.write(redact(text) + "\n")
    sys.stdout.flush()


def emit_json(document: Mapping[str, object]) -> None:
    """One object with its `schema_version`."""
    emit(json.dumps({"schema_version": SCHEMA_VERSION, **document}, indent=2, ensure_ascii=False))


def progress(text: str) -> None:
    """One line about what is going on."""
    sys.stderr.write(redact(text) + "\n")
    sys.stderr.flush()


def counted(number: int, word: str) -> str:
    """`1 change`, `2 changes`."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def asked(question: str) -> str:
    """What a person types in answer; nothing at the end of input. Standard output stays free for data."""
    sys.stderr.write(redact(question) + " ")
    sys.stderr.flush()
    return sys.stdin.readline().strip()


def site_progress(site: str, text: str) -> None:
    progress(f"{site:<12} {text}")


def refuse(error: FailoverError) -> int:
    """Say what, where and what to do next. Returns the exit code."""
    findings = error.findings if isinstance(error, ConfigError) else ()
    for finding in findings:
        progress(finding)
    progress(f"failover: {error}")
    if error.hint:
        progress(f"  next: {error.hint}")
    return error.exit_code


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns aligned with blanks. On a terminal the last column is folded to its width; nothing is cut off."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head) - 1)]
    margin = sum(widths) + 2 * len(widths)
    room = shutil.get_terminal_size().columns - margin if sys.stdout.isatty() else 0
    return "\n".join(_line(row, widths, margin, room) for row in (head, *rows))


FOLD_MIN = 24
"""Columns narrower than this are not folded: that would be harder to read than long lines."""


def _line(row: Sequence[str], widths: Sequence[int], margin: int, room: int) -> str:
    start = "".join(cell.ljust(width) + "  " for cell, width in zip(row, widths, strict=False))
    folded = textwrap.wrap(row[-1], room) if room >= FOLD_MIN else [row[-1]]
    return f"\n{' ' * margin}".join([f"{start}{folded[0] if folded else ''}".rstrip(), *folded[1:]])
