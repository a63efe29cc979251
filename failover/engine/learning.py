"""Answers that nobody knows yet are written down once, so that the tables of `failover.core.codes` can learn them."""

from dataclasses import replace

from failover.core.evidence import new_bodies
from failover.core.judge import Observation
from failover.core.model import Instant
from failover.core.reading import ServiceReading
from failover.core.saga import Event, EventKind
from failover.core.world import State

STEP = "unknown-answer"


def learn(state: State, seen: Observation) -> tuple[State, tuple[Event, ...]]:
    """The state that remembers what it has met, and a note for each unknown answer that is new.

    To be stored together: then each is written once, whenever this process dies.
    """
    watch, events = dict(state.watch), []
    for site, report in seen.reports.items():
        if site in watch:
            memory, fresh = new_bodies(watch[site].memory, report.signals)
            watch[site] = replace(watch[site], memory=memory)
            events += [_note(site, reading, seen.at) for reading in fresh]
    return replace(state, watch=watch), tuple(events)


def _note(site: str, reading: ServiceReading, at: Instant) -> Event:
    said = " ".join(filter(None, (str(reading.status or ""), reading.code, reading.message))) or "nothing"
    return Event(
        plan="",
        step=STEP,
        kind=EventKind.NOTE,
        at=at,
        reason=f"{site}: {reading.service} said what is not known yet, taken for {reading.signal}: {said}",
        output={
            "site": site,
            "service": reading.service,
            "region": reading.region,
            "status": reading.status,
            "code": reading.code,
            "body": reading.raw,
        },
    )
