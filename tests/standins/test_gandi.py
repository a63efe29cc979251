"""The stand-in for Gandi, tried with octoDNS's client and provider, which others wrote from Gandi's reference."""

from collections.abc import Iterator

import pytest
import requests
from octodns.record import Record
from octodns.zone import Zone
from octodns_gandi import (  # type: ignore[import-untyped]
    GandiClient,
    GandiClientBadRequest,
    GandiClientForbidden,
    GandiClientNotFound,
    GandiClientUnauthorized,
    GandiProvider,
)

from tests.standins.base import Fault
from tests.standins.gandi import Gandi

NAME = "example.test"


@pytest.fixture
def standin() -> Iterator[Gandi]:
    with Gandi(token="t") as running:
        yield running


@pytest.fixture
def client(standin: Gandi) -> Iterator[GandiClient]:
    client = made(standin, "t")
    client.zone_create(NAME)
    yield client
    client._session.close()


def made(standin: Gandi, token: str, per_page: int = 500) -> GandiClient:
    client = GandiClient(token, per_page=per_page)
    client.endpoint = f"{standin.url}/v5"
    return client


def one(name: str, type: str, *values: str, ttl: int = 300) -> dict[str, object]:
    return {"rrset_name": name, "rrset_type": type, "rrset_values": list(values), "rrset_ttl": ttl}


def test_a_domain_and_its_sets(standin: Gandi, client: GandiClient) -> None:
    assert client.zone(NAME)["fqdn"] == NAME
    assert [domain["fqdn"] for domain in client.domains()] == [NAME]
    client.record_create(NAME, one("www", "A", "192.0.2.1", "192.0.2.2"))
    client.record_create(NAME, one("@", "TXT", '"v=spf1 -all"', ttl=3600))
    client.record_create(NAME, one("app", "CNAME", "www"))
    found = {(r["rrset_name"], r["rrset_type"]): r["rrset_values"] for r in client.zone_records(NAME)}
    assert found == {
        ("www", "A"): ["192.0.2.1", "192.0.2.2"],
        ("", "TXT"): ['"v=spf1 -all"'],
        ("app", "CNAME"): [f"www.{NAME}."],  # the client's reading of a target without a final dot
    }
    client.record_delete(NAME, "www", "A")
    assert ("www", "A") not in standin.domains[NAME].sets
    with pytest.raises(GandiClientNotFound):
        client.record_delete(NAME, "www", "A")


@pytest.mark.parametrize(
    "wish",
    [
        one("www", "A", "192.0.2.1", ttl=299),
        one("www", "A", "192.0.2.1", ttl=2592001),
        one("www", "A", "no address"),
        one("www", "A"),
    ],
)
def test_sets_that_cannot_be(standin: Gandi, client: GandiClient, wish: dict[str, object]) -> None:
    with pytest.raises(GandiClientBadRequest):
        client.record_create(NAME, wish)
    assert standin.domains[NAME].sets == {}


def test_lists_have_pages(standin: Gandi, client: GandiClient) -> None:
    for n in range(7):
        client.record_create(NAME, one(f"n{n}", "A", "192.0.2.1"))
    pages = made(standin, "t", per_page=3)
    assert len(pages.zone_records(NAME)) == 7
    pages._session.close()
    assert standin.count(f"GET /v5/livedns/domains/{NAME}/records") == 3


def test_octodns_brings_a_zone_about(standin: Gandi, client: GandiClient) -> None:
    provider = GandiProvider("gandi", "t")
    provider._client = client
    desired = Zone(f"{NAME}.", [])
    desired.add_record(Record.new(desired, "www", {"type": "A", "ttl": 300, "values": ["192.0.2.1", "192.0.2.2"]}))
    desired.add_record(Record.new(desired, "app", {"type": "CNAME", "ttl": 300, "value": "lb.example.net."}))
    desired.add_record(Record.new(desired, "_f", {"type": "TXT", "ttl": 300, "values": ["v=1 epoch=7"]}))
    plan = provider.plan(desired)
    assert plan is not None
    provider.apply(plan)
    assert {key: found["rrset_values"] for key, found in standin.domains[NAME].sets.items()} == {
        ("www", "A"): ["192.0.2.1", "192.0.2.2"],
        ("app", "CNAME"): ["lb.example.net."],
        ("_f", "TXT"): ['"v=1 epoch=7"'],
    }
    provider._zone_records.clear()
    assert provider.plan(desired) is None


def test_a_put_replaces_a_set_or_a_name(standin: Gandi, client: GandiClient) -> None:
    """By the reference; the client above has no such call."""
    for wish in (one("www", "A", "192.0.2.1"), one("www", "AAAA", "2001:db8::1"), one("ftp", "A", "192.0.2.9")):
        client.record_create(NAME, wish)
    path = f"/livedns/domains/{NAME}/records/www"
    client._request("PUT", f"{path}/A", data={"rrset_values": ["192.0.2.2"], "rrset_ttl": 600})
    sets = standin.domains[NAME].sets
    assert (sets["www", "A"], len(sets)) == ({"rrset_values": ["192.0.2.2"], "rrset_ttl": 600}, 3)
    alias = {"rrset_type": "CNAME", "rrset_values": ["lb.example.net."], "rrset_ttl": 300}
    with pytest.raises(requests.HTTPError, match="409"):
        client._request("PUT", f"{path}/CNAME", data=alias)
    client._request("PUT", path, data={"items": [alias]})
    assert set(standin.domains[NAME].sets) == {("www", "CNAME"), ("ftp", "A")}
    with pytest.raises(requests.HTTPError, match="409"):
        client.record_create(NAME, one("www", "A", "192.0.2.1"))


def test_name_servers(client: GandiClient) -> None:
    servers = client._request("GET", f"/livedns/domains/{NAME}/nameservers").json()
    assert all(server.endswith(".gandi.net") for server in servers)


def test_tokens_and_a_closed_account(standin: Gandi, client: GandiClient) -> None:
    wrong = made(standin, "wrong")
    with pytest.raises(GandiClientUnauthorized):
        wrong.zone(NAME)
    wrong._session.close()
    with pytest.raises(GandiClientNotFound):
        client.zone("absent.test")
    standin.fault("list_records", Fault.EMPTY)
    assert client.zone_records(NAME) == []
    standin.close("unpaid")
    with pytest.raises(GandiClientForbidden):
        client.zone(NAME)


def test_a_token_that_sees_domains_and_may_not_change_them(standin: Gandi, client: GandiClient) -> None:
    reader = made(standin, standin.grant("reads"))
    assert reader.zone(NAME)["fqdn"] == NAME
    with pytest.raises(GandiClientForbidden):
        reader.record_create(NAME, one("www", "A", "192.0.2.1"))
    assert standin.domains[NAME].sets == {}
    reader._session.close()
