"""The main job at real APIs: AWS serves, DigitalOcean stands by, the account at AWS ends, and DNS moves.

From then on not one address of AWS can be reached, neither its API nor its nodes; what happens, happens without it.
"""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.abroad import AWS, Abroad, abroad, at
from tests.e2e.clouds import ENVIRONMENT
from tests.e2e.eyes import Eyes
from tests.standins.base import Fault
from tests.standins.moto import BLOCKED, MotoProcess

CONTROLS = """
controls:
  - {tcp: "192.0.2.129:443", provider: other}
  - {tcp: "192.0.2.130:443", provider: third}
"""
POLICY = """
policy: {account_closed: {action: cutover, confirm: 2s}, provider_down: {action: cutover, confirm: 2s}, tilt: 0s}
"""
ACCEPTED = "quorum: {single: accept}\n"
CUT_OFF = f"hooks: {{before: [[{shutil.which('ip')}, route, replace, blackhole, {AWS}]]}}\n"
pytestmark = [pytest.mark.server("network"), pytest.mark.timeout(600)]


@pytest.fixture
def world(
    request: pytest.FixtureRequest, moto_process: MotoProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Abroad]:
    """Its parameter is added to the config."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with abroad(moto_process, tmp_path, CONTROLS + POLICY + getattr(request, "param", "")) as found:
        yield found


def _well(check: dict[str, Any]) -> bool:
    return (check["verdicts"], check["decision"]) == ({"virginia": "UP", "frankfurt": "UP"}, "hold")


@contextmanager
def _running(world: Abroad) -> Iterator[None]:
    """Both sites mirrored, judged well and ready; a client looks at DNS from now on."""
    world.play.run("plan", code=2)
    assert world.play.ask("apply", "--yes")["problems"] == []
    assert (len(at(world.aws)), len(at(world.do))) == (2, 2)
    assert world.published() == [at(world.aws)] * 2
    world.play.check_until(_well)
    assert world.play.site("frankfurt")["ready"] is True
    with Eyes(world.servers(), within=world.home.inside) as eyes:
        before = at(world.aws)
        yield
    eyes.check()
    for host, seen in eyes.addresses.items():
        assert seen == before | at(world.do), host
        assert eyes.epochs[host] == [1, 2]


def _moved(world: Abroad) -> dict[str, Any]:
    """Checks as cron does until the standby serves; returns the plan that did it, as `show` has it."""
    world.play.check_until(lambda check: check["active_site"] == "frankfurt")
    assert world.published() == [at(world.do)] * 2
    after = world.play.check_until(lambda check: check["decision"] != "continue")
    assert (after["active_site"], after["epoch"], after["debts"]) == ("frankfurt", 2, [])
    plans = world.play.ask("history")["plans"]
    assert [(p["kind"], p["target"], p["epoch"], p["result"]) for p in plans[-1:]] == [
        ("cutover", "frankfurt", 2, "committed")
    ]
    return world.play.ask("show", plans[-1]["id"])


@pytest.mark.parametrize("world", [CUT_OFF], indirect=True, ids=[""])
def test_an_account_that_aws_says_is_closed(world: Abroad) -> None:
    """AWS says so when it is asked. Once the cutover has begun, nothing of AWS can be reached: a hook sees to it."""
    with _running(world):
        world.aws.close(BLOCKED)
        world.play.check_until(lambda check: check["verdicts"]["virginia"] == "ACCOUNT_CLOSED")
        evidence = world.play.site("virginia")["evidence"]
        assert any(BLOCKED in sentence for sentence in evidence), evidence
        plan = _moved(world)
    assert "ACCOUNT_CLOSED" in str(plan)
    assert BLOCKED in str(plan)


@pytest.mark.parametrize("world", [ACCEPTED], indirect=True, ids=[""])
def test_a_provider_of_which_no_address_can_be_reached(world: Abroad) -> None:
    with _running(world):
        budget_s = world.play.status()["budget_s"]
        asked = len(world.aws.requests)
        world.silence()
        began = time.time()
        plan = _moved(world)
        (served,) = [e for e in plan["events"] if (e["step"], e["kind"]) == ("swap", "ok")]
        assert served["at_utc_s"] - began < budget_s
        assert len(world.aws.requests) == asked, "nothing came through, and nothing had to"
    assert "PROVIDER_DOWN" in str(plan)
    assert world.play.site("virginia")["verdict"] == "PROVIDER_DOWN"
    assert world.play.site("virginia")["evidence"]


def test_an_account_that_is_closed_half_way_through_the_first_apply(world: Abroad) -> None:
    """The other provider gets all of its nodes, nothing is published, and the report says what is and what is not."""
    world.aws.fault("RunInstances", Fault.CLOSE, skip=1)
    ran = world.play.run("apply", "--yes", "-o", "json", code=1)
    virginia, frankfurt = ran.document["sites"]
    assert [words.split()[0] for words in virginia["done"]] == ["upload", "create"]
    assert [words.split()[0] for words in frankfurt["done"]] == ["upload", "create", "create"]
    assert (virginia["problem"] is None, frankfurt["problem"]) == (False, None)
    assert (len(world.aws.node_ids()), len(at(world.do))) == (1, 2)
    assert ran.document["dns"] is None
    assert world.published() == [set(), set()]
    assert "failover: virginia: " in ran.err
    assert "failover apply" in ran.err
    world.aws.reopen()
    world.play.run("apply", "--yes")
    assert (len(at(world.aws)), len(at(world.do))) == (2, 2)
    assert world.published() == [at(world.aws)] * 2
