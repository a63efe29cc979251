"""The worst-case time from a fault to the verified cutover and the last stale cache, term by term.

The sum is honest, not padded: each term is the longest that this configuration allows on the way when nothing but the
active site has failed. A call that hangs is cut off at its deadline, so a deadline is a term; computing time is not.
What the config says about how often checks run is only a wish: where they really come more seldom, that counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from failover.core.health import GAP_CADENCES
from failover.core.model import Service, Site, Standby

GAP_S_MIN = 10.0
STARTS_PER_S = 500.0
"""How fast probes are begun: spread, because a burst is a load of its own."""
SPARE_S = 0.25
"""A silence is a failure only when the whole timeout fits into the round, so the round is a little longer."""
JITTER_S = 1.0
"""Cron and timers start a command up to a second late, and it needs a moment until it asks."""
INTERVALS_MAX = 20
INTERVALS_MIN = 3
"""From so few rounds nothing is concluded about how often they come."""
AGENT_S = 2.0
"""For the way to another vantage and back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    term: str
    seconds: float
    why: str


def probe_s(service: Service) -> float:
    """The longest that one vantage may take to ask every site and control."""
    timeouts = [c.timeout_s for c in service.checks] + [c.timeout_s for c in service.controls]
    longest_s = max(timeouts, default=0.0)
    lookup_s = service.call_s if any(site.targets for site in service.sites) else 0.0  # before anything is probed
    return lookup_s + max(service.call_s, longest_s + SPARE_S + starts_s(service))


def starts_s(service: Service) -> float:
    """How long it takes until every target of one round is being asked."""
    sizes = {group.name: group.count for group in service.groups}
    targets = 0
    for site in service.sites:
        here = sizes if site.addresses is None else {name: len(given) for name, given in site.addresses.items()}
        targets += sum(here.get(check.group, 0) for check in service.checks)
    return targets / STARTS_PER_S


def observe_s(service: Service) -> float:
    """The longest that one round of questions may take: probes, controls, accounts, DNS hosts and other vantages at
    the same time; another vantage's answer needs its own way here."""
    return probe_s(service) + (AGENT_S if service.others else 0.0)


def cadence_s(service: Service) -> float:
    """The longest time between the starts of two rounds."""
    return max(service.round_s, observe_s(service), *(c.interval_s for c in service.checks))


def gap_s(service: Service) -> float:
    """A silence longer than this breaks streaks: 3.5 cadences, but at least ten seconds.

    With a cadence of a second or so a busy machine alone makes gaps of several cadences.
    """
    return max(GAP_S_MIN, GAP_CADENCES * cadence_s(service))


def intervals_after(intervals_s: Sequence[float], seconds: float) -> tuple[float, ...]:
    """The newest intervals between rounds, with one more."""
    return (*intervals_s, seconds)[-INTERVALS_MAX:]


def observed_cadence_s(intervals_s: Sequence[float]) -> float | None:
    """How far apart rounds really come: the longest interval but one, for a single pause is an accident.

    None: there were too few rounds to say.
    """
    return sorted(intervals_s)[-2] if len(intervals_s) >= INTERVALS_MIN else None


def quiet_ttl_s(service: Service) -> int:
    """The TTL that records have when nobody expects anything: what caches hold when the fault comes."""
    return max(service.ttl_s, service.ttl_steady_s)


def terms(
    service: Service,
    target: Site,
    *,
    hooks_s: float = 0.0,
    intervals_s: Sequence[float] = (),
    ttl_s: int = 0,
    propagation_s: float = 0.0,
    edge: bool = False,
) -> tuple[Term, ...]:
    """The worst case of a cutover to `target` after the account was closed, or after a site without one went down.

    `intervals_s`: between the newest rounds, where they are known (`State.intervals_s`). `ttl_s`: the longest that
    a DNS host holds, where that is known. `propagation_s`: the longest that a host takes until all of its servers
    answer alike, where that is known. `edge`: every name stands behind a host's own edge (`core.edge`): what resolvers
    keep is right before and after.
    """
    rounds = _between_rounds(service, observed_cadence_s(intervals_s))
    cadence = total_s(rounds)
    probe = max((c.timeout_s for c in service.checks), default=service.call_s)
    fall = max((c.fall for c in service.checks), default=1)
    confirm, stands = _confirm(service, target)
    propagation_s = max([propagation_s, *(e.converges_s for e in service.edges.values())])
    slowest, ttl = "the slowest DNS host brings it to its own servers", float(ttl_s or quiet_ttl_s(service))
    if edge:
        slowest, ttl = "the DNS host's edge may pass requests on to the old site so long", 0.0
    scale = 0.0 if target.given or target.standby is Standby.HOT else service.node_deadline_s
    found = (
        *rounds,
        Term(term="jitter", seconds=JITTER_S, why="a round may start a moment late"),
        Term(term="fall", seconds=(fall - 1) * cadence, why=f"{fall} bad rounds in a row make DOWN"),
        Term(term="timeout", seconds=probe_s(service), why="the last of these rounds waits for its slowest answer"),
        Term(term="vote-age", seconds=AGENT_S if service.others else 0.0, why="votes are on their way so long"),
        Term(term="confirm", seconds=confirm, why=stands),
        Term(term="grain", seconds=cadence if confirm else 0.0, why="the window ends between two rounds"),
        Term(term="reconfirm", seconds=observe_s(service), why="one fresh round before anything is touched"),
        Term(term="hooks", seconds=hooks_s, why="before-hooks may take so long"),
        Term(term="scale", seconds=scale, why="a warm or cold target brings up its nodes"),
        Term(term="verify", seconds=probe, why="the target is probed once more"),
        Term(term="swap", seconds=_swap_s(service), why="DNS hosts are read, then changed grade by grade"),
        Term(term="confirm-dns", seconds=service.call_s, why="every authoritative server is asked"),
        Term(term="confirm-edge", seconds=_edge_s(service), why="the API once more, then a request through its edge"),
        Term(term="propagation", seconds=propagation_s, why=slowest),
        Term(term="ttl", seconds=ttl, why="resolvers may keep the old answer so long"),
    )
    return tuple(t for t in found if t.seconds > 0)


def _swap_s(service: Service) -> float:
    """One look at all hosts, and a call for each grade: they take turns (`core.hosting.turns`)."""
    return service.call_s * (1 + max(1, len(set(service.host_grades.values()))))


def _edge_s(service: Service) -> float:
    """How long it takes to ask what stands behind edges."""
    return max((service.call_s + edge.check.timeout_s for edge in service.edges.values()), default=0.0)


def _confirm(service: Service, target: Site) -> tuple[float, str]:
    """The window that counts, and what it is. Of given sites nobody can say that their account is closed."""
    policy = service.policy
    if all(site.given for site in service.sites if site.name != target.name):
        return policy.unexplained_down.confirm_s, "the window in which DOWN_UNEXPLAINED must stand"
    return policy.account_closed.confirm_s, "the window in which ACCOUNT_CLOSED must stand"


def _between_rounds(service: Service, observed_s: float | None) -> tuple[Term, ...]:
    """From the start of one round to the start of the next: as configured, or as observed where that is worse."""
    wanted, interval = max(service.round_s, observe_s(service)), cadence_s(service)
    if observed_s is not None and observed_s > interval + JITTER_S:
        why = f"rounds came so far apart lately (the config allows for {interval:g} s); the fault comes right after one"
        return (Term(term="cadence", seconds=-(-observed_s // 1), why=why),)
    more = "a check's interval is longer than that"
    return (
        Term(term="cadence", seconds=wanted, why="the fault comes right after a round"),
        Term(term="interval", seconds=interval - wanted, why=more),
    )


def total_s(found: Sequence[Term]) -> float:
    return sum(t.seconds for t in found)


def sentence(found: Sequence[Term]) -> str:
    """The sum in one line, for example `171 s = 60 cadence + 1 jitter + …`."""
    return f"{total_s(found):g} s = {' + '.join(f'{t.seconds:g} {t.term}' for t in found)}"
