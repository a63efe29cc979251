"""What the demo's client wrote down, and what it means: outage, failures, whose answers they were."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from failover.cli.demo_client import Answer


@dataclass(slots=True)
class Tape:
    """Reads the client's file as it grows. Answers stand in the order in which they ended."""

    path: Path
    answers: list[Answer] = field(default_factory=list)
    _offset: int = 0

    def read(self) -> list[Answer]:
        """The answers that are new since the last call; a line that is still being written waits for the next."""
        if not self.path.exists():
            return []
        with self.path.open("rb") as file:
            file.seek(self._offset)
            whole, newline, _ = file.read().rpartition(b"\n")
        self._offset += len(whole) + len(newline)
        fresh = [Answer(**json.loads(line)) for line in whole.splitlines()]
        self.answers += fresh
        self.answers.sort(key=lambda answer: answer.at_s)
        return fresh

    @property
    def failures(self) -> int:
        return sum(not answer.ok for answer in self.answers)


def first_good(answers: Sequence[Answer], site: str, since_s: float) -> Answer | None:
    """The first good answer from `site` that ended after `since_s`."""
    return next((a for a in answers if a.ok and a.site == site and a.at_s > since_s), None)


def first_failed(answers: Sequence[Answer], since_s: float) -> Answer | None:
    return next((a for a in answers if not a.ok and a.at_s > since_s), None)


def failures_after(answers: Sequence[Answer], since_s: float) -> int:
    """Failed requests among those sent after `since_s`."""
    return sum(not a.ok for a in answers if a.sent_s > since_s)


def outage_s(answers: Sequence[Answer], target: str, since_s: float) -> float | None:
    """From the last good answer before the outage to the first good one from `target`, as the client saw it."""
    end = first_good(answers, target, since_s)
    if end is None:
        return None
    before = [a.at_s for a in answers if a.ok and a.site != target and a.at_s < end.at_s]
    return end.at_s - max(before) if before else None


def only_from(answers: Sequence[Answer], site: str, since_s: float, count: int) -> bool:
    """Whether the last `count` requests, all sent after `since_s`, had good answers from `site`."""
    last = [a for a in answers if a.sent_s > since_s][-count:]
    return len(last) == count and all(a.ok and a.site == site for a in last)
