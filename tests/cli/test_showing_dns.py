"""What `status` says of the DNS hosts: never more than was looked at."""

from dataclasses import replace

from failover.cli.showing_dns import host_document, hosts_text
from failover.core.facts import HostFacts
from failover.core.model import HostReading
from failover.core.world import World
from tests.core.builders import SERVICE, ago, reading, with_state, world


def seen(accepted_s: float, **changed: object) -> World:
    """Checked ten seconds ago; host `one` accepted epoch 8 that many seconds ago."""
    hosts: dict[str, HostReading] = {"one": replace(reading("one"), **changed)}  # type: ignore[arg-type]
    facts = {"one": HostFacts(epoch=8, accepted=ago(accepted_s))}
    return with_state(world(), hosts=hosts, facts=facts, last_tick=ago(10))


def test_what_stood_there_before_the_newest_change_is_shown_as_that() -> None:
    """A cutover between two checks: the records of the last check are not what the host holds now."""
    (old,) = [line for line in hosts_text(SERVICE, seen(5)).splitlines() if "before epoch 8: " in line]
    assert old.split()[:2] == ["one", "ok"]
    assert "before epoch" not in hosts_text(SERVICE, seen(60))
    assert host_document(SERVICE, seen(5), "one")["read_utc_s"] == ago(10).utc_s


def test_a_host_that_could_not_be_read_shows_why_and_no_records() -> None:
    shown = hosts_text(SERVICE, seen(5, problem="the key is refused"))
    assert "the key is refused" in shown
    assert "before epoch" not in shown
