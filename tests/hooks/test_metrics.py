"""Metrics as Prometheus reads them, and as they are documented; alert rules and the dashboard use only what exists."""

import json
import re
import stat
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML

from failover.core.alarm import Level
from failover.core.budget import terms
from failover.core.measures import METRICS, measures
from failover.core.verdict import VerdictKind
from failover.hooks.metrics import Endpoint, exposition, write_textfile
from tests.core.builders import SERVICE, SITES, ago, hosts, verdict, with_state, world

ROOT = Path(__file__).parents[2]
SEEN = with_state(world(verdict(VerdictKind.UP)), last_tick=ago(5), hosts=hosts(), intervals_s=(10.0,) * 5)
FOUND = measures(SERVICE, SEEN, terms(SERVICE, SITES[1]))
EXPORTED = {*METRICS, "failover_rounds_total"}


def families(text: bytes) -> dict[str, Any]:
    return {family.name: family for family in text_string_to_metric_families(text.decode())}


def test_what_is_written_can_be_read_by_prometheus_own_parser() -> None:
    found = families(exposition("guestbook", FOUND))
    assert set(found) == set(METRICS) - {"failover_last_cutover_timestamp_seconds"}
    assert {family.type for family in found.values()} == {"gauge"}
    assert {name: family.documentation for name, family in found.items()}.items() <= METRICS.items()
    assert all(s.labels["service"] == "guestbook" for family in found.values() for s in family.samples)
    assert found["failover_alarm_level"].samples[0].value == Level.OK


def test_a_textfile_is_replaced_as_a_whole_and_readable_by_all(tmp_path: Path) -> None:
    path = tmp_path / "failover.prom"
    path.write_text("old")
    path.chmod(0o600)
    write_textfile(path, "guestbook", FOUND)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert families(path.read_bytes())
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(OSError, match="No such file"):
        write_textfile(tmp_path / "nowhere" / "x.prom", "guestbook", FOUND)


def test_a_textfile_that_cannot_be_replaced_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "failover.prom").mkdir()
    with pytest.raises(OSError):
        write_textfile(tmp_path / "failover.prom", "guestbook", FOUND)
    assert [p.name for p in tmp_path.iterdir()] == ["failover.prom"]


def test_an_endpoint_answers_scrapes_with_the_numbers_of_that_moment() -> None:
    rounds = {"ok": 1, "failed": 0, "skipped": 0}
    endpoint = Endpoint("127.0.0.1", 0, "guestbook", lambda: FOUND, rounds)
    try:
        for count in (1, 2):
            rounds["ok"] = count
            with urllib.request.urlopen(f"http://127.0.0.1:{endpoint.port}/metrics", timeout=30) as answer:
                found = families(answer.read())
            counted = {s.labels["result"]: s.value for s in found["failover_rounds"].samples}
            assert counted == {"ok": count, "failed": 0, "skipped": 0}
            assert set(found) >= set(METRICS) - {"failover_last_cutover_timestamp_seconds"}
    finally:
        endpoint.close()


# ------------------------------------------------------------------------------------ what is shipped with them


def test_every_metric_is_documented_as_it_is() -> None:
    text = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(failover_\w+)` \| .* \| (.*) \|$", text, re.MULTILINE))
    assert set(rows) == EXPORTED
    assert {name: says for name, says in rows.items() if name in METRICS} == METRICS
    labels = {m.name: {label for label, _ in m.labels} for m in FOUND}
    for name, found in labels.items():
        (cell,) = re.findall(rf"^\| `{name}` \| (.*?) \|", text, re.MULTILINE)
        assert set(re.findall(r"`(\w+)`", cell)) == found, name


def used(expression: str) -> set[str]:
    return set(re.findall(r"\bfailover_\w+", expression))


def test_alert_rules_are_whole_and_use_only_what_exists() -> None:
    """As https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/ says."""
    rules = YAML(typ="safe", pure=True).load(ROOT / "templates" / "prometheus" / "alerts.yml")
    (group,) = rules["groups"]
    assert set(group) <= {"name", "interval", "rules"}
    names = [rule["alert"] for rule in group["rules"]]
    assert len(set(names)) == len(names) >= 8
    for rule in group["rules"]:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert used(rule["expr"]), rule["alert"]
        assert used(rule["expr"]) <= EXPORTED, rule["alert"]
        assert rule["expr"].count("(") == rule["expr"].count(")")
        assert re.fullmatch(r"\d+[smhd]", rule.get("for", "1m"))
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert set(rule["annotations"]) == {"summary", "description"}


def test_the_dashboard_is_whole_and_uses_only_what_exists() -> None:
    board = json.loads((ROOT / "templates" / "grafana" / "failover.json").read_text())
    panels = board["panels"]
    assert len({p["id"] for p in panels}) == len(panels)
    asked = [target["expr"] for panel in panels for target in panel["targets"]]
    asked += [a["expr"] for a in board["annotations"]["list"]]
    asked += [v["query"] for v in board["templating"]["list"] if v["type"] == "query"]
    assert all(used(expression) and used(expression) <= EXPORTED for expression in asked)
    assert EXPORTED - set().union(*map(used, asked)) <= {
        "failover_decision",
        "failover_isolated",
        "failover_controls_answering",
        "failover_plan_open",
        "failover_proposal_open",
        "failover_rounds_total",
    }
    squares = [(x, y) for p in panels for x, y in _squares(p["gridPos"])]
    assert len(set(squares)) == len(squares), "panels do not overlap"


def _squares(place: dict[str, int]) -> list[tuple[int, int]]:
    return [
        (x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])
    ]
