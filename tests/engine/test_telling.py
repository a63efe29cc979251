"""Who is told what, and how often; a notifier that fails or hangs stops nothing."""

from dataclasses import dataclass, field

from failover.core.blind import ROUNDS
from failover.core.saga import EventKind
from failover.engine.notify import NOTIFY_S
from failover.errors import Unreachable
from failover.ports import Notice
from failover.testing.memory_store import Crashed
from failover.testing.sim_runtime import Hangs
from failover.testing.sim_world import ERRORS, HOSTS
from tests.engine.play import Play, published


def lose(found: Play, site: str = "aurora") -> None:
    found.outside.clouds[site].close("terms of service, section 7")


@dataclass
class Failing:
    """A notifier without a line."""

    asked: list[str] = field(default_factory=list)

    def send(self, notice: Notice) -> None:
        self.asked.append(notice.event)
        raise Unreachable("notify", "webhook", "connection refused")


class Hanging:
    def send(self, notice: Notice) -> None:
        raise Hangs


def test_a_cutover_is_told_once_with_its_reasons() -> None:
    found = published()
    lose(found)
    found.until("boreas")
    found.ticks(10)
    told = [n for n in found.outside.notices if n.event == "cutover-committed"]
    assert len(told) == 1
    assert told[0].severity == "info"
    assert told[0].active_site == "boreas"
    assert any("ACCOUNT_CLOSED" in reason for reason in told[0].reasons)


def test_a_page_is_told_once_while_its_reason_lasts_and_again_when_it_comes_back() -> None:
    found = published()
    found.outside.clouds["aurora"].warn("unpaid")
    found.ticks(10)
    assert len(found.said("page")) == 1
    found.outside.clouds["aurora"].reopen()
    found.ticks(3)
    found.outside.clouds["aurora"].warn("unpaid")
    found.ticks(3)
    assert len(found.said("page")) == 2


def test_a_cutover_that_did_not_happen_is_critical() -> None:
    found = published()
    found.outside.edit("one", "192.0.2.200")
    lose(found)
    found.ticks(6)
    told = [n for n in found.outside.notices if n.event == "cutover-unwound"]
    assert told
    assert {n.severity for n in told} == {"critical"}
    assert any("somebody else changed the records" in reason for n in told for reason in n.reasons)


def test_the_end_of_a_cutover_is_told_although_the_run_died_before_it_could() -> None:
    found = published()
    lose(found)
    found.when("", EventKind.CLOSED, lambda: found.disk.crash(at=1, when="before"))
    while found.survive():
        found.wait()
    assert found.state.active_site == "boreas"
    assert found.said("cutover") == []
    found.ticks(5)
    assert len(found.said("cutover-committed")) == 1


def test_a_persons_cutover_is_told_once_although_checks_go_on() -> None:
    found = published()
    assert found.cutover("boreas").committed
    found.ticks(5)
    assert len(found.said("cutover-committed")) == 1


def test_a_persons_cutover_that_died_is_told_by_the_next_check() -> None:
    found = published()
    found.when("", EventKind.CLOSED, lambda: found.disk.crash(at=1, when="before"))
    try:
        found.cutover("boreas")
        raise AssertionError("it lived")
    except Crashed:
        found.process()
    found.ticks(3)
    assert len(found.said("cutover-committed")) == 1


def test_a_notifier_that_fails_is_an_entry_in_the_log_and_nothing_else() -> None:
    failing = Failing()
    found = published(notifiers=(failing,))
    lose(found)
    found.until("boreas")
    assert "cutover-committed" in failing.asked
    assert any("connection refused" in reason for reason in found.notes("notify-failed"))


def test_a_notifier_that_hangs_delays_no_longer_than_its_deadline_and_not_the_others() -> None:
    found = published()
    found.notifiers = (Hanging(), found.outside, Failing())
    found.process()
    lose(found)
    started_s = found.clock.seconds()
    found.tick()
    assert found.clock.seconds() - started_s < NOTIFY_S + 3.0
    found.until("boreas")
    assert found.said("cutover-committed")
    assert any("no answer in time" in reason for reason in found.notes("notify-failed"))


def test_what_was_told_stands_in_the_audit_log() -> None:
    found = published()
    lose(found)
    found.until("boreas")
    assert any("cutover to boreas is done" in reason for reason in found.notes("notify"))


def test_each_debt_is_told_by_its_host() -> None:
    found = published()
    found.outside.dns["two"].error = ERRORS["down"]
    found.outside.dark.add("two")
    lose(found)
    found.until("boreas")
    found.ticks(6)
    assert len(found.said("debt")) == 1
    reasons = next(n.reasons for n in found.outside.notices if n.event == "debt")
    assert reasons[0].startswith("two does not hold epoch 2")


def test_a_refusal_is_told_and_the_round_counts_as_failed() -> None:
    found = published()
    service = found.outside.service
    found.cutover("boreas")
    from dataclasses import replace

    found.outside.reconfigure(replace(service, sites=tuple(s for s in service.sites if s.name != "boreas")))
    found.process()
    report = found.ticks(3)
    assert report.decision.kind == "refuse"
    assert report.failed
    assert len(found.said("refuse")) == 1


def unread(found: Play, *hosts: str, error: str = "refused") -> None:
    """From now on these DNS hosts, and only these, cannot be read."""
    for name in HOSTS:
        found.outside.dns[name].error = ERRORS[error] if name in hosts else None


def blind(found: Play) -> list[tuple[str, str]]:
    return [(n.severity, n.title) for n in found.outside.notices if n.event == "dns-unreadable"]


def test_that_no_dns_host_can_be_read_is_told_once_before_there_is_need_of_it() -> None:
    found = published()
    unread(found, *HOSTS)
    found.ticks(ROUNDS - 1)
    assert blind(found) == [], "it has not lasted"
    report = found.ticks(6)
    assert (report.decision.kind, report.failed) == ("hold", False), "held as designed"
    assert blind(found) == [("critical", "no cutover could be made: no DNS host can be read")]
    (told,) = [n for n in found.outside.notices if n.event == "dns-unreadable"]
    for name, reason in zip(HOSTS, told.reasons, strict=False):
        assert reason.startswith(f"{name} cannot be read: ")
        assert "401" in reason
    unread(found)
    found.ticks(2)
    unread(found, *HOSTS)
    found.ticks(ROUNDS)
    assert len(blind(found)) == 2, "it came back"


def test_a_single_dns_host_that_cannot_be_read_is_a_warning_and_a_moment_is_nothing() -> None:
    found = published()
    for _ in range(3):
        unread(found, *HOSTS, error="down")
        found.ticks(ROUNDS - 1)
        unread(found)
        found.ticks(1)
    assert blind(found) == []
    unread(found, "two", error="down")
    found.ticks(8)
    assert blind(found) == [("warning", "1 of 2 DNS hosts cannot be read")]


def test_a_vantage_that_is_cut_off_itself_says_nothing_of_the_dns_hosts() -> None:
    found = published()
    found.outside.isolated = True
    unread(found, *HOSTS, error="down")
    found.ticks(8)
    assert blind(found) == []
