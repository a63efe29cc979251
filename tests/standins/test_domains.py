"""Domains and records at DigitalOcean, Linode and Vultr, each tried with a client that is not ours."""

from collections.abc import Iterator
from typing import Any

import linode_api4  # type: ignore[import-untyped]
import pytest
import pyvultr.base_api  # type: ignore[import-untyped]
import pyvultr.v2.base  # type: ignore[import-untyped]
from azure.core.exceptions import HttpResponseError
from linode_api4.objects import Domain, DomainRecord  # type: ignore[import-untyped]
from pyvultr.exception import APIException  # type: ignore[import-untyped]
from pyvultr.v2.dns import DNSAPI  # type: ignore[import-untyped]
from pyvultr.v2.enums import DNSRecordType  # type: ignore[import-untyped]

from tests.standins.digitalocean import DigitalOcean
from tests.standins.linode import LinodeStandIn
from tests.standins.test_digitalocean import everything
from tests.standins.test_digitalocean import made as pydo_client
from tests.standins.vultr import Vultr

NAME = "example.test"
EMPTY: dict[str, None] = {"flags": None, "tag": None}
"""What the document wants for a TXT too."""

# -------------------------------------------------------------------------------------------- DigitalOcean


@pytest.fixture
def ocean() -> Iterator[DigitalOcean]:
    with DigitalOcean(token="t") as running:
        yield running
    assert running.undeclared == set()


@pytest.fixture
def pydo(ocean: DigitalOcean) -> Iterator[Any]:
    with pydo_client(ocean, "t") as client:
        client.domains.create({"name": NAME})
        yield client


def test_digitalocean_a_record_has_a_life(ocean: DigitalOcean, pydo: Any) -> None:
    assert pydo.domains.get(NAME)["domain"]["name"] == NAME
    wish = {"type": "A", "name": "www", "data": "192.0.2.1", "ttl": 60}
    made = pydo.domains.create_record(NAME, wish)["domain_record"]
    assert {key: made[key] for key in wish} == wish
    changed = pydo.domains.update_record(NAME, made["id"], {**wish, "data": "192.0.2.2"})["domain_record"]
    assert (changed["id"], changed["data"], changed["ttl"]) == (made["id"], "192.0.2.2", 60)
    patched = pydo.domains.patch_record(NAME, made["id"], {"type": "A", "ttl": 30})["domain_record"]
    assert (patched["data"], patched["ttl"]) == ("192.0.2.2", 30)
    assert pydo.domains.get_record(NAME, made["id"])["domain_record"] == patched
    (found,) = pydo.domains.list_records(NAME, name=f"www.{NAME}")["domain_records"]
    assert found == patched
    pydo.domains.delete_record(NAME, made["id"])
    assert [record["type"] for record in everything(_records(pydo), "domain_records")] == ["NS"] * 3


def _records(pydo: Any) -> Any:
    return lambda **query: pydo.domains.list_records(NAME, **query)


def test_digitalocean_targets_and_texts(pydo: Any) -> None:
    alias = {"type": "CNAME", "name": "app", "data": "lb.example.net."}
    assert pydo.domains.create_record(NAME, alias)["domain_record"]["data"] == "lb.example.net"
    home = {"type": "CNAME", "name": "home", "data": f"{NAME}."}
    made = pydo.domains.create_record(NAME, home)["domain_record"]
    assert (made["data"], made["ttl"]) == ("@", 1800)
    assert pydo.domains.patch_record(NAME, made["id"], {"type": "CNAME", "ttl": 60})["domain_record"]["data"] == "@"
    for wrong in (
        {"type": "A", "name": "app", "data": "192.0.2.1"},
        {"type": "CNAME", "name": "@", "data": "lb.example.net."},
        {"type": "CNAME", "name": "lost", "data": "no.final.dot"},
        {"type": "A", "name": "www", "data": "no address"},
        {"type": "A", "name": "www", "data": "192.0.2.1", "ttl": 29},
        {"type": "TXT", "name": "note", "data": "x" * 511, **EMPTY},
        {"type": "TXT", "name": "note", "data": "back\\slash", **EMPTY},
        {"type": "HINFO", "name": "www", "data": "x"},
    ):
        with pytest.raises(HttpResponseError) as caught:
            pydo.domains.create_record(NAME, wrong)
        assert caught.value.status_code == 422
    text = {"type": "TXT", "name": "note", "data": "x" * 510, **EMPTY}
    assert pydo.domains.create_record(NAME, text)["domain_record"]["data"] == "x" * 510


def test_digitalocean_pages(ocean: DigitalOcean, pydo: Any) -> None:
    for n in range(5):
        pydo.domains.create_record(NAME, {"type": "A", "name": "www", "data": f"192.0.2.{n}"})
    ocean.page_max = 2
    assert len(everything(_records(pydo), "domain_records", type="A")) == 5
    assert pydo.domains.get("absent.test") == {
        "id": "not_found",
        "message": "The resource you were accessing could not be found.",
    }


# -------------------------------------------------------------------------------------------- Linode


@pytest.fixture
def lin() -> Iterator[LinodeStandIn]:
    with LinodeStandIn(token="t") as running:
        yield running


@pytest.fixture
def domain(lin: LinodeStandIn) -> Iterator[Domain]:
    client = linode_api4.LinodeClient("t", base_url=f"{lin.url}/v4", retry=False)
    yield client.domains.create(NAME, soa_email="owner@example.org")
    client.session.close()


def test_linode_a_record_has_a_life(lin: LinodeStandIn, domain: Domain) -> None:
    made = domain.record_create("A", name="www", target="192.0.2.1", ttl_sec=300)
    assert (made.name, made.target, made.ttl_sec) == ("www", "192.0.2.1", 0)  # the TTL is lost
    made.ttl_sec, made.target = 299, "192.0.2.2"
    made.save()
    again = DomainRecord(domain._client, made.id, domain.id)
    assert (again.type, again.target, again.ttl_sec) == ("A", "192.0.2.2", 300)
    assert [record.id for record in domain.records] == [made.id]
    again.delete()
    assert lin.domains[domain.id].records == {}


def test_linode_may_keep_the_time_to_live(lin: LinodeStandIn, domain: Domain) -> None:
    lin.keeps_ttl = True
    assert domain.record_create("A", name="", target="192.0.2.1", ttl_sec=60).ttl_sec == 30


def test_linode_refuses(lin: LinodeStandIn, domain: Domain) -> None:
    domain.record_create("CNAME", name="app", target="lb.example.net")
    for type, name, target in (
        ("A", "app", "192.0.2.1"),
        ("A", "www", "no address"),
        ("A", "www", ""),
        ("HINFO", "www", "x"),
        ("A", "www.", "192.0.2.1"),
    ):
        with pytest.raises(linode_api4.ApiError):
            domain.record_create(type, name=name, target=target)
    assert len(lin.domains[domain.id].records) == 1


def test_linode_pages_and_filters(lin: LinodeStandIn, domain: Domain) -> None:
    lin.page_max = 2
    for n in range(5):
        domain.record_create("A", name="www", target=f"192.0.2.{n}")
    assert len(list(domain._client.domains())) == 1
    assert [d.id for d in domain._client.domains(Domain.domain == NAME)] == [domain.id]
    assert len(list(Domain(domain._client, domain.id).records)) == 5


# -------------------------------------------------------------------------------------------- Vultr


@pytest.fixture
def vultr() -> Iterator[Vultr]:
    with Vultr(token="t") as running:
        yield running


@pytest.fixture
def dns(vultr: Vultr, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.delenv("VULTR_API_KEY", raising=False)
    monkeypatch.setattr(pyvultr.v2.base, "MIN_REQ_INTERVAL_SEC", 0.0)

    class Here(DNSAPI):  # type: ignore[misc]
        @property
        def base_url(self) -> str:
            return f"{vultr.url}/v2/domains"

    client = Here("t")
    client.create_domain(NAME)
    yield client
    pyvultr.base_api._session.close()


def test_vultr_a_record_has_a_life(vultr: Vultr, dns: Any) -> None:
    assert dns.get_domain(NAME).dns_sec == "disabled"
    made = dns.create_record(NAME, "www", DNSRecordType.A, "192.0.2.1", ttl=120)
    assert (made.name, made.type, made.data, made.ttl) == ("www", "A", "192.0.2.1", 120)
    dns.update_record(NAME, made.id, data="192.0.2.2")
    changed = dns.get_record(NAME, made.id)
    assert (changed.name, changed.data, changed.ttl) == ("www", "192.0.2.2", 120)
    dns.delete_record(NAME, made.id)
    assert [record.type for record in dns.list_records(NAME)] == ["NS", "NS"]
    with pytest.raises(APIException, match="Invalid record"):
        dns.get_record(NAME, made.id)


def test_vultr_refuses(vultr: Vultr, dns: Any) -> None:
    dns.create_record(NAME, "app", DNSRecordType.CNAME, "lb.example.net")
    dns.create_record(NAME, "", DNSRecordType.TXT, '"v=spf1 -all"')
    before = len(vultr.domains[NAME].records)
    for name, type, data in (
        ("app", DNSRecordType.A, "192.0.2.1"),
        ("www", DNSRecordType.A, "no address"),
        ("www", DNSRecordType.TXT, "no quotes"),
        ("www", DNSRecordType.TXT, '"quotes " inside"'),
    ):
        with pytest.raises(APIException):
            dns.create_record(NAME, name, type, data)
    assert len(vultr.domains[NAME].records) == before
    with pytest.raises(APIException, match="Invalid domain"):
        dns.get_domain("absent.test")


def test_vultr_pages(vultr: Vultr, dns: Any) -> None:
    for n in range(5):
        dns.create_record(NAME, "www", DNSRecordType.A, f"192.0.2.{n}")
    vultr.page_max = 3
    assert len(list(dns.list_records(NAME, per_page=2))) == 7
    assert [domain.domain for domain in dns.list_domains()] == [NAME]
