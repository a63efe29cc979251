"""The part of the conformance suite for clouds that is about firewalls: what they let in, and whose they are."""

# ruff: noqa: S101 - this is a test suite that ships

from collections.abc import Collection

import pytest

from failover.clouds.table import Cloud
from failover.core.firewall import drift
from failover.net.archive import Packed
from failover.testing.cloud_stage import SERVICE, SITE, CloudStage, Operator


class FirewallConformance(CloudStage):
    """Part of `CloudConformance`."""

    def differs(self, cloud: Cloud, ports: Collection[int], site: str = SITE) -> tuple[str, ...]:
        """What the firewall lets in otherwise than these ports. Skips where nodes need none."""
        found = cloud.firewall_now(SERVICE, site)
        if found is None:
            pytest.skip("nodes need no firewall here")
        return drift(found, ports)

    def test_a_firewall_may_come_before_the_first_node(self, cloud: Cloud) -> None:
        for ports in ((), (self.port,), (self.port,)):
            cloud.firewall(SERVICE, SITE, ports)
        for _ in range(2):
            cloud.clear(SERVICE, SITE)

    def test_a_firewall_opens_what_it_is_told_and_nothing_else(self, cloud: Cloud, stocked: Packed) -> None:
        assert self.differs(cloud, ()) == ()
        assert self.differs(cloud, (self.port,)) == (f"port {self.port} is closed",)
        for site in (SITE, "boreas"):
            cloud.firewall(SERVICE, site, (self.port, 9090))
        cloud.ensure(self.spec(stocked))
        self.running(cloud, 1)
        assert self.differs(cloud, (self.port, 9090)) == ()
        cloud.firewall(SERVICE, SITE, (self.port, 9191))
        assert self.differs(cloud, (self.port, 9191)) == ()
        assert self.differs(cloud, (9191,)) == (f"port {self.port} is open to everybody",)
        assert self.differs(cloud, (self.port, 9090), "boreas") == ()

    def test_a_firewall_changed_by_hand_is_shown_and_put_right(
        self, cloud: Cloud, operator: Operator, stocked: Packed
    ) -> None:
        self.differs(cloud, ())
        operator.set_wall("theirs", (22, 9999))
        theirs = operator.walls()
        cloud.firewall(SERVICE, SITE, (self.port,))
        cloud.ensure(self.spec(stocked))
        self.running(cloud, 1)
        (ours,) = set(operator.walls()) - set(theirs)
        operator.set_wall(ours, (22, 9090))
        closed, *opened = self.differs(cloud, (self.port,))
        assert closed == f"port {self.port} is closed"
        assert opened == ["port 22 is open to everybody", "port 9090 is open to everybody"]
        cloud.firewall(SERVICE, SITE, (self.port,))
        assert self.differs(cloud, (self.port,)) == ()
        assert operator.walls() == {**theirs, ours: {self.port}}, "and somebody else's is as it was"
