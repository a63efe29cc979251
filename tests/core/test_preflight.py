"""Each fact about DNS leads to its finding: a table of what is changed in a good zone, and what is said of it then."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from failover.core.findings import Finding, Severity
from failover.core.model import Record
from failover.core.operators import company_of, domain_of, operator_of
from failover.core.preflight import preflight
from failover.core.preflight_content import keys_of
from failover.core.rrsets import Epoch, RRset, epoch_name, epoch_set
from failover.core.survey import (
    Chain,
    Delegation,
    DnsFacts,
    Ds,
    Hop,
    HostFacts,
    MadeUp,
    Registration,
    ServerFacts,
    Signing,
    Soa,
    ZoneFacts,
)
from tests.core.builders import SERVICE

ZONE, WWW = "example.org", "www.example.org"
ONE, TWO = "ns1.linode.com", "ns-1-a.gandi.net"
AT_ONE, AT_TWO, AT_V6 = "192.0.2.11:53", "192.0.2.12:53", "[2001:db8::11]:53"
DAY_S = 86400.0
SOA = Soa(primary=ONE, serial=1, refresh_s=3600, retry_s=600, expire_s=14 * 86400, minimum_s=60, ttl_s=300)
FENCE = epoch_set("guestbook", ZONE, Epoch(number=1, site="aurora", plan="p"))
DS = Ds(tag=7, algorithm=13, digest_type=2, digest="aa")
SIGNED = Signing(tags=frozenset({7, 8}), digests=frozenset({DS}), signers=frozenset({8}), expires_s=20 * DAY_S)


def addresses(*values: str, name: str = WWW, ttl_s: int = 60, type: str = "A") -> RRset:
    return RRset(name=name, type=type, ttl_s=ttl_s, values=frozenset(values))


SETS = {(WWW, "A"): addresses("192.0.2.1"), FENCE.key: FENCE}
DELEGATION = Delegation(zone=ZONE, parent="org", name_servers={ONE: (AT_ONE, AT_V6), TWO: (AT_TWO,)}, ttl_s=3600)
GOOD = ServerFacts(zone=ZONE, server=AT_ONE, soa=SOA, name_servers=frozenset({ONE, TWO}), sets=SETS, signing=Signing())
SERVERS = (GOOD, replace(GOOD, server=AT_V6), replace(GOOD, server=AT_TWO))
REGISTRATION = Registration(domain=ZONE, registrar="Example Registrar", expires_s=400 * DAY_S)
WELL = ZoneFacts(zone=ZONE, delegation=DELEGATION, servers=SERVERS, registration=REGISTRATION)
HOSTS = (
    HostFacts(name="one", kind="rfc2136", servers=(AT_ONE, AT_V6)),
    HostFacts(name="two", kind="rfc2136", servers=(AT_TWO,)),
)


def judged(
    zone: ZoneFacts = WELL,
    hosts: tuple[HostFacts, ...] = HOSTS,
    owners: Mapping[str, str] | None = None,
    **guarded: str,
) -> tuple[Finding, ...]:
    return preflight(SERVICE, DnsFacts(zones=(zone,), hosts=hosts, guarded=guarded, owners=owners or {}))


def told(findings: tuple[Finding, ...]) -> list[tuple[Severity, str, str]]:
    return [(f.severity, f.area, f.says) for f in findings if f.severity is not Severity.FINE]


def only(findings: tuple[Finding, ...], severity: Severity, area: str, says: str) -> None:
    """Exactly one finding that is not fine, and it has a remedy where something is wrong."""
    found = [f for f in findings if f.severity is not Severity.FINE]
    assert [(f.severity, f.area) for f in found] == [(severity, area)], told(findings)
    assert says in found[0].says
    assert found[0].remedy or severity is Severity.NOTE


def delegated(**changes: Any) -> ZoneFacts:
    return replace(WELL, delegation=replace(DELEGATION, **changes))


def second(**changes: Any) -> ZoneFacts:
    """The last server differs."""
    return replace(WELL, servers=(*SERVERS[:2], replace(SERVERS[2], **changes)))


def all_of(**changes: Any) -> ZoneFacts:
    return replace(WELL, servers=tuple(replace(server, **changes) for server in SERVERS))


def soa(**changes: Any) -> ZoneFacts:
    return all_of(soa=replace(SOA, **changes))


FINE, NOTE, WARNING, FATAL = Severity.FINE, Severity.NOTE, Severity.WARNING, Severity.FATAL


def test_a_good_zone_has_nothing_but_good_findings() -> None:
    findings = judged()
    assert told(findings) == []
    assert [f.area for f in findings] == [
        *("delegation", "hosts", "servers", "content", "timers", "dnssec", "independence", "registrar")
    ]


def test_our_names_and_the_epoch_of_a_zone() -> None:
    other = Record(name="example.net", zone="example.net", type="A", group="web")
    service = replace(SERVICE, records=(*SERVICE.records, other), zones=(ZONE, "example.net"))
    assert keys_of(service, ZONE) == ((WWW, "A"), (epoch_name("guestbook", ZONE), "TXT"))


# ------------------------------------------------------------------------------------ the table


TABLE = [
    # delegation
    (replace(WELL, delegation=None), NOTE, "delegation", "every host is a local one"),
    (
        delegated(problem="no root answers", name_servers={}),
        WARNING,
        "delegation",
        "could not be read: no root answers",
    ),
    (delegated(dissent=("192.0.2.53:53 says none",)), WARNING, "delegation", "the parent's servers differ: 192.0.2.53"),
    (delegated(ttl_s=172800), NOTE, "delegation", "kept for 48 h"),
    (
        second(name_servers=frozenset({TWO})),
        WARNING,
        "delegation",
        f"its NS set lacks {ONE}, seen from the parent (org)",
    ),
    (second(name_servers=frozenset({ONE, TWO, "x.net"})), WARNING, "delegation", "its NS set adds x.net"),
    # servers
    (second(udp="silence", tcp="silence", soa=None), WARNING, "servers", "does not answer: silence"),
    (second(lame="it answers REFUSED", soa=None), WARNING, "servers", "is lame: it answers REFUSED"),
    (second(tcp="refused"), WARNING, "servers", "does not answer by TCP: refused"),
    (second(udp="silence"), WARNING, "servers", "does not answer by UDP: silence"),
    (second(routed=False, soa=None), NOTE, "servers", f"no way from this machine to {AT_TWO}"),
    # content
    (
        second(sets={**SETS, (WWW, "A"): None}),
        WARNING,
        "content",
        "A is absent there, 192.0.2.1 elsewhere",
    ),
    (
        second(sets={**SETS, (WWW, "A"): addresses("lb.example.net", type="CNAME")}),
        WARNING,
        "content",
        "is CNAME lb.example.net there",
    ),
    (second(sets={(WWW, "A"): SETS[WWW, "A"]}), WARNING, "content", "TXT could not be read"),
    (all_of(sets={**SETS, (WWW, "A"): addresses("192.0.2.1", ttl_s=3600)}), WARNING, "content", "its TTL is 3600 s"),
    # where CNAMEs lead
    (
        replace(WELL, chains=(Chain(name=WWW, problem="there is none"),)),
        WARNING,
        "content",
        "www.example.org leads nowhere: there is none",
    ),
    (
        replace(WELL, chains=(Chain(name=WWW, hops=(Hop(name=WWW, target="a.net", ttl_s=60),)),)),
        NOTE,
        "content",
        "depends on the name servers of a.net",
    ),
    (
        replace(WELL, chains=(Chain(name=WWW, hops=(Hop(name=WWW, target=f"a.{ZONE}", ttl_s=900),)),)),
        WARNING,
        "content",
        "www.example.org is kept for 900 s",
    ),
    # timers
    (second(soa=replace(SOA, refresh_s=7200)), WARNING, "timers", "SOA timers differ between servers"),
    (soa(minimum_s=900, ttl_s=900), WARNING, "timers", "remembered for 900 s"),
    (soa(minimum_s=5), NOTE, "timers", "kept for 5 s only"),
    (soa(expire_s=86400), WARNING, "timers", "drop the zone 24 h after their primary is gone"),
    (soa(retry_s=3600), WARNING, "timers", "retry (3600 s) is not shorter than refresh (3600 s)"),
    # the registrar
    (replace(WELL, registration=Registration(domain=ZONE, problem="no")), NOTE, "registrar", "could not be asked: no"),
]


@pytest.mark.parametrize(("zone", "severity", "area", "says"), TABLE, ids=[row[3][:40] for row in TABLE])
def test_one_thing_is_wrong(zone: ZoneFacts, severity: Severity, area: str, says: str) -> None:
    only(judged(zone), severity, area, says)


# ------------------------------------------------------------------------------------ delegation and hosts


def test_a_zone_that_nobody_delegates_is_found_by_nobody() -> None:
    assert (FATAL, "delegation", "the parent (org) delegates no such zone: nobody finds its name servers") in told(
        judged(delegated(name_servers={}))
    )
    above = judged(delegated(name_servers={}, parent=""))
    assert any("the parent (the root) delegates" in says for _, _, says in told(above))


def test_a_name_server_without_an_address() -> None:
    zone = delegated(name_servers={ONE: (AT_ONE, AT_V6), TWO: ()})
    assert (WARNING, "delegation", "no address could be found for it") in told(judged(zone))


def test_one_name_server_is_not_enough() -> None:
    zone = replace(delegated(name_servers={ONE: (AT_ONE, AT_V6)}), servers=SERVERS[:2])
    findings = told(
        judged(replace(zone, servers=tuple(replace(s, name_servers=frozenset({ONE})) for s in SERVERS[:2])))
    )
    assert (WARNING, "delegation", "there is one name server only") in findings
    assert (WARNING, "hosts", f"the world does not ask it for {ZONE}") in findings


@pytest.mark.parametrize(
    ("own", "says"),
    [
        (("192.0.2.11",), None),
        (("192.0.2.99",), "it says 192.0.2.99, the parent's glue says 192.0.2.11"),
        ((), None),
    ],
)
def test_glue_is_compared_with_what_the_zone_says(own: tuple[str, ...], says: str | None) -> None:
    name = f"ns.{ZONE}"
    sets = {**SETS, **({(name, "A"): addresses(*own, name=name)} if own else {})}
    zone = replace(all_of(sets=sets), delegation=replace(DELEGATION, glue={name: frozenset({"192.0.2.11"})}))
    findings = told(judged(zone))
    assert len(findings) == (says is not None)
    assert all(says is not None and says in found for _, _, found in findings)


def test_no_host_of_ours_is_asked_by_the_world() -> None:
    hosts = (HostFacts(name="one", kind="rfc2136", servers=("192.0.2.99:53",)),)
    findings = told(judged(hosts=hosts))
    assert (FATAL, "hosts", f"the world does not ask it for {ZONE}") in findings
    assert sum(says.startswith("no host of the config answers") for _, _, says in findings) == 3


def test_a_host_that_does_not_name_its_servers() -> None:
    hosts = (HOSTS[0], HostFacts(name="two", kind="route53", problem="403"))
    findings = told(judged(hosts=hosts))
    assert findings[0] == (WARNING, "hosts", "does not say which its name servers are: 403")
    assert not any(area == "hosts" for _, area, _ in told(judged(hosts=hosts[1:]))[1:])


def test_no_name_server_answers() -> None:
    findings = told(judged(all_of(udp="silence", tcp="silence", soa=None)))
    assert (FATAL, "servers", "no name server answers for it") in findings
    assert not any(area in ("content", "timers", "dnssec") for _, area, _ in findings)


def test_no_name_server_has_an_ipv6_address() -> None:
    zone = delegated(name_servers={ONE: (AT_ONE,), TWO: (AT_TWO,)})
    hosts = tuple(replace(host, servers=tuple(s for s in host.servers if s != AT_V6)) for host in HOSTS)
    only(judged(replace(zone, servers=(SERVERS[0], SERVERS[2])), hosts), NOTE, "servers", "no name server has an IPv6")


def test_versions_are_compared_within_a_host() -> None:
    """Other hosts count their serials by themselves."""
    newer = replace(SOA, serial=2)
    assert told(judged(second(soa=newer))) == []
    lagging = replace(WELL, servers=(SERVERS[0], replace(SERVERS[1], soa=newer), SERVERS[2]))
    only(judged(lagging), WARNING, "timers", f"{AT_ONE} 1, {AT_V6} 2")


def test_a_long_ttl_that_the_config_wants_is_no_fault() -> None:
    slow = all_of(sets={**SETS, (WWW, "A"): addresses("192.0.2.1", ttl_s=3600)})
    facts = DnsFacts(zones=(slow,), hosts=HOSTS)
    found = preflight(replace(SERVICE, ttl_steady_s=3600), facts)
    assert not [f for f in found if f.area == "content" and f.severity is WARNING]
    (said,) = [f for f in found if f.area == "content" and f.severity is NOTE]
    assert (said.subject, said.remedy) == (f"{WWW} A", "that is dns.ttl_steady; `failover prepare` lowers it ahead")


@pytest.mark.parametrize(
    ("beside", "published", "told_so"),
    [("HTTPS", True, True), ("TXT", True, True), ("TXT", False, False), ("LOC", True, True), ("RRSIG", True, False)],
)
def test_what_stands_where_an_alias_is_to_come(beside: str, published: bool, told_so: bool) -> None:
    data = RRset(name=WWW, type=beside, ttl_s=60, values=frozenset({"something"}))
    held = SETS if published else {FENCE.key: FENCE}
    site = replace(SERVICE.sites[1], targets={WWW: "lb.example.net"})
    service = replace(SERVICE, sites=(SERVICE.sites[0], site))
    facts = DnsFacts(zones=(all_of(sets={**held, (WWW, beside): data}),), hosts=HOSTS)
    found = [f for f in preflight(service, facts) if f.subject == f"{WWW} {beside}" and f.severity is FATAL]
    assert bool(found) is told_so
    assert not [f for f in preflight(SERVICE, facts) if f.subject == f"{WWW} {beside}"], "no site has an alias there"


def test_a_cname_at_the_apex() -> None:
    record = replace(SERVICE.records[0], name=ZONE)
    alias = RRset(name=ZONE, type="CNAME", ttl_s=60, values=frozenset({"lb.example.net"}))
    zone = all_of(sets={(ZONE, "A"): alias, FENCE.key: FENCE})
    facts = DnsFacts(zones=(zone,), hosts=HOSTS)
    only(
        preflight(replace(SERVICE, records=(record,)), facts), FATAL, "content", "a CNAME stands at the zone's own name"
    )


def test_a_cname_at_the_apex_that_is_not_ours_is_a_warning() -> None:
    alias = RRset(name=ZONE, type="CNAME", ttl_s=60, values=frozenset({"lb.example.net"}))
    found = judged(second(sets={**SETS, (ZONE, "CNAME"): alias}))
    only(found, WARNING, "content", f"a CNAME stands at the zone's own name ({AT_TWO})")


def odd(made_up: MadeUp) -> tuple[Finding, ...]:
    return judged(hosts=(replace(HOSTS[0], made_up=(made_up,)), HOSTS[1]))


@pytest.mark.parametrize(
    ("made_up", "severity", "says"),
    [
        (MadeUp(name=WWW, kind="alias", target="lb.aws"), FATAL, "vendor's alias to lb.aws, which failover never"),
        (MadeUp(name=WWW, kind="LUA"), FATAL, "answered from its vendor's LUA, which failover never touches"),
        (MadeUp(name=WWW, kind="flattened CNAME", refused=False), WARNING, "other hosts cannot do so"),
        (MadeUp(name=ZONE, kind="ALIAS", target="lb.net"), NOTE, "vendor's ALIAS to lb.net, which no cutover moves"),
    ],
)
def test_answers_that_a_host_makes_up(made_up: MadeUp, severity: Severity, says: str) -> None:
    only(odd(made_up), severity, "content", says)
    (finding,) = (f for f in odd(made_up) if f.severity is severity)
    assert finding.subject == f"{made_up.name} at one"
    assert finding.remedy


def test_what_is_made_up_in_another_zone_is_told_there() -> None:
    assert told(odd(MadeUp(name="www.example.net", kind="alias"))) == []


def test_a_host_that_cannot_be_asked_would_not_take_a_cutover() -> None:
    """While another one can, it would become a debt; else nothing would move."""
    blind = [replace(host, unlooked="401") for host in HOSTS]
    one = judged(hosts=(blind[0], HOSTS[1]))
    only(one, WARNING, "hosts", "cannot be asked what it holds: 401")
    assert any(f.area == "hosts" and "leave it behind as a debt" in f.remedy for f in one)
    both = [f for f in judged(hosts=tuple(blind)) if f.severity is FATAL]
    assert [(f.area, f.subject) for f in both] == [("hosts", host.name) for host in HOSTS]
    assert all("no cutover could be made" in f.remedy and "debt" not in f.remedy for f in both)


def test_a_short_cname_within_our_zones_is_fine() -> None:
    chain = Chain(name=WWW, hops=(Hop(name=WWW, target=f"move.{ZONE}", ttl_s=60),))
    findings = judged(replace(WELL, chains=(chain,)))
    assert told(findings) == []
    assert any(f.says == f"{WWW} → move.{ZONE}" for f in findings)


def test_cnames_upon_cnames() -> None:
    hops = (Hop(name=WWW, target=f"a.{ZONE}", ttl_s=60), Hop(name=f"a.{ZONE}", target=ZONE, ttl_s=60))
    only(judged(replace(WELL, chains=(Chain(name=WWW, hops=hops),))), WARNING, "content", "2 CNAMEs on the way")


# ------------------------------------------------------------------------------------ signatures


def signed(last: Signing | None = SIGNED, ds: frozenset[Ds] = frozenset({DS})) -> ZoneFacts:
    """All servers sign alike, but for the last one."""
    servers = tuple(replace(server, signing=SIGNED) for server in SERVERS[:2])
    return replace(WELL, delegation=replace(DELEGATION, ds=ds), servers=(*servers, replace(SERVERS[2], signing=last)))


def test_signed_alike_at_every_host() -> None:
    assert told(judged(signed())) == []


SIGNINGS = [
    (None, WARNING, "its keys could not be read"),
    (Signing(), FATAL, "it gives no keys"),
    (replace(SIGNED, digests=frozenset({replace(DS, digest="bb")})), FATAL, "fits the parent's DS (7)"),
    (replace(SIGNED, problem="the signature of its keys is over"), FATAL, "the signature of its keys is over"),
    (replace(SIGNED, expires_s=DAY_S), WARNING, "its signatures are over in 1.0 days"),
    (replace(SIGNED, expires_s=None), WARNING, "its signatures are over in 0.0 days"),
    (replace(SIGNED, verified=False), NOTE, "signatures were not verified"),
]


@pytest.mark.parametrize(("signing", "severity", "says"), SIGNINGS, ids=[row[2] for row in SIGNINGS])
def test_one_host_signs_badly(signing: Signing | None, severity: Severity, says: str) -> None:
    only(judged(signed(signing)), severity, "dnssec", says)


def test_each_host_must_know_the_keys_of_the_others() -> None:
    """A resolver may hold the keys of one and a signature of the other."""
    findings = told(judged(signed(replace(SIGNED, tags=frozenset({7, 9}), signers=frozenset({9})))))
    assert {severity for severity, _, _ in findings} == {FATAL}
    assert sum("it signs by key 9, which" in says for _, _, says in findings) == 2
    assert sum("it signs by key 8, which" in says for _, _, says in findings) == 2


def test_signed_but_nobody_looks() -> None:
    only(judged(signed(ds=frozenset())), NOTE, "dnssec", "the parent has no DS")


def test_nothing_is_said_of_signatures_when_the_parent_could_not_be_asked() -> None:
    zone = replace(signed(), delegation=Delegation(zone=ZONE, problem="silence"))
    assert not any(finding.area == "dnssec" for finding in judged(zone))


# ------------------------------------------------------------------------------------ companies


def served_by(one: str, two: str) -> ZoneFacts:
    """Parent and zone name these two."""
    servers = tuple(replace(server, name_servers=frozenset({one, two})) for server in SERVERS)
    return replace(delegated(name_servers={one: (AT_ONE, AT_V6), two: (AT_TWO,)}), servers=servers)


ALL_AWS = served_by("ns-1.awsdns-01.com", "ns-2.awsdns-02.co.uk")
MIXED = served_by("ns-1.awsdns-01.com", TWO)


def test_dns_and_the_site_at_one_company() -> None:
    only(judged(ALL_AWS, aws="virginia"), FATAL, "independence", "are aws's, which hosts site virginia")
    only(judged(ALL_AWS), WARNING, "independence", "all name servers are aws's")


def test_half_of_dns_at_a_company_that_is_guarded_against() -> None:
    only(judged(MIXED, aws="virginia"), NOTE, "independence", "aws hosts site virginia too")
    assert told(judged(MIXED)) == []


def labelled(one: str, two: str, *soas: str, contact: str = "") -> ZoneFacts:
    """Two name servers under these names; their SOA records name these primaries."""
    zone = served_by(one, two)
    primaries = (soas[0], soas[0], soas[-1]) if soas else (one, one, one)
    told = zip(zone.servers, primaries, strict=True)
    return replace(zone, servers=tuple(replace(s, soa=replace(SOA, primary=p, contact=contact)) for s, p in told))


WHITE = labelled("ns1.example.org", "ns2.example.org")
PAIR = labelled("ns1.small.net", "ns1.other.com")
OF_ALL = {AT_ONE: "Amazon.com, Inc.", AT_V6: "Amazon Technologies Inc.", AT_TWO: "CLOUDFLARENET"}
IN_NETS = {AT_ONE: "Small Hosting GmbH", AT_V6: "Small Hosting GmbH", AT_TWO: "Other Inc."}
AWS_SOA = "ns-5.awsdns-00.com"
AWS_CONTACT = "awsdns-hostmaster.amazon.com"


@pytest.mark.parametrize(
    ("zone", "owners", "severity", "says"),
    [
        pytest.param(
            WHITE, {}, NOTE, "is not known, so nor is whether they are independent: ns1.exam", id="white label"
        ),
        pytest.param(PAIR, {}, NOTE, "ns1.other.com, ns1.small.net", id="two names of which nobody knows anything"),
        pytest.param(PAIR, {**IN_NETS, AT_TWO: ""}, NOTE, "is not known", id="nobody holds the network"),
        pytest.param(PAIR, IN_NETS, None, "", id="two networks of two companies"),
        pytest.param(WHITE, OF_ALL, None, "", id="white label, two vendors' networks"),
        pytest.param(
            WHITE, {**OF_ALL, AT_TWO: "Amazon Data Services"}, WARNING, "all name servers are aws's", id="one vendor's"
        ),
        pytest.param(PAIR, {**IN_NETS, AT_V6: "Third Ltd"}, NOTE, "ns1.small.net", id="one name in two networks"),
        pytest.param(
            labelled("ns1.small.net", "ns2.small.net"),
            {},
            WARNING,
            "stand under small.net: one company's",
            id="one domain",
        ),
        pytest.param(
            labelled("ns1.example.org", "ns2.example.org", AWS_SOA),
            {},
            WARNING,
            "all name servers are aws's by what their SOA records say",
            id="the vendor's SOA",
        ),
        pytest.param(
            labelled("ns1.example.org", "ns2.example.org", contact=AWS_CONTACT),
            {},
            WARNING,
            "all name servers are aws's by what their SOA records say",
            id="the vendor's mailbox",
        ),
        pytest.param(
            labelled("ns1.example.org", "ns2.other.com", AWS_SOA, "ns2.other.com"),
            {},
            NOTE,
            "the SOA record at ns1.example.org speaks of aws",
            id="one of two by its SOA",
        ),
        pytest.param(
            labelled("ns1.example.org", "lola.ns.cloudflare.com", AWS_SOA, "lola.ns.cloudflare.com"),
            {},
            NOTE,
            "the SOA record at ns1.example.org speaks of aws",
            id="what an SOA says proves no second company",
        ),
    ],
)
def test_what_is_not_known_is_never_independent(
    zone: ZoneFacts, owners: dict[str, str], severity: Severity | None, says: str
) -> None:
    findings = judged(zone, owners=owners)
    if severity is None:
        assert told(findings) == []
        assert any(f.area == "independence" and "2 operators" in f.says for f in findings)
    else:
        only(findings, severity, "independence", says)


def test_a_third_name_server_of_which_nothing_is_known_harms_nobody_and_is_named() -> None:
    zone = served_by("ns-1.awsdns-01.com", "lola.ns.cloudflare.com")
    delegation = zone.delegation
    assert delegation is not None
    names = {**delegation.name_servers, "ns3.example.org": (AT_TWO,)}
    servers = tuple(replace(s, name_servers=frozenset(names)) for s in zone.servers)
    (found,) = (
        f
        for f in judged(replace(zone, delegation=replace(delegation, name_servers=names), servers=servers))
        if f.area == "independence"
    )
    assert (found.severity, found.says) == (
        Severity.FINE,
        "2 operators: aws, cloudflare; not known whose: ns3.example.org",
    )


def test_white_labels_beside_the_company_that_hosts_the_site() -> None:
    zone = served_by("ns-1.awsdns-01.com", "ns1.example.org")
    only(
        judged(zone, aws="virginia"),
        WARNING,
        "independence",
        "aws hosts site virginia, and whose the others are is not",
    )
    only(judged(zone), NOTE, "independence", "is not known")
    white = judged(labelled("ns1.example.org", "ns2.example.org", AWS_SOA), aws="virginia")
    only(
        white,
        FATAL,
        "independence",
        "all name servers are aws's by what their SOA records say, which hosts site virginia",
    )


REGISTRATIONS = [
    ({"statuses": frozenset({"clienthold"})}, FATAL, "clienthold: the registrar has taken the domain out of DNS"),
    ({"statuses": frozenset({"active", "clienttransferprohibited"})}, None, ""),
    ({"statuses": frozenset({"serverupdateprohibited"})}, WARNING, "the registry refuses changes of name servers"),
    ({"expires_s": -2 * DAY_S}, FATAL, "it expired 2 days ago"),
    ({"expires_s": 5 * DAY_S}, WARNING, "it expires in 5 days"),
    ({"expires_s": None}, None, ""),
    ({"registrar": "Amazon Registrar, Inc."}, WARNING, "Amazon Registrar, Inc. hosts site virginia too"),
]


@pytest.mark.parametrize(("changes", "severity", "says"), REGISTRATIONS)
def test_what_the_registry_says(changes: dict[str, Any], severity: Severity | None, says: str) -> None:
    findings = judged(replace(WELL, registration=replace(REGISTRATION, **changes)), aws="virginia")
    if severity is None:
        assert told(findings) == []
    else:
        only(findings, severity, "registrar", says)


def test_the_registrar_is_the_only_dns_host() -> None:
    zone = replace(ALL_AWS, registration=replace(REGISTRATION, registrar="Amazon Registrar"))
    says = "Amazon Registrar is registrar and only DNS host: nobody is left to change either"
    assert (WARNING, "registrar", says) in told(judged(zone))


def test_without_a_delegation_the_registrar_is_still_judged() -> None:
    zone = replace(WELL, delegation=None, registration=replace(REGISTRATION, registrar="Amazon"))
    assert not any(area == "registrar" for _, area, _ in told(judged(zone)))


def test_what_was_not_asked_is_not_judged() -> None:
    assert not any(f.area == "registrar" for f in judged(replace(WELL, registration=None)))


@pytest.mark.parametrize(
    ("name", "operator"),
    [
        ("ns-1536.awsdns-00.co.uk.", "aws"),
        ("NS-5.AWSDNS-00.com", "aws"),
        ("lola.ns.cloudflare.com", "cloudflare"),
        ("hydrogen.ns.hetzner.com", "hetzner"),
        ("ns1.first-ns.de", "hetzner"),
        ("dns106.ovh.net", "ovh"),
        ("ns3-08.azure-dns.org", "azure"),
        ("ns1.example.de", None),
        ("localhost", None),
        ("ns1.awsdns-00.evil.com", None),
    ],
)
def test_whose_name_server_it_is(name: str, operator: str | None) -> None:
    assert operator_of(name) == operator


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        ("a.ns.example.co.uk", "example.co.uk"),
        ("ns1.example.de", "example.de"),
        ("ns1.co.uk", "ns1.co.uk"),
        ("co.uk", "co.uk"),
        ("localhost", "localhost"),
    ],
)
def test_what_one_owner_usually_has(name: str, domain: str) -> None:
    assert domain_of(name) == domain


@pytest.mark.parametrize(
    ("name", "operator"),
    [
        ("Amazon Registrar, Inc.", "aws"),
        ("AMAZON-AES", "aws"),
        ("CLOUDFLARENET", "cloudflare"),
        ("DigitalOcean, LLC", "digitalocean"),
        ("The Constant Company, LLC", "vultr"),
        ("Microsoft Corporation", "azure"),
        ("Gandi SAS", "gandi"),
        ("Acme", "Acme"),
        ("", ""),
    ],
)
def test_whose_registrar_or_network_it_is(name: str, operator: str) -> None:
    assert company_of(name) == operator
