"""Two DNS hosts, and what each may do to a change: lose the reply, refuse, lag, stay away, hold something newer."""

from dataclasses import replace

import pytest

from failover.core.rrsets import Changes, Epoch, RRset, epoch_set
from failover.core.saga import EventKind
from failover.testing.sim_runtime import Trouble
from failover.testing.sim_world import ERRORS, HOSTS, NAME, ZONE
from tests.engine.play import Play, published


def lose(found: Play, site: str = "aurora") -> None:
    found.outside.clouds[site].close("terms of service, section 7")


def break_host(found: Play, host: str, kind: str, *operations: str) -> None:
    wire = found.outside.dns[host]
    wire.error, wire.only = ERRORS[kind], frozenset(operations) or None


def mend(found: Play) -> None:
    for wire in found.outside.dns.values():
        wire.error = wire.only = None
    found.outside.dark.clear()


def change_on(*hosts: str, trouble: Trouble) -> dict[str, Trouble]:
    return {f"change {host}": trouble for host in hosts}


# ------------------------------------------------------------------------------------ one change


@pytest.mark.parametrize("hosts", [("one",), ("two",), HOSTS])
@pytest.mark.parametrize("kind", ["reply-lost", "down", "refused", "rejected", "garbage", "throttled"])
def test_whatever_a_host_does_at_first_both_hold_the_change_at_last(kind: str, hosts: tuple[str, ...]) -> None:
    found = published()
    for host in hosts:
        break_host(found, host, kind, "apply")
    lose(found)
    found.until_journaled("swap:unknown" if kind == "reply-lost" else "swap:waiting")
    mend(found)
    found.until("boreas")
    assert found.epochs() == [2, 2]
    assert found.site_of_dns("one") == found.site_of_dns("two") == {"boreas"}
    assert found.state.debts == ()


@pytest.mark.parametrize("hosts", [("one",), ("two",), HOSTS])
@pytest.mark.parametrize("trouble", list(Trouble))
def test_a_change_that_hangs_is_unknown_and_looked_at_again(trouble: Trouble, hosts: tuple[str, ...]) -> None:
    found = published()
    hung = change_on(*hosts, trouble=trouble)
    found.trouble = lambda what: hung.pop(what, None)
    lose(found)
    found.until("boreas")
    assert "swap:unknown" in found.journal()
    assert found.epochs() == [2, 2]
    found.wait(3700.0)
    assert found.epochs() == [2, 2], "what arrives an hour late is not accepted"


def test_a_late_change_never_undoes_a_newer_one() -> None:
    """The October story: a worker that was slow applies an old plan over a newer one."""
    found = published()
    hung = change_on("one", trouble=Trouble.LATE)
    found.trouble = lambda what: hung.pop(what, None)
    lose(found)
    found.until("boreas")
    lose(found, "boreas")
    found.until("cirrus")
    found.wait(3700.0)
    assert found.epochs() == [3, 3]
    assert found.site_of_dns("one") == {"cirrus"}


def test_a_host_whose_fence_changed_meanwhile_is_read_again() -> None:
    """Between our reading and our change the host took our own earlier attempt."""
    found = published()
    hung = change_on("two", trouble=Trouble.UNANSWERED)
    found.trouble = lambda what: hung.pop(what, None)
    lose(found)
    found.until("boreas")
    assert found.epochs() == [2, 2]


def test_a_newer_epoch_at_one_host_ends_the_plan() -> None:
    found = published()
    lose(found)
    found.when("verify", EventKind.OK, lambda: newer(found, "two"))
    found.until_journaled("closed overtaken")
    assert found.site_of_dns("two") == {"192.0.2.99"}
    assert found.state.active_site == "aurora"
    report = found.tick()
    assert report.decision.kind == "refuse"
    assert "another controller was here" in report.decision.reasons[0]
    assert report.failed


def newer(found: Play, host: str) -> None:
    """Another controller, with a newer state, was here."""
    standing = {r.type: r for r in found.outside.standing(host)}
    record = RRset(name=NAME, type="A", ttl_s=20, values=frozenset({"192.0.2.99"}))
    fence = epoch_set("guestbook", ZONE, Epoch(number=9, site="dione", plan="0123456789abcdef"))
    found.outside.hosts[host].apply(ZONE, Changes(put=(record,)), expect=standing["TXT"], fence=fence)


def test_no_readable_host_starts_nothing() -> None:
    found = published()
    for host in HOSTS:
        break_host(found, host, "down", "read")
    lose(found)
    report = found.ticks(15)
    assert "no DNS host can be read" in report.decision.reasons
    assert found.state.epoch == 1


def test_a_person_is_not_sent_away_for_a_moment_without_an_answer() -> None:
    found = published()
    for host in HOSTS:
        break_host(found, host, "down", "read")
    found.clock.later(0.5, lambda: mend(found))
    assert found.cutover("boreas").committed


def test_hosts_that_are_lost_on_the_way_keep_the_plan_going_until_one_is_back() -> None:
    found = published()
    lose(found)

    def break_both() -> None:
        for host in HOSTS:
            break_host(found, host, "down")

    found.when("verify", EventKind.OK, break_both)
    found.until_journaled("swap:waiting")
    found.ticks(20)
    assert found.epochs() == [1, 1]
    mend(found)
    found.until("boreas")
    assert found.epochs() == [2, 2]


def test_a_broken_epoch_is_unreadable_never_absent() -> None:
    found = published()
    standing = {r.type: r for r in found.outside.standing("one")}
    records = dict(found.outside.held["one"])
    broken = RRset(name=standing["TXT"].name, type="TXT", ttl_s=60, values=frozenset({"v=1 epoch=one"}))
    found.outside.hosts["one"]._publish(ZONE, {**records, broken.key: broken})  # a hand that our port does not have
    report = found.tick()
    assert "not an epoch" in (report.world.hosts["one"].problem or "")


# ------------------------------------------------------------------------------------ lag and debts


def test_servers_that_lag_are_waited_for() -> None:
    found = published()
    for host in found.outside.hosts.values():
        host.lag_s = 15.0
    lose(found)
    found.until("boreas")
    assert "not yet served everywhere" in found.reasons("confirm")
    assert found.state.debts == ()


def test_servers_that_lag_for_too_long_are_a_debt_and_settled_when_they_follow() -> None:
    found = published()
    found.outside.hosts["two"].lag_s = 200.0
    lose(found)
    found.until("boreas")
    assert [d.host for d in found.state.debts] == ["two"]
    found.ticks(20)
    assert found.state.debts == ()
    assert found.epochs() == [2, 2]


@pytest.mark.parametrize("lost", HOSTS)
def test_a_host_that_stays_away_is_a_debt_that_is_shown_told_and_settled(lost: str) -> None:
    found = published()
    break_host(found, lost, "down")
    found.outside.dark.add(lost)
    lose(found)
    found.until("boreas")
    assert [d.host for d in found.state.debts] == [lost]
    assert "going on without the rest" in found.reasons("swap")
    other = next(h for h in HOSTS if h != lost)
    assert (found.site_of_dns(other), found.site_of_dns(lost)) == ({"boreas"}, {"aurora"})
    found.ticks(5)
    assert len(found.said("debt")) == 1, "told once"
    mend(found)
    found.ticks(2)
    assert found.state.debts == ()
    assert found.site_of_dns(lost) == {"boreas"}
    assert found.notes("settled") == [f"{lost} holds epoch 2 and serves it"]


def test_a_debt_keeps_its_age() -> None:
    found = published()
    break_host(found, "two", "down")
    found.outside.dark.add("two")
    lose(found)
    found.until("boreas")
    since = found.state.debts[0].since
    mend(found)
    break_host(found, "two", "rejected", "apply")
    found.wait()
    found.ticks(3)
    (debt,) = found.state.debts
    assert (debt.since, debt.epoch) == (since, 2)
    assert "REFUSED" in debt.reason or "apply" in debt.reason


def test_a_later_plan_supersedes_a_debt() -> None:
    found = published()
    break_host(found, "two", "down")
    found.outside.dark.add("two")
    lose(found)
    found.until("boreas")
    mend(found)
    assert found.cutover("cirrus").committed
    assert found.state.debts == ()
    assert found.epochs() == [3, 3]


def test_a_debt_of_a_host_that_left_the_config_is_forgotten() -> None:
    found = published()
    break_host(found, "two", "down")
    lose(found)
    found.until("boreas")
    found.outside.reconfigure(replace(found.outside.service, hosts=("one",)))
    found.process()
    found.ticks(2)
    assert found.state.debts == ()


def test_a_host_that_is_new_in_the_config_is_brought_up_to_date() -> None:
    found = published()
    both = found.outside.service
    found.outside.reconfigure(replace(both, hosts=("one",)))
    found.process()
    assert found.cutover("boreas").committed
    found.outside.reconfigure(both)
    found.process()
    found.ticks(2)
    assert found.epochs() == [2, 2]
    assert found.site_of_dns("two") == {"boreas"}
    assert found.state.debts == ()


def test_nothing_is_settled_while_a_newer_epoch_stands_somewhere() -> None:
    found = published()
    newer(found, "one")
    found.ticks(3)
    assert found.epochs() == [9, 1]
