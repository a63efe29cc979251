"""Asking registries: found by IANA's list, asked label by label, and whatever they answer is told as it is."""

import datetime
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from failover.core.survey import Registration
from failover.dns.rdap import Rdap
from failover.errors import AdapterError, NotFound, TimedOut, Unreachable, Unreadable
from failover.testing.memory_survey import MemoryRegistry
from failover.testing.survey import NOW_UTC_S, RegistryBench, RegistryConformance
from tests.standins.rdap import RdapStandIn, domain, network

NOW_S = datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC).timestamp()
DAY_S = 86400


@pytest.fixture
def registry() -> Iterator[RdapStandIn]:
    found = RdapStandIn()
    try:
        yield found
    finally:
        found.stop()


@pytest.fixture
def rdap(registry: RdapStandIn) -> Rdap:
    return Rdap(url=registry.url, timeout_s=30.0)


class TestRdap(RegistryConformance):
    @pytest.fixture
    def bench(self, registry: RdapStandIn, rdap: Rdap) -> RegistryBench:
        until = datetime.datetime.fromtimestamp(NOW_UTC_S + 10 * DAY_S, datetime.UTC).isoformat()
        registry.domains["shop.test"] = domain("shop.test", "client hold", "active", expires=until)
        registry.networks["203.0.113.0/24"] = network("203.0.113.0/24", registrant="Amazon.com, Inc.")
        registry.raw["/domain/broken.test"] = registry.raw["/ip/192.0.2.9"] = (200, b"<html>", {})
        return RegistryBench(
            registry=rdap,
            domain="shop.test",
            registrar="Example Registrar, Inc.",
            statuses=frozenset({"clienthold", "active"}),
            expires_s=10.0 * DAY_S,
            absent="nobody.test",
            address="203.0.113.53",
            owner="Amazon.com, Inc.",
            unowned="198.51.100.1",
            broken="broken.test",
            broken_address="192.0.2.9",
        )


class TestMemory(RegistryConformance):
    @pytest.fixture
    def bench(self) -> RegistryBench:
        told = Registration(
            domain="shop.test", registrar="Acme", statuses=frozenset({"active"}), expires_s=10.0 * DAY_S
        )
        registry = MemoryRegistry(
            {"shop.test": told},
            {"203.0.113.0/24": "Acme"},
            broken=frozenset({"broken.test", "192.0.2.9"}),
            at_utc_s=NOW_UTC_S,
        )
        return RegistryBench(
            registry=registry,
            domain="shop.test",
            registrar="Acme",
            statuses=frozenset({"active"}),
            expires_s=10.0 * DAY_S,
            absent="nobody.test",
            address="203.0.113.53",
            owner="Acme",
            unowned="198.51.100.1",
            broken="broken.test",
            broken_address="192.0.2.9",
        )


@pytest.mark.parametrize("where", ["file", "url"])
@pytest.mark.parametrize("address", ["203.0.113.53", "2001:db8:7::53"])
def test_the_registry_of_a_network_is_found_by_the_list_beside_that_of_domains(
    registry: RdapStandIn, tmp_path: Path, where: str, address: str
) -> None:
    wide, narrow = ("2001:db8::/32", "2001:db8:7::/48") if ":" in address else ("203.0.0.0/16", "203.0.113.0/24")
    registry.networks[narrow] = network(narrow, name="NAMED-BY-ITSELF")
    listed = registry.bootstrap(narrow, elsewhere=wide)
    name = f"ipv{6 if ':' in address else 4}.json"
    (tmp_path / name).write_bytes(listed)
    registry.raw[f"/{name}"] = (200, listed, {})
    rdap = Rdap(bootstrap=tmp_path / "dns.json" if where == "file" else f"{registry.url}/dns.json", timeout_s=30.0)
    assert rdap.owner(address) == "NAMED-BY-ITSELF"
    with pytest.raises(NotFound, match="no registry"):
        rdap.owner("192.0.2.1" if ":" not in address else "2001:dc8::1")


def test_a_list_of_networks_that_makes_no_sense(registry: RdapStandIn, tmp_path: Path) -> None:
    (tmp_path / "ipv4.json").write_bytes(registry.bootstrap("no network"))
    with pytest.raises(Unreadable):
        Rdap(bootstrap=tmp_path / "dns.json").owner("203.0.113.53")


def test_a_network_without_a_name_is_nobody_s(registry: RdapStandIn, rdap: Rdap) -> None:
    registry.networks["203.0.113.0/24"] = network("203.0.113.0/24", name="")
    with pytest.raises(NotFound, match="names nobody"):
        rdap.owner("203.0.113.53")


def test_what_the_registry_says(registry: RdapStandIn, rdap: Rdap) -> None:
    registry.domains["shop.test"] = domain("shop.test", "client hold", "active", expires="2026-11-11T00:00:00Z")
    told = rdap.registration("Shop.Test.", now_utc_s=NOW_S)
    assert (told.domain, told.registrar, told.problem) == ("shop.test", "Example Registrar, Inc.", None)
    assert told.statuses == {"clienthold", "active"}
    assert told.expires_s == 10 * DAY_S


def test_the_domain_above_the_zone(registry: RdapStandIn, rdap: Rdap) -> None:
    registry.domains["shop.test"] = domain("shop.test")
    assert rdap.registration("eu.www.shop.test", now_utc_s=NOW_S).domain == "shop.test"
    assert registry.asked == ["/domain/eu.www.shop.test", "/domain/www.shop.test", "/domain/shop.test"]


def test_a_domain_that_nobody_knows(registry: RdapStandIn, rdap: Rdap) -> None:
    with pytest.raises(NotFound):
        rdap.registration("www.shop.test", now_utc_s=NOW_S)
    assert "/domain/test" not in registry.asked


@pytest.mark.parametrize("where", ["file", "url"])
def test_the_registry_is_found_by_the_list(registry: RdapStandIn, tmp_path: Path, where: str) -> None:
    registry.domains["shop.co.test"] = domain("shop.co.test")
    listed = registry.bootstrap("test", "co.test")
    (tmp_path / "dns.json").write_bytes(listed)
    registry.raw["/dns.json"] = (200, listed, {})
    rdap = Rdap(bootstrap=tmp_path / "dns.json" if where == "file" else f"{registry.url}/dns.json", timeout_s=30.0)
    assert rdap.registration("shop.co.test", now_utc_s=NOW_S).domain == "shop.co.test"
    with pytest.raises(NotFound, match="offers no RDAP"):
        rdap.registration("shop.example", now_utc_s=NOW_S)


def test_a_list_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Unreadable):
        Rdap(bootstrap=tmp_path / "absent.json").registration("shop.test", now_utc_s=NOW_S)


def test_a_redirect_is_followed(registry: RdapStandIn, rdap: Rdap) -> None:
    registry.domains["moved.test"] = domain("moved.test")
    registry.raw["/domain/shop.test"] = (302, b"", {"Location": f"{registry.url}/domain/moved.test"})
    assert rdap.registration("shop.test", now_utc_s=NOW_S).domain == "moved.test"


def test_a_circle_of_redirects_ends(registry: RdapStandIn, rdap: Rdap) -> None:
    registry.raw["/domain/shop.test"] = (302, b"", {"Location": f"{registry.url}/domain/shop.test"})
    with pytest.raises(AdapterError):
        rdap.registration("shop.test", now_utc_s=NOW_S)


@pytest.mark.parametrize(
    ("status", "body"),
    [(500, b"{}"), (403, b"<html>"), (200, b"<html>blocked</html>"), (200, b"[]"), (200, b'{"status": 5}'), (200, b"")],
)
def test_an_answer_that_makes_no_sense(registry: RdapStandIn, rdap: Rdap, status: int, body: bytes) -> None:
    registry.raw["/domain/shop.test"] = (status, body, {})
    with pytest.raises(Unreadable):
        rdap.registration("shop.test", now_utc_s=NOW_S)


@pytest.mark.parametrize("expires", ["", "soon", "2026-11-11T00:00:00"])
def test_no_date_that_can_be_read(registry: RdapStandIn, rdap: Rdap, expires: str) -> None:
    registry.domains["shop.test"] = domain("shop.test", expires=expires)
    assert rdap.registration("shop.test", now_utc_s=NOW_S).expires_s is None


@pytest.mark.parametrize("card", [[], ["vcard"], ["vcard", "x"], ["vcard", [["fn"], 3, ["fn", {}, "text", 7]]]])
def test_a_registrar_without_a_name_is_known_by_its_number(
    registry: RdapStandIn, rdap: Rdap, card: list[object]
) -> None:
    registry.domains["shop.test"] = domain("shop.test")
    registry.domains["shop.test"]["entities"][1]["vcardArray"] = card
    assert rdap.registration("shop.test", now_utc_s=NOW_S).registrar == "292"


def test_nobody_is_there(registry: RdapStandIn, rdap: Rdap) -> None:
    registry.stop()
    with pytest.raises(Unreachable):
        rdap.registration("shop.test", now_utc_s=NOW_S)


def test_a_registry_that_says_nothing(silent: str) -> None:
    with pytest.raises(TimedOut):
        Rdap(url=f"http://{silent}", timeout_s=0.1).registration("shop.test", now_utc_s=NOW_S)


@pytest.fixture
def silent() -> Iterator[str]:
    """Takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"
