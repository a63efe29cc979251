"""One round of observations folded into the state: health, verdict and readiness of every site."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from failover.core.budget import gap_s
from failover.core.evidence import Memory, corroborated, remember
from failover.core.health import Health, data_plane, isolated, round_outcome, vote
from failover.core.holds import flipped, says
from failover.core.model import (
    AccountReport,
    Ballot,
    ControlSample,
    HostReading,
    Instant,
    Node,
    NodeState,
    Outcome,
    Reading,
    Sample,
    Service,
    Site,
)
from failover.core.quorum import Count, count, health_after, others_answer, views_after, vote_of
from failover.core.ready import Facts, Stock, readiness
from failover.core.verdict import GONE_LISTS, NodesSeen, Verdict, judge_site
from failover.core.world import Forced, Orders, State, View, Watch

NO_ACCOUNT = AccountReport(reading=Reading.NONE)
NO_ORDERS = Orders()


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """Everything that one round found out. What could not be read is missing or carries its problem."""

    at: Instant
    samples: tuple[Sample, ...] = ()
    controls: tuple[ControlSample, ...] = ()
    reports: Mapping[str, AccountReport] = field(default_factory=dict)
    """By site."""
    nodes: Mapping[str, tuple[Node, ...]] = field(default_factory=dict)
    """By site; a site whose list could not be read whole is missing."""
    stock: Mapping[str, Stock] = field(default_factory=dict)
    hosts: Mapping[str, HostReading] = field(default_factory=dict)
    resolved: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    """By site, by group: the addresses that its targets' names have; the last known where nobody answered."""
    ballots: tuple[Ballot, ...] = ()
    """What the other vantages saw; one that gave no answer carries its problem."""


def controls_ok(controls: tuple[ControlSample, ...]) -> int:
    """How many different providers' controls answered."""
    return len({c.provider for c in controls if c.ok})


def site_addresses(site: Site, state: State) -> dict[str, tuple[str, ...]]:
    """By group: where the site serves, as the config or the stored inventory says."""
    if site.given:
        return dict(site.addresses or {})
    found: dict[str, list[str]] = {}
    for node in sorted(state.inventory.get(site.name, ()), key=lambda n: (n.group, n.ordinal)):
        found.setdefault(node.group, []).extend(node.addresses)
    return {group: tuple(addresses) for group, addresses in found.items()}


def served_addresses(site: Site, state: State) -> dict[str, tuple[str, ...]]:
    """By group: where the site is asked. Those of `site_addresses`, and those that its targets' names have now."""
    found = site_addresses(site, state)
    for group, resolved in state.resolved.get(site.name, {}).items():
        found[group] = tuple(dict.fromkeys((*found.get(group, ()), *resolved)))
    return found


def accepted_releases(state: State, site: str) -> tuple[str, ...]:
    """Digests that may serve at this site; () when no release is managed."""
    return state.accepted.get(site, (state.release,) if state.release else ())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Round:
    """What the judgement of each site takes from the round as a whole."""

    service: Service
    state: State
    """As it was before."""
    seen: Observation
    samples: Mapping[str, list[Sample]]
    """By site."""
    forced: Mapping[str, Forced]
    """By site: where a person has said what its checks count as."""
    isolated: bool
    fresh: bool


def judge(
    service: Service, state: State, seen: Observation, orders: Orders = NO_ORDERS, *, fresh: bool = False
) -> State:
    """The state after this round. `fresh`: a person asks, so one good round makes UP and readiness needs no streak.

    A site that a person forced counts as that person says, without a vote; its streaks go on underneath.
    """
    samples: dict[str, list[Sample]] = {site.name: [] for site in service.sites}
    for sample in seen.samples:
        samples.setdefault(sample.site, []).append(sample)
    round = _Round(
        service=service,
        state=state,
        seen=seen,
        samples=samples,
        forced={site: word for site, word in orders.forced_at(seen.at).items() if word.word.plane is not None},
        isolated=isolated(seen.controls),
        fresh=fresh,
    )
    health = {site.name: _health(round, site) for site in service.sites}
    views = views_after(service, state.views, seen.ballots, seen.at, fresh=fresh)
    answering = {site.name for site in service.sites if _answers(seen, site, samples[site.name])}
    watch = {}
    for site in service.sites:
        others = others_answer(service, site, answering)
        facts = _facts(round, site, _counted(round, site, health[site.name], views, others_answer=others))
        watch[site.name] = _watch(round, site, facts)
    return replace(state, health=health, watch=watch, views=views, isolated=round.isolated, resolved=seen.resolved)


def _health(round: _Round, site: Site) -> dict[str, Health]:
    word = round.forced.get(site.name)
    before = round.state.health.get(site.name, {})
    found = health_after(round.service, before, round.samples[site.name], round.seen.at, fresh=round.fresh)
    return {name: replace(health, forced=word.word.plane if word else None) for name, health in found.items()}


def _answers(seen: Observation, site: Site, samples: list[Sample]) -> bool:
    """Whether anything at this site or its provider answered in this round: then our own network works."""
    report = seen.reports.get(site.name, NO_ACCOUNT)
    spoke = report.reading not in (Reading.NONE, Reading.UNCLEAR)
    return spoke or any(s.outcome is Outcome.PASS for s in samples)


def _counted(
    round: _Round, site: Site, health: Mapping[str, Health], views: Mapping[str, View], *, others_answer: bool
) -> Count:
    """What the site's checks come to: as a person says, as the vantages vote, or as this one sees it."""
    plane = data_plane(health.values())
    if site.name in round.forced:
        return Count(state=plane)
    if round.service.vantages:
        own = vote_of(health, isolated=round.isolated, others_answer=others_answer)
        return count(round.service, site, own, views)
    return Count(state=vote(plane, controls_ok=not round.isolated, others_answer=others_answer))


def _watch(round: _Round, site: Site, facts: Facts) -> Watch:
    """What is remembered of the site after this round."""
    service, state, at = round.service, round.state, round.seen.at
    before = state.watch.get(site.name, Watch())
    decided, flips = before.decided, before.flips
    if site.name not in round.forced and not round.isolated:
        decided, flips = flipped(before, facts.data_plane, at, service.policy)
    gone = _gone_streak(state, site, before, facts.nodes)
    nodes = _nodes_seen(state, site, facts.nodes, gone)
    memory = before.memory if round.isolated else _remember(before.memory, facts, nodes, at)
    return replace(
        before,
        report=_without_bodies(facts.report),
        verdict=_verdict(round, site, facts, nodes, memory),
        gone_streak=gone,
        readiness=readiness(service, site, facts, accepted_releases(state, site.name), fresh=round.fresh),
        addresses=facts.passing,
        details=facts.details,
        memory=memory,
        decided=decided,
        flips=flips,
    )


def _verdict(round: _Round, site: Site, facts: Facts, nodes: NodesSeen, memory: Memory) -> Verdict:
    service, state, at = round.service, round.state, round.seen.at
    forced = round.forced.get(site.name)
    closed, signs = corroborated(
        memory,
        now=at,
        data_plane=facts.data_plane,
        explicit=facts.report.reading is Reading.CLOSED,
        confirm_s=service.policy.account_closed.confirm_s,
    )
    return judge_site(
        now=at,
        before=None if silent(service, state, at) else state.watch.get(site.name, Watch()).verdict,
        data_plane=facts.data_plane,
        report=facts.report,
        nodes=nodes,
        isolated=round.isolated,
        details=facts.details,
        corroborated=closed,
        signs=signs,
        forced=says(site.name, forced, at) if forced is not None else "",
        counted=facts.counted,
        warnings=facts.warnings,
    )


def silent(service: Service, state: State, at: Instant) -> bool:
    """Whether nobody looked for so long that nothing of before still stands: what begins now, begins now."""
    return state.last_tick is not None and at.since(state.last_tick) > gap_s(service)


def _without_bodies(report: AccountReport) -> AccountReport:
    """Bodies of unknown answers belong in the audit log, once, not in the state of each round."""
    return replace(report, signals=tuple(replace(r, raw="") for r in report.signals))


def _remember(memory: Memory, facts: Facts, nodes: NodesSeen, at: Instant) -> Memory:
    """An unreadable list neither starts nor ends what complete ones have shown."""
    stopped = memory.stopped_since
    if facts.nodes is not None or nodes is NodesSeen.GONE:
        stopped = (stopped or at) if nodes is NodesSeen.GONE else None
    return remember(replace(memory, stopped_since=stopped), facts.report.signals, at)


def _facts(round: _Round, site: Site, counted: Count) -> Facts:
    seen, samples = round.seen, round.samples[site.name]
    bad = {s.address for s in samples if s.outcome is not Outcome.PASS}
    addresses = tuple(dict.fromkeys(s.address for s in samples))
    return Facts(
        report=seen.reports.get(site.name, NO_ACCOUNT),
        data_plane=counted.state,
        counted=counted.said,
        addresses=addresses,
        passing=tuple(a for a in addresses if a not in bad),
        nodes=seen.nodes.get(site.name),
        failing=_failing(round.service, samples),
        stock=seen.stock.get(site.name, Stock()),
        details=tuple(dict.fromkeys(s.detail for s in samples if s.outcome is not Outcome.PASS and s.detail)),
        warnings=tuple(dict.fromkeys(s.detail for s in samples if s.warning)),
    )


def _failing(service: Service, samples: list[Sample]) -> tuple[str, ...]:
    """The checks that this round did not pass at enough addresses."""
    rounds = {c.name: round_outcome([s for s in samples if s.check == c.name]) for c in service.checks}
    return tuple(name for name, (outcome, _) in rounds.items() if outcome is not Outcome.PASS)


def _running(nodes: tuple[Node, ...]) -> set[str]:
    return {n.name for n in nodes if n.state is not NodeState.STOPPED}


def _gone_streak(state: State, site: Site, before: Watch, listed: tuple[Node, ...] | None) -> int:
    """Complete lists in a row that show none of the inventoried nodes. An unreadable list changes nothing."""
    ours = {n.name for n in state.inventory.get(site.name, ())}
    if listed is None or not ours:
        return before.gone_streak if ours else 0
    return 0 if ours & _running(listed) else before.gone_streak + 1


def _nodes_seen(state: State, site: Site, listed: tuple[Node, ...] | None, gone: int) -> NodesSeen:
    if gone >= GONE_LISTS:
        return NodesSeen.GONE
    ours = {n.name for n in state.inventory.get(site.name, ())}
    return NodesSeen.RUNNING if listed is not None and ours & _running(listed) else NodesSeen.UNKNOWN
