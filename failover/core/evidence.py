"""Many readings over time → whether an account that does not say so is closed.

One refusal proves nothing: a wrong key, a rotated key and a closed account answer alike. So a closed account is
believed only while the data plane is down, and only when three of these have held over the confirm window:

    1  three services, in two regions where there are two, worked before and began to refuse us within minutes
    2  a second, independently issued credential worked before and is refused as well (tells rotation from closing)
    3  we know of no rotation that would explain 1 or 2
    4  complete lists showed none of our nodes running, without a call of ours
    5  a person says so

A timeout, an outage, throttling, a 404 or an empty answer is none of these, and takes nothing away either.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from failover.core.health import HealthState
from failover.core.model import Instant
from failover.core.signals import AMBIGUOUS, REFUSALS, ServiceReading, Signal

SERVICES_NEEDED = 3
REGIONS_NEEDED = 2
SIGNALS_NEEDED = 3
FLIP_S = 600.0
"""Services that cache tokens go on answering for minutes after the first one refused."""
SERVICES_MAX = 32
"""So many (service, region, credential) are remembered; the ones heard of longest ago are forgotten."""
BODIES_MAX = 32
"""So many unknown answers of one account are written down, and no more."""
_WORDS_MAX = 12
_WORD = re.compile(r"(?<![0-9A-Za-z])[A-Za-z]{3,}(?![0-9A-Za-z])")
_WORKING = frozenset({Signal.OK, Signal.ACTIVE, Signal.WARNED})


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceMemory:
    """What is remembered of one service in one region, asked with one credential."""

    service: str
    region: str = ""
    credential: str = ""
    signal: Signal = Signal.UNKNOWN
    """The last one that was about access: it worked, or it was refused."""
    worked_at: Instant | None = None
    """The last time."""
    refused_since: Instant | None = None
    """None while it works."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What is remembered of one account between rounds."""

    services: tuple[ServiceMemory, ...] = ()
    """The ones heard of last stand last."""
    stopped_since: Instant | None = None
    """Since when complete lists show none of our nodes running; None: they do, or nobody knows."""
    rotated_at: Instant | None = None
    """When a person said that the credential was replaced."""
    flagged_at: Instant | None = None
    """When a person said that the account is closed."""
    bodies: tuple[str, ...] = ()
    """Marks of unknown answers whose bodies stand in the audit log already."""


def remember(memory: Memory, readings: Iterable[ServiceReading], at: Instant) -> Memory:
    """The memory after one round."""
    known = {(s.service, s.region, s.credential): s for s in memory.services}
    for reading in readings:
        key = (reading.service, reading.region, reading.credential)
        if reading.signal not in _WORKING and reading.signal not in REFUSALS:
            continue
        fresh = ServiceMemory(service=reading.service, region=reading.region, credential=reading.credential)
        known[key] = _after(known.pop(key, fresh), reading.signal, at)
    return replace(memory, services=tuple(known.values())[-SERVICES_MAX:])


def _after(before: ServiceMemory, signal: Signal, at: Instant) -> ServiceMemory:
    if signal in _WORKING:
        return replace(before, signal=signal, worked_at=at, refused_since=None)
    return replace(before, signal=signal, refused_since=before.refused_since or at)


def corroborated(
    memory: Memory, *, now: Instant, data_plane: HealthState, explicit: bool, confirm_s: float
) -> tuple[bool, tuple[str, ...]]:
    """Whether the account is closed beyond reasonable doubt, and the sentences that say why (or how far it is).

    `explicit`: the provider itself says so; `confirm_s` is how long every other sign must have held.
    """
    if explicit:
        return data_plane is HealthState.DOWN, ("the provider itself says so",)
    held = [sentence for began, sentence in _signs(memory) if now.since(began) >= confirm_s]
    if _refusals(memory) and _no_rotation(memory):
        held.append("no rotation of the credential is known")
    return data_plane is HealthState.DOWN and len(held) >= SIGNALS_NEEDED, tuple(held)


def _signs(memory: Memory) -> list[tuple[Instant, str]]:
    """Signs 1, 2, 4 and 5, each with the moment since which it holds."""
    found = [*_refusals(memory)]
    if memory.stopped_since is not None:
        found.append((memory.stopped_since, "our nodes were stopped or removed without a call of ours"))
    if memory.flagged_at is not None:
        found.append((memory.flagged_at, "a person says that the account is closed"))
    return found


def _refusals(memory: Memory) -> list[tuple[Instant, str]]:
    first, second = _flip(memory), _second(memory)
    return [sign for sign in (first, second) if sign is not None]


def _flip(memory: Memory) -> tuple[Instant, str] | None:
    """Sign 1: the moment when enough services had begun to refuse us, all within FLIP_S."""
    worked = [s for s in memory.services if not s.credential and s.worked_at is not None]
    counts = AMBIGUOUS
    if worked and all(s.signal in AMBIGUOUS or s.signal is Signal.PERMISSION for s in worked):
        counts = AMBIGUOUS | {Signal.PERMISSION}  # missing permissions do not come to every service at once
    flips = [(s.refused_since, s) for s in worked if s.refused_since is not None and s.signal in counts]
    flips.sort(key=lambda flip: (flip[0].utc_s, flip[1].service, flip[1].region))
    regions_needed = min(REGIONS_NEEDED, len(_regions(worked)))
    for number, (start, _) in enumerate(flips):
        for end in range(number + 1, len(flips) + 1):
            group = [s for _, s in flips[number:end]]
            began = flips[end - 1][0]
            services = {s.service for s in group}
            if max(began.since(start), start.since(began)) > FLIP_S:
                break
            if len(services) >= SERVICES_NEEDED and len(_regions(group)) >= regions_needed:
                return began, f"{', '.join(sorted(services))} worked before and began to refuse us within minutes"
    return None


def _regions(services: Iterable[ServiceMemory]) -> set[str]:
    """Regions by name; services that have none count as one, where there is no other."""
    found = {s.region for s in services}
    return found - {""} or found


def _second(memory: Memory) -> tuple[Instant, str] | None:
    """Sign 2: refusals of the second credential, and nothing has worked with it since."""
    worked = [(s, s.worked_at) for s in memory.services if s.credential and s.worked_at is not None]
    refused = [s.refused_since for s, _ in worked if s.refused_since is not None and s.signal in AMBIGUOUS]
    if not refused:
        return None
    began = max(refused, key=lambda i: i.utc_s)
    if any(s.refused_since is None and at.utc_s >= began.utc_s for s, at in worked):
        return None
    return began, "a second, independently issued credential is refused as well"


def _no_rotation(memory: Memory) -> bool:
    """Sign 3: nobody told us of one, or the new credential has worked since."""
    rotated = memory.rotated_at
    return rotated is None or any(
        s.worked_at is not None and s.worked_at.utc_s > rotated.utc_s for s in memory.services if not s.credential
    )


# ------------------------------------------------------------------------------------ bodies that nobody knows


def new_bodies(memory: Memory, readings: Iterable[ServiceReading]) -> tuple[Memory, tuple[ServiceReading, ...]]:
    """Unknown answers that were not met before, and the memory with their marks."""
    found: dict[str, ServiceReading] = {}
    for reading in readings:
        mark = _mark(reading)
        room = len(memory.bodies) + len(found) < BODIES_MAX
        if reading.raw and room and mark not in memory.bodies:
            found.setdefault(mark, reading)
    return replace(memory, bodies=(*memory.bodies, *found)), tuple(found.values())


def _mark(reading: ServiceReading) -> str:
    """What is the same in two answers of one kind: identifiers of requests differ each time, plain words do not."""
    words = _WORD.findall(reading.message.lower())[:_WORDS_MAX]
    return f"{reading.service}:{reading.status}:{reading.code}:{' '.join(words)}"
