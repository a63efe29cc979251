"""Names behind a DNS host's own edge: what is asked, what speaks against, what the worst case makes of them."""

from dataclasses import replace

from failover.core.budget import terms
from failover.core.doctor import DoctorFacts, diagnose
from failover.core.edge import behind, late, moves_behind_edge, objections, targets
from failover.core.facts import ServerAnswer
from failover.core.findings import Severity
from failover.core.model import Check, CheckKind, Edge, Failure, HostReading, Outcome, Sample, Target
from failover.core.rrsets import RRset
from tests.core.builders import BOREAS, NOW, SERVICE, SITES, address_set, reading

WWW, SHOP = "www.example.org", "shop.example.org"
CHECK = Check(
    name="edge",
    kind=CheckKind.HTTPS,
    group="",
    port=443,
    path="/healthz",
    request_headers={"X-Asked": "yes"},
    headers={"X-Failover-Site": "{site}"},
    timeout_s=4.0,
    fresh=True,
)
EDGE = Edge(names=frozenset({WWW}), check=CHECK)
LONE = replace(SERVICE, hosts=("cf",), edges={"cf": EDGE})


def proxied(name: str = WWW, address: str = "192.0.2.1") -> RRset:
    return replace(address_set(address, name=name), proxied=True)


def held(*rrsets: RRset) -> HostReading:
    return HostReading(host="cf", rrsets=rrsets, grade=2)


def sample(target: Target, outcome: Outcome = Outcome.PASS, failure: Failure | None = None, detail: str = "") -> Sample:
    return Sample(
        site=target.site,
        check=target.check.name,
        address=target.address,
        at=NOW,
        outcome=outcome,
        failure=failure,
        detail=detail,
    )


def test_what_stands_before_a_set_makes_it_no_other_set() -> None:
    bare = address_set("192.0.2.1")
    assert proxied() == bare
    assert (str(proxied()), str(bare)) == (f"{bare} (proxied)", str(bare))
    assert behind(EDGE, [proxied(), proxied(SHOP)]) == {WWW}
    assert behind(EDGE, [bare]) == frozenset()


def test_every_name_is_asked_at_every_address_and_no_url_twice() -> None:
    places = {WWW: ["203.0.113.2", "203.0.113.1"], SHOP: ["203.0.113.1"]}
    asked = targets(EDGE, places, BOREAS, "t1")
    assert [(t.check.host, t.address, t.check.path) for t in asked] == [
        (SHOP, "203.0.113.1", "/healthz?failover=t1-0"),
        (WWW, "203.0.113.1", "/healthz?failover=t1-1"),
        (WWW, "203.0.113.2", "/healthz?failover=t1-2"),
    ]
    assert {t.site for t in asked} == {BOREAS}
    assert asked[0].check.request_headers == {"X-Asked": "yes", "Cache-Control": "no-cache", "Pragma": "no-cache"}
    queried = replace(EDGE, check=replace(CHECK, path="/?a=b"))
    assert targets(queried, {WWW: ["203.0.113.1"]}, BOREAS, "t2")[0].check.path == "/?a=b&failover=t2-0"


def test_what_is_wrong_at_each_address_of_the_edge() -> None:
    asked = targets(EDGE, {WWW: ["203.0.113.1", "203.0.113.2"], SHOP: ["203.0.113.1"]}, BOREAS, "t")
    samples = [sample(asked[0], Outcome.FAIL, Failure.HEADER, "a"), sample(asked[1], Outcome.FAIL, Failure.HEADER, "b")]
    assert late(asked, [*samples, sample(asked[2])]) == {
        "203.0.113.1": f"{SHOP} is not answered by {BOREAS}: a; {WWW} is not answered by {BOREAS}: b",
        "203.0.113.2": "",
    }


def test_an_ip_version_that_we_have_no_way_to_says_nothing() -> None:
    asked = targets(EDGE, {WWW: ["203.0.113.1", "2001:db8::1"]}, BOREAS, "t")
    no_way = [sample(t, Outcome.UNKNOWN, Failure.LOCAL, "no route") if ":" in t.address else sample(t) for t in asked]
    assert late(asked, no_way) == {"203.0.113.1": ""}


def test_no_ttl_counts_where_every_name_moves_behind_the_edge() -> None:
    assert moves_behind_edge(LONE, [])
    assert moves_behind_edge(LONE, [held(proxied())])
    assert not moves_behind_edge(LONE, [held(address_set("192.0.2.1"))]), "somebody took it from behind the edge"
    assert not moves_behind_edge(SERVICE, [])
    two = replace(LONE, records=(*LONE.records, replace(LONE.records[0], name=SHOP)))
    assert not moves_behind_edge(two, [])


def test_the_worst_case_counts_the_edge_in_place_of_the_ttl() -> None:
    found = {t.term: t for t in terms(LONE, SITES[1], propagation_s=300.0, edge=True)}
    assert "ttl" not in found
    assert found["propagation"].seconds == 300.0
    assert "edge" in found["propagation"].why
    assert found["confirm-edge"].seconds == LONE.call_s + CHECK.timeout_s
    unasked = replace(LONE, edges={"cf": replace(EDGE, converges_s=300.0)})
    assert {t.term: t.seconds for t in terms(unasked, SITES[1], edge=True)}["propagation"] == 300.0
    mixed = {t.term: t.seconds for t in terms(LONE, SITES[1], propagation_s=300.0)}
    assert (mixed["ttl"], mixed["confirm-edge"]) == (60.0, 9.0)


def test_what_speaks_against_proxied_names() -> None:
    assert objections(LONE, [held(proxied())], {}) == ()
    assert objections(SERVICE, [reading("one")], {}) == ()
    (unnamed,) = objections(LONE, [held(proxied(), proxied(SHOP))], {})
    assert f"{SHOP} is proxied" in unnamed
    assert "name it in `proxied` of cf, with an `edge`" in unnamed
    (without,) = objections(replace(LONE, edges={}), [held(proxied())], {})
    assert f"{WWW} is proxied" in without
    (second,) = objections(replace(LONE, hosts=("cf", "ns1")), [held(proxied())], {})
    assert "ns1 would answer other addresses" in second
    (other,) = objections(LONE, [], {"example.org": ("ns1.other.net", "ns2.other.net")})
    assert "example.org is delegated to ns1.other.net, ns2.other.net as well" in other


def test_the_doctor_asks_through_the_edge_before_there_is_need() -> None:
    good = ServerAnswer(host="cf", server="kai", address="203.0.113.53:53")
    bad = ServerAnswer(host="cf", server="the edge of cf", address="edge 203.0.113.1:443", late="no header")
    for answers, severity, says in (((good,), Severity.FINE, "answers"), ((good, bad), Severity.WARNING, "no header")):
        facts = DoctorFacts(now=NOW, state=None, edges={"cf": answers}, edge_problems=("two vendors",))
        told, found = [f for f in diagnose(LONE, facts) if f.area == "edge"]
        assert (told.severity, told.says) == (Severity.WARNING, "two vendors")
        assert found.severity is severity
        assert says in found.says
        assert severity is Severity.FINE or "X-Failover-Site" in found.remedy
