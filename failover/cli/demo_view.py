"""What the demo shows while it runs: a live picture on a terminal, plain lines anywhere else."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from failover.cli.demo_client import Answer

BARS = "▁▂▃▄▅▆▇"
BAR_MS = 8.0
"""One step of a bar; what takes longer than all steps has the highest bar."""
SLOT_S = 0.25
COLOURS = ("green", "cyan", "magenta", "yellow")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One event of the timeline. `at_s` counts from the demo's start."""

    at_s: float
    what: str
    detail: str = ""


class View(Protocol):
    """Where the timeline goes."""

    def event(self, line: Line) -> None:
        """Something happened; lines may come late and out of order."""
        ...

    def update(self, settled_s: float, answers: Sequence[Answer] = ()) -> None:
        """No more lines from before `settled_s` will come. `answers` are new ones of the client."""
        ...

    def close(self) -> None: ...


class PlainView:
    """One line per event, in the order in which they happened. Single requests are not shown."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._waiting: list[Line] = []

    def event(self, line: Line) -> None:
        self._waiting.append(line)

    def update(self, settled_s: float, answers: Sequence[Answer] = ()) -> None:
        del answers
        for line in sorted(self._waiting, key=lambda line: line.at_s):
            if line.at_s <= settled_s:
                self._out.write(f"{line.at_s:6.2f} s  {line.what:<26} {line.detail}".rstrip() + "\n")
                self._waiting.remove(line)
        self._out.flush()

    def close(self) -> None:
        self.update(math.inf)


class LiveView:
    """The events so far, above a strip of what the client got: one sign per quarter of a second."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lines: list[Line] = []
        self._slots: dict[int, list[Answer]] = {}
        # Drawn by the caller's own thread only, so that the lists cannot change meanwhile.
        self._live = Live(console=console, auto_refresh=False, get_renderable=self.picture)
        self._live.start()

    def event(self, line: Line) -> None:
        self._lines.append(line)
        self._lines.sort(key=lambda line: line.at_s)

    def update(self, settled_s: float, answers: Sequence[Answer] = ()) -> None:
        del settled_s
        for answer in answers:
            self._slots.setdefault(int(answer.at_s / SLOT_S), []).append(answer)
        self._live.refresh()

    def close(self) -> None:
        self._live.stop()

    def picture(self) -> Group:
        return Group(timeline(self._lines), Text(), strip(self._slots, self._console.width - 12), legend(self._slots))


def timeline(lines: Sequence[Line]) -> Table:
    """The events as a table."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(justify="right", style="dim", no_wrap=True)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(style="default", overflow="ellipsis", no_wrap=True)
    for line in lines:
        table.add_row(f"{line.at_s:.2f} s", line.what, line.detail)
    return table


def strip(slots: dict[int, list[Answer]], width: int) -> Text:
    """The run so far in at most `width` signs.

    A bar is as high as the slowest good answer took, in the colour of its site; a cross means that a request failed.
    """
    text = Text("client  ", style="dim", no_wrap=True)
    first, last, sites = min(slots, default=0), max(slots, default=0), _sites(slots)
    step = 1 + (last - first) // max(1, width)
    for start in range(first, last + 1, step):
        answers = [answer for slot in range(start, start + step) for answer in slots.get(slot, [])]
        text.append(*_sign(answers, sites))
    return text


def _sign(answers: Sequence[Answer], sites: Sequence[str | None]) -> tuple[str, str]:
    """One sign and its style."""
    if not answers:
        return " ", ""
    if any(not answer.ok for answer in answers):
        return "✗", "bold red"
    slowest_ms = 1000 * max(answer.at_s - answer.sent_s for answer in answers)
    bar = BARS[min(len(BARS) - 1, int(slowest_ms / BAR_MS))]
    return bar, COLOURS[sites.index(answers[-1].site) % len(COLOURS)]


def legend(slots: dict[int, list[Answer]]) -> Text:
    """Which colour is which site, and how many requests failed."""
    answers = [answer for found in slots.values() for answer in found]
    text = Text("        ")
    for number, site in enumerate(_sites(slots)):
        text.append(f"▇ {site}  ", style=COLOURS[number % len(COLOURS)])
    failed = sum(not answer.ok for answer in answers)
    text.append(f"✗ failed  {failed} of {len(answers)} requests", style="red" if failed else "dim")
    return text


def _sites(slots: dict[int, list[Answer]]) -> list[str | None]:
    """The sites that ever answered, in the order of their first answer."""
    return list(dict.fromkeys(a.site for slot in sorted(slots) for a in slots[slot] if a.ok))
