"""Facts → findings: what would make a cutover fail, or would be noticed too late.

A finding says what is wrong, where, and how to mend it. FATAL at a site: it could not take over. FATAL elsewhere, or at
every standby: a cutover would fail.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from failover.core.budget import gap_s
from failover.core.decide import candidates, no_target_reasons
from failover.core.doctor_rights import host_rights, mirror_rights, watch_rights
from failover.core.facts import ServerAnswer
from failover.core.findings import Finding, Severity, fatal, fine, warning
from failover.core.hosting import holding_up
from failover.core.mirror import choose_size
from failover.core.model import (
    AccountReport,
    CheckKind,
    ControlSample,
    Failure,
    HostReading,
    Instant,
    Node,
    Outcome,
    Quota,
    Reading,
    Sample,
    Service,
    Site,
    Size,
    Standby,
)
from failover.core.places import left_behind, moved, remedy, told, unnamed
from failover.core.rights import Granted
from failover.core.safety import best_grade
from failover.core.world import State, World

SKEW_S_MAX = 60.0
"""Signed requests fail when clocks differ more: TSIG after 300 s, AWS after 900 s. Long before, it is a warning."""
CERTIFICATE_DAYS_MIN = 14
RENEWAL_LAG_DAYS = 30
"""A certificate that is so much older than the active site's is not renewed where it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteFacts:
    """What was asked of one managed site. None: it could not be read; `problems` says why, by question."""

    watch: AccountReport | None = None
    """By the credential that watches."""
    mirror: AccountReport | None = None
    """By the credential that creates and removes."""
    second: AccountReport | None = None
    """By the second credential that only reads; None also where the config names none."""
    quota: Quota | None = None
    images: frozenset[str] | None = None
    sizes: tuple[Size, ...] | None = None
    nodes: tuple[Node, ...] | None = None
    archive: bool | None = None
    clock_utc_s: float | None = None
    """What the provider's clock showed at `asked_utc_s` of ours."""
    asked_utc_s: float = 0.0
    problems: Mapping[str, str] = field(default_factory=dict)
    rights: Mapping[str, Granted] = field(default_factory=dict)
    """By role (watch, mirror, second, depot): what the credential may write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorFacts:
    """Everything that was asked."""

    now: Instant
    state: State | None
    state_problem: str | None = None
    chain_problem: str | None = None
    sites: Mapping[str, SiteFacts] = field(default_factory=dict)
    """Managed sites, by name."""
    samples: tuple[Sample, ...] = ()
    """One round of every check at every address."""
    hosts: Mapping[str, HostReading] = field(default_factory=dict)
    rights: Mapping[str, Granted] = field(default_factory=dict)
    """By DNS host: what its credential may change."""
    controls: tuple[ControlSample, ...] = ()
    edges: Mapping[str, tuple[ServerAnswer, ...]] = field(default_factory=dict)
    """By DNS host with an edge: whether what is published is served there now."""
    edge_problems: tuple[str, ...] = ()
    """What stands against names behind an edge."""


def diagnose(service: Service, facts: DoctorFacts) -> tuple[Finding, ...]:
    """Every finding, also the good ones, in the order in which a person would mend them."""
    found = [*_state(service, facts), *_places(service, facts)]
    for host in service.hosts:
        found += _host(service, host, facts)
    for site in service.sites:
        found += [replace(f, site=site.name) for f in _site(service, site, facts)]
    return (*found, *_edges(service, facts), *_targets(service, facts))


def would_fail(service: Service, facts: DoctorFacts, findings: Iterable[Finding]) -> bool:
    """Whether a cutover would fail now."""
    dead = {f.site for f in findings if f.severity is Severity.FATAL}
    active = facts.state.active_site if facts.state else None
    standbys = {s.name for s in service.sites if s.name != active}
    return None in dead or standbys <= dead


def _site(service: Service, site: Site, facts: DoctorFacts) -> list[Finding]:
    active = facts.state is not None and facts.state.active_site == site.name
    found = _managed(service, site, facts.sites[site.name], active=active) if site.name in facts.sites else []
    return [*found, *_serving(service, site, facts, active=active)]


# ---------------------------------------------------------------------------------------------- the state


def _state(service: Service, facts: DoctorFacts) -> list[Finding]:
    state = facts.state
    if state is None:
        why = facts.state_problem or "there is none"
        return [fatal("state", "state", why, "failover apply makes the first one; a damaged one: docs/operations.md")]
    found = [fine("state", "state", f"readable, epoch {state.epoch}, active at {state.active_site or 'no site'}")]
    if facts.chain_problem is not None:
        remedy = "keep the file; compare it with a copy of before"
        found.append(fatal("state", "audit log", facts.chain_problem, remedy))
    if state.active_site is None:
        found.append(fatal("state", "publication", "nothing is published", "failover apply"))
    if state.open_plan is not None:
        plan = state.open_plan
        says = f"{plan.kind} {plan.id} is under way"
        found.append(warning("state", "plan", says, f"failover show {plan.id}; failover continue {plan.id}"))
    found += [
        warning("dns", debt.host, f"does not hold epoch {debt.epoch}: {debt.reason}", "mend it; checks settle the debt")
        for debt in state.debts
    ]
    return [*found, *_freshness(service, facts, state)]


def _freshness(service: Service, facts: DoctorFacts, state: State) -> list[Finding]:
    last = state.last_tick
    remedy = "run `failover check` from cron, or `failover watch`"
    if last is None:
        return [fatal("runner", "check", "no check has ever run", remedy)]
    age = facts.now.since(last)
    if age > gap_s(service):
        return [
            fatal(
                "runner", "check", f"the last check ran {age:.0f} s ago, one is due every {service.every_s:g} s", remedy
            )
        ]
    return [fine("runner", "check", f"the last one ran {age:.0f} s ago")]


# ---------------------------------------------------------------------------------------------- who stands where


def _places(service: Service, facts: DoctorFacts) -> list[Finding]:
    guarded = {s.provider: s.name for s in service.sites if s.provider is not None}
    found = []
    if service.runner_provider is None:
        says = "the config does not say where the runner is"
        found.append(warning("runner", "place", says, "set runner.provider; it must be none of the guarded ones"))
    elif service.runner_provider in guarded:
        says = f"it runs at {service.runner_provider}, which hosts {guarded[service.runner_provider]}"
        found.append(fatal("runner", "place", says, "move it: it would go down with what it guards"))
    return [*found, *_left(service, facts.state), *_controls(service, facts)]


def _left(service: Service, state: State | None) -> list[Finding]:
    """What stands where nobody looks any more, or would be looked for in the wrong place."""
    if state is None:
        return []
    needed = unnamed(service, state)
    leavers = (left for left in left_behind(service, state) if left.site != needed)
    found = [warning("places", left.site, told(left), remedy(left)) for left in leavers]
    if needed is not None:
        says = "the service runs there, and the config names no such site"
        found.append(fatal("places", needed, says, "put it back"))
    for site in service.sites:
        elsewhere = moved(site, state)
        if elsewhere is not None:
            found.append(replace(fatal("places", site.name, elsewhere, "put it back as it was"), site=site.name))
    return found


def _controls(service: Service, facts: DoctorFacts) -> list[Finding]:
    if not service.controls:
        remedy = "add two at different providers: without them a cut cable looks like a dead provider"
        return [warning("controls", "controls", "there are none", remedy)]
    found = []
    for control in facts.controls:
        if control.ok:
            found.append(fine("controls", control.target, f"answers ({control.provider})"))
        else:
            says = f"does not answer: {control.detail}"
            found.append(warning("controls", control.target, says, "another target, or mend the way there"))
    if 2 * sum(c.ok for c in facts.controls) <= len(facts.controls):
        says = "no majority of them answers: every check is OBSERVER_ISOLATED, and nothing moves"
        found.append(fatal("controls", "controls", says, "mend our own network, or take dead controls out"))
    return found


# ---------------------------------------------------------------------------------------------- dns hosts


def _host(service: Service, name: str, facts: DoctorFacts) -> list[Finding]:
    reading = facts.hosts.get(name)
    problem = reading.problem if reading is not None else "it was not asked"
    if reading is None or problem is not None:
        says = f"cannot be read: {problem}"
        if name in holding_up(facts.hosts):
            return [fatal("dns", name, says, "mend it; it may hold a newer plan, so a cutover would wait for it")]
        if any(h.problem is None for h in facts.hosts.values()):
            return [warning("dns", name, says, "mend it; a cutover would leave it behind as a debt")]
        return [fatal("dns", name, says, "mend it; no DNS host can be read, and so no cutover could be made")]
    found = [fine("dns", name, f"readable, fencing grade {reading.grade}")]
    if best_grade(facts.hosts) > service.policy.min_grade:
        says = (
            f"the best host has fencing grade {best_grade(facts.hosts)}, policy.min_grade is {service.policy.min_grade}"
        )
        found.append(fatal("dns", name, says, "a host of a better grade, or a steering name at one"))
    return [*found, *host_rights(name, facts.rights.get(name))]


def _edges(service: Service, facts: DoctorFacts) -> list[Finding]:
    """A cutover would move these names all the same, but nothing would prove it: it would stay a debt."""
    remedy = "docs/dns.md, under Proxied names"
    found = [warning("edge", "proxied names", problem, remedy) for problem in facts.edge_problems]
    for host, answers in facts.edges.items():
        (header,) = service.edges[host].check.headers
        late = "; ".join(f"{a.address}: {a.late}" for a in answers if a.late)
        remedy = f"let every site name itself in {header}, and the edge pass the question on; else a cutover is a debt"
        says = "the active site answers through it"
        found.append(warning("edge", host, late, remedy) if late else fine("edge", host, says))
    return found


# ---------------------------------------------------------------------------------------------- managed sites


def _managed(service: Service, site: Site, facts: SiteFacts, *, active: bool) -> list[Finding]:
    """What a standby needs of its provider. A hot cutover asks no provider for anything, nor does leaving a site."""
    found = [
        *_credential(site, "mirror", facts.mirror, facts.problems),
        *_clock(site, facts),
        *_stock(service, site, facts),
        *_capacity(service, site, facts),
        *mirror_rights(site, facts.rights),
    ]
    if active or site.standby is Standby.HOT:
        found = [_weaker(f) for f in found]
    watch = [*_credential(site, "watch", facts.watch, facts.problems), *_second(site, facts)]
    return [*(map(_weaker, watch) if active else watch), *watch_rights(site, facts.rights), *found]


def _weaker(finding: Finding) -> Finding:
    return replace(finding, severity=Severity.WARNING) if finding.severity is Severity.FATAL else finding


_READINGS = {
    Reading.WARNED: ("the provider warns about the account", "answer the provider; prepare to leave"),
    Reading.CLOSED: ("the provider says that the account is closed", "another site; this one cannot take over"),
    Reading.REFUSED: ("the credential is refused", "check it, and its permissions (templates/policies)"),
    Reading.UNCLEAR: ("the API gives no usable answer", "look at the provider's status page, and at our network"),
}


def _credential(site: Site, role: str, report: AccountReport | None, problems: Mapping[str, str]) -> list[Finding]:
    subject = f"{site.name} ({role})"
    by_api = site.standby is not Standby.HOT  # a hot cutover asks no provider for anything
    tell = fatal if by_api else warning
    if report is None:
        says = problems.get(role, "it was not asked")
        return [tell("account", subject, f"could not be asked: {says}", "check the credential and the endpoint")]
    if report.reading not in _READINGS:
        return [fine("account", subject, f"works; the account is {report.reading}")]
    if report.reading in (Reading.CLOSED, Reading.WARNED):
        tell = fatal
    says, remedy = _READINGS[report.reading]
    told = ": ".join(filter(None, (report.code, report.message)))
    return [tell("account", subject, f"{says} ({told})" if told else says, remedy)]


def _second(site: Site, facts: SiteFacts) -> list[Finding]:
    """A second credential that does not work is no sign when the first is refused. No cutover needs it."""
    if facts.second is None and "second" not in facts.problems:
        return []
    return [_weaker(f) for f in _credential(site, "second", facts.second, facts.problems)]


def _clock(site: Site, facts: SiteFacts) -> list[Finding]:
    if facts.clock_utc_s is None:
        return []
    skew = facts.clock_utc_s - facts.asked_utc_s
    if abs(skew) <= SKEW_S_MAX:
        return [fine("clock", site.name, f"ours and the provider's differ by {abs(skew):.0f} s")]
    says = f"our clock is {abs(skew):.0f} s {'behind' if skew > 0 else 'ahead of'} the provider's"
    return [fatal("clock", site.name, says, "mend the time of this machine (chrony, systemd-timesyncd)")]


def _stock(service: Service, site: Site, facts: SiteFacts) -> list[Finding]:
    """Image names, sizes and the release archive."""
    unread = {what: why for what, why in facts.problems.items() if what not in ("watch", "mirror", "second")}
    found = []
    if unread:
        says = f"{', '.join(unread)} could not be read: {next(iter(unread.values()))}"
        found.append(fatal("stock", site.name, says, "check the credential and the endpoint"))
    if facts.images is not None:
        for image in sorted({g.image for g in service.groups} - facts.images):
            remedy = f"one of {', '.join(sorted(facts.images)) or 'none'}"
            found.append(fatal("stock", site.name, f"image {image} does not exist there", remedy))
    for group in service.groups if facts.sizes is not None else ():
        if choose_size(group, facts.sizes or ()) is None:
            says = f"no size there fits group {group.name}"
            found.append(fatal("stock", site.name, says, "ask for less, or another region"))
    if facts.archive is False:
        says = "the release archive is not in its depot, or is damaged"
        found.append(fatal("stock", site.name, says, "failover apply uploads it"))
    return found or [fine("stock", site.name, "image, size and release archive are there")]


def _capacity(service: Service, site: Site, facts: SiteFacts) -> list[Finding]:
    """Room for every node of the active site, and one more while nodes are replaced."""
    if facts.quota is None or facts.nodes is None:
        return []
    if facts.quota.nodes_max is None:
        return [warning("quota", site.name, "the provider's API does not tell the quota", "look at its console")]
    wanted = sum(g.count for g in service.groups)
    free = facts.quota.nodes_max - facts.quota.nodes_used
    missing = max(0, wanted - len(facts.nodes))
    if missing > free:
        says = f"{missing} more nodes are needed to take over, the quota leaves {max(0, free)}"
        return [fatal("quota", site.name, says, "ask the provider for more")]
    if missing == free:
        says = f"the quota of {facts.quota.nodes_max} is just enough, without room to replace a node"
        return [warning("quota", site.name, says, "ask the provider for one more")]
    return [fine("quota", site.name, f"{free} nodes are free, {missing} needed to take over")]


# ---------------------------------------------------------------------------------------------- serving


def _serving(service: Service, site: Site, facts: DoctorFacts, *, active: bool) -> list[Finding]:
    samples = [s for s in facts.samples if s.site == site.name]
    bad = [s for s in samples if s.outcome is not Outcome.PASS]
    tell = warning if active or (samples and len(bad) < len(samples)) else fatal
    found = [_bad_sample(tell, site, s) for s in bad]
    if samples and not bad:
        found.append(fine("serving", site.name, f"{len({s.address for s in samples})} addresses pass every check"))
    if not samples and (site.given or site.standby is not Standby.COLD):
        found.append(tell("serving", site.name, "there is nothing to ask", "failover apply"))
    return [*found, *_certificates(service, facts, site, samples)]


def _bad_sample(tell: Callable[[str, str, str, str], Finding], site: Site, sample: Sample) -> Finding:
    if sample.failure in (Failure.TLS, Failure.CERTIFICATE):
        return tell("certificate", site.name, sample.detail, _DNS_01)
    return tell("serving", site.name, sample.detail or sample.outcome.value, "failover plan, failover apply")


_DNS_01 = (
    "renew by DNS-01 (RFC 8555, section 8.4) at every site: HTTP-01 needs the name to point there, and works at the "
    "active site only (for example `certbot certonly --dns-rfc2136 …`, or acme.sh with a DNS hook)"
)


def _certificates(service: Service, facts: DoctorFacts, site: Site, samples: list[Sample]) -> list[Finding]:
    """Days left, and whether the certificate is renewed at a standby at all."""
    days = _days(service, samples)
    if days is None:
        return []
    if days < CERTIFICATE_DAYS_MIN:
        return [warning("certificate", site.name, f"it expires in {days} days", _DNS_01)]
    active = facts.state.active_site if facts.state else None
    newest = _days(service, [s for s in facts.samples if s.site == active])
    if newest is not None and newest - days > RENEWAL_LAG_DAYS:
        says = f"it is {newest - days} days older than the one at {active}: it seems to be renewed there only (HTTP-01)"
        return [warning("certificate", site.name, says, _DNS_01)]
    return [fine("certificate", site.name, f"good for {days} more days")]


def _days(service: Service, samples: list[Sample]) -> int | None:
    https = {c.name for c in service.checks if c.kind in (CheckKind.HTTPS, CheckKind.TLS)}
    return min((s.tls_days_left for s in samples if s.check in https and s.tls_days_left is not None), default=None)


def _targets(service: Service, facts: DoctorFacts) -> list[Finding]:
    """The last word: is there a site that a cutover would choose now?"""
    state = facts.state
    if state is None or state.active_site is None:
        return []
    world = World(now=facts.now, state=state, hosts=facts.hosts, isolated=state.isolated)
    ready = candidates(service, world, state.active_site)
    if ready:
        return [fine("cutover", service.name, f"would go to {ready[0]}")]
    why = "; ".join(no_target_reasons(service, world, state.active_site))
    says = f"the last check found no site that could take over: {why}"
    return [fatal("cutover", service.name, says, "mend that, then `failover check` and `failover status`")]
