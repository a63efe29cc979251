"""What is wrong with a file, and where: rendered as `file:line:column: message`, the source line, and a caret.

A line is never shown with the text that stands where a secret belongs.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from failover.errors import ConfigError

WIDTH = 100
"""Characters of a source line that are shown; of a longer one the part around the caret."""
HIDDEN = "***"
_LINE_END = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_USER_INFO = re.compile(r"(?<=://)[^/@\s\"']*@")
Loc = tuple[str | int, ...]
"""Where in the document: keys and list positions from the root."""


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A place in the text; both count from 0."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` up to, not including, `end`."""

    start: Mark
    end: Mark


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing that is wrong. The message never holds a value that may be secret."""

    mark: Mark
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The text that findings point into. Of a `closed` source no line is shown: it may be a secret as a whole."""

    name: str
    text: str
    hidden: tuple[Span, ...] = ()
    closed: bool = False

    def render(self, finding: Finding) -> str:
        """One finding with its place, its source line and a caret."""
        mark = finding.mark
        head = f"{self.name}:{mark.line + 1}:{mark.column + 1}: {printable(finding.message)}"
        lines = _LINE_END.split(self.text)
        if self.closed or mark.line >= len(lines) or not lines[mark.line].strip():
            return head
        line, column = self._masked(mark, lines[mark.line])
        line, column = _window(printable(line), column)
        return f"{head}\n    {line}\n    {' ' * column}^"

    def _masked(self, mark: Mark, line: str) -> tuple[str, int]:
        """The line without secrets, and where the caret stands in it."""
        column = min(mark.column, len(line))
        spans = [_columns(span, mark.line, line) for span in self.hidden]
        spans += [match.span() for match in _USER_INFO.finditer(line)]
        for start, end in reversed(_merged(spans)):
            line = line[:start] + HIDDEN + line[end:]
            if column >= end:
                column += start + len(HIDDEN) - end
            elif column > start:
                column = start
        return line, column


def _columns(span: Span, number: int, line: str) -> tuple[int, int]:
    """The part of a line that a span covers; (0, 0) when it covers none."""
    if not span.start.line <= number <= span.end.line:
        return 0, 0
    start = span.start.column if number == span.start.line else len(line) - len(line.lstrip())
    end = span.end.column if number == span.end.line else len(line)
    return (start, min(end, len(line))) if start < end else (0, 0)


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Without empty ones, in order, overlapping ones joined."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _window(line: str, column: int) -> tuple[str, int]:
    """At most WIDTH characters of the line around the caret."""
    line = line.rstrip()
    if len(line) <= WIDTH:
        return line, column
    start = max(0, min(column - WIDTH // 2, len(line) - WIDTH))
    before, after = "…" if start else "", "…" if start + WIDTH < len(line) else ""
    return before + line[start : start + WIDTH] + after, column - start + len(before)


def printable(text: str) -> str:
    """Without characters that move the cursor or change colours. As long as before."""
    return "".join(c if c.isprintable() else " " if c == "\t" else "?" for c in text)


def quoted(word: str) -> str:
    """A word of the document, for use in a message."""
    return f"`{word}`" if len(word) <= 60 else f"`{word[:59]}…`"


def suggestion(word: str, known: Iterable[str]) -> str:
    """`; did you mean …?` when a known word is close, else nothing."""
    from difflib import get_close_matches  # a good config never needs it

    close = get_close_matches(word.lower(), sorted(known), n=1)
    return f"; did you mean `{close[0]}`?" if close else ""


def listed(words: Iterable[str]) -> str:
    return ", ".join(words) or "none"


def refusal(source: Source, findings: Iterable[Finding]) -> ConfigError:
    """The error that carries every finding, in the order of the file."""
    rendered = tuple(source.render(finding) for finding in sorted(set(findings)))
    count = "1 problem" if len(rendered) == 1 else f"{len(rendered)} problems"
    return ConfigError("read config", source.name, count, "correct the lines above", findings=rendered)
