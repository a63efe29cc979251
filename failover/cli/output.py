"""Standard output is data, standard error is progress and refusals. Secrets are hidden in both."""

import json
import sys
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
    """Columns aligned with blanks. The last column wraps by itself; nothing is cut off."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    lines = [
        "  ".join(cell if i == len(row) - 1 else cell.ljust(widths[i]) for i, cell in enumerate(row)).rstrip()
        for row in (head, *rows)
    ]
    return "\n".join(lines)
