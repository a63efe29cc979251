"""A DNS host as a daemon, found and used as the product does."""

from pathlib import Path

import pytest

from failover.core.rrsets import Changes, Epoch, RRset, epoch_set
from failover.dns.local import LocalHost
from failover.errors import AccessRefused, AdapterError, TimedOut, Unreachable, UsageError
from failover.local import control

ZONE = "example.test"
WWW = RRset(name=f"www.{ZONE}", type="A", ttl_s=1, values=frozenset({"192.0.2.1"}))
FENCE = epoch_set("guestbook", ZONE, Epoch(number=1, site="aurora", plan="p"))


@pytest.fixture
def host(root: Path) -> LocalHost:
    control.create_dns(root, "ns1", [ZONE])
    control.start(root)
    return LocalHost(root=root, name="ns1", timeout_s=1.5, deadline_s=3.0)


def publish(host: LocalHost) -> None:
    host.apply(ZONE, Changes(put=(WWW,)), expect=None, fence=FENCE)


def test_zones_outlive_the_daemon(root: Path, host: LocalHost) -> None:
    publish(host)
    control.stop(root)
    with pytest.raises(Unreachable) as caught:
        host.read(ZONE, [WWW.key])
    assert caught.value.hint == "failover local start ns1"
    control.start(root)
    assert host.read(ZONE, [WWW.key]) == (WWW,)


@pytest.mark.parametrize(("mode", "error"), [("drop", TimedOut), ("servfail", AdapterError), ("refuse", AdapterError)])
def test_faults_show_and_end_with_start(root: Path, host: LocalHost, mode: str, error: type[Exception]) -> None:
    publish(host)
    control.fail(root, "ns1", mode)
    assert control.listing(root)["dns"][0]["fault"] == mode
    with pytest.raises(error):
        host.read(ZONE, [WWW.key])
    assert [place.name for place in control.start(root)] == ["ns1"]
    assert control.listing(root)["dns"][0]["fault"] is None
    assert host.read(ZONE, [WWW.key]) == (WWW,)


def test_updates_alone_can_be_refused(root: Path, host: LocalHost) -> None:
    control.fail(root, "ns1", "refuse-updates")
    with pytest.raises(AccessRefused):
        publish(host)
    assert host.read(ZONE, [WWW.key]) == ()


def test_a_host_can_lag(root: Path, host: LocalHost) -> None:
    control.fail(root, "ns1", "lag", lag_s=600)
    publish(host)
    assert host.read(ZONE, [WWW.key]) == ()
    control.start(root)
    assert host.read(ZONE, [WWW.key]) == (WWW,)


def test_a_host_without_zones_is_refused(root: Path) -> None:
    with pytest.raises(UsageError):
        control.create_dns(root, "ns1", [])


def test_a_zone_that_cannot_be_one_leaves_nothing(root: Path) -> None:
    with pytest.raises(UsageError):
        control.create_dns(root, "ns1", ["a..b"])
    assert list((root / "dns").iterdir()) == []
