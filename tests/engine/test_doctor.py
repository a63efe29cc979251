"""What doctor asks, of whom, and that nothing holds it up: virtual time, memory adapters, calls that hang."""

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import pytest

from failover.core.budget import observe_s
from failover.core.doctor import SKEW_S_MAX, DoctorFacts, diagnose, would_fail
from failover.core.findings import Finding, Severity
from failover.core.model import Outcome, Reading, Standby
from failover.core.rights import Act, May
from failover.engine.context import Context
from failover.engine.doctor import ASK_S, Clock, examine
from failover.errors import AccessRefused, StateDamaged, Unreachable
from failover.ports import Account, Compute
from failover.testing.memory_store import MemoryStore
from failover.testing.sim_runtime import Trouble
from failover.testing.sim_world import FIRST, HOSTS, NAME, SITES, ZONE
from tests.engine.play import Play, play, published


def looked(found: Play, mirror: Context | None = None, **clocks: Clock) -> DoctorFacts:
    return examine(found.context, mirror or found.context, clocks=clocks)


def bad(found: Play, facts: DoctorFacts) -> list[Finding]:
    return [f for f in diagnose(found.context.service, facts) if f.severity is Severity.FATAL]


def fails(found: Play, facts: DoctorFacts) -> bool:
    service = found.context.service
    return would_fail(service, facts, diagnose(service, facts))


def hanging(part: str, trouble: Trouble = Trouble.LOST) -> Callable[[str], Trouble | None]:
    """Every call with that in its name hangs."""
    return lambda what: trouble if part in what else None


# ------------------------------------------------------------------------------------ well


def test_all_is_well_and_nothing_is_changed() -> None:
    found = published()
    before, nodes, epochs = found.state, [found.nodes(name) for name in SITES], found.epochs()
    facts = looked(found)
    assert bad(found, facts) == []
    assert not fails(found, facts)
    assert set(facts.sites) == set(SITES)
    assert all(site.problems == {} for site in facts.sites.values())
    assert all(sample.outcome is Outcome.PASS for sample in facts.samples)
    assert {sample.site for sample in facts.samples} == set(SITES)
    assert set(facts.hosts) == set(HOSTS)
    assert (found.state, [found.nodes(name) for name in SITES], found.epochs()) == (before, nodes, epochs)


def test_a_second_credential_is_asked_where_there_is_one() -> None:
    found = published()
    found.outside.clouds["cirrus"].faults = lambda operation: AccessRefused(operation, "", "401")
    other = dict(found.outside.clouds)
    good = examine(found.context, found.context, clocks={}, seconds={"boreas": other["boreas"]})
    assert [f.says for f in _of_second(found, good)] == ["works; the account is active"]
    spoilt = examine(found.context, found.context, clocks={}, seconds={"boreas": other["cirrus"]})
    (finding,) = _of_second(found, spoilt)
    assert finding.severity is Severity.WARNING
    assert "the credential is refused" in finding.says


def _of_second(found: Play, facts: DoctorFacts) -> list[Finding]:
    subject = ("account", "boreas (second)")
    return [f for f in diagnose(found.context.service, facts) if (f.area, f.subject) == subject]


def test_a_second_credential_that_hangs_is_a_warning_about_itself() -> None:
    found = published()
    found.trouble = hanging("second of boreas")
    found.process()
    facts = examine(found.context, found.context, clocks={}, seconds={"boreas": found.outside.clouds["boreas"]})
    (finding,) = _of_second(found, facts)
    assert finding.severity is Severity.WARNING
    assert "could not be asked" in finding.says
    assert not fails(found, facts)


def test_a_site_that_others_provision_is_not_asked_for_an_account() -> None:
    found = published(given=("boreas",))
    facts = looked(found)
    assert set(facts.sites) == {"aurora", "cirrus"}
    assert {sample.site for sample in facts.samples} == set(SITES)


def test_each_role_is_asked_with_its_own_credential() -> None:
    found, other = published(standby={"boreas": Standby.COLD}), published(standby={"boreas": Standby.COLD})
    other.outside.clouds["boreas"].close("gone")
    facts = looked(found, other.context)
    site = facts.sites["boreas"]
    assert site.watch is not None
    assert site.mirror is not None
    assert (site.watch.reading, site.mirror.reading) == (Reading.ACTIVE, Reading.CLOSED)
    assert "boreas (mirror)" in {finding.subject for finding in bad(found, facts)}
    assert not fails(found, facts)  # cirrus is left


# ------------------------------------------------------------------------------------ what is wrong


def test_before_the_first_apply_there_is_no_state() -> None:
    found = play()
    facts = looked(found)
    assert (facts.state, facts.state_problem) == (None, "there is none yet")
    assert fails(found, facts)


class Torn(MemoryStore):
    """Its audit log does not fit together."""

    def verify(self) -> None:
        raise StateDamaged("verify", "audit log", "entry 7 does not follow entry 6")


def test_an_audit_log_that_was_tampered_with_is_told() -> None:
    found = published()
    found.context = replace(found.context, store=Torn(found.disk))
    facts = looked(found)
    assert "entry 7" in str(facts.chain_problem)
    assert fails(found, facts)


def test_a_closed_account_at_one_standby_leaves_the_other() -> None:
    found = published()
    found.outside.clouds["boreas"].close("abuse")
    facts = looked(found)
    assert {finding.site for finding in bad(found, facts)} == {"boreas"}
    assert not fails(found, facts)
    found.outside.clouds["cirrus"].close("abuse")
    assert fails(found, looked(found))


def test_an_archive_that_is_missing_is_told_of_the_cold_site_that_needs_it() -> None:
    found = published(standby={"boreas": Standby.COLD})
    found.outside.clouds["boreas"].remove(FIRST)
    facts = looked(found)
    assert facts.sites["boreas"].archive is False
    assert [finding.site for finding in bad(found, facts)] == ["boreas"]


@pytest.mark.parametrize(("ahead_s", "told"), [(0.0, []), (2 * SKEW_S_MAX, ["boreas"]), (-2 * SKEW_S_MAX, ["boreas"])])
def test_clocks_that_differ(ahead_s: float, told: list[str]) -> None:
    found = published(standby={"boreas": Standby.COLD})
    facts = looked(found, boreas=lambda: found.clock.now().utc_s + ahead_s)
    assert [finding.subject for finding in bad(found, facts) if finding.area == "clock"] == told


def test_a_provider_that_does_not_tell_the_time_is_no_finding() -> None:
    def mute() -> float:
        raise Unreachable("ask the time", "boreas", "no answer")

    found = published()
    facts = looked(found, boreas=mute)
    assert facts.sites["boreas"].problems == {}
    assert facts.sites["boreas"].clock_utc_s is None


# ------------------------------------------------------------------------------------ rights


def rights_of(found: Play, facts: DoctorFacts) -> list[tuple[Severity, str]]:
    """What is not fine."""
    findings = diagnose(found.context.service, facts)
    return [(f.severity, f.subject) for f in findings if f.area == "rights" and f.severity is not Severity.FINE]


def test_every_credential_is_tried_and_nothing_is_changed_by_it() -> None:
    found = published()
    before, nodes, epochs = found.state, [found.nodes(name) for name in SITES], found.epochs()
    facts = examine(found.context, found.context, clocks={}, seconds={"boreas": found.outside.clouds["boreas"]})
    assert {name: set(site.rights) for name, site in facts.sites.items()} == {
        name: {"watch", "mirror", "depot", *(["second"] if name == "boreas" else [])} for name in SITES
    }
    assert set(facts.rights) == set(HOSTS)
    names = {right.object for granted in facts.rights.values() for right in granted.rights}
    assert names == {f"{NAME} A", f"_failover.{found.context.service.name}.{ZONE} TXT"}
    assert (found.state, [found.nodes(name) for name in SITES], found.epochs()) == (before, nodes, epochs)


def test_each_role_has_rights_of_its_own() -> None:
    found, other = published(standby={"boreas": Standby.COLD}), published(standby={"boreas": Standby.COLD})
    found.outside.clouds["boreas"].lacks = frozenset(Act)
    facts = looked(found, other.context)
    rights = facts.sites["boreas"].rights
    assert {right.may for right in rights["watch"].rights} == {May.REFUSED}
    assert {right.may for right in rights["mirror"].rights} == {May.ALLOWED}
    other.outside.clouds["boreas"].lacks = frozenset({Act.STORE})
    facts = looked(found, other.context)
    assert (Severity.FATAL, "boreas (mirror)") in rights_of(found, facts)
    assert not fails(found, facts)  # cirrus is left


def test_a_host_whose_records_may_not_be_changed_fails_every_cutover() -> None:
    found = published()
    found.outside.hosts["two"].lacks = frozenset({NAME})
    facts = looked(found)
    assert (Severity.FATAL, "two") in rights_of(found, facts)
    assert fails(found, facts)


@pytest.mark.parametrize("part", ["mirror rights of boreas", "depot rights of boreas"])
def test_a_try_that_hangs_proves_nothing_and_holds_nothing_up(part: str) -> None:
    found = published(standby={"boreas": Standby.COLD})
    found.trouble = hanging(part)
    facts = looked(found)
    assert (Severity.NOTE, "boreas (mirror)") in rights_of(found, facts)
    assert not fails(found, facts)


def test_an_adapter_that_was_made_before_there_were_rights_proves_nothing() -> None:
    class Older:
        """Has what it always had."""

        def __init__(self, cloud: Compute) -> None:
            self.state, self.nodes = cloud.state, cloud.nodes

    found = published()
    older = cast("Account", Older(found.outside.clouds["boreas"]))
    found.context = replace(found.context, accounts={**found.context.accounts, "boreas": older})
    facts = looked(found)
    assert {right.may for right in facts.sites["boreas"].rights["watch"].rights} == {May.UNPROVEN}
    assert (Severity.NOTE, "boreas (watch)") in rights_of(found, facts)


def test_a_name_that_is_an_alias_at_some_site_is_asked_for_as_one_too() -> None:
    found = published()
    sites = tuple(
        replace(s, targets={NAME: "lb.example.net"}) if s.name == "cirrus" else s for s in found.context.service.sites
    )
    found.context = replace(found.context, service=replace(found.context.service, sites=sites))
    facts = looked(found)
    assert f"{NAME} CNAME" in {right.object for right in facts.rights["one"].rights}


# ------------------------------------------------------------------------------------ what hangs


@pytest.mark.parametrize("trouble", [Trouble.LOST, Trouble.UNANSWERED, Trouble.LATE])
def test_a_provider_that_hangs_holds_nothing_up(trouble: Trouble) -> None:
    found = published(standby={"boreas": Standby.COLD})
    found.trouble = hanging("of boreas", trouble)
    started_s = found.clock.seconds()
    facts = looked(found)
    others_s = 2 * observe_s(found.context.service) + 60.0  # probes, controls and hosts answer at once
    assert found.clock.seconds() - started_s <= 3 * ASK_S + others_s
    assert facts.sites["boreas"].watch is None
    assert facts.sites["boreas"].problems
    assert facts.sites["cirrus"].problems == {}
    assert {finding.site for finding in bad(found, facts)} == {"boreas"}
    assert not fails(found, facts)


def test_one_question_that_hangs_leaves_the_answers_to_the_others() -> None:
    found = published(standby={"boreas": Standby.COLD})
    found.trouble = hanging("sizes of boreas")
    site = looked(found).sites["boreas"]
    assert set(site.problems) == {"sizes"}
    assert site.sizes is None
    assert site.quota is not None
    assert site.archive is True


def test_probes_that_hang_are_unknown_and_controls_that_hang_do_not_answer() -> None:
    found = published()
    found.trouble = lambda what: Trouble.LOST if what in ("probe", "controls") else None
    facts = looked(found)
    assert {sample.outcome for sample in facts.samples} == {Outcome.UNKNOWN}
    assert [control.ok for control in facts.controls] == [False, False]
    assert fails(found, facts)


def test_a_dns_host_that_hangs_is_told_and_the_other_suffices() -> None:
    found = published()
    found.trouble = hanging("one")
    facts = looked(found)
    problems = {name: reading.problem for name, reading in facts.hosts.items()}
    assert problems["one"] is not None
    assert problems["two"] is None
    assert not fails(found, facts)
