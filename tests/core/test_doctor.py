"""What `failover doctor` finds: situation → severity, place, words; and whether a cutover would fail."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from failover.core.cutover import CutoverPlan
from failover.core.doctor import DoctorFacts, SiteFacts, diagnose, would_fail
from failover.core.findings import Finding, Severity
from failover.core.model import (
    AccountReport,
    CheckKind,
    ControlSample,
    Failure,
    Outcome,
    Quota,
    Reading,
    Sample,
    Service,
    Size,
    Standby,
)
from failover.core.world import Debt, Readiness, Watch
from tests.core.builders import ADDRESS, AURORA, BOREAS, CIRRUS, HTTP, NAMES, NOW, SERVICE, ago, hosts, reading, state
from tests.core.builders import plan as a_plan

HERE = replace(SERVICE, runner_provider="home")
FITTING = Size(name="small", cpus=1, memory_mib=1024, disk_gib=20)
ACTIVE = AccountReport(reading=Reading.ACTIVE)
GOOD_SITE = SiteFacts(
    watch=ACTIVE,
    mirror=ACTIVE,
    quota=Quota(nodes_max=20, nodes_used=1),
    images=frozenset({"debian-12"}),
    sizes=(FITTING,),
    nodes=(),
    archive=True,
    clock_utc_s=NOW.utc_s,
    asked_utc_s=NOW.utc_s,
)


def sample(site: str, outcome: Outcome = Outcome.PASS, **changed: object) -> Sample:
    base = Sample(site=site, check="http", address=ADDRESS[site], at=NOW, outcome=outcome)
    return replace(base, **changed)  # type: ignore[arg-type]


def controls(*answers: bool) -> tuple[ControlSample, ...]:
    return tuple(
        ControlSample(target=f"c{i}", provider=f"p{i}", ok=ok, detail="refused") for i, ok in enumerate(answers)
    )


GOOD = DoctorFacts(
    now=NOW,
    state=state(last_tick=ago(5)),
    sites=dict.fromkeys(NAMES, GOOD_SITE),
    samples=tuple(sample(name) for name in NAMES),
    hosts=hosts(),
    controls=controls(True, True),
)


def facts(**changed: object) -> DoctorFacts:
    return replace(GOOD, **changed)  # type: ignore[arg-type]


def at_site(name: str, **changed: object) -> DoctorFacts:
    found = replace(GOOD_SITE, **changed)  # type: ignore[arg-type]
    return facts(sites={**GOOD.sites, name: found})


def standby(kind: Standby, service: Service = HERE) -> Service:
    """Boreas is kept like this."""
    sites = tuple(replace(s, standby=kind) if s.name == BOREAS else s for s in service.sites)
    return replace(service, sites=sites)


def bad(service: Service, seen: DoctorFacts) -> list[Finding]:
    return [f for f in diagnose(service, seen) if f.severity is not Severity.FINE]


def only(service: Service, seen: DoctorFacts) -> Finding:
    (finding,) = bad(service, seen)
    assert finding.remedy, "a finding without a remedy helps nobody"
    return finding


def fails(service: Service, seen: DoctorFacts) -> bool:
    return would_fail(service, seen, diagnose(service, seen))


def test_1_all_is_well() -> None:
    assert bad(HERE, GOOD) == []
    assert not fails(HERE, GOOD)
    assert diagnose(HERE, GOOD)[-1].says == f"would go to {BOREAS}"


# ------------------------------------------------------------------------------------ state and runner


@pytest.mark.parametrize(
    ("changed", "subject", "says"),
    [
        ({"state": None}, "state", "there is none"),
        ({"state": None, "state_problem": "it is damaged"}, "state", "it is damaged"),
        ({"chain_problem": "entry 7 was changed"}, "audit log", "entry 7 was changed"),
        ({"state": state(last_tick=None)}, "check", "no check has ever run"),
        ({"state": state(last_tick=ago(500))}, "check", "the last check ran 500 s ago, one is due every 10 s"),
        ({"state": state(last_tick=ago(5), active_site=None)}, "publication", "nothing is published"),
    ],
)
def test_2_what_no_cutover_survives(changed: Mapping[str, object], subject: str, says: str) -> None:
    seen = facts(**changed)
    finding = next(f for f in bad(HERE, seen) if f.subject == subject)
    assert (finding.severity, finding.says, finding.site) == (Severity.FATAL, says, None)
    assert fails(HERE, seen)


def test_3_a_plan_under_way_and_a_debt_are_warnings() -> None:
    open_one: CutoverPlan = a_plan()
    debt = Debt(host="two", epoch=7, since=ago(60), reason="no answer")
    found = bad(HERE, facts(state=state(last_tick=ago(5), open_plan=open_one, debts=(debt,))))
    assert [(f.severity, f.subject) for f in found] == [(Severity.WARNING, "plan"), (Severity.WARNING, "two")]


def test_4_where_the_runner_is() -> None:
    unsaid = only(SERVICE, GOOD)
    assert (unsaid.severity, unsaid.subject) == (Severity.WARNING, "place")
    inside = only(replace(SERVICE, runner_provider=BOREAS), GOOD)
    assert (inside.severity, inside.says) == (Severity.FATAL, f"it runs at {BOREAS}, which hosts {BOREAS}")


def test_5_controls() -> None:
    assert only(replace(HERE, controls=()), facts(controls=())).says == "there are none"
    one = facts(controls=controls(True, True, False))
    assert (only(HERE, one).severity, only(HERE, one).subject) == (Severity.WARNING, "c2")
    none = facts(controls=controls(True, False))
    assert [f.severity for f in bad(HERE, none)] == [Severity.WARNING, Severity.FATAL]
    assert fails(HERE, none)


# ------------------------------------------------------------------------------------ dns


def test_6_one_host_of_two_is_a_warning_none_is_fatal() -> None:
    one = facts(hosts=hosts(one=reading("one", problem="timeout")))
    assert only(HERE, one).says == "cannot be read: timeout"
    assert only(HERE, one).remedy == "mend it; a cutover would leave it behind as a debt"
    assert not fails(HERE, one)
    leader = replace(reading("one", problem="the key is refused"), by_kind=True)
    stuck = facts(hosts=hosts(one=leader, two=reading("two", grade=3)))
    assert "a cutover would wait for it" in next(f for f in bad(HERE, stuck) if f.subject == "one").remedy
    assert fails(HERE, stuck)
    none = facts(hosts={})
    assert {(f.severity, f.says) for f in bad(HERE, none)} == {(Severity.FATAL, "cannot be read: it was not asked")}
    assert {f.remedy for f in bad(HERE, none)} == {
        "mend it; no DNS host can be read, and so no cutover could be made"
    }, "nothing would move, so nothing would be left behind"
    assert fails(HERE, none)


def test_7_the_fencing_grade_is_not_good_enough() -> None:
    seen = facts(hosts={h: reading(h, grade=3) for h in ("one", "two")})
    assert {f.says for f in bad(HERE, seen)} == {"the best host has fencing grade 3, policy.min_grade is 1"}


# ------------------------------------------------------------------------------------ managed sites

UNCLEAR = AccountReport(reading=Reading.UNCLEAR, message="502")
REFUSED = AccountReport(reading=Reading.REFUSED, code="unauthorized", message="who are you")
CLOSED = AccountReport(reading=Reading.CLOSED)
WARNED = AccountReport(reading=Reading.WARNED)
F, W = Severity.FATAL, Severity.WARNING


@pytest.mark.parametrize(
    ("role", "report", "hot", "cold"),
    [
        ("watch", CLOSED, F, F),
        ("watch", WARNED, F, F),
        ("watch", REFUSED, W, F),
        ("watch", UNCLEAR, W, F),
        ("watch", None, W, F),
        ("mirror", CLOSED, W, F),
        ("mirror", REFUSED, W, F),
        ("mirror", None, W, F),
        ("second", REFUSED, W, W),
    ],
)
def test_8_a_hot_standby_needs_no_api_a_cold_one_does(
    role: str, report: AccountReport | None, hot: Severity, cold: Severity
) -> None:
    seen = at_site(BOREAS, **{role: report})
    assert only(HERE, seen).severity is hot
    assert only(standby(Standby.COLD), seen).severity is cold
    assert only(HERE, at_site(AURORA, **{role: report})).severity is W, "the active site is to be left anyway"


def test_8_a_second_credential_is_no_finding_where_the_config_names_none() -> None:
    named = at_site(BOREAS, second=None, problems={"second": "no such variable"})
    assert only(HERE, named).says == "could not be asked: no such variable"
    assert not [f for f in diagnose(HERE, GOOD) if "second" in f.subject]


def test_9_words_of_the_provider_are_shown() -> None:
    assert only(HERE, at_site(BOREAS, watch=REFUSED)).says == "the credential is refused (unauthorized: who are you)"
    assert only(HERE, at_site(BOREAS, watch=CLOSED)).says == "the provider says that the account is closed"
    asked = at_site(BOREAS, watch=None, problems={"watch": "no such profile"})
    assert only(HERE, asked).says == "could not be asked: no such profile"


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"clock_utc_s": NOW.utc_s + 90}, "our clock is 90 s behind the provider's"),
        ({"clock_utc_s": NOW.utc_s - 90}, "our clock is 90 s ahead of the provider's"),
        ({"images": frozenset({"ubuntu-24.04"})}, "image debian-12 does not exist there"),
        ({"images": frozenset()}, "image debian-12 does not exist there"),
        ({"sizes": ()}, "no size there fits group web"),
        ({"archive": False}, "the release archive is not in its depot, or is damaged"),
        ({"quota": None, "problems": {"quota": "502", "sizes": "502"}}, "quota, sizes could not be read: 502"),
        ({"quota": Quota(nodes_max=3, nodes_used=3)}, "1 more nodes are needed to take over, the quota leaves 0"),
    ],
)
def test_10_what_a_cold_standby_lacks(changed: Mapping[str, object], says: str) -> None:
    seen = at_site(BOREAS, **changed)
    finding = only(standby(Standby.COLD), seen)
    assert (finding.severity, finding.says, finding.site) == (F, says, BOREAS)
    assert only(HERE, seen).severity is W


@pytest.mark.parametrize(
    ("quota", "says"),
    [
        (Quota(nodes_max=None, nodes_used=1), "the provider's API does not tell the quota"),
        (Quota(nodes_max=2, nodes_used=1), "the quota of 2 is just enough, without room to replace a node"),
    ],
)
def test_11_a_quota_that_is_tight_is_a_warning(quota: Quota, says: str) -> None:
    finding = only(standby(Standby.COLD), at_site(BOREAS, quota=quota))
    assert (finding.severity, finding.says) == (W, says)


def test_12_what_was_not_asked_is_no_finding() -> None:
    nothing = at_site(BOREAS, images=None, sizes=None, nodes=None, archive=None, clock_utc_s=None)
    assert bad(standby(Standby.COLD), nothing) == []


# ------------------------------------------------------------------------------------ serving


def test_13_a_standby_that_does_not_serve_cannot_take_over_the_next_one_can() -> None:
    seen = facts(samples=(sample(AURORA), sample(BOREAS, Outcome.FAIL, detail="refused"), sample(CIRRUS)))
    assert (only(HERE, seen).severity, only(HERE, seen).says) == (F, "refused")
    assert not fails(HERE, seen)
    worse = replace(seen, samples=(sample(AURORA), sample(BOREAS, Outcome.FAIL), sample(CIRRUS, Outcome.UNKNOWN)))
    assert [f.says for f in bad(HERE, worse)] == ["fail", "unknown"]
    assert fails(HERE, worse)


def test_14_half_of_a_site_is_a_warning() -> None:
    other = sample(BOREAS, Outcome.FAIL, address="198.51.100.9")
    assert only(HERE, facts(samples=(*GOOD.samples, other))).severity is W


def test_15_nothing_to_ask() -> None:
    seen = facts(samples=(sample(AURORA), sample(CIRRUS)))
    assert only(HERE, seen).says == "there is nothing to ask"
    assert bad(standby(Standby.COLD), seen) == [], "a cold standby has no nodes"
    given = tuple(replace(s, addresses={"web": (ADDRESS[s.name],)}) for s in HERE.sites)
    assert only(replace(HERE, sites=given), replace(seen, sites={})).site == BOREAS


HTTPS = replace(HERE, checks=(replace(HTTP, kind=CheckKind.HTTPS),))


def certificates(aurora: int, boreas: int) -> DoctorFacts:
    days = {AURORA: aurora, BOREAS: boreas, CIRRUS: aurora}
    return facts(samples=tuple(sample(name, tls_days_left=days[name]) for name in NAMES))


def test_16_certificates() -> None:
    assert bad(HTTPS, certificates(80, 79)) == []
    assert only(HTTPS, certificates(25, 7)).says == "it expires in 7 days"
    older = only(HTTPS, certificates(80, 40))
    assert older.says == "it is 40 days older than the one at aurora: it seems to be renewed there only (HTTP-01)"
    assert "DNS-01" in older.remedy
    assert bad(HTTPS, replace(certificates(80, 80), state=None))[0].subject == "state"
    broken = sample(BOREAS, Outcome.FAIL, failure=Failure.TLS, detail="for another name")
    finding = only(HTTPS, facts(samples=(sample(AURORA), broken, sample(CIRRUS))))
    assert (finding.area, "DNS-01" in finding.remedy) == ("certificate", True)


def test_17_the_last_check_found_no_target() -> None:
    not_ready = Watch(readiness=Readiness(ready=False, reasons=("quota",)))
    watch = {**state().watch, BOREAS: not_ready, CIRRUS: not_ready}
    seen = facts(state=state(last_tick=ago(5), watch=watch))
    assert only(HERE, seen).says == "the last check found no site that could take over: boreas: quota; cirrus: quota"
    assert fails(HERE, seen)


def test_18_a_single_site_has_nowhere_to_go() -> None:
    alone = replace(HERE, sites=HERE.sites[:1])
    assert fails(alone, GOOD)
