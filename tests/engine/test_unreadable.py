"""DNS hosts that lie, refuse or make no sense, and clocks that jump: nothing of ours or of others is ever deleted."""

from collections.abc import Callable, Sequence

import pytest

from failover.core.rights import Right
from failover.core.rrsets import Changes, RRset
from failover.core.survey import MadeUp
from failover.errors import AccessRefused, AdapterError, TimedOut, Unreadable
from failover.ports import Dns, HostTraits
from failover.testing.sim_world import HOSTS, NAME, ZONE
from tests.engine.play import Play, published
from tests.engine.test_dns_hosts import lose

Reading = Callable[[tuple[RRset, ...]], tuple[RRset, ...]]
FOREIGN = (
    RRset(name=ZONE, type="MX", ttl_s=300, values=frozenset({"10 mail.example.net."})),
    RRset(name=NAME, type="TXT", ttl_s=300, values=frozenset({"theirs"})),
    RRset(name=f"blog.{ZONE}", type="A", ttl_s=300, values=frozenset({"203.0.113.77"})),
)


class Liar:
    """A host whose answers are bent on the way; what it is told to change, it changes."""

    def __init__(self, host: Dns, bend: Reading) -> None:
        self._host = host
        self._bend = bend

    def traits(self) -> HostTraits:
        return self._host.traits()

    def read(self, zone: str, names: Sequence[tuple[str, str]]) -> tuple[RRset, ...]:
        return self._bend(self._host.read(zone, names))

    def made_up(self, zone: str, names: Sequence[str]) -> tuple[MadeUp, ...]:
        return self._host.made_up(zone, names)

    def apply(self, zone: str, changes: Changes, *, expect: RRset | None, fence: RRset | None) -> None:
        self._host.apply(zone, changes, expect=expect, fence=fence)

    def rights(self, zone: str, names: Sequence[tuple[str, str]]) -> tuple[Right, ...]:
        return self._host.rights(zone, names)


def raising(error: AdapterError) -> Reading:
    def bend(_: tuple[RRset, ...]) -> tuple[RRset, ...]:
        raise error

    return bend


BENT: dict[str, Reading] = {
    "SERVFAIL": raising(Unreadable("read DNS", ZONE, "it answers SERVFAIL")),
    "REFUSED": raising(AccessRefused("read DNS", ZONE, "it answers REFUSED")),
    "truncated": raising(Unreadable("read DNS", ZONE, "it does not answer whole")),
    "silent": raising(TimedOut("read DNS", ZONE, "no answer")),
    "a zone that cannot be listed": raising(Unreadable("read DNS", ZONE, "page 2 of 3: HTTP 502")),
    "an empty list": lambda _: (),
    "addresses without the epoch": lambda found: tuple(r for r in found if r.type != "TXT"),
    "the epoch without addresses": lambda found: tuple(r for r in found if r.type == "TXT"),
}


def with_foreign_records() -> Play:
    found = published()
    for name in HOSTS:
        records = {**found.outside.held[name], **{r.key: r for r in FOREIGN}}
        found.outside.hosts[name]._publish(ZONE, records)  # a hand that our port does not have
    return found


def check(found: Play) -> None:
    """Our record was never empty (the watcher looks at each change), and all others are as they were."""
    for name in HOSTS:
        assert found.addresses(name), name
        held = found.outside.held[name]
        assert [held.get(r.key) for r in FOREIGN] == list(FOREIGN)


def looking_on(found: Play) -> list[str]:
    """Every change of DNS that leaves a host without our record or its epoch."""
    gone: list[str] = []

    def look(host: str, _: str) -> None:
        if not found.addresses(host) or found.outside.epoch(host) is None:
            gone.append(host)

    found.outside.watcher = look
    return gone


@pytest.mark.parametrize("liars", [("one",), ("two",), HOSTS])
@pytest.mark.parametrize("kind", BENT)
def test_unreadable_never_leads_to_a_deletion(kind: str, liars: tuple[str, ...]) -> None:
    found = with_foreign_records()
    gone = looking_on(found)
    honest = dict(found.context.hosts)

    def bend(context: Play) -> None:
        bent = {name: Liar(host, BENT[kind]) if name in liars else host for name, host in honest.items()}
        context.context = found.outside.context(found.disk, found.runtime, hosts=bent)

    bend(found)
    found.ticks(3)
    lose(found)
    found.ticks(25)
    assert gone == []
    check(found)
    found.process()
    found.until("boreas")
    found.ticks(6)
    assert gone == []
    check(found)
    assert found.site_of_dns("one") == found.site_of_dns("two") == {"boreas"}
    assert found.state.debts == ()


@pytest.mark.parametrize("seconds", [-3600.0, 3600.0])
def test_a_clock_that_jumps_in_the_middle_of_a_change_changes_nothing_twice(seconds: float) -> None:
    found = with_foreign_records()
    gone = looking_on(found)
    lose(found)
    found.until_journaled("swap:started")
    found.clock.step(seconds)
    found.until("boreas")
    found.clock.step(-seconds)
    found.ticks(8)
    assert gone == []
    check(found)
    assert found.epochs() == [2, 2]
