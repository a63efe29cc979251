"""The memory host's faults and lag, which simulations lean on."""

import subprocess
import sys

import pytest

from failover.core.rrsets import Changes
from failover.dns.compare import Records
from failover.errors import Conflict, NotFound, TimedOut, Unreachable, Unreadable
from failover.testing.dns import FENCE, WWW, ZONE, address_set, fence, put
from failover.testing.memory_dns import MemoryAuthority, MemoryDns, ReplyLost

OLD, NEW = address_set(WWW, "192.0.2.1"), address_set(WWW, "198.51.100.7")
WWW_A = (WWW, "A")


def published(host: MemoryDns) -> MemoryDns:
    host.apply(ZONE, put(OLD), expect=None, fence=fence(1))
    return host


def test_a_fault_is_raised_and_nothing_changes() -> None:
    host = published(MemoryDns())
    host.faults = lambda operation: Unreachable("x") if operation == "apply" else None
    with pytest.raises(Unreachable):
        host.apply(ZONE, put(NEW), expect=fence(1), fence=fence(2))
    assert host.read(ZONE, [WWW_A, FENCE]) == (OLD, fence(1))
    host.faults = lambda operation: TimedOut("x") if operation == "read" else None
    with pytest.raises(TimedOut):
        host.read(ZONE, [WWW_A])


def test_a_lost_reply_has_changed_all_the_same() -> None:
    host = published(MemoryDns())
    host.faults = lambda operation: ReplyLost() if operation == "apply" else None
    with pytest.raises(TimedOut):
        host.apply(ZONE, put(NEW), expect=fence(1), fence=fence(2))
    assert host.read(ZONE, [WWW_A, FENCE]) == (NEW, fence(2))
    with pytest.raises(Conflict):
        host.apply(ZONE, put(NEW), expect=fence(1), fence=fence(2))


def test_name_servers_lag_behind_the_api() -> None:
    now = [100.0]
    host = published(MemoryDns(clock=lambda: now[0]))
    authority = MemoryAuthority(host)
    (server,) = host.traits().servers
    host.lag_s = 30.0
    now[0] = 200.0
    host.apply(ZONE, put(NEW), expect=fence(1), fence=fence(2))
    assert host.read(ZONE, [WWW_A]) == (NEW,)
    assert authority.ask(server, WWW, "A") == OLD
    now[0] = 229.9
    assert authority.ask(server, WWW, "A") == OLD
    now[0] = 230.0
    assert authority.ask(server, WWW, "A") == NEW


def test_a_new_zone_is_empty_at_its_name_servers() -> None:
    host = published(MemoryDns(lag_s=5.0))
    assert MemoryAuthority(host).ask("memory:53", WWW, "A") is None


def test_grade_3_may_end_halfway() -> None:
    host = published(MemoryDns(grade=3))
    writes: list[str] = []

    def second_write_fails(operation: str) -> Exception | None:
        writes.append(operation)
        return TimedOut("write") if writes.count("write") == 2 else None

    host.faults = second_write_fails
    with pytest.raises(TimedOut):
        host.apply(ZONE, put(NEW), expect=fence(1), fence=fence(2))
    host.faults = lambda operation: None
    assert host.read(ZONE, [WWW_A, FENCE]) == (NEW, fence(1)), "the old epoch tells that it is unfinished"


def test_every_version_is_seen() -> None:
    host = MemoryDns()
    seen: list[tuple[str, Records]] = []
    host.on_change = lambda zone, records: seen.append((zone, records))
    published(host)
    host.apply(ZONE, Changes(remove=(WWW_A,)), expect=fence(1), fence=None)
    assert [(zone, set(records)) for zone, records in seen] == [(ZONE, {WWW_A, FENCE}), (ZONE, set())]


def test_servers_that_fail_or_are_none_of_ours() -> None:
    host = published(MemoryDns(zones=(ZONE, f"sub.{ZONE}")))
    authority = MemoryAuthority(host)
    with pytest.raises(Unreachable):
        authority.ask("other:53", WWW, "A")
    with pytest.raises(Unreadable):
        authority.ask("memory:53", "www.elsewhere.example", "A")
    assert authority.ask("memory:53", f"www.sub.{ZONE}", "A") is None
    authority.faults = lambda server: TimedOut("ask", server)
    with pytest.raises(TimedOut):
        authority.ask("memory:53", WWW, "A")
    with pytest.raises(NotFound):
        host.read("absent.test", [WWW_A])


def test_the_memory_host_needs_no_pytest_and_no_dnspython() -> None:
    code = "import sys, failover.testing.memory_dns; sys.exit(bool({'pytest', 'dns'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True)
