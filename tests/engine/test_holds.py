"""What a person or the calendar holds, in the running engine: windows, drained and forced sites."""

from dataclasses import replace

from failover.core.cutover import PlanKind
from failover.core.decide import DecisionKind
from failover.core.windows import Window
from failover.core.world import Forced, ForcedAs
from failover.engine.operate import first_ready, look
from tests.engine.play import Play, published
from tests.engine.test_cutover import Twice, lose


def say(found: Play, site: str, word: ForcedAs) -> None:
    found.context.store.force(site, Forced(word=word, since=found.clock.now(), reason="a person knows better"))


def test_an_active_site_that_is_forced_up_stays_although_it_is_gone() -> None:
    found = published()
    say(found, "aurora", ForcedAs.UP)
    lose(found)
    report = found.ticks(30)
    assert found.site_of_dns() == {"aurora"}
    assert report.world.state.watch["aurora"].verdict is not None
    assert "forced up by a person" in report.decision.reasons[0]
    found.context.store.force("aurora", None)
    found.until("boreas")


def test_a_drained_site_is_passed_over() -> None:
    found = published()
    say(found, "boreas", ForcedAs.DRAINED)
    assert first_ready(found.context, look(found.context, found.state)) == "cirrus"
    lose(found)
    found.until("cirrus")
    assert found.site_of_dns() == {"cirrus"}


def test_a_site_drained_on_the_way_is_seen_just_before_the_pivot() -> None:
    hook = Twice()
    found = published(hook=hook)
    hook.happens = lambda: say(found, "boreas", ForcedAs.DRAINED)
    lose(found)
    found.until("cirrus")
    first = next(p for p in found.plans() if p.kind is PlanKind.CUTOVER)
    journal = found.context.store.journal(first.id)
    assert (first.target, journal[-1].reason) == ("boreas", "unwound")
    assert any("boreas is drained by a person" in event.reason for event in journal)


def test_an_active_site_that_is_forced_down_gets_its_reaction_although_it_answers() -> None:
    """The policy moves on APP_DOWN: neither the samples of the round nor the fresh look contradict a person."""
    found = published()
    policy = replace(
        found.context.service.policy, app_down=replace(found.context.service.policy.provider_down, confirm_s=0.0)
    )
    found.context = replace(found.context, service=replace(found.context.service, policy=policy, single_accept=True))
    say(found, "aurora", ForcedAs.DOWN)
    found.until("boreas")
    assert "aurora is forced down by a person" in found.reasons("reconfirm")


def test_in_maintenance_nothing_moves_and_nobody_is_paged_until_it_ends() -> None:
    found = published()
    found.outside.clouds["aurora"].warn("unpaid")
    ends_s = found.clock.now().utc_s + 3600.0
    window = Window(start_s=ends_s - 7200.0, length_s=7200.0, reason="network works")
    usual = found.context
    found.context = replace(usual, service=replace(usual.service, maintenance=(window,)))
    report = found.ticks(10)
    assert (report.decision.kind, found.said("page")) == (DecisionKind.HOLD, [])
    assert "maintenance of the service" in report.decision.reasons[-1]
    while found.clock.now().utc_s < ends_s:
        found.clock.advance(1800.0)
    found.ticks(10)
    assert len(found.said("page")) == 1, "what still stands is paged then"


def test_how_often_checks_really_run_is_kept() -> None:
    found = published()
    found.ticks(30)
    assert len(found.state.intervals_s) == 20
    assert all(seconds > 0 for seconds in found.state.intervals_s)
