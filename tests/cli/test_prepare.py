"""`failover prepare`, by the command: what it says, and what is remembered of it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from failover.cli.app import run
from failover.cli.init import write_local
from failover.cli.wiring import instant
from failover.config.load import load
from failover.core.cutover import CutoverPlan, PlanKind, record_sets
from failover.core.judge import site_addresses
from failover.core.world import Prepared
from failover.stores.lease import FileLease
from failover.stores.sqlite import SqliteStore
from tests.cli.states import published

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Published at aurora with a TTL of one second, and nothing of the local cloud runs."""
    monkeypatch.delenv("FAILOVER_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    write_local(tmp_path, force=False)
    published(tmp_path)
    config = load(tmp_path / "failover.yaml")
    service, store = config.service, SqliteStore(config.state_path)
    lease = FileLease(config.state_path)
    term, state, aurora = lease.acquire("tick"), store.load(), service.site("aurora")
    plan = CutoverPlan(
        id="publish-1",
        kind=PlanKind.PUBLISH,
        service=service.name,
        at=instant(),
        parent_epoch=0,
        epoch=1,
        source=None,
        target="aurora",
        steps=(),
        zones=service.zones,
        hosts=service.hosts,
        rrsets=record_sets(service, aurora, site_addresses(aurora, state)),
    )
    store.swap(replace(state, published=plan), term=term)
    lease.release("tick")
    store.close()
    return tmp_path


def prepared(here: Path) -> Prepared | None:
    return SqliteStore(load(here / "failover.yaml").state_path).load().prepared


def test_it_is_remembered_until_its_end(here: Path, capsys: Capture) -> None:
    assert run(["prepare", "--for", "2h", "--reason", "the provider warned by telephone"]) == 0
    assert capsys.readouterr().out == "the TTL is 1 s\n"
    order = prepared(here)
    assert order is not None
    assert order.until is not None
    assert (order.reason, order.until.since(order.since)) == ("the provider warned by telephone", 7200.0)
    assert run(["prepare", "--end", "-o", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["ttl_s"], said["plan"], said["result"], said["cached_s"]) == (1, None, "nothing to do", 0.0)
    assert prepared(here) is None


def test_what_makes_no_sense_is_not_remembered(here: Path, capsys: Capture) -> None:
    assert run(["prepare", "--for", "soon"]) == 64
    assert "write 90s, 30m, 2h or 1d" in capsys.readouterr().err
    assert prepared(here) is None


def test_without_a_dns_host_the_ttl_stays_and_the_order_is_remembered(here: Path, capsys: Capture) -> None:
    """The next check tries again."""
    config = here / "failover.yaml"
    text = config.read_text()
    assert "  ttl: 1" in text
    config.write_text(text.replace("  ttl: 1", "  ttl_steady: 300\n  ttl: 2", 1))
    assert run(["prepare", "--wait", "5"]) == 1
    assert "no DNS host can be read" in capsys.readouterr().err
    assert prepared(here) is not None
