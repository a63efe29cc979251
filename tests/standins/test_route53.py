"""AWS's own library is content with the stand-in, and finds the rules that AWS documents."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.standins.route53 import Route53
from tests.standins.route53.zones import RecordSet, Zone

if TYPE_CHECKING:
    from mypy_boto3_route53 import Route53Client

ZONE = "example.org."


@pytest.fixture
def standin() -> Iterator[Route53]:
    with Route53() as running:
        yield running


@pytest.fixture
def zone(standin: Route53) -> Zone:
    return standin.add_zone("example.org")


def client_of(standin: Route53, key: str = "AKIASTANDIN") -> "Route53Client":
    config = Config(retries={"total_max_attempts": 1, "mode": "standard"})
    return boto3.client(
        "route53",
        region_name="us-east-1",
        endpoint_url=standin.url,
        aws_access_key_id=key,
        aws_secret_access_key="secret",
        config=config,
    )


@pytest.fixture
def client(standin: Route53) -> Iterator["Route53Client"]:
    made = client_of(standin)
    yield made
    made.close()


def change(action: str, name: str, type: str, *values: str, ttl: int = 60, **more: Any) -> Any:
    records = [{"Value": value} for value in values]
    return {
        "Action": action,
        "ResourceRecordSet": {"Name": name, "Type": type, "TTL": ttl, "ResourceRecords": records, **more},
    }


def batch(client: "Route53Client", zone: Zone, *changes: Any) -> str:
    answer = client.change_resource_record_sets(HostedZoneId=zone.id, ChangeBatch={"Changes": list(changes)})
    return answer["ChangeInfo"]["Id"]


def refused(client: "Route53Client", zone: Zone, *changes: Any) -> tuple[str, str]:
    before = dict(zone.sets)
    with pytest.raises(ClientError) as raised:
        batch(client, zone, *changes)
    assert zone.sets == before
    return raised.value.response["Error"]["Code"], raised.value.response["Error"]["Message"]


def listed(client: "Route53Client", zone: Zone) -> list[tuple[str, str]]:
    pages = client.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone.id)
    return [(found["Name"], found["Type"]) for page in pages for found in page["ResourceRecordSets"]]


def test_a_zone_is_made_found_by_name_and_delegated(client: "Route53Client") -> None:
    made = client.create_hosted_zone(Name="Example.org", CallerReference="one")
    other = client.create_hosted_zone(Name="example.org", CallerReference="two", HostedZoneConfig={"PrivateZone": True})
    client.create_hosted_zone(Name="example.com", CallerReference="three")
    assert len(made["DelegationSet"]["NameServers"]) == 4
    found = client.list_hosted_zones_by_name(DNSName="example.org")
    assert [zone["Id"] for zone in found["HostedZones"]] == [made["HostedZone"]["Id"], other["HostedZone"]["Id"]]
    got = client.get_hosted_zone(Id=made["HostedZone"]["Id"])
    assert got["HostedZone"]["ResourceRecordSetCount"] == 2
    assert got["DelegationSet"] == made["DelegationSet"]


def test_a_change_is_pending_and_then_in_sync(client: "Route53Client", standin: Route53, zone: Zone) -> None:
    id = batch(client, zone, change("CREATE", "www.example.org", "A", "192.0.2.1"))
    assert client.get_change(Id=id)["ChangeInfo"]["Status"] == "PENDING"
    waiter = client.get_waiter("resource_record_sets_changed")
    waiter.wait(Id=id, WaiterConfig={"Delay": 0, "MaxAttempts": standin.pending + 2})


def test_lists_are_whole_and_in_order(client: "Route53Client", standin: Route53, zone: Zone) -> None:
    names = ("*.w", "b.a", "a", "z", "a-b")
    batch(client, zone, *(change("CREATE", f"{name}.example.org", "A", "192.0.2.1") for name in names))
    whole = listed(client, zone)
    apex = [("example.org.", "NS"), ("example.org.", "SOA")]
    assert whole == [
        *apex,
        ("a-b.example.org.", "A"),
        ("a.example.org.", "A"),
        ("b.a.example.org.", "A"),
        ("\\052.w.example.org.", "A"),
        ("z.example.org.", "A"),
    ]
    standin.page_max = 2
    assert listed(client, zone) == whole
    first = client.list_resource_record_sets(HostedZoneId=zone.id, StartRecordName="*.w.example.org", MaxItems="1")
    assert first["ResourceRecordSets"][0]["Name"] == "\\052.w.example.org."


def test_one_bad_change_undoes_the_batch(client: "Route53Client", zone: Zone) -> None:
    good = change("CREATE", "new.example.org", "A", "192.0.2.1")
    code, message = refused(client, zone, good, change("DELETE", "gone.example.org", "A", "192.0.2.1"))
    assert code == "InvalidChangeBatch"
    assert "but it was not found" in message


def test_create_needs_an_empty_place_and_delete_the_exact_set(client: "Route53Client", zone: Zone) -> None:
    stands = change("CREATE", "www.example.org", "A", "192.0.2.1", "192.0.2.2")
    batch(client, zone, stands)
    assert "already exists" in refused(client, zone, stands)[1]
    for wrong in (
        change("DELETE", "www.example.org", "A", "192.0.2.1"),
        change("DELETE", "www.example.org", "A", "192.0.2.1", "192.0.2.2", ttl=61),
    ):
        assert "do not match the current values" in refused(client, zone, wrong)[1]
    batch(client, zone, change("DELETE", "WWW.example.org.", "A", "192.0.2.2", "192.0.2.1"))
    batch(
        client,
        zone,
        change("UPSERT", "www.example.org", "A", "192.0.2.3"),
        change("UPSERT", "x.example.org", "A", "192.0.2.3"),
    )


def test_a_set_is_replaced_within_one_batch(client: "Route53Client", zone: Zone) -> None:
    batch(client, zone, change("CREATE", "www.example.org", "A", "192.0.2.1"))
    batch(
        client,
        zone,
        change("DELETE", "www.example.org", "A", "192.0.2.1"),
        change("CREATE", "www.example.org", "CNAME", "lb.example.net."),
    )
    assert ("www.example.org.", "CNAME") in listed(client, zone)
    twice = change("DELETE", "www.example.org", "CNAME", "lb.example.net.")
    assert "invalid set of changes" in refused(client, zone, twice, twice)[1]


@pytest.mark.parametrize(
    ("wrong", "code", "says"),
    [
        (change("CREATE", "example.org", "CNAME", "x.example.net"), "InvalidChangeBatch", "at apex"),
        (change("CREATE", "www.example.org", "CNAME", "x.example.net"), "InvalidChangeBatch", "conflicts with other"),
        (change("CREATE", "www.example.com", "A", "192.0.2.1"), "InvalidChangeBatch", "not permitted in zone"),
        (change("CREATE", "t.example.org", "TXT", "bare"), "InvalidChangeBatch", "quotation marks"),
        (change("CREATE", "t.example.org", "TXT", f'"{"x" * 256}"'), "InvalidChangeBatch", "TooLong"),
        (change("CREATE", "t.example.org", "A", "192.0.2.256"), "InvalidChangeBatch", "FATAL"),
        (change("CREATE", "t.example.org", "A", "192.0.2.1", "192.0.2.1"), "InvalidChangeBatch", "Duplicate"),
        (change("CREATE", "t.example.org", "A", *(f"10.0.{n >> 8}.{n & 255}" for n in range(1001))),
         "InvalidChangeBatch", "limit of 1000"),
        (change("CREATE", "t.example.org", "TXT", *(f'"{n:04}" "{"x" * 200}"' for n in range(160))),
         "InvalidChangeBatch", "limit of 32000"),
        (change("UPSERT", "t.example.org", "A", *(f"10.0.{n >> 8}.{n & 255}" for n in range(501))),
         "InvalidChangeBatch", "limit of 1000"),
        ({"Action": "CREATE", "ResourceRecordSet": {"Name": "t.example.org", "Type": "A", "TTL": 60}},
         "InvalidInput", "Expected exactly one"),
    ],
)  # fmt: skip
def test_what_is_not_allowed(client: "Route53Client", zone: Zone, wrong: Any, code: str, says: str) -> None:
    batch(client, zone, change("CREATE", "www.example.org", "A", "192.0.2.1"))
    assert says in refused(client, zone, wrong)[1]
    assert refused(client, zone, wrong)[0] == code


def test_routing_policies_and_aliases_come_back_as_they_are(
    client: "Route53Client", standin: Route53, zone: Zone
) -> None:
    batch(
        client,
        zone,
        change("CREATE", "w.example.org", "A", "192.0.2.1", SetIdentifier="one", Weight=1),
        change("CREATE", "w.example.org", "A", "192.0.2.2", SetIdentifier="two", Weight=2),
    )
    alias = (("HostedZoneId", "Z1"), ("DNSName", "lb.example.net."), ("EvaluateTargetHealth", "false"))
    standin.put(zone, RecordSet(name="lb.example.org", type="A", alias=alias))
    found = client.list_resource_record_sets(HostedZoneId=zone.id)["ResourceRecordSets"]
    weights = [(each["SetIdentifier"], each["Weight"]) for each in found if "Weight" in each]
    assert weights == [("one", 1), ("two", 2)]
    (target,) = [each["AliasTarget"] for each in found if "AliasTarget" in each]
    assert target == {"HostedZoneId": "Z1", "DNSName": "lb.example.net.", "EvaluateTargetHealth": False}
    assert "SetIdentifier" in refused(client, zone, change("CREATE", "w.example.org", "A", "192.0.2.3"))[1]


def test_errors_by_name(client: "Route53Client", standin: Route53, zone: Zone) -> None:
    with pytest.raises(client.exceptions.NoSuchHostedZone):
        client.get_hosted_zone(Id="Z404")
    with pytest.raises(client.exceptions.InvalidInput):
        client.list_resource_record_sets(HostedZoneId=zone.id, StartRecordType="A")
    standin.busy = 1
    with pytest.raises(client.exceptions.PriorRequestNotComplete):
        batch(client, zone, change("CREATE", "www.example.org", "A", "192.0.2.1"))
    standin.fault("GET", "429")
    with pytest.raises(ClientError) as raised:
        client.get_hosted_zone(Id=zone.id)
    assert raised.value.response["Error"]["Code"] == "Throttling"
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    stranger = client_of(standin, "AKIASTRANGER")
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        stranger.get_hosted_zone(Id=zone.id)
    stranger.close()


def test_a_policy_that_names_records(standin: Route53, zone: Zone) -> None:
    """Permission comes first, also for a batch that would fail."""
    client = client_of(standin, standin.grant("AKIANARROW", "www.example.org"))
    answers = {}
    for name in ("www", "mail"):
        gone = {"Name": f"{name}.example.org", "Type": "A", "TTL": 1, "ResourceRecords": [{"Value": "0.0.0.0"}]}
        with pytest.raises(ClientError) as raised:
            client.change_resource_record_sets(
                HostedZoneId=zone.id,
                ChangeBatch={"Changes": [{"Action": "DELETE", "ResourceRecordSet": gone}]},  # type: ignore[typeddict-item]
            )
        answers[name] = raised.value.response["Error"]["Code"]
    assert answers == {"www": "InvalidChangeBatch", "mail": "AccessDenied"}
    client.close()
