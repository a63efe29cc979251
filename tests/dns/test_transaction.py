"""Transactions that no host is asked to carry out."""

import pytest

from failover.core.rrsets import Changes, RRset
from failover.dns.transaction import check_transaction, is_inside
from failover.errors import Rejected
from failover.testing.dns import FENCE, WWW, ZONE, address_set, fence, put

WWW_A = address_set(WWW, "192.0.2.1")


def alias(name: str, *targets: str) -> RRset:
    return RRset(name=name, type="CNAME", ttl_s=60, values=frozenset(targets))


def text(name: str, *values: str) -> RRset:
    return RRset(name=name, type="TXT", ttl_s=60, values=frozenset(values))


@pytest.mark.parametrize(
    ("changes", "expect", "new", "cause"),
    [
        (put(WWW_A), None, None, "no fence is given"),
        (put(WWW_A), fence(1), text(f"_failover.other.{ZONE}", str(fence(2))), "the fence would move"),
        (put(WWW_A, WWW_A), None, fence(1), "www.example.test A is named twice"),
        (Changes(put=(WWW_A,), remove=(("WWW.example.test.", "a"),)), None, fence(1), "named twice"),
        (put(address_set("www.notexample.test", "192.0.2.1")), None, fence(1), "lies outside the zone"),
        (Changes(remove=(("test", "A"),)), None, fence(1), "lies outside the zone"),
        (Changes(remove=(FENCE,)), fence(1), None, "is the fence"),
        (put(WWW_A, alias(WWW, "lb.example.net")), None, fence(1), "CNAME and A at once"),
        (put(alias(WWW, "a.example.net", "b.example.net")), None, fence(1), "one CNAME"),
        (put(alias(ZONE, "lb.example.net")), None, fence(1), "none at the zone's own name"),
        (put(WWW_A), None, address_set(FENCE[0], "192.0.2.1"), "not one epoch"),
        (put(WWW_A), None, text(FENCE[0], "v=1 epoch=x"), "not one epoch"),
        (put(WWW_A), None, text(FENCE[0], "v=1 epoch=1 site=a plan=b", "v=1 epoch=2 site=a plan=b"), "not one epoch"),
        (put(WWW_A), fence(7), fence(7), "epoch 7 is not newer than epoch 7"),
        (put(WWW_A), fence(7), fence(6), "epoch 6 is not newer than epoch 7"),
    ],
)
def test_what_makes_no_sense(changes: Changes, expect: RRset | None, new: RRset | None, cause: str) -> None:
    with pytest.raises(Rejected) as raised:
        check_transaction(ZONE, changes, expect, new)
    assert cause in raised.value.cause


@pytest.mark.parametrize(
    ("changes", "expect", "new"),
    [
        (put(WWW_A), None, fence(1)),
        (Changes(), fence(1), fence(9)),
        (Changes(remove=((WWW, "A"),)), fence(9), None),
        (Changes(put=(alias(WWW, "lb.example.net"),), remove=((WWW, "A"),)), fence(1), fence(2)),
        (put(WWW_A), text(FENCE[0], "what somebody else wrote here"), fence(1)),
    ],
)
def test_what_does(changes: Changes, expect: RRset | None, new: RRset | None) -> None:
    check_transaction("Example.TEST.", changes, expect, new)


def test_inside() -> None:
    assert is_inside(WWW, ZONE)
    assert is_inside("EXAMPLE.test.", ZONE)
    assert not is_inside("notexample.test", ZONE)
    assert not is_inside("test", ZONE)
