"""The audit log as a hash chain: each entry's hash is SHA-256 over the hash before it and its own text.

A changed entry breaks the chain at that entry; the head, kept apart, shows entries that were cut off at the end.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from failover.errors import StateDamaged

GENESIS = "0" * 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """An entry's place in the chain. Sequence 0 with the genesis hash is the place before the first entry."""

    sequence: int = 0
    hash: str = GENESIS

    def next(self, body: str) -> "Link":
        """The place of the entry that follows, whose text is `body`."""
        digest = hashlib.sha256(f"{self.hash}\n{body}".encode("utf-8", "surrogatepass")).hexdigest()
        return Link(sequence=self.sequence + 1, hash=digest)

    def __str__(self) -> str:
        return f"{self.sequence} {self.hash}"

    @classmethod
    def parse(cls, text: str) -> "Link":
        """Raises ValueError."""
        sequence, digest = text.split(" ")
        return cls(sequence=int(sequence), hash=digest)


def check(start: Link, entries: Iterable[tuple[int, str, str]], head: Link) -> None:
    """The entries (sequence, text, hash) lead from `start` to `head` without a gap.

    Raises StateDamaged naming the first bad entry.
    """
    here = start
    for sequence, body, digest in entries:
        here = here.next(str(body))
        if sequence != here.sequence:
            raise _damaged(f"event {here.sequence} is missing")
        if digest != here.hash:
            raise _damaged(f"event {sequence} or the hash beside it was changed")
    if here.sequence < head.sequence:
        raise _damaged(f"event {here.sequence + 1} is missing: the log ends too early")
    if here != head:
        raise _damaged(f"event {here.sequence} is not the one that the log's head names")


def _damaged(cause: str) -> StateDamaged:
    return StateDamaged("verify", "the audit log", cause, "keep the file for inspection, and bring back a good copy")
