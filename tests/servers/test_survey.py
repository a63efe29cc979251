"""The survey that the doctor uses passes the suite, at real name servers: a root, a top-level domain, two hosts."""

from collections.abc import Iterator

import pytest

from failover.core.rrsets import RRset
from failover.dns.survey import DnsSurvey
from failover.testing.survey import SurveyBench, SurveyConformance
from tests.servers.dns_tree import EAST, NORTH, NS_EAST, NS_NORTH, NS_SOUTH, PARENT, ROOT, SOUTH, Tree

pytestmark = pytest.mark.server("bind")

ZONE = "good.test"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tree]:
    found = Tree(tmp_path_factory.mktemp("tree"))
    more = "lb 60 IN CNAME www\nloop 60 IN CNAME loop2\nloop2 60 IN CNAME loop"
    found.child(ZONE, NORTH, SOUTH, more=more)
    found.delegate(ZONE, NS_NORTH, NS_SOUTH)
    found.delegate("cut.test", NS_EAST)  # nothing listens there, so nobody answers for what is below
    with found.run():
        yield found


class TestDnsSurvey(SurveyConformance):
    @pytest.fixture
    def bench(self, tree: Tree) -> SurveyBench:
        www = RRset(name=f"www.{ZONE}", type="A", ttl_s=60, values=frozenset({"192.0.2.1"}))
        return SurveyBench(
            survey=DnsSurvey(roots=(tree.place(ROOT),), timeout_s=10.0, deadline_s=30.0),
            zone=ZONE,
            parent="test",
            name_servers={NS_NORTH: (tree.place(NORTH),), NS_SOUTH: (tree.place(SOUTH),)},
            held={www.key: www, (www.name, "AAAA"): None, (f"absent.{ZONE}", "A"): None},
            alias=f"lb.{ZONE}",
            chain=((f"lb.{ZONE}", www.name),),
            circle=f"loop.{ZONE}",
            undelegated="gone.test",
            cut="below.cut.test",
            lame=tree.place(PARENT),
            dead=tree.place(EAST),
            addressless="ns9.nic.test",
        )
