"""A process that dies at any write, or before any call: the next ones finish, and the end is as if nothing was."""

from collections import Counter
from collections.abc import Callable
from typing import Literal

import pytest

from failover.core.cutover import PlanKind
from failover.core.model import Standby
from failover.engine.context import TICK, leased
from failover.engine.tick import tick
from failover.errors import StateFenced
from failover.testing.memory_store import Crashed, MemoryLease
from failover.testing.sim_world import SECOND
from tests.engine.play import Play, play, published

WRITES_MAX = 400
WRITES_MIN = 10
When = Literal["before", "after"]
WHEN: tuple[When, ...] = ("before", "after")


class Watch:
    """Every version of the record at both hosts since it was first there: never empty, epochs never back."""

    def __init__(self, found: Play) -> None:
        self.found = found
        self.faults: list[str] = []
        self.last: Counter[str] = Counter()
        found.outside.watcher = self.changed

    def changed(self, host: str, _: str) -> None:
        epoch = self.found.outside.epoch(host)
        number = epoch.number if epoch else 0
        if number and number <= self.last[host]:
            self.faults.append(f"{host}: epoch {number} after {self.last[host]}")
        if number and not self.found.addresses(host):
            self.faults.append(f"{host}: empty")
        self.last[host] = number


def sweep(when: When, start: Callable[[], Play], act: Callable[[Play], object], check: Callable[[Play], None]) -> None:
    """Die once at every write of `act`, before or after it; then `act` again."""
    for number in range(1, WRITES_MAX):
        found = start()
        watch = Watch(found)
        found.disk.crash(at=number, when=when)
        try:
            act(found)
        except Crashed:
            found.process()
            act(found)
        else:
            assert number > WRITES_MIN, "so few writes prove nothing"
            return
        found.disk.restart()
        check(found)
        assert watch.faults == [], f"write {number}: {watch.faults}"
        found.context.store.verify()
    raise AssertionError("it never ends")


def no_orphans(found: Play, counts: dict[str, int]) -> None:
    for site, count in counts.items():
        nodes = found.nodes(site)
        assert len(nodes) == len({n.name for n in nodes}) == count, f"{site}: {[n.name for n in nodes]}"


# ------------------------------------------------------------------------------------ cutover


@pytest.mark.parametrize("when", WHEN)
@pytest.mark.parametrize("kind", list(Standby))
def test_a_cutover_survives_death_at_every_write(kind: Standby, when: When) -> None:
    def start() -> Play:
        found = published(standby={"boreas": kind})
        found.outside.clouds["aurora"].close("terms of service")
        found.ticks(4)
        found.wait()
        return found

    def check(found: Play) -> None:
        assert found.state.active_site == "boreas"
        assert found.site_of_dns("one") == found.site_of_dns("two") == {"boreas"}
        assert found.epochs()[0] == found.epochs()[1] <= 3
        assert (found.state.open_plan, found.state.debts) == (None, ())
        no_orphans(found, {"boreas": 2, "cirrus": 2})
        committed = [
            p for p in found.plans() if found.context.store.journal(p.id)[-1:] and _result(found, p.id) == "committed"
        ]
        assert [p.kind for p in committed] == [PlanKind.PUBLISH, PlanKind.CUTOVER]
        assert len(found.state.moves) == 1
        assert found.said("cutover-committed"), "somebody was told"

    def act(found: Play) -> None:
        found.until("boreas")
        found.tick()

    sweep(when, start, act, check)


def _result(found: Play, plan: str) -> str:
    return found.context.store.journal(plan)[-1].reason


@pytest.mark.parametrize("kind", [Standby.HOT, Standby.COLD])
def test_a_cutover_survives_death_before_every_call(kind: Standby) -> None:
    """Every question, change and creation in turn."""
    for number in range(1, 200):
        found = published(standby={"boreas": kind})
        watch = Watch(found)
        found.outside.clouds["aurora"].close("terms of service")
        found.ticks(4)
        calls = 0

        def die(what: str, at: int = number) -> None:
            nonlocal calls
            calls += 1
            if calls == at:
                raise Crashed(f"before {what}")

        found.trouble = die
        while found.state.active_site != "boreas" or found.state.open_plan is not None:
            found.wait()
            found.survive()
        assert found.site_of_dns("one") == found.site_of_dns("two") == {"boreas"}
        no_orphans(found, {"boreas": 2})
        assert watch.faults == []
        if calls < number:
            assert number > 20
            return
    raise AssertionError("it never ends")


# ------------------------------------------------------------------------------------ apply and destroy


@pytest.mark.parametrize("when", WHEN)
def test_the_first_apply_survives_death_at_every_write(when: When) -> None:
    def check(found: Play) -> None:
        assert found.state.active_site == "aurora"
        assert found.site_of_dns("one") == found.site_of_dns("two") == {"aurora"}
        no_orphans(found, {"aurora": 2, "boreas": 1, "cirrus": 0})

    def start() -> Play:
        return play(standby={"boreas": Standby.WARM, "cirrus": Standby.COLD}, polls_pending=12)

    def act(found: Play) -> None:
        done = found.apply()
        assert done.problems == ()

    sweep(when, start, act, check)


@pytest.mark.parametrize("when", WHEN)
def test_an_apply_of_a_new_release_survives_death_at_every_write(when: When) -> None:
    def start() -> Play:
        found = published(standby={"boreas": Standby.WARM, "cirrus": Standby.COLD})
        found.outside.digest = SECOND
        return found

    def act(found: Play) -> None:
        done = found.apply()
        assert done.problems == ()

    def check(found: Play) -> None:
        assert found.state.active_site == "aurora"
        assert found.site_of_dns("one") == {"aurora"}
        no_orphans(found, {"aurora": 2, "boreas": 1, "cirrus": 0})
        serving = {n.release for site in ("aurora", "boreas") for n in found.nodes(site)}
        assert serving == {SECOND}
        assert found.addresses() == {a for n in found.nodes("aurora") for a in n.addresses}
        assert all(cloud.list() == {SECOND} for cloud in found.outside.clouds.values())

    sweep(when, start, act, check)


@pytest.mark.parametrize("when", WHEN)
def test_a_destroy_survives_death_at_every_write(when: When) -> None:
    def act(found: Play) -> None:
        assert all(r.problem is None for r in found.destroy())

    def check(found: Play) -> None:
        assert found.state.active_site is None
        no_orphans(found, {"aurora": 0, "boreas": 0, "cirrus": 0})
        assert all(found.outside.standing(host) == () for host in ("one", "two"))
        assert all(cloud.list() == frozenset() for cloud in found.outside.clouds.values())

    sweep(when, published, act, check)


def test_two_processes_cannot_both_write() -> None:
    """The first stood still while a second one took over: its writes are fenced off."""
    found = published()
    old = found.context.lease.acquire(TICK)
    assert isinstance(found.context.lease, MemoryLease)
    found.context.lease.die()
    other = found.outside.context(found.disk, found.runtime)
    with leased(other, TICK) as term:
        tick(other, term=term)
        with pytest.raises(StateFenced):
            tick(found.context, term=old)
