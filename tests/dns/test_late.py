"""A host that is built late passes the common suite."""

import pytest

from failover.core.rrsets import Changes
from failover.dns.late import LateHost
from failover.errors import AccessRefused, SecretError
from failover.ports import Dns
from failover.testing.dns import ZONE, DnsConformance, fence
from failover.testing.memory_dns import MemoryDns


class TestLate(DnsConformance):
    @pytest.fixture
    def host(self) -> LateHost:
        memory = MemoryDns()
        return LateHost("memory", lambda: memory)


def no_secret() -> Dns:
    raise SecretError("read secret", "env TOKEN", "the variable is not set", "export TOKEN")


def test_what_cannot_be_built_says_why() -> None:
    host = LateHost("north", no_secret)
    for do in (
        host.traits,
        lambda: host.read(ZONE, []),
        lambda: host.apply(ZONE, Changes(), expect=None, fence=fence(1)),
    ):
        with pytest.raises(AccessRefused, match="the variable is not set") as raised:
            do()
        assert (raised.value.object, raised.value.hint) == ("north", "export TOKEN")
