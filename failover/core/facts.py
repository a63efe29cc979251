"""Three facts about a change at each DNS host, each with its time: accepted, served, seen.

    accepted   the host's API, or its primary, said yes
    served     every one of its authoritative servers answered the new addresses and the epoch, by UDP and by TCP
    seen       every caching resolver that the config names answered it too

None follows from another: an API may say yes while its servers stay behind for an hour.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from failover.core.model import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAnswer:
    """What one authoritative server says of a plan when it is asked at one of its addresses (`address:port`).

    `server` is its name, or its address where it has none. `late` is empty when it serves the plan.
    """

    host: str
    server: str
    address: str
    late: str = ""
    stale: bool = False
    """It answers something else. Otherwise it does not answer at all, or makes no sense."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """What is known of one host and the plan with this epoch. None: not yet."""

    epoch: int
    accepted: Instant | None = None
    served: Instant | None = None
    seen: Instant | None = None
    late: tuple[str, ...] = ()
    """Servers that lag behind, one sentence each."""


Facts = Mapping[str, HostFacts]
"""By host."""


def _of(facts: Facts, host: str, epoch: int) -> HostFacts:
    """What is known so far; whatever is known of another plan counts for nothing."""
    known = facts.get(host)
    return known if known is not None and known.epoch == epoch else HostFacts(epoch=epoch)


def accepted(facts: Facts, hosts: Iterable[str], *, epoch: int, now: Instant) -> Facts:
    """The first time counts: a host that is asked again later accepted it then already."""
    found = {host: _of(facts, host, epoch) for host in hosts}
    return {**facts, **{h: replace(f, accepted=f.accepted or now) for h, f in found.items()}}


def served(facts: Facts, answers: Iterable[ServerAnswer], *, epoch: int, now: Instant) -> Facts:
    """A host serves the plan from the moment when none of its servers is late."""
    late: dict[str, list[str]] = {}
    for answer in answers:
        late.setdefault(answer.host, []).extend([f"{answer.address}: {answer.late}"] if answer.late else [])
    found = {host: _of(facts, host, epoch) for host in late}
    return {
        **facts,
        **{h: replace(f, served=None if late[h] else f.served or now, late=tuple(late[h])) for h, f in found.items()},
    }


def seen(facts: Facts, *, epoch: int, now: Instant) -> Facts:
    """Every resolver answers the plan: what holds of each host that serves it."""
    return {
        host: replace(f, seen=f.seen or now) if f.epoch == epoch and f.served is not None else f
        for host, f in facts.items()
    }


def stale_servers(answers: Iterable[ServerAnswer]) -> tuple[str, ...]:
    """Servers that answer something else than the plan, each once."""
    return tuple(dict.fromkeys(a.server for a in answers if a.stale))


def still_old(stale: Collection[str], servers: Collection[str]) -> str:
    """`2 of 4 name servers still answer the old address; remove them at the registrar`; "" when none does."""
    if not stale:
        return ""
    verb, them = ("answers", "it") if len(stale) == 1 else ("answer", "them")
    count = len({*stale, *servers})
    return f"{len(stale)} of {count} name servers still {verb} the old address; remove {them} at the registrar"
