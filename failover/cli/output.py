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
    """Columns aligned with blanks, and nothing is cut off. On a terminal the last column is folded to its width; in a
    pipe or a file a row is one line."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head) - 1)]
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    return "\n".join(_line(row, widths, columns) for row in (head, *rows))


FOLD_MIN, INDENT = 24, 4
"""A last column that has less room than that stands below the rest of its row, indented."""


def _line(row: Sequence[str], widths: Sequence[int], columns: int) -> str:
    start = "".join(cell.ljust(width) + "  " for cell, width in zip(row, widths, strict=False))
    if not columns:
        return f"{start}{row[-1]}".rstrip()
    if columns - len(start) < FOLD_MIN:
        folded = textwrap.wrap(row[-1], max(columns - INDENT, FOLD_MIN))
        return "\n".join([*filter(None, [start.rstrip()]), *(f"{' ' * INDENT}{line}" for line in folded)])
    first, *rest = textwrap.wrap(row[-1], columns - len(start)) or [""]
    return f"\n{' ' * len(start)}".join([f"{start}{first}".rstrip(), *rest])
