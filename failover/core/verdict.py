"""Evidence → Verdict: is it the program, the provider, the account, or ourselves?

data plane   control plane               our nodes    verdict
----------   -------------------------   ----------   -----------------
DOWN         CLOSED (explicit)           any          ACCOUNT_CLOSED
DOWN         REFUSED, UNCLEAR            any          PROVIDER_DOWN; corroborated: ACCOUNT_CLOSED
DOWN         ACTIVE, WARNED              gone         RESOURCES_GONE
DOWN         ACTIVE, WARNED              running      APP_DOWN
DOWN         ACTIVE, WARNED              not known    DOWN_UNEXPLAINED
DOWN         NONE (a given site)         any          DOWN_UNEXPLAINED
UP           CLOSED                      any          ACCOUNT_CLOSED
UP           WARNED                      any          ACCOUNT_WARNED
UP           REFUSED                     any          ACCESS_REFUSED
UP           ACTIVE, UNCLEAR, NONE       any          UP
undecided    any                         any          UNKNOWN
our controls do not answer: any of these is OBSERVER_ISOLATED

What corroborates a closed account that does not say so: `failover.core.evidence`.
"""

from dataclasses import dataclass
from enum import StrEnum

from failover.core.health import HealthState
from failover.core.model import AccountReport, Instant, Reading

GONE_LISTS = 3
"""So many complete lists in a row must show our nodes gone."""


class VerdictKind(StrEnum):
    UP = "UP"
    APP_DOWN = "APP_DOWN"
    RESOURCES_GONE = "RESOURCES_GONE"
    PROVIDER_DOWN = "PROVIDER_DOWN"
    ACCOUNT_WARNED = "ACCOUNT_WARNED"
    ACCOUNT_CLOSED = "ACCOUNT_CLOSED"
    ACCESS_REFUSED = "ACCESS_REFUSED"
    DOWN_UNEXPLAINED = "DOWN_UNEXPLAINED"
    OBSERVER_ISOLATED = "OBSERVER_ISOLATED"
    UNKNOWN = "UNKNOWN"


class NodesSeen(StrEnum):
    """What complete lists of the provider show of our nodes."""

    RUNNING = "running"
    GONE = "gone"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is true of a site, since when, and the sentences it rests on."""

    kind: VerdictKind
    since: Instant
    evidence: tuple[str, ...] = ()
    explicit: bool = False
    """The provider itself said so (an account state or code)."""
    data_plane: HealthState = HealthState.UNKNOWN


_ALIVE = (Reading.ACTIVE, Reading.WARNED)
_SILENT = (Reading.REFUSED, Reading.UNCLEAR)
_NODES = {
    NodesSeen.GONE: VerdictKind.RESOURCES_GONE,
    NodesSeen.RUNNING: VerdictKind.APP_DOWN,
    NodesSeen.UNKNOWN: VerdictKind.DOWN_UNEXPLAINED,
}
TABLE: dict[tuple[HealthState, Reading, NodesSeen], VerdictKind] = {
    **{(HealthState.DOWN, Reading.CLOSED, n): VerdictKind.ACCOUNT_CLOSED for n in NodesSeen},
    **{
        (HealthState.DOWN, r, n): VerdictKind.PROVIDER_DOWN
        for r in (Reading.REFUSED, Reading.UNCLEAR)
        for n in NodesSeen
    },
    **{(HealthState.DOWN, r, n): _NODES[n] for r in _ALIVE for n in NodesSeen},
    **{(HealthState.DOWN, Reading.NONE, n): VerdictKind.DOWN_UNEXPLAINED for n in NodesSeen},
    **{(HealthState.UP, Reading.CLOSED, n): VerdictKind.ACCOUNT_CLOSED for n in NodesSeen},
    **{(HealthState.UP, Reading.WARNED, n): VerdictKind.ACCOUNT_WARNED for n in NodesSeen},
    **{(HealthState.UP, Reading.REFUSED, n): VerdictKind.ACCESS_REFUSED for n in NodesSeen},
    **{
        (HealthState.UP, r, n): VerdictKind.UP
        for r in (Reading.ACTIVE, Reading.UNCLEAR, Reading.NONE)
        for n in NodesSeen
    },
    **{(HealthState.UNKNOWN, r, n): VerdictKind.UNKNOWN for r in Reading for n in NodesSeen},
}

_PLANE = {
    HealthState.UP: "the service answers",
    HealthState.DOWN: "the service does not answer",
    HealthState.UNKNOWN: "whether the service answers is undecided",
}
_ACCOUNT = {
    Reading.ACTIVE: "the provider says that the account is active",
    Reading.WARNED: "the provider warns about the account",
    Reading.CLOSED: "the provider says that the account is closed",
    Reading.REFUSED: "the provider's API refuses our credential",
    Reading.UNCLEAR: "the provider's API gives no usable answer",
    Reading.NONE: "there is no account to ask",
}


def _plane(data_plane: HealthState, details: tuple[str, ...]) -> str:
    """What the checks say; a site that has begun to fail is UP until enough rounds were bad."""
    if not details:
        return _PLANE[data_plane]
    begins = "the service still counts as up" if data_plane is HealthState.UP else _PLANE[data_plane]
    return f"{begins} ({'; '.join(details)})"


def judge_site(
    *,
    now: Instant,
    before: Verdict | None,
    data_plane: HealthState,
    report: AccountReport,
    nodes: NodesSeen,
    isolated: bool,
    details: tuple[str, ...] = (),
    corroborated: bool = False,
    signs: tuple[str, ...] = (),
    forced: str = "",
    counted: str = "",
    warnings: tuple[str, ...] = (),
) -> Verdict:
    """The verdict of one site; `since` is kept while the same row of the table holds.

    `corroborated`: signs that have held over the confirm window say that the account is closed. `signs`: all that hold.
    `forced`: the sentence of a person who said what the data plane is; it stands in place of what the checks say.
    `counted`: how several vantages have voted. `warnings`: what checks that passed want to be read.
    """
    silent = report.reading in _SILENT
    reading = Reading.CLOSED if corroborated and silent and data_plane is HealthState.DOWN else report.reading
    kind = VerdictKind.OBSERVER_ISOLATED if isolated else TABLE[data_plane, reading, nodes]
    said = _ACCOUNT[report.reading]
    if report.code or report.message:
        said += f" ({': '.join(filter(None, (report.code, report.message)))})"
    evidence = [forced or _plane(data_plane, details), *filter(None, [counted]), *warnings, said]
    if nodes is NodesSeen.GONE:
        evidence.append(f"{GONE_LISTS} complete lists in a row show none of our nodes running")
    if silent:
        evidence += signs
    if isolated:
        evidence.insert(0, "our own controls do not answer")
    same = before is not None and (before.kind is kind or (reading is not report.reading and _recognised(before, kind)))
    stands = same and before is not None and (isolated or before.data_plane is data_plane)
    return Verdict(
        kind=kind,
        since=before.since if before is not None and stands else now,
        evidence=tuple(evidence),
        explicit=report.reading is Reading.CLOSED and not isolated,
        data_plane=data_plane,
    )


def _recognised(before: Verdict, kind: VerdictKind) -> bool:
    """Signs that corroborate have held already: what was PROVIDER_DOWN until now need not begin its wait anew."""
    return before.kind is VerdictKind.PROVIDER_DOWN and kind is VerdictKind.ACCOUNT_CLOSED
