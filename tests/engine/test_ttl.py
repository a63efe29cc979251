"""A long TTL in quiet times, lowered ahead of a cutover and raised again."""

from dataclasses import replace

import pytest

from failover.core.world import Prepared, State
from failover.engine.ttl import prepare
from failover.errors import RefusedError
from failover.testing.sim_world import guestbook
from tests.engine.play import Play, play, published
from tests.engine.test_dns_hosts import break_host, lose


def quiet() -> Play:
    return published(service=replace(guestbook(), ttl_steady_s=300))


def ttls(found: Play) -> set[int]:
    return {r.ttl_s for host in ("one", "two") for r in found.outside.standing(host) if r.type != "TXT"}


def word(found: Play, **changes: object) -> Prepared:
    return replace(Prepared(since=found.clock.now(), reason="the move on Monday"), **changes)  # type: ignore[arg-type]


def test_a_person_prepares_cuts_over_and_the_ttl_rises_again_after_the_cooldown() -> None:
    found = quiet()
    assert ttls(found) == {300}
    before = found.addresses()
    began_s = found.clock.seconds()
    done = prepare(found.context, word(found), lease_wait_s=0.0, wait_s=60.0)
    assert done.outcome is not None
    assert done.outcome.committed
    assert (done.ttl_s, done.cached_s) == (20, 300.0)
    assert found.clock.seconds() - began_s < 60, "nobody waits for caches that hold the right answer"
    assert (ttls(found), found.addresses()) == ({20}, before)
    found.ticks(5)
    assert ttls(found) == {20}, "it stays low while somebody prepares"
    assert found.cutover("boreas", wait_s=300.0).committed
    prepare(found.context, None, lease_wait_s=0.0, wait_s=60.0)
    found.ticks(5)
    assert ttls(found) == {20}, "and within the cooldown"
    found.wait(700.0)
    found.ticks(12)
    assert ttls(found) == {300}
    assert found.site_of_dns() == {"boreas"}
    assert found.plan().reasons == ("the TTL becomes 300 s: nothing points to a cutover any more",)


def test_a_ttl_that_was_lowered_a_moment_ago_still_counts() -> None:
    """What resolvers fetched before is kept for as long as it said then."""
    found = quiet()
    prepare(found.context, word(found), lease_wait_s=0.0, wait_s=60.0)
    lowered_s = found.clock.seconds()
    lose(found)
    found.until_journaled("confirm:waiting")
    assert "old answers leave the caches within 2" in found.reasons("confirm")
    found.until("boreas")
    assert found.clock.seconds() - lowered_s >= 300


def test_a_ttl_that_was_lowered_in_time_is_not_waited_for() -> None:
    found = quiet()
    prepare(found.context, word(found), lease_wait_s=0.0, wait_s=60.0)
    found.ticks(35)
    lost_s = found.clock.seconds()
    lose(found)
    found.until("boreas")
    assert found.clock.seconds() - lost_s < 200


def test_a_preparation_ends_by_itself() -> None:
    found = quiet()
    prepare(found.context, word(found, until=found.clock.now().plus(100.0)), lease_wait_s=0.0, wait_s=60.0)
    found.ticks(3)
    assert ttls(found) == {20}
    found.wait(100.0)
    found.ticks(8)
    assert ttls(found) == {300}


def test_a_warning_of_the_provider_lowers_it_and_its_end_raises_it() -> None:
    found = quiet()
    found.outside.clouds["aurora"].warn("unpaid")
    found.ticks(2)
    assert ttls(found) == {20}
    assert "aurora is ACCOUNT_WARNED" in found.plan().reasons[0]
    found.outside.clouds["aurora"].reopen()
    found.ticks(6)
    assert ttls(found) == {300}


def test_the_worst_case_without_preparation_waits_for_the_long_ttl() -> None:
    found = quiet()
    lose(found)
    began_s = found.clock.seconds()
    found.until("boreas")
    assert found.clock.seconds() - began_s >= 300
    assert ttls(found) == {20}, "the next one is quicker"


def test_nothing_is_touched_while_a_host_cannot_be_read() -> None:
    found = quiet()
    break_host(found, "two", "down", "read")
    found.outside.clouds["aurora"].warn("unpaid")
    found.ticks(4)
    assert found.epochs() == [1, 1]


def test_a_refresh_that_fails_is_not_tried_in_each_check() -> None:
    found = quiet()
    found.outside.clouds["aurora"].warn("unpaid")
    found.trouble = lambda what: found.outside.sick.add("aurora") if what == "read one" else None
    found.ticks(2)
    found.outside.sick.clear()
    spent = found.state.epoch
    found.trouble = lambda _: None
    found.ticks(2)
    assert found.state.epoch <= spent + 1


def test_prepare_is_refused_while_nothing_is_published_or_a_plan_is_open() -> None:
    empty = play()
    empty.context.store.create(State(service="guestbook"))
    with pytest.raises(RefusedError, match="nothing is published"):
        prepare(empty.context, word(empty), lease_wait_s=0.0, wait_s=1.0)
    found = quiet()
    lose(found)
    found.until_journaled("confirm:waiting")
    with pytest.raises(RefusedError, match="under way"):
        prepare(found.context, word(found), lease_wait_s=0.0, wait_s=1.0)


def test_there_is_nothing_to_do_where_the_ttl_is_always_the_same() -> None:
    found = published()
    assert prepare(found.context, word(found), lease_wait_s=0.0, wait_s=1.0).outcome is None
    assert found.epochs() == [1, 1]
