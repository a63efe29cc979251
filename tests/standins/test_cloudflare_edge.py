"""The stand-in for Cloudflare's edge, tried with Cloudflare's own client and a plain one for HTTP."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from tests.e2e.given import Web, webs
from tests.ports import free_port
from tests.standins.cloudflare import Cloudflare
from tests.standins.cloudflare_edge import AGE_S, Edge
from tests.standins.test_cloudflare import made

NAME = "www.example.test"
EDGE, NEAR, FAR = "127.64.1.9", "127.64.1.1", "127.64.1.2"


class Stage:
    def __init__(self, stack: ExitStack) -> None:
        self.api = stack.enter_context(Cloudflare(token="t"))
        self.zone = self.api.zone("example.test").id
        self.port = free_port(EDGE, NEAR, FAR)
        self.near, self.far = Web(NEAR, self.port, site="near"), Web(FAR, self.port, site="far")
        stack.enter_context(webs(self.near, self.far))
        self.edge = stack.enter_context(Edge(self.api, EDGE, self.port))
        self.client = made(self.api, "t")
        said = {"name": NAME, "type": "A", "content": NEAR, "proxied": True, "ttl": 1}
        (self.record,) = self.client.dns.records.batch(zone_id=self.zone, posts=[said]).posts

    def ask(self, path: str = "/", name: str = NAME, **headers: str) -> httpx.Response:
        with httpx.Client(trust_env=False) as client:
            return client.get(f"http://{EDGE}:{self.port}{path}", headers={"Host": name, **headers})

    def move(self, **more: Any) -> None:
        change = {"id": self.record.id, "name": NAME, "type": "A", **more}
        self.client.dns.records.batch(zone_id=self.zone, patches=[change])


@pytest.fixture
def stage() -> Iterator[Stage]:
    with ExitStack() as stack:
        yield Stage(stack)


def test_a_proxied_name_leads_to_what_its_record_holds(stage: Stage) -> None:
    answer = stage.ask()
    assert (answer.status_code, answer.text, answer.headers["X-Failover-Site"]) == (200, "ok", "near")
    assert answer.headers["CF-Cache-Status"] == "DYNAMIC"
    assert "Age" not in answer.headers
    assert "CF-Ray" in answer.headers
    stage.move(content=FAR)
    assert stage.ask(name=f"{NAME}:{stage.port}").headers["X-Failover-Site"] == "far"


def test_the_edge_may_be_behind_the_api(stage: Stage) -> None:
    stage.edge.stuck = True
    stage.move(content=FAR)
    assert stage.ask().headers["X-Failover-Site"] == "near"
    stage.edge.stuck = False
    assert stage.ask().headers["X-Failover-Site"] == "far"


def test_the_edge_has_words_of_its_own(stage: Stage) -> None:
    stage.near.close()
    assert stage.ask().status_code == 521
    assert (stage.ask(name=EDGE).status_code, stage.ask(name=EDGE).text) == (403, "error code: 1003")
    assert stage.ask(name="other.example.test").status_code == 409
    stage.move(proxied=False, ttl=60)
    assert stage.ask().text == "error code: 1001"


def test_the_cache_goes_by_extension_and_query_and_does_not_hear_the_client(stage: Stage) -> None:
    assert stage.ask("/logo.png").headers["CF-Cache-Status"] == "MISS"
    stage.move(content=FAR)
    again = stage.ask("/logo.png", **{"Cache-Control": "no-cache"})
    assert (again.headers["CF-Cache-Status"], again.headers["Age"]) == ("HIT", str(AGE_S))
    assert again.headers["X-Failover-Site"] == "near"
    assert stage.ask("/logo.png?other").headers["X-Failover-Site"] == "far"
    stage.edge.ignore_query = stage.edge.cache_everything = True
    assert [stage.ask(f"/page?{n}").headers["CF-Cache-Status"] for n in range(2)] == ["MISS", "HIT"]
    stage.edge.purge()
    assert stage.ask("/page").headers["CF-Cache-Status"] == "MISS"
