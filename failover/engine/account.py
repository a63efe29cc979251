"""What a person knows about a provider's account and no API tells: evidence among other evidence, never a command."""

from dataclasses import replace
from enum import StrEnum

from failover.core.evidence import Memory
from failover.core.model import Instant
from failover.core.saga import Event, EventKind
from failover.core.world import Watch
from failover.engine.context import TICK, Context, leased
from failover.errors import UsageError


class Word(StrEnum):
    """`closed`: the provider has closed the account, by mail or by telephone. `open`: it has not. `rotated`: the
    credential was replaced just now, so refusals are our own doing until the new one has worked.
    """

    CLOSED = "closed"
    OPEN = "open"
    ROTATED = "rotated"


def say(context: Context, site: str, word: Word, *, lease_wait_s: float) -> None:
    """Remember it from now on. Raises UsageError for a site that is none or has no account, LockedError."""
    known = {s.name: s for s in context.service.sites}
    if site not in known or known[site].given:
        cause = "it is a given site: there is no account to ask" if site in known else "the config names no such site"
        raise UsageError("account", site, cause)
    with leased(context, TICK, wait_s=lease_wait_s, urgent=True) as term:
        state, now = context.store.load(), context.runtime.now()
        watch = state.watch.get(site, Watch())
        watch = replace(watch, memory=_told(watch.memory, word, now))
        reason = f"{site}: a person says that {_MEANS[word]}"
        event = Event(plan="", step="account", kind=EventKind.NOTE, at=now, reason=reason)
        context.store.swap(replace(state, watch={**state.watch, site: watch}), term=term, events=[event])


_MEANS = {
    Word.CLOSED: "the account is closed",
    Word.OPEN: "the account is open",
    Word.ROTATED: "the credential was replaced",
}


def _told(memory: Memory, word: Word, now: Instant) -> Memory:
    if word is Word.ROTATED:
        return replace(memory, rotated_at=now)
    return replace(memory, flagged_at=now if word is Word.CLOSED else None)
