"""DNS hosts that stay unreadable: what that means for a cutover, and from when on somebody is told.

    for ROUNDS rounds in a row      told as     because
    -----------------------------   ---------   ------------------------------------------------------------
    every host is unreadable        CRITICAL    no cutover could be made, by itself or by hand
    the best fenced ones are, and   CRITICAL    a cutover would wait for them: they may hold a newer plan
    some of them answers
    some host is unreadable         WARNING     a cutover would leave it behind; one that owes is told as debt

One bad round of an API wakes nobody: this is what is sent, and what is CRITICAL to a monitoring system, which gets its
WARNING from the first round on and counts for itself. A vantage that is cut off itself has no say, so its rounds do not
count.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from failover.core.hosting import holding_up, turns
from failover.core.model import HostReading
from failover.core.notice import Urgency
from failover.core.world import State

ROUNDS = 3
"""Rounds in a row in which a host cannot be read before that is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blindness:
    """What is to be told, and `about` which hosts it is."""

    severity: Urgency
    title: str
    reasons: tuple[str, ...]
    about: tuple[str, ...]


def count_unread(before: Mapping[str, int], hosts: Mapping[str, HostReading], *, isolated: bool) -> dict[str, int]:
    """By host, for how many rounds in a row it could not be read; hosts that were read are left out."""
    more = 0 if isolated else 1
    return {name: before.get(name, 0) + more for name, reading in hosts.items() if reading.problem is not None}


def blindness(state: State) -> Blindness | None:
    """What has lasted, or None. Of a service that is not published nothing is told: nothing can be moved."""
    lasting = [name for name in state.hosts if state.unread_rounds.get(name, 0) >= ROUNDS]
    if state.active_site is None or not lasting:
        return None
    if len(lasting) == len(state.hosts):
        return Blindness(
            severity=Urgency.CRITICAL,
            title="no cutover could be made: no DNS host can be read",
            reasons=(
                *_problems(state, lasting),
                "mend what each of them names: the key, the way there, or the host; `failover doctor` tries each",
            ),
            about=tuple(lasting),
        )
    stuck = holding_up(state.hosts)
    if stuck and set(turns(state.hosts)[0]) <= set(lasting):
        return Blindness(
            severity=Urgency.CRITICAL,
            title=f"no cutover could be made by itself: {', '.join(stuck)} answers, but cannot be read",
            reasons=(
                *_problems(state, lasting),
                "the other DNS hosts wait for it, because it may hold a newer plan: mend it (`failover doctor` tries "
                "each); a cutover that waits for it goes on by `failover continue --force`",
            ),
            about=tuple(lasting),
        )
    owing = {debt.host for debt in state.debts}
    told = [name for name in lasting if name not in owing]
    if not told:
        return None
    remedy = "a cutover would leave it behind as a debt until it is mended; `failover doctor` tries each"
    return Blindness(
        severity=Urgency.WARNING,
        title=f"{len(told)} of {len(state.hosts)} DNS hosts cannot be read",
        reasons=(*_problems(state, told), remedy),
        about=tuple(told),
    )


def _problems(state: State, names: list[str]) -> tuple[str, ...]:
    return tuple(f"{name} cannot be read: {state.hosts[name].problem}" for name in names)
