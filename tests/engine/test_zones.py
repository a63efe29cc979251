"""Several zones, one transaction and one epoch each; a steering name that many others point to."""

from dataclasses import replace

from failover.core.hosting import fitting_grade
from failover.core.model import HostTraits, Record
from failover.core.rrsets import RRset, read_epoch
from failover.testing.memory_store import Crashed
from failover.testing.sim_world import NAME, ZONE, guestbook
from tests.engine.play import Play, play
from tests.engine.test_dns_hosts import lose

OTHER = "example.net"
THERE = f"www.{OTHER}"


def two_zones() -> Play:
    service = guestbook(count=1)
    more = Record(name=THERE, zone=OTHER, type="A", group="web")
    found = play(service=replace(service, records=(*service.records, more), zones=(ZONE, OTHER)))
    assert found.apply().problems == ()
    found.ticks(4)
    found.wait()
    return found


def held(found: Play, host: str) -> list[tuple[int, frozenset[str]]]:
    """By zone: the epoch and the addresses."""
    rows = []
    for zone, name in ((ZONE, NAME), (OTHER, THERE)):
        sets = found.outside.hosts[host].read(zone, [(name, "A"), (f"_failover.guestbook.{zone}", "TXT")])
        epoch = read_epoch(sets, "guestbook", zone)
        rows.append((epoch.number if epoch else 0, next(r.values for r in sets if r.type == "A")))
    return rows


def test_a_cutover_moves_every_zone() -> None:
    found = two_zones()
    assert found.cutover("boreas").committed
    for host in ("one", "two"):
        (epoch, here), (other_epoch, there) = held(found, host)
        assert epoch == other_epoch == 2
        assert here == there
        assert {found.site_of(a) for a in here} == {"boreas"}


def test_a_process_that_dies_between_two_zones_leaves_what_the_next_check_completes() -> None:
    found = two_zones()
    lose(found)
    changed: list[str] = []

    def die_after_the_first(host: str, _: str) -> None:
        changed.append(host)
        if len(changed) == 1:
            raise Crashed("kill -9 after the first zone of the first host")

    found.outside.watcher = die_after_the_first
    for _ in range(30):
        if not found.survive():
            break
        found.wait()
    assert len(changed) == 1
    assert sorted(epoch for epoch, _ in (*held(found, "one"), *held(found, "two"))) == [1, 1, 1, 2]
    found.until("boreas")
    assert [e for e, _ in (*held(found, "one"), *held(found, "two"))] == [2, 2, 2, 2]
    assert found.state.debts == ()


def test_a_zone_that_stayed_behind_after_the_plan_is_a_debt_and_settled() -> None:
    found = two_zones()
    one = found.outside.hosts["one"]
    fence = one.read(OTHER, [(f"_failover.guestbook.{OTHER}", "TXT"), (THERE, "A")])
    assert found.cutover("boreas").committed
    one._publish(OTHER, {r.key: r for r in fence})  # restored from a backup, by another hand
    assert held(found, "one")[1][0] == 1
    found.ticks(2)
    assert [e for e, _ in held(found, "one")] == [2, 2]


def test_a_steering_name_moves_however_many_names_point_to_it() -> None:
    """Only the steering name is ours; the aliases of it are never read or touched."""
    service = guestbook()
    go = Record(name=f"go.{ZONE}", zone=ZONE, type="A", group="web")
    found = play(service=replace(service, records=(go,)))
    aliases = {
        (f"n{n}.{ZONE}", "CNAME"): RRset(name=f"n{n}.{ZONE}", type="CNAME", ttl_s=3600, values=frozenset({go.name}))
        for n in range(2000)
    }
    for host in found.outside.hosts.values():
        host._publish(ZONE, aliases)
    assert found.apply().problems == ()
    found.ticks(4)
    assert found.cutover("boreas").committed
    for host in found.outside.hosts.values():
        records = host.visible(ZONE)
        assert {key: r for key, r in records.items() if key[1] == "CNAME"} == aliases
        assert {found.site_of(a) for a in records[go.name, "A"].values} == {"boreas"}
    assert fitting_grade(found.outside.service, HostTraits(grade=1, servers=(), atomic_changes=2)) == (1, "")
