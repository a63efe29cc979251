"""The stand-in for Cloudflare, tried with Cloudflare's own client."""

from collections.abc import Iterator
from typing import Any

import cloudflare
import pytest

from tests.standins.base import Fault
from tests.standins.cloudflare import Cloudflare, Zone

NAME = "example.test"
WWW = f"www.{NAME}"


@pytest.fixture
def standin() -> Iterator[Cloudflare]:
    with Cloudflare(token="t") as running:
        yield running


@pytest.fixture
def zone(standin: Cloudflare) -> Zone:
    standin.zone("example.net")
    return standin.zone(NAME)


@pytest.fixture
def client(standin: Cloudflare) -> Iterator[Any]:
    with made(standin, "t") as client:
        yield client


def made(standin: Cloudflare, token: str) -> Any:
    """Its types are wider than its answers."""
    return cloudflare.Cloudflare(api_token=token, base_url=f"{standin.url}/client/v4", max_retries=0)


def address(content: str, name: str = WWW, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": "A", "content": content, "ttl": 60, **more}


def contents(client: Any, zone: Zone, name: str = WWW) -> list[str]:
    return sorted(str(r.content) for r in client.dns.records.list(zone_id=zone.id) if r.name == name)


def test_a_zone_is_found_by_its_name(client: Any, zone: Zone) -> None:
    (found,) = client.zones.list(name=NAME)
    assert (found.id, found.status) == (zone.id, "active")
    assert all(server.endswith(".ns.cloudflare.com") for server in found.name_servers)
    assert list(client.zones.list(name="absent.test")) == []
    assert len(list(client.zones.list(per_page=1))) == 2
    assert client.zones.get(zone_id=zone.id).name == NAME


def test_a_record_has_a_life(client: Any, zone: Zone) -> None:
    made = client.dns.records.create(zone_id=zone.id, name="www", type="A", content="192.0.2.1", ttl=60)
    assert (made.name, made.ttl, made.proxied, made.proxiable) == (WWW, 60, False, True)
    changed = client.dns.records.edit(made.id, zone_id=zone.id, name=WWW, type="A", ttl=120, comment="kept")
    assert (changed.content, changed.ttl) == ("192.0.2.1", 120)
    changed = client.dns.records.update(made.id, zone_id=zone.id, name=WWW, type="A", content="192.0.2.2", ttl=1)
    assert (changed.content, changed.ttl, changed.comment) == ("192.0.2.2", 1, None)
    assert client.dns.records.get(made.id, zone_id=zone.id).content == "192.0.2.2"
    client.dns.records.delete(made.id, zone_id=zone.id)
    with pytest.raises(cloudflare.NotFoundError, match="81044"):
        client.dns.records.get(made.id, zone_id=zone.id)


def test_a_batch_is_carried_out_in_its_own_order(client: Any, zone: Zone) -> None:
    """Deletes come first, so that an address may become an alias in one batch."""
    first = client.dns.records.batch(zone_id=zone.id, posts=[address("192.0.2.1"), address("192.0.2.2")])
    one, two = first.posts
    alias = {"name": f"app.{NAME}", "type": "CNAME", "content": "lb.example.net", "ttl": 60}
    done = client.dns.records.batch(
        zone_id=zone.id,
        posts=[alias],
        patches=[{"id": two.id, **address("192.0.2.3")}],
        deletes=[{"id": one.id}],
    )
    assert [len(part or ()) for part in (done.deletes, done.patches, done.puts, done.posts)] == [1, 1, 0, 1]
    assert contents(client, zone) == ["192.0.2.3"]
    again = {"name": WWW, "type": "CNAME", "content": "lb.example.net", "ttl": 60}
    client.dns.records.batch(zone_id=zone.id, deletes=[{"id": two.id}], posts=[again])
    assert contents(client, zone) == ["lb.example.net"]


def test_one_bad_change_and_none_is_made(client: Any, zone: Zone) -> None:
    (one,) = client.dns.records.batch(zone_id=zone.id, posts=[address("192.0.2.1")]).posts
    before = {id: dict(record) for id, record in zone.records.items()}
    good = [{"id": one.id, **address("192.0.2.9")}]
    for bad, code in (
        ({"deletes": [{"id": "f" * 32}]}, "81044"),
        ({"posts": [address("192.0.2.9")]}, "81058"),
        ({"posts": [address("no address", name=f"b.{NAME}")]}, "9005"),
        ({"posts": [address("192.0.2.8", ttl=59)]}, "9021"),
        ({"posts": [{"name": WWW, "type": "CNAME", "content": "lb.example.net", "ttl": 60}]}, "81053"),
        ({"posts": [address(f"198.51.{n}.1", name=f"n{n}.{NAME}") for n in range(200)]}, "1004"),
    ):
        with pytest.raises(cloudflare.BadRequestError, match=code):
            client.dns.records.batch(zone_id=zone.id, **{"patches": good, **bad})
        assert zone.records == before


def test_the_plan_has_limits(standin: Cloudflare, client: Any, zone: Zone) -> None:
    standin.plan = "enterprise"
    posts = [address(f"198.51.{n // 250}.{n % 250}", ttl=30) for n in range(201)]
    client.dns.records.batch(zone_id=zone.id, posts=posts)
    assert len(contents(client, zone)) == 201


def test_what_is_proxied_has_no_time_to_live(client: Any, zone: Zone) -> None:
    made = client.dns.records.create(zone_id=zone.id, name=WWW, type="A", content="192.0.2.1", ttl=60, proxied=True)
    assert (made.proxied, made.ttl) == (True, 1)
    with pytest.raises(cloudflare.BadRequestError, match="9004"):
        client.dns.records.batch(
            zone_id=zone.id, posts=[{"name": WWW, "type": "TXT", "content": '"x"', "ttl": 60, "proxied": True}]
        )


def test_lists_have_pages(standin: Cloudflare, client: Any, zone: Zone) -> None:
    client.dns.records.batch(zone_id=zone.id, posts=[address(f"192.0.2.{n}") for n in range(7)])
    standin.page_max = 3
    assert len(contents(client, zone)) == 7
    page = client.dns.records.list(zone_id=zone.id, page=3, per_page=100)
    assert len(page.result) == 1
    assert len(list(client.dns.records.list(zone_id=zone.id, type="TXT"))) == 0


def test_tokens_limits_and_a_closed_account(standin: Cloudflare, client: Any, zone: Zone) -> None:
    with made(standin, "wrong") as other, pytest.raises(cloudflare.PermissionDeniedError, match="9109"):
        other.zones.get(zone_id=zone.id)
    standin.fault("list_zones", Fault.THROTTLED, retry_after_s=7)
    with pytest.raises(cloudflare.RateLimitError) as caught:
        client.zones.list()
    assert caught.value.response.headers["retry-after"] == "7"
    standin.close("fraud")
    with pytest.raises(cloudflare.PermissionDeniedError, match="Authentication error"):
        client.zones.list()
    standin.reopen()
    assert list(client.zones.list()) == []


def test_a_token_that_reads(standin: Cloudflare, zone: Zone) -> None:
    with made(standin, standin.grant("reads", "Zone:Read", "DNS:Read")) as reader:
        assert list(reader.dns.records.list(zone_id=zone.id)) == []
        with pytest.raises(cloudflare.PermissionDeniedError, match="10000"):
            reader.dns.records.batch(zone_id=zone.id, deletes=[{"id": "f" * 32}])


def test_a_batch_that_removes_what_is_not_there(client: Any, zone: Zone) -> None:
    with pytest.raises(cloudflare.APIStatusError, match="81044"):
        client.dns.records.batch(zone_id=zone.id, deletes=[{"id": "f" * 32}])
