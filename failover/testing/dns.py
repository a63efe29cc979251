"""What every DNS host and every authority must do, whoever makes it.

A test of a new host is a class of a few lines:

    class TestMyHost(DnsConformance):
        @pytest.fixture
        def host(self):
            return MyHost(…)          # with an empty zone example.test

        @pytest.fixture
        def authority(self):          # optional: then its name servers are asked as well
            return DnsAuthority()

        @pytest.fixture
        def census(self):             # optional: then other people's records are counted before and after each test
            return lambda: my_server.records()

        @pytest.fixture
        def trouble(self):            # optional: then requests that write are made to end badly (`dns_trouble`)
            return lambda end, after: my_server.spoiled(end, after)

The suite by subject: reading is here, then `dns_changes`, `dns_fence`, `dns_servers`, `dns_made_up`, `dns_trouble` and
`rights`.
"""

# ruff: noqa: S101 - this is a test suite that ships

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from failover.core.rrsets import Changes, Epoch, RRset, epoch_set
from failover.errors import AdapterError
from failover.ports import Authority, Dns
from failover.testing.dns_changes import ChangesConformance
from failover.testing.dns_fence import FenceConformance
from failover.testing.dns_made_up import MadeUpConformance
from failover.testing.dns_servers import ServersConformance
from failover.testing.dns_trouble import End, Trouble, TroubleConformance
from failover.testing.dns_words import (
    FENCE,
    NAMES,
    SERVICE,
    TTL_S,
    WWW,
    ZONE,
    address_set,
    fence,
    put,
    seen,
    values_at,
    wait_until,
    www_published,
)
from failover.testing.rights import DnsRights

__all__ = [
    "FENCE",
    "NAMES",
    "SERVICE",
    "TTL_S",
    "WWW",
    "ZONE",
    "DnsConformance",
    "End",
    "Trouble",
    "TroubleConformance",
    "address_set",
    "fence",
    "put",
    "seen",
    "wait_until",
    "www_published",
]


class DnsConformance(
    ChangesConformance, FenceConformance, ServersConformance, MadeUpConformance, TroubleConformance, DnsRights
):
    """Subclass it, and give the fixture `host`."""

    @pytest.fixture
    def host(self) -> Dns:
        """A host with an empty zone `example.test`."""
        raise NotImplementedError

    @pytest.fixture
    def authority(self) -> Authority | None:
        """Asks the servers in the host's traits; None leaves those checks out."""
        return None

    @pytest.fixture
    def census(self) -> Callable[[], Mapping[Any, object]] | None:
        """Tells what somebody else has in the zone, seen past the host; None leaves that out."""
        return None

    @pytest.fixture(autouse=True)
    def others(self, census: Callable[[], Mapping[Any, object]] | None) -> Iterator[None]:
        """Whatever a test does, what stood there before stands there after it."""
        before = dict(census()) if census is not None else {}
        yield
        if census is not None:
            after = census()
            assert before
            assert {key: after.get(key) for key in before} == before, "somebody else's records have changed"

    @pytest.fixture
    def published(self, host: Dns) -> RRset:
        """www stands at 192.0.2.1, under epoch 1."""
        return www_published(host)

    # ------------------------------------------------------------------------------------------ traits and reading

    def test_traits_name_a_grade_and_servers(self, host: Dns) -> None:
        traits = host.traits()
        assert traits.grade in (1, 2, 3)
        assert traits.servers
        assert set(traits.servers).issuperset(traits.servers_of(ZONE))
        assert traits.ttl_s_min <= TTL_S <= traits.ttl_s_max
        assert {"A", "TXT"} <= traits.types
        assert traits.converges_s == 0 if traits.grade == 1 else traits.converges_s >= 0

    def test_pairs_without_a_set_are_left_out(self, host: Dns) -> None:
        assert host.read(ZONE, NAMES) == ()

    def test_nothing_asked_nothing_answered(self, host: Dns) -> None:
        assert host.read(ZONE, ()) == ()

    def test_a_zone_that_is_not_there_is_never_empty(self, host: Dns) -> None:
        with pytest.raises(AdapterError):
            host.read("absent.test", [("www.absent.test", "A")])
        epoch = Epoch(number=1, site="aurora", plan="plan1")
        with pytest.raises(AdapterError):
            host.apply("absent.test", Changes(), expect=None, fence=epoch_set(SERVICE, "absent.test", epoch))

    def test_what_was_put_is_read(self, host: Dns, published: RRset) -> None:
        assert values_at(host, (WWW, "A")) == {"192.0.2.1"}
        assert values_at(host, FENCE) == published.values

    @pytest.mark.usefixtures("published")
    def test_only_what_was_asked_for_is_read(self, host: Dns) -> None:
        assert [rrset.key for rrset in host.read(ZONE, [FENCE])] == [FENCE]

    def test_names_in_any_case_and_with_a_final_dot(self, host: Dns, published: RRset) -> None:
        (found,) = host.read("EXAMPLE.test.", [("WWW.Example.TEST.", "A")])
        assert found.name == WWW
        host.apply("Example.Test.", Changes(remove=(("WWW.Example.Test.", "A"),)), expect=published, fence=fence(2))
        assert host.read(ZONE, [(WWW, "A")]) == ()
