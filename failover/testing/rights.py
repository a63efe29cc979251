"""What every provider account and every DNS host must do when it is asked what a credential may write.

Part of the suites of `failover.testing.clouds` and `failover.testing.dns`. Where the provider can be played with a
credential that may only read, give the fixture `reader`; without it those checks are skipped.
"""

# ruff: noqa: S101 - this is a test suite that ships

from collections.abc import Sequence

import pytest

from failover.clouds.table import Cloud
from failover.core.model import NodeSpec, Reading
from failover.core.rights import Act, May, Right
from failover.core.rrsets import epoch_name
from failover.ports import Account, Authority, Dns

ZONE, SERVICE, SITE = "example.test", "guestbook", "aurora"
NAMES = ((f"www.{ZONE}", "A"), (f"www.{ZONE}", "AAAA"), (epoch_name(SERVICE, ZONE), "TXT"))


def wish() -> NodeSpec:
    """A node that is never made."""
    return NodeSpec(
        name=f"{SERVICE}-{SITE}-web-0",
        service=SERVICE,
        site=SITE,
        group="web",
        ordinal=0,
        spec="spec1",
        cpus=1,
        memory_mib=512,
        disk_gib=1,
        image="debian-12",
        ports=(8080,),
        release=f"sha256:{'0' * 64}",
        command="true",
    )


def of(may: May, rights: Sequence[Right]) -> list[Right]:
    return [right for right in rights if right.may is may]


class CloudRights:
    """What `CloudConformance` asks of rights."""

    @pytest.fixture
    def reader(self) -> Account:
        """The same account by a credential that may only read."""
        pytest.skip("nobody gives out a credential that may only read here")

    def test_whoever_may_write_is_not_refused(self, cloud: Cloud) -> None:
        rights = cloud.rights(wish())
        assert of(May.REFUSED, rights) == []
        acts = [right.act for right in rights]
        assert len(set(acts)) == len(acts)
        assert all(right.says for right in of(May.UNPROVEN, rights))
        store = cloud.may_put()
        assert store is None or (store.act, store.may) == (Act.STORE, May.ALLOWED)

    def test_asking_for_rights_makes_nothing(self, cloud: Cloud) -> None:
        for _ in range(2):
            cloud.rights(wish())
            cloud.may_put()
        assert cloud.nodes(SERVICE, SITE) == ()
        assert cloud.quota().nodes_used == 0
        assert cloud.list() == frozenset()

    def test_whoever_only_reads_is_allowed_nothing(self, reader: Account) -> None:
        assert reader.state().reading is Reading.ACTIVE
        rights = reader.rights(wish())
        assert of(May.ALLOWED, rights) == []
        assert of(May.REFUSED, rights) != []
        assert all(right.says for right in rights)
        assert reader.nodes(SERVICE, SITE) == ()


class DnsRights:
    """What `DnsConformance` asks of rights."""

    @pytest.fixture
    def reader(self) -> Dns:
        """The same host by a credential that may only read."""
        pytest.skip("nobody gives out a credential that may only read here")

    def test_whoever_may_change_is_not_refused(self, host: Dns) -> None:
        rights = host.rights(ZONE, NAMES)
        assert rights
        assert of(May.REFUSED, rights) == []
        assert {right.act for right in rights} == {Act.CHANGE}
        assert all(right.says for right in of(May.UNPROVEN, rights))

    def test_asking_for_rights_changes_nothing(self, host: Dns, authority: Authority | None) -> None:
        servers = host.traits().servers if authority is not None else ()
        places = [place for server in servers for place in authority.addresses(server)] if authority else []
        serials = [authority.ask(place, ZONE, "SOA") for place in places] if authority else []
        for _ in range(2):
            host.rights(ZONE, NAMES)
        assert host.read(ZONE, NAMES) == ()
        assert [authority.ask(place, ZONE, "SOA") for place in places] == serials if authority else True

    def test_whoever_only_reads_may_change_nothing(self, reader: Dns) -> None:
        rights = reader.rights(ZONE, NAMES)
        assert of(May.ALLOWED, rights) == []
        assert of(May.REFUSED, rights) != []
        assert all(right.says for right in rights)
        assert reader.read(ZONE, NAMES) == ()
