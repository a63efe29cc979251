"""The worst case, term by term."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.core.budget import (
    AGENT_S,
    STARTS_PER_S,
    cadence_s,
    gap_s,
    intervals_after,
    observe_s,
    observed_cadence_s,
    sentence,
    starts_s,
    terms,
    total_s,
)
from failover.core.model import Action, Reaction, Service, Site, Standby, Vantage
from tests.core.builders import HTTP, SERVICE, SITES, policy

TARGET = SITES[1]


def found(service: Service, target: Site = TARGET, hooks_s: float = 0.0) -> dict[str, float]:
    return {t.term: t.seconds for t in terms(service, target, hooks_s=hooks_s)}


def test_the_worst_case_of_a_hot_target() -> None:
    assert found(SERVICE) == {
        "cadence": 10.0,
        "jitter": 1.0,
        "fall": 20.0,
        "timeout": 5.0,
        "confirm": 60.0,
        "grain": 10.0,
        "reconfirm": 5.0,
        "verify": 2.0,
        "swap": 10.0,
        "confirm-dns": 5.0,
        "ttl": 60.0,
    }


def test_dns_hosts_of_several_grades_take_turns() -> None:
    assert found(replace(SERVICE, host_grades={"one": 1, "two": 1}))["swap"] == 10.0
    assert found(replace(SERVICE, host_grades={"one": 1, "two": 3}))["swap"] == 15.0


def test_sites_without_an_account_wait_for_their_own_window() -> None:
    reaction = Reaction(action=Action.CUTOVER, confirm_s=300.0)
    patient = policy(unexplained_down=reaction)
    assert found(patient)["confirm"] == 60.0
    given_ones = tuple(replace(site, addresses={"web": ("192.0.2.1",)}) for site in patient.sites)
    assert found(replace(patient, sites=given_ones), given_ones[1])["confirm"] == 300.0


def test_votes_from_elsewhere_and_slow_dns_hosts_take_their_time() -> None:
    vantages = tuple(Vantage(name=name, provider=name) for name in ("home", "paris"))
    several = replace(SERVICE, vantages=vantages, vantage="home", need=2)
    assert found(several)["vote-age"] == AGENT_S
    assert found(several)["timeout"] == found(SERVICE)["timeout"]
    slow = {t.term: t.seconds for t in terms(SERVICE, TARGET, propagation_s=120.0)}
    assert slow["propagation"] == 120.0
    assert "propagation" not in found(SERVICE)


def test_rounds_within_one_check_are_the_cadence() -> None:
    often = replace(SERVICE, every_s=60.0, rounds=6, call_s=2.0)
    assert (often.round_s, gap_s(often)) == (10.0, 35.0)
    assert found(often)["cadence"] == 10.0
    assert found(replace(often, rounds=1))["cadence"] == 60.0


def test_an_interval_longer_than_the_cadence_is_a_term_of_its_own() -> None:
    seldom = replace(SERVICE, every_s=10.0, checks=(replace(HTTP, interval_s=30.0),))
    assert (found(seldom)["cadence"], found(seldom)["interval"], found(seldom)["fall"]) == (10.0, 20.0, 60.0)
    assert "interval" not in found(SERVICE)


def test_the_worse_of_the_configured_and_the_observed_cadence_counts() -> None:
    """`every: 10s`, but cron comes once a minute."""
    as_run = {t.term: t.seconds for t in terms(SERVICE, TARGET, intervals_s=(60.2, 59.9, 60.0))}
    assert (as_run["cadence"], as_run["fall"], as_run["grain"]) == (60.0, 120.0, 60.0)
    for intervals in ((), (60.0, 60.0), (10.4, 10.2, 10.9, 10.3), (10.0, 7200.0, 10.0, 10.0)):
        assert {t.term: t.seconds for t in terms(SERVICE, TARGET, intervals_s=intervals)} == found(SERVICE)


def test_of_the_observed_intervals_one_accident_is_left_out() -> None:
    assert observed_cadence_s((10.0, 7200.0)) is None
    assert observed_cadence_s((10.0, 7200.0, 11.0)) == 11.0
    assert observed_cadence_s((10.0, 7200.0, 3600.0)) == 3600.0
    kept: tuple[float, ...] = ()
    for number in range(50):
        kept = intervals_after(kept, float(number))
    assert kept == tuple(float(number) for number in range(30, 50))


def test_the_sum_can_be_read_in_one_line() -> None:
    said = sentence(terms(SERVICE, TARGET))
    assert said.startswith("188 s = 10 cadence + 1 jitter + 20 fall + 5 timeout + 60 confirm")


def test_terms_of_nothing_are_not_listed() -> None:
    service = replace(policy(account_closed=Reaction(action=Action.CUTOVER)), checks=(), ttl_s=0)
    assert not {"fall", "confirm", "grain", "hooks", "scale", "ttl"} & set(found(service))


@pytest.mark.parametrize(
    ("site", "scales"),
    [
        (replace(TARGET, standby=Standby.HOT), False),
        (replace(TARGET, standby=Standby.WARM), True),
        (replace(TARGET, standby=Standby.COLD), True),
        (replace(TARGET, standby=Standby.COLD, addresses={"web": ("192.0.2.7",)}), False),
    ],
)
def test_only_a_managed_warm_or_cold_target_is_scaled(site: Site, scales: bool) -> None:
    assert found(SERVICE, site).get("scale") == (SERVICE.node_deadline_s if scales else None)


def test_hooks_take_their_time() -> None:
    assert found(SERVICE, hooks_s=7.0)["hooks"] == 7.0


def test_the_cadence_is_the_slowest_of_cron_the_round_and_the_checks() -> None:
    assert cadence_s(replace(SERVICE, every_s=60.0)) == 60.0
    assert cadence_s(replace(SERVICE, every_s=1.0)) == 10.0
    assert cadence_s(replace(SERVICE, every_s=1.0, call_s=20.0)) == 20.0
    assert cadence_s(replace(SERVICE, checks=())) == 10.0
    assert gap_s(SERVICE) == 35.0


def test_a_gap_is_never_shorter_than_a_busy_machine_makes_it() -> None:
    quick = replace(SERVICE, every_s=1.0, call_s=0.5, checks=(replace(HTTP, interval_s=1.0, timeout_s=1.0),))
    assert gap_s(replace(quick, controls=())) == 10.0


def test_a_round_waits_for_the_slowest_question() -> None:
    few = replace(SERVICE, checks=())
    assert observe_s(SERVICE) == 5.0
    slow = replace(SERVICE.controls[0], timeout_s=8.0)
    assert observe_s(replace(few, controls=(slow,))) > 8.0
    assert observe_s(replace(few, controls=())) == 5.0


def test_a_timeout_longer_than_that_of_calls_still_fits_into_the_round() -> None:
    """Else a target that hangs would be cut off by the end of the round each time, and never be DOWN."""
    patient = replace(SERVICE, checks=(replace(HTTP, timeout_s=9.0),))
    assert observe_s(patient) >= 9.0 + starts_s(patient)
    assert observe_s(patient) > 9.0


def test_many_targets_are_not_begun_at_once() -> None:
    given = replace(TARGET, addresses={"web": ("192.0.2.7",) * 999, "db": ("192.0.2.8",)})
    groups = (replace(SERVICE.groups[0], count=1),)
    service = replace(SERVICE, sites=(replace(SITES[0], addresses=None), given), groups=groups, checks=(HTTP, HTTP))
    assert starts_s(service) == 2 * 1000 / STARTS_PER_S
    assert starts_s(replace(service, checks=())) == 0.0


def test_every_term_says_why() -> None:
    cold = replace(TARGET, standby=Standby.COLD)
    assert all(t.why and t.seconds > 0 for t in terms(SERVICE, cold, hooks_s=1.0))
    assert len({t.term for t in terms(SERVICE, cold, hooks_s=1.0)}) == 13


seconds = st.floats(0, 600, allow_nan=False)


@given(seconds, st.integers(1, 9), seconds, st.integers(0, 600), seconds, seconds)
def test_the_total_is_the_sum_and_never_falls_when_a_setting_grows(
    every: float, fall: int, confirm: float, ttl: int, call: float, hooks: float
) -> None:
    def built(grow: str = "") -> float:
        more = {name: 5 if name == grow else 0 for name in ("every", "fall", "confirm", "ttl", "call", "hooks")}
        service = replace(
            policy(account_closed=Reaction(action=Action.CUTOVER, confirm_s=confirm + more["confirm"])),
            checks=(replace(HTTP, fall=fall + more["fall"]),),
            ttl_s=ttl + more["ttl"],
            every_s=every + more["every"],
            call_s=call + more["call"],
        )
        listed = terms(service, TARGET, hooks_s=hooks + more["hooks"])
        assert total_s(listed) == pytest.approx(sum(t.seconds for t in listed))
        return total_s(listed)

    for name in ("every", "fall", "confirm", "ttl", "call", "hooks"):
        assert built(name) >= built()
