"""What the suites of DNS hosts speak of: a zone, a service in it, its sets and its fence."""

# ruff: noqa: S101 - for test suites that ship

import time
from collections.abc import Callable, Iterable
from functools import partial

import pytest

from failover.core.rrsets import Changes, Epoch, RRset, by_key, epoch_name, epoch_set
from failover.ports import Authority, Dns

ZONE = "example.test"
SERVICE = "guestbook"
WWW = f"www.{ZONE}"
FENCE = (epoch_name(SERVICE, ZONE), "TXT")
NAMES = ((WWW, "A"), (WWW, "AAAA"), (ZONE, "A"), FENCE)
TTL_S = 300
"""Every host has it; the epoch's own may be shorter than what a host takes, which then takes its shortest."""
SETTLE_S = 30.0


def address_set(name: str, *addresses: str, type: str = "A", ttl_s: int = 60) -> RRset:
    return RRset(name=name, type=type, ttl_s=ttl_s, values=frozenset(addresses))


addresses = partial(address_set, ttl_s=TTL_S)


def fence(number: int, site: str = "aurora", plan: str = "") -> RRset:
    return epoch_set(SERVICE, ZONE, Epoch(number=number, site=site, plan=plan or f"plan{number}"))


def put(*rrsets: RRset) -> Changes:
    return Changes(put=rrsets)


def seen(rrsets: Iterable[RRset]) -> dict[tuple[str, str], tuple[frozenset[str], int | None]]:
    """Values and TTLs; not that of the epoch."""
    return {r.key: (r.values, None if r.key == FENCE else r.ttl_s) for r in rrsets}


def www_published(host: Dns) -> RRset:
    """www stands at 192.0.2.1, under epoch 1: the fence that stands there then."""
    host.apply(ZONE, put(addresses(WWW, "192.0.2.1")), expect=None, fence=fence(1))
    return fence(1)


def needs_cname(host: Dns) -> None:
    """Skips the test where the host holds none for us."""
    if "CNAME" not in host.traits().types:
        pytest.skip("this host holds no CNAME for us")


def values_at(host: Dns, key: tuple[str, str]) -> frozenset[str]:
    """What it holds there; empty: nothing."""
    found = by_key(host.read(ZONE, [key])).get(key)
    return frozenset() if found is None else found.values


def settle(host: Dns, authority: Authority | None, wanted: RRset) -> None:
    """Wait until every name server answers it: a host may say yes before its servers know."""
    if authority is None:
        return
    for server in host.traits().servers:
        wait_until(lambda server=server: authority.ask(server, *wanted.key) == wanted)  # type: ignore[misc]


def wait_until(holds: Callable[[], bool], timeout_s: float = SETTLE_S) -> None:
    """Raises AssertionError when it does not come to hold."""
    end = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end, f"it did not come about within {timeout_s:g} s"
        time.sleep(0.02)
