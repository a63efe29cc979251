"""What somebody hears who stays with a plan: what it waits for, when that changes."""

from collections.abc import Callable
from dataclasses import dataclass

from failover.core.model import Instant

TELL_S = 10.0
"""Between two sentences: some of them count seconds down."""

Tell = Callable[[str], object]


def untold(_: str) -> None:
    """Nobody listens."""


@dataclass(slots=True)
class Told:
    """Hands on what is new, the first sentence at once."""

    tell: Tell
    said: str = ""
    at: Instant | None = None

    def hear(self, says: str, now: Instant) -> None:
        if says != self.said and (self.at is None or now.since(self.at) >= TELL_S):
            self.tell(says)
            self.said, self.at = says, now
