"""Route 53: the suite against a strict stand-in and against moto, and what goes wrong on the way."""

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest

from failover.core.rrsets import Changes, RRset
from failover.core.survey import MadeUp
from failover.dns.authority import DnsAuthority
from failover.dns.route53 import Route53
from failover.dns.route53_names import plain_name, quoted_name
from failover.errors import (
    AccessRefused,
    AdapterError,
    Conflict,
    NotFound,
    Rejected,
    Throttled,
    TimedOut,
    Unreachable,
    Unreadable,
)
from failover.net.aws import AwsCredentials
from failover.ports import HostTraits
from failover.testing.dns import WWW, ZONE, DnsConformance, Trouble, address_set, fence, put
from tests.dns.foreign import Census
from tests.dns.trouble import spoiled
from tests.ports import free_port
from tests.standins.moto import MotoProcess
from tests.standins.route53 import Route53 as StandIn
from tests.standins.route53.nameserver import NameServer
from tests.standins.route53.zones import RecordSet, Zone

KEYS = AwsCredentials(access_key="AKIASTANDIN", secret_key="secret-of-the-stand-in")
ALIAS = (("HostedZoneId", "Z1"), ("DNSName", "lb.example.net."), ("EvaluateTargetHealth", "false"))
LIST, CHANGE = "list_sets", "change_sets"


@pytest.fixture
def standin() -> Iterator[StandIn]:
    with StandIn() as running:
        yield running


@pytest.fixture
def zone(standin: StandIn) -> Zone:
    return standin.add_zone(ZONE)


def host_of(endpoint: str, **options: Any) -> Route53:
    told: dict[str, Any] = {"zones": [ZONE], "credentials": KEYS, "timeout_s": 60.0, "deadline_s": 120.0}
    return Route53(name="r53", endpoint=endpoint, **{**told, **options})


@pytest.fixture
def host(standin: StandIn, zone: Zone) -> Route53:
    return host_of(standin.url)


@pytest.fixture
def published(host: Route53) -> RRset:
    host.apply(ZONE, put(address_set(WWW, "192.0.2.1")), expect=None, fence=fence(1))
    return fence(1)


def census(zone: Zone) -> dict[Any, RecordSet]:
    """Everything but ours."""
    return {place: found for place, found in zone.sets.items() if place[0] not in (f"{WWW}.", f"{fence(1).name}.")}


# ---------------------------------------------------------------------------------------------- the suite


class TestStrict(DnsConformance):
    @pytest.fixture
    def host(self, standin: StandIn, zone: Zone, authority: DnsAuthority, server: NameServer) -> Route53:
        return host_of(standin.url, servers=(server.place,))

    @pytest.fixture
    def reader(self, standin: StandIn, host: Route53, server: NameServer) -> Route53:
        key = AwsCredentials(access_key=standin.grant("AKIAREADS"), secret_key="reads-only")
        return host_of(standin.url, servers=(server.place,), credentials=key)

    @pytest.fixture
    def server(self, standin: StandIn) -> Iterator[NameServer]:
        with NameServer(standin) as running:
            yield running

    @pytest.fixture
    def authority(self) -> DnsAuthority:
        return DnsAuthority(timeout_s=60.0)

    @pytest.fixture
    def census(self, standin: StandIn, zone: Zone) -> Census:
        standin.put(
            zone,
            RecordSet(name=f"theirs.{ZONE}", type="A", alias=ALIAS),
            RecordSet(name=f"theirs.{ZONE}", type="MX", ttl=77, values=("10 mx.example.net.",)),
        )
        return lambda: dict(zone.sets)

    @pytest.fixture
    def trouble(self, standin: StandIn) -> Trouble:
        return partial(spoiled, standin, CHANGE)

    @pytest.fixture
    def several(self, monkeypatch: pytest.MonkeyPatch) -> int:
        """A batch takes little here, so that few sets are several."""
        monkeypatch.setattr("failover.dns.route53_sets.RECORDS_MAX", 8)
        return 6

    @pytest.fixture
    def odd(self, standin: StandIn, zone: Zone) -> Callable[[], MadeUp]:
        def make() -> MadeUp:
            standin.put(zone, RecordSet(name=ZONE, type="A", alias=ALIAS))
            return MadeUp(name=ZONE, kind="alias", target="lb.example.net")

        return make


class TestMoto(DnsConformance):
    @pytest.fixture
    def client(self, moto_process: MotoProcess) -> Iterator[Any]:
        client = boto3.client(
            "route53",
            region_name="us-east-1",
            endpoint_url=f"http://127.0.0.1:{moto_process.port}",
            aws_access_key_id="AKIASTANDIN",
            aws_secret_access_key="secret",
        )
        yield client
        client.close()

    @pytest.fixture
    def zone_id(self, client: Any) -> str:
        id: str = client.create_hosted_zone(Name=ZONE, CallerReference=os.urandom(8).hex())["HostedZone"]["Id"]
        return id.rpartition("/")[2]

    @pytest.fixture
    def host(self, moto_process: MotoProcess, zone_id: str) -> Route53:
        return host_of(f"http://127.0.0.1:{moto_process.port}", zone_ids={ZONE: zone_id})

    @pytest.fixture
    def census(self, client: Any, zone_id: str) -> Census:
        theirs = {
            "Name": f"theirs.{ZONE}",
            "Type": "MX",
            "TTL": 77,
            "ResourceRecords": [{"Value": "10 mx.example.net."}],
        }
        batch = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": theirs}]}
        client.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch=batch)

        def listed() -> dict[Any, object]:
            found = client.list_resource_record_sets(HostedZoneId=zone_id)["ResourceRecordSets"]
            return {(each["Name"], each["Type"]): each for each in found}

        return listed

    def test_of_many_at_once_one_wins(self, host: Route53) -> None:  # type: ignore[override]
        pytest.skip("moto accepts CREATE over a set that exists; the strict stand-in does not")

    def test_a_reader_never_sees_an_empty_set(self, host: Route53) -> None:  # type: ignore[override]
        pytest.skip("moto carries a batch out change by change, and readers see it")

    def test_addresses_become_a_cname_and_back(self, host: Route53) -> None:  # type: ignore[override]
        pytest.skip("moto does not take a CREATE that it has seen before, although the set is gone since")


# ---------------------------------------------------------------------------------------------- names and texts


@pytest.mark.parametrize(
    ("name", "sent", "listed"),
    [
        ("*.W.example.org.", "*.w.example.org.", r"\052.w.example.org."),
        ("_failover.x.example.org", "_failover.x.example.org.", "_failover.x.example.org."),
        ("a/b.example.org", r"a\057b.example.org.", r"a\057b.example.org."),
    ],
)
def test_names(name: str, sent: str, listed: str) -> None:
    assert quoted_name(name) == sent
    assert plain_name(listed) == plain_name(sent) == name.lower().rstrip(".")


def test_a_dot_within_a_label_makes_it_another_name() -> None:
    """Somebody's `a\\056b.example.org.` is one label; taken for our a.b it would go in the next batch."""
    assert plain_name(r"A\056b.example.org.") == r"a\.b.example.org"
    assert plain_name(r"a\134b.example.org.") == r"a\\b.example.org"


# ---------------------------------------------------------------------------------------------- zones and servers


def test_the_servers_of_each_zone_are_those_of_its_delegation_set(standin: StandIn, zone: Zone) -> None:
    second = standin.add_zone("example.net")
    host = host_of(standin.url, zones=["Example.test.", "example.net"])
    traits = host.traits()
    assert traits.servers_of("example.net") == tuple(f"{server}:53" for server in second.servers)
    assert traits.servers == tuple(f"{server}:53" for server in (*zone.servers, *second.servers))
    asked = len(standin.requests)
    assert host.traits() == traits
    assert len(standin.requests) == asked


def test_servers_of_the_config_are_not_asked_for(standin: StandIn) -> None:
    traits = host_of(standin.url, servers=("192.0.2.53:53",)).traits()
    assert traits == HostTraits(
        grade=1, servers=("192.0.2.53:53",), atomic_changes=500, atomic_characters=16_000, ttl_s_max=2**31 - 1
    )
    assert not standin.requests


def test_a_private_zone_of_the_same_name_is_passed_over(standin: StandIn) -> None:
    standin.add_zone(ZONE, private=True)
    host = host_of(standin.url)
    with pytest.raises(NotFound, match="only a private zone"):
        host.read(ZONE, [(WWW, "A")])
    standin.add_zone(ZONE)
    assert host.read(ZONE, [(WWW, "A")]) == ()


def test_two_public_zones_of_one_name_need_a_choice(standin: StandIn, zone: Zone) -> None:
    other = standin.add_zone(ZONE)
    with pytest.raises(Rejected) as raised:
        host_of(standin.url).read(ZONE, [(WWW, "A")])
    assert zone.id in raised.value.cause
    assert "zone_ids" in raised.value.hint
    chosen = host_of(standin.url, zone_ids={ZONE: other.id})
    chosen.apply(ZONE, put(address_set(WWW, "192.0.2.1")), expect=None, fence=fence(1))
    assert (f"{WWW}.", "A", "") in other.sets
    assert (f"{WWW}.", "A", "") not in zone.sets


def test_an_id_of_another_zone_is_refused(standin: StandIn, zone: Zone) -> None:
    other, private = standin.add_zone("example.net"), standin.add_zone(ZONE, private=True)
    for id in (other.id, private.id):
        with pytest.raises(Rejected, match="zone"):
            host_of(standin.url, zone_ids={ZONE: id}).read(ZONE, [(WWW, "A")])
    with pytest.raises(NotFound):
        host_of(standin.url, zone_ids={ZONE: "Z404"}).read(ZONE, [(WWW, "A")])


def test_a_zone_that_was_made_anew_is_found_again(host: Route53, standin: StandIn, zone: Zone) -> None:
    assert host.read(ZONE, [(WWW, "A")]) == ()
    del standin.zones[zone.id]
    standin.add_zone(ZONE)
    with pytest.raises(NotFound):
        host.read(ZONE, [(WWW, "A")])
    assert host.read(ZONE, [(WWW, "A")]) == ()


# ---------------------------------------------------------------------------------------------- other people's sets


def test_an_alias_and_a_routing_policy_are_never_touched(
    host: Route53, standin: StandIn, zone: Zone, published: RRset
) -> None:
    weighted = RecordSet(
        name=f"w.{ZONE}", type="A", ttl=60, values=("192.0.2.9",), extras=(("SetIdentifier", "one"), ("Weight", "1"))
    )
    checked = RecordSet(name=f"h.{ZONE}", type="A", ttl=60, values=("192.0.2.9",), extras=(("HealthCheckId", "id"),))
    standin.put(zone, RecordSet(name=f"lb.{ZONE}", type="A", alias=ALIAS), weighted, checked)
    before = dict(zone.sets)
    for name in (f"lb.{ZONE}", f"w.{ZONE}", f"h.{ZONE}"):
        with pytest.raises(Rejected, match=r"alias|routing policy"):
            host.read(ZONE, [(name, "A")])
        for changes in (put(address_set(name, "192.0.2.1")), Changes(remove=((name, "A"),))):
            with pytest.raises(Rejected, match=r"alias|routing policy"):
                host.apply(ZONE, changes, expect=published, fence=fence(2))
        alias = RRset(name=name, type="CNAME", ttl_s=60, values=frozenset({"lb.example.net"}))
        with pytest.raises(Conflict):
            host.apply(ZONE, put(alias), expect=published, fence=fence(2))
    assert zone.sets == before
    assert host.read(ZONE, [(f"lb.{ZONE}", "AAAA")]) == ()
    assert host.made_up(ZONE, [f"{label}.{ZONE}" for label in ("w", "lb", "h", "www")]) == (
        MadeUp(name=f"h.{ZONE}", kind="health check"),
        MadeUp(name=f"lb.{ZONE}", kind="alias", target="lb.example.net"),
        MadeUp(name=f"w.{ZONE}", kind="routing policy"),
    )


def test_everybody_else_s_sets_stay_as_they_are(host: Route53, standin: StandIn, zone: Zone) -> None:
    standin.put(
        zone,
        RecordSet(name=ZONE, type="TXT", ttl=300, values=(r'"v=spf1 \374" "x"',)),
        RecordSet(name=WWW, type="CAA", ttl=300, values=('0 issue "ca.example.net"',)),
        RecordSet(name=f"lb.{ZONE}", type="A", alias=ALIAS),
    )
    before = census(zone)
    host.apply(ZONE, put(address_set(WWW, "192.0.2.1")), expect=None, fence=fence(1))
    host.apply(ZONE, put(address_set(WWW, "192.0.2.2")), expect=fence(1), fence=fence(2))
    host.apply(ZONE, Changes(remove=((WWW, "A"),)), expect=fence(2), fence=None)
    assert census(zone) | {(f"{WWW}.", "CAA", ""): zone.sets[f"{WWW}.", "CAA", ""]} == before | {
        (f"{WWW}.", "CAA", ""): zone.sets[f"{WWW}.", "CAA", ""]
    }
    assert fence(1).name + "." not in {name for name, _, _ in zone.sets}


# ---------------------------------------------------------------------------------------------- batches


def test_a_batch_deletes_exactly_what_stands_and_creates_and_never_upserts(
    host: Route53, standin: StandIn, published: RRset
) -> None:
    host.apply(ZONE, put(address_set(WWW, "192.0.2.2")), expect=published, fence=fence(2))
    body = next(call for call in reversed(standin.requests) if call.method == "POST").body.decode()
    assert [part.partition("<")[0] for part in body.split("<Action>")[1:]] == ["DELETE", "DELETE", "CREATE", "CREATE"]
    assert "192.0.2.1" in body.split("<Action>")[1]


def test_a_change_of_one_page_takes_two_calls(host: Route53, standin: StandIn, published: RRset) -> None:
    asked = len(standin.requests)
    host.apply(ZONE, put(address_set(WWW, "192.0.2.2")), expect=published, fence=fence(2))
    assert [call.method for call in standin.requests[asked:]] == ["GET", "POST"]


def test_in_a_large_zone_names_are_asked_for_one_by_one(standin: StandIn, zone: Zone) -> None:
    for first in range(0, 900, 300):
        sets = (RecordSet(name=f"n{first + n}.{ZONE}", type="A", ttl=60, values=("192.0.2.9",)) for n in range(300))
        standin.put(zone, *sets)
    host = host_of(standin.url)
    host.apply(ZONE, put(address_set(f"*.{ZONE}", "192.0.2.1")), expect=None, fence=fence(1))
    assert host.read(ZONE, [(f"*.{ZONE}", "A"), (f"n7.{ZONE}", "A")]) == (
        address_set(f"*.{ZONE}", "192.0.2.1"),
        address_set(f"n7.{ZONE}", "192.0.2.9"),
    )
    assert standin.count(r"GET .*/rrset$") == 4
    names = [(f"n{n}.{ZONE}", "A") for n in range(900)]
    assert len(host.read(ZONE, names)) == 900
    assert standin.count(r"GET .*/rrset$") == 4 + 4


MANY = tuple(f"n{n:03}.{ZONE}" for n in range(300))


def at_many(*last: int) -> Changes:
    return put(*(address_set(name, *(f"192.0.2.{n}" for n in last)) for name in MANY))


def batches_in(standin: StandIn) -> list[str]:
    return [call.body.decode() for call in standin.requests if call.method == "POST"]


@pytest.fixture
def at_two_addresses_each(host: Route53) -> RRset:
    host.apply(ZONE, at_many(1, 2), expect=None, fence=fence(1))
    return fence(1)


def test_what_does_not_fit_into_one_batch_goes_in_several_with_the_fence_in_the_last(
    host: Route53, standin: StandIn, zone: Zone, at_two_addresses_each: RRset
) -> None:
    """Published in one batch; but with what goes it is 1,202 values."""
    before = {place: found for place, found in zone.sets.items() if not place[0].startswith("n")}
    assert len(batches_in(standin)) == 1
    host.apply(ZONE, at_many(3, 4), expect=at_two_addresses_each, fence=fence(2))
    sent = batches_in(standin)[1:]
    assert [body.count("<ResourceRecord>") for body in sent] == [1000, 202]
    assert ["epoch=" in body for body in sent] == [False, True]
    assert {found.values for found in host.read(ZONE, [(name, "A") for name in MANY])} == {
        frozenset({"192.0.2.3", "192.0.2.4"})
    }
    after = {place: found for place, found in zone.sets.items() if not place[0].startswith("n")}
    ours = {(f"{fence(1).name}.", "TXT", "")}
    assert {p: f for p, f in after.items() if p not in ours} == {p: f for p, f in before.items() if p not in ours}


def test_several_batches_that_end_half_way_are_seen_as_unfinished_and_taken_up_again(
    host: Route53, standin: StandIn, at_two_addresses_each: RRset
) -> None:
    standin.fault(CHANGE, "500", skip=1)
    with pytest.raises(TimedOut, match="half-way, after 1 of its parts: 500"):
        host.apply(ZONE, at_many(3, 4), expect=at_two_addresses_each, fence=fence(2))
    assert host.read(ZONE, [fence(1).key])[0].values == fence(1).values
    standin.mend()
    host.apply(ZONE, at_many(3, 4), expect=at_two_addresses_each, fence=fence(2))
    assert batches_in(standin)[-1].count("<ResourceRecord>") == 202, "only what was missing"
    assert host.read(ZONE, [fence(1).key])[0].values == fence(2).values


def test_who_is_overtaken_between_two_batches_writes_nothing_more(
    host: Route53, standin: StandIn, at_two_addresses_each: RRset
) -> None:
    rival = host_of(standin.url)
    fence_only = lambda: rival.apply(ZONE, Changes(), expect=at_two_addresses_each, fence=fence(9))  # noqa: E731
    standin.before_change = fence_only
    with pytest.raises(Conflict):
        host.apply(ZONE, at_many(3, 4), expect=at_two_addresses_each, fence=fence(2))
    assert len(batches_in(standin)) == 3, "published, the first of two, and the rival's"
    assert host.read(ZONE, [fence(1).key])[0].values == fence(9).values


def test_a_name_that_fits_into_no_batch_is_refused_before_anything_is_sent(host: Route53, standin: StandIn) -> None:
    many = address_set(WWW, *(f"10.0.{n // 250}.{n % 250}" for n in range(1001)))
    long = RRset(name=WWW, type="TXT", ttl_s=60, values=frozenset(f"{n:02}" + "x" * 3000 for n in range(11)))
    for rrset in (many, long):
        with pytest.raises(Rejected, match="one batch takes"):
            host.apply(ZONE, put(address_set(ZONE, "192.0.2.1"), rrset), expect=None, fence=fence(1))
    assert not standin.count("POST")


@pytest.mark.parametrize("ttl_s", [0, 2**31])
def test_a_ttl_beyond_the_limits_is_refused(host: Route53, standin: StandIn, ttl_s: int) -> None:
    with pytest.raises(Rejected, match="TTL"):
        host.apply(ZONE, put(address_set(WWW, "192.0.2.1", ttl_s=ttl_s)), expect=None, fence=fence(1))
    assert not standin.requests


def test_what_route_53_does_not_take_is_rejected_and_not_a_conflict(host: Route53, published: RRset) -> None:
    odd = RRset(name=f"*.*.{ZONE}", type="TXT", ttl_s=60, values=frozenset({"x" * 3990 + '"' * 20}))
    with pytest.raises(Rejected, match="longer than 4000"):
        host.apply(ZONE, put(odd), expect=published, fence=fence(2))


# ---------------------------------------------------------------------------------------------- bad days


@pytest.mark.parametrize(
    ("kind", "error"),
    [("500", TimedOut), ("502", TimedOut), ("drop", TimedOut), ("lost", TimedOut), ("close", AccessRefused)],
)
def test_what_becomes_of_a_change(
    host: Route53, standin: StandIn, zone: Zone, published: RRset, kind: str, error: type[AdapterError]
) -> None:
    foreign = census(zone)
    standin.fault(CHANGE, kind)
    with pytest.raises(error):
        host.apply(ZONE, put(address_set(WWW, "192.0.2.2")), expect=published, fence=fence(2))
    assert standin.count("POST") == 2  # the first one published
    assert census(zone) == foreign
    standin.mend()
    standin.reopen() if kind == "close" else None
    done = kind == "lost"
    if kind != "close":
        assert host.read(ZONE, [(WWW, "A")]) == (address_set(WWW, "192.0.2.2" if done else "192.0.2.1"),)


def test_no_answer_in_time(standin: StandIn, zone: Zone, host: Route53, published: RRset) -> None:
    hurried, hasty = host_of(standin.url, timeout_s=2.0), host_of(standin.url, timeout_s=0.3, deadline_s=2.0)
    assert hurried.read(ZONE, [(WWW, "A")])
    standin.fault(CHANGE, "late")
    with pytest.raises(TimedOut, match="may be done"):
        hurried.apply(ZONE, put(address_set(WWW, "192.0.2.2")), expect=published, fence=fence(2))
    standin.mend()
    assert host.read(ZONE, [(WWW, "A")]) == (address_set(WWW, "192.0.2.2"),)
    standin.fault(LIST, "hang", times=None)
    with pytest.raises(TimedOut):
        hasty.read(ZONE, [(WWW, "A")])


@pytest.mark.parametrize("times", [1, 2])
def test_throttling_and_an_earlier_change_under_way_are_waited_for(
    host: Route53, standin: StandIn, published: RRset, times: int
) -> None:
    standin.fault(CHANGE, "429", times=times - 1)
    standin.busy = 1
    standin.fault(LIST, "429", times=times)
    host.apply(ZONE, put(address_set(WWW, "192.0.2.2")), expect=published, fence=fence(2))
    assert host.read(ZONE, [(WWW, "A")]) == (address_set(WWW, "192.0.2.2"),)


def test_throttled_for_good(host: Route53, standin: StandIn, zone: Zone, published: RRset) -> None:
    standin.fault(CHANGE, "429", times=None)
    with pytest.raises(Throttled):
        host.apply(ZONE, put(address_set(WWW, "192.0.2.2")), expect=published, fence=fence(2))
    assert host.read(ZONE, [(WWW, "A")]) == (address_set(WWW, "192.0.2.1"),)


@pytest.mark.parametrize(
    ("kind", "error"), [("502", Unreadable), ("empty", Unreadable), ("drop", Unreachable), ("429", Throttled)]
)
def test_a_list_that_cannot_be_read_is_never_empty(
    host: Route53, standin: StandIn, zone: Zone, published: RRset, kind: str, error: type[AdapterError]
) -> None:
    standin.fault(LIST, kind, times=None)
    with pytest.raises(error):
        host.read(ZONE, [(WWW, "A")])
    with pytest.raises(error):
        host.apply(ZONE, put(address_set(WWW, "192.0.2.2")), expect=published, fence=fence(2))
    assert standin.count("POST") == 1


@pytest.mark.parametrize("kind", ["502", "drop", "429"])
def test_a_list_that_breaks_in_its_midst_is_no_shorter_list(
    standin: StandIn, zone: Zone, host: Route53, published: RRset, kind: str
) -> None:
    standin.page_max = 2
    standin.fault(LIST, kind, times=None, page=2)
    with pytest.raises(AdapterError):
        host.read(ZONE, [(WWW, "A"), (ZONE, "A")])
    standin.mend()
    assert host.read(ZONE, [(WWW, "A"), (ZONE, "A")]) == (address_set(WWW, "192.0.2.1"),)


def test_a_credential_that_is_refused(host: Route53, standin: StandIn, published: RRset) -> None:
    standin.refusing = True
    for do in (
        lambda: host.read(ZONE, [(WWW, "A")]),
        lambda: host.apply(ZONE, Changes(), expect=published, fence=fence(2)),
        host.traits,
    ):
        with pytest.raises(AccessRefused):
            do()


def test_a_profile_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    host = host_of("http://127.0.0.1:1", credentials=AwsCredentials(profile="nobody"))
    for do in (lambda: host.read(ZONE, [(WWW, "A")]), lambda: host.apply(ZONE, Changes(), expect=None, fence=fence(1))):
        with pytest.raises(Unreadable, match="nobody"):
            do()


def test_nobody_listens() -> None:
    host = host_of(f"http://127.0.0.1:{free_port()}", timeout_s=5.0, deadline_s=5.0)
    with pytest.raises(Unreachable):
        host.read(ZONE, [(WWW, "A")])
    with pytest.raises(Unreachable):
        host.apply(ZONE, Changes(), expect=None, fence=fence(1))


def test_a_rival_between_the_look_and_the_change_makes_a_conflict(
    host: Route53, standin: StandIn, published: RRset
) -> None:
    rival = host_of(standin.url)
    third = put(address_set(WWW, "192.0.2.3"))
    standin.before_change = lambda: rival.apply(ZONE, third, expect=published, fence=fence(2))
    with pytest.raises(Conflict):
        host.apply(ZONE, put(address_set(WWW, "192.0.2.2")), expect=published, fence=fence(2, plan="late"))
    assert rival.read(ZONE, [(WWW, "A")]) == (address_set(WWW, "192.0.2.3"),)
