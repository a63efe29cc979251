"""The survey in memory passes the suite; `tests/servers/test_survey.py` shows it of the real one, at real servers."""

from dataclasses import replace

import pytest

from failover.core.rrsets import RRset
from failover.core.survey import Delegation, ServerFacts, Soa
from failover.testing.memory_survey import MemorySurvey
from failover.testing.survey import SurveyBench, SurveyConformance

ZONE = "good.test"
ONE, TWO = "192.0.2.1:53", "[2001:db8::2]:53"
NAMES = {"ns1.north.test": (ONE,), "ns1.south.test": (TWO,)}
SETS = (
    RRset(name=f"www.{ZONE}", type="A", ttl_s=60, values=frozenset({"192.0.2.7"})),
    RRset(name=f"lb.{ZONE}", type="CNAME", ttl_s=60, values=frozenset({f"www.{ZONE}"})),
    RRset(name=f"loop.{ZONE}", type="CNAME", ttl_s=60, values=frozenset({f"loop2.{ZONE}"})),
    RRset(name=f"loop2.{ZONE}", type="CNAME", ttl_s=60, values=frozenset({f"loop.{ZONE}"})),
)
SOA = Soa(primary="ns1.north.test", serial=1, refresh_s=60, retry_s=30, expire_s=900, minimum_s=60, ttl_s=300)


class TestMemory(SurveyConformance):
    @pytest.fixture
    def bench(self) -> SurveyBench:
        facts = ServerFacts(
            zone=ZONE, server=ONE, soa=SOA, name_servers=frozenset(NAMES), sets={rrset.key: rrset for rrset in SETS}
        )
        survey = MemorySurvey(
            delegations={ZONE: Delegation(zone=ZONE, parent="test", name_servers=NAMES, ttl_s=3600)},
            servers={(ONE, ZONE): facts, (TWO, ZONE): replace(facts, server=TWO)},
            answering=frozenset({ONE, TWO, "192.0.2.3:53"}),
            cut=frozenset({"www.cut.example"}),
        )
        return SurveyBench(
            survey=survey,
            zone=ZONE,
            parent="test",
            name_servers=NAMES,
            held={SETS[0].key: SETS[0], (f"www.{ZONE}", "AAAA"): None, (f"absent.{ZONE}", "A"): None},
            alias=f"lb.{ZONE}",
            chain=((f"lb.{ZONE}", f"www.{ZONE}"),),
            circle=f"loop.{ZONE}",
            undelegated="gone.test",
            cut="www.cut.example",
            lame="192.0.2.3:53",
            dead="192.0.2.4:53",
            addressless="ns9.north.test",
        )
