"""What goes wrong around a service that is watched: the assumptions behind the rates of wrong and missed cutovers.

Everything is drawn from a seed. Durations are lognormal: most troubles of a network are short, and a few are very long,
so a window that outlasts the median does not outlast them all. Faults are independent of each other, except where one
fault takes several things away at once; those are the dangerous ones, and each has a row of its own in `TROUBLES`.
"""

import heapq
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

HOUR_S = 3600.0

ACTIVE = "site:active"
STANDBY = "site:standby"
ACTIVE_API = "api:active"
STANDBY_API = "api:standby"
CONTROLS = ("control:1", "control:2")
ROAD = "road"
"""The way between a vantage and the controller that asks it."""
THINGS = (ACTIVE, STANDBY, ACTIVE_API, STANDBY_API, *CONTROLS, ROAD)
"""All that a vantage needs in a round."""


class Truth(StrEnum):
    """How the active site really is, whatever anybody sees of it."""

    SERVES = "serves"
    BLIP = "blip"
    """It is down, and comes back by itself."""
    LOST = "lost"
    """It is down for good: moving is right."""


class Api(StrEnum):
    """What the active provider's API says while a fault lasts."""

    SILENT = "silent"
    """No answer, 5xx, throttled, a web page."""
    ONE_REFUSES = "one refuses"
    """One service answers 403; the others work."""
    ALL_REFUSE = "all refuse"
    """Each service answers 403 without more: a deleted key, or a closed account."""
    CLOSED = "closed"
    """It says that the account is closed."""
    GONE = "gone"
    """It answers, and lists none of our nodes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One kind of fault: how often it begins, how long it lasts, what it takes away.

    `share_lost`: each of `takes` is lost with this probability, drawn once for a fault (1: all of them).
    `everywhere`: from every vantage at once; otherwise one vantage has it, each in its turn.
    """

    name: str
    per_1000_h: float
    median_s: float
    sigma: float
    """Of the logarithm of the duration."""
    takes: tuple[str, ...] = ()
    share_lost: float = 1.0
    everywhere: bool = True
    api: Api | None = None
    truth: Truth = Truth.SERVES


TROUBLES = (
    # the network, seen from one vantage
    Trouble(name="vantage cut off", per_1000_h=2.0, median_s=40, sigma=1.5, takes=THINGS, everywhere=False),
    Trouble(
        name="vantage half cut off",
        per_1000_h=1.0,
        median_s=60,
        sigma=1.5,
        takes=THINGS,
        share_lost=0.5,
        everywhere=False,
    ),
    Trouble(name="path to the site", per_1000_h=4.0, median_s=30, sigma=1.2, takes=(ACTIVE,), everywhere=False),
    Trouble(
        name="path to the provider",
        per_1000_h=1.5,
        median_s=45,
        sigma=1.6,
        takes=(ACTIVE, ACTIVE_API),
        everywhere=False,
    ),
    Trouble(
        name="path to the standby",
        per_1000_h=4.0,
        median_s=30,
        sigma=1.2,
        takes=(STANDBY, STANDBY_API),
        everywhere=False,
    ),
    # the network, seen from every vantage at once, while users still reach the site
    Trouble(name="path to the site, from everywhere", per_1000_h=0.5, median_s=45, sigma=1.2, takes=(ACTIVE,)),
    Trouble(
        name="path to the provider, from everywhere",
        per_1000_h=0.2,
        median_s=45,
        sigma=1.2,
        takes=(ACTIVE, ACTIVE_API),
    ),
    # the site itself
    Trouble(name="the site blinks", per_1000_h=3.0, median_s=20, sigma=1.4, takes=(ACTIVE,), truth=Truth.BLIP),
    # the provider's API, while the service is well
    Trouble(name="API outage", per_1000_h=2.0, median_s=1500, sigma=1.3, api=Api.SILENT),
    Trouble(name="API throttles", per_1000_h=10.0, median_s=120, sigma=1.0, api=Api.SILENT),
    Trouble(name="one service refuses", per_1000_h=2.0, median_s=1800, sigma=1.5, api=Api.ONE_REFUSES),
    Trouble(name="the credential is refused", per_1000_h=0.5, median_s=7200, sigma=1.5, api=Api.ALL_REFUSE),
    # the end
    *(
        Trouble(name=name, per_1000_h=0.5, median_s=0, sigma=0, takes=(ACTIVE,), api=api, truth=Truth.LOST)
        for name, api in (
            ("account closed, and it says so", Api.CLOSED),
            ("account closed without a word", Api.ALL_REFUSE),
            ("provider gone", Api.SILENT),
            ("nodes deleted", Api.GONE),
        )
    ),
)
"""Far more losses than anybody has, so that missed ones can be counted; wrong moves hardly depend on them."""

PROBE_LOSS = 2e-4
"""Of one question, independent of every other: what is left after TCP has sent again."""
LOST_FOR_S = 4 * HOUR_S
"""A real loss that led to nothing ends so late, and counts as missed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault. `vantage` None: every vantage has it. `takes`: the things that it takes away."""

    name: str
    start_s: float
    end_s: float
    takes: frozenset[str]
    vantage: int | None
    api: Api | None
    truth: Truth

    def hits(self, vantage: int) -> bool:
        return self.vantage is None or self.vantage == vantage


def faults(seed: int, hours: float, vantages: int, troubles: Sequence[Trouble] = TROUBLES) -> Iterator[Fault]:
    """Every fault that begins within so many hours, in order of its beginning."""
    streams = [
        _stream(_dice(f"{seed}/{trouble.name}/{vantage}"), trouble, vantage, hours * HOUR_S)
        for trouble in troubles
        for vantage in ((None,) if trouble.everywhere else range(vantages))
    ]
    return heapq.merge(*streams, key=lambda fault: fault.start_s)


def _dice(seed: str) -> random.Random:
    return random.Random(seed)  # noqa: S311  (a simulation must be repeatable)


def _stream(draw: random.Random, trouble: Trouble, vantage: int | None, end_s: float) -> Iterator[Fault]:
    at_s = draw.expovariate(trouble.per_1000_h / 1000 / HOUR_S)
    while at_s < end_s:
        lasting = trouble.truth is Truth.LOST
        lasts_s = LOST_FOR_S if lasting else draw.lognormvariate(math.log(trouble.median_s), trouble.sigma)
        yield Fault(
            name=trouble.name,
            start_s=at_s,
            end_s=at_s + lasts_s,
            takes=frozenset(thing for thing in trouble.takes if draw.random() < trouble.share_lost),
            vantage=vantage,
            api=trouble.api,
            truth=trouble.truth,
        )
        at_s += lasts_s + draw.expovariate(trouble.per_1000_h / 1000 / HOUR_S)


class Losses:
    """In which rounds one question of a vantage is lost by chance: gaps between losses are geometric."""

    def __init__(self, seed: int, vantage: int, thing: str, probability: float = PROBE_LOSS) -> None:
        self._draw = _dice(f"{seed}/loss/{vantage}/{thing}")
        self._scale = math.log1p(-probability)
        self._next = self._gap() - 1

    def next_from(self, round_: int) -> int:
        """The first round that is lost, from this one on. Rounds are asked about in their order."""
        while self._next < round_:
            self._next += self._gap()
        return self._next

    def _gap(self) -> int:
        return max(1, math.ceil(math.log(1.0 - self._draw.random()) / self._scale))
