"""`failover doctor dns` and records that no resolver ever sees, at a real PowerDNS: by its API, by updates."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from failover.cli.app import run
from failover.testing.dns import ZONE
from tests.servers.pdns import API_KEY, Pdns
from tests.servers.test_powerdns import alias_at

pytestmark = pytest.mark.server("powerdns")

CONFIG = """\
version: 1
service: shop
sites:
  home: {{addresses: {{web: [192.0.2.1]}}}}
  away: {{addresses: {{web: [192.0.2.2]}}}}
dns:
  zones: [{zone}]
  roots: ["127.0.0.1:9"]
  hosts:
    {host}
  records:
    {name}: {{type: A, nodes: web}}
checks:
  tcp: {{tcp: "{{address}}:80"}}
"""
BY_API = 'one: {{kind: powerdns, endpoint: "{api}", servers: ["{place}"], credentials: {{token: {{env: PDNS_KEY}}}}}}'
BY_UPDATE = 'one: {{kind: rfc2136, server: "{place}"}}'


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pdns]:
    with Pdns(tmp_path_factory.mktemp("pdns")) as server:
        yield server


@pytest.fixture
def pdns(running: Pdns) -> Pdns:
    running.renew()
    return running


@pytest.fixture
def doctor(pdns: Pdns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the command; returns its exit code and what it says first of each host and of what stands there."""
    monkeypatch.setenv("PDNS_KEY", API_KEY)

    def ask(name: str, host: str = BY_API, key: str = API_KEY) -> tuple[int, dict[str, tuple[str, str]]]:
        monkeypatch.setenv("PDNS_KEY", key)
        path = tmp_path / "failover.yaml"
        said = host.format(api=pdns.api, place=pdns.place)
        path.write_text(CONFIG.format(zone=ZONE, name=name, host=said))
        code = run(["doctor", "dns", "-c", str(path), "--output", "json"])
        out, err = capsys.readouterr()
        assert code in (0, 1), err
        found = json.loads(out)["findings"]
        about = [f for f in found if f["area"] in ("content", "hosts") and f["severity"] != "fine"]
        return code, {f["subject"]: (f["severity"], f["says"]) for f in reversed(about)}

    return ask


@pytest.mark.parametrize(
    ("host", "code", "severity", "says"),
    [(BY_API, 1, "fatal", "which failover never touches"), (BY_UPDATE, 0, "warning", "other hosts cannot do so")],
)
def test_an_alias_at_the_apex_that_is_ours(
    pdns: Pdns, doctor: Any, host: str, code: int, severity: str, says: str
) -> None:
    alias_at(pdns, ZONE)
    found_code, found = doctor(ZONE, host)
    assert (found_code, found[f"{ZONE} at one"][0]) == (code, severity)
    assert "vendor's ALIAS to lb.example.net" in found[f"{ZONE} at one"][1]
    assert says in found[f"{ZONE} at one"][1]


@pytest.mark.parametrize("host", [BY_API, BY_UPDATE])
def test_an_alias_at_the_apex_that_is_not_ours_stays_where_it_leads(pdns: Pdns, doctor: Any, host: str) -> None:
    alias_at(pdns, ZONE)
    code, found = doctor(f"www.{ZONE}", host)
    assert (code, found[f"{ZONE} at one"][0]) == (0, "note")
    assert "which no cutover moves" in found[f"{ZONE} at one"][1]


def test_answers_of_a_script_at_a_name_of_ours(pdns: Pdns, doctor: Any) -> None:
    script = [{"content": "A \"pickrandom({'192.0.2.7'})\"", "disabled": False}]
    pdns.patch({"name": f"www.{ZONE}.", "type": "LUA", "ttl": 60, "records": script})
    code, found = doctor(f"www.{ZONE}")
    assert code == 1
    assert "its vendor's LUA, which failover never touches" in found[f"www.{ZONE} at one"][1]


@pytest.mark.parametrize(("name", "code", "severity"), [(ZONE, 1, "fatal"), (f"www.{ZONE}", 0, "warning")])
def test_a_cname_at_the_apex_that_a_server_answers(
    pdns: Pdns, doctor: Any, name: str, code: int, severity: str
) -> None:
    """PowerDNS refuses it by its API; what stands in its database it answers."""
    with sqlite3.connect(pdns.database) as database:
        given = "select id, name, 'CNAME', 'lb.example.net', 60, 1 from domains"
        database.execute(f"insert into records (domain_id, name, type, content, ttl, auth) {given}")
    database.close()
    found_code, found = doctor(name)
    assert found_code == code
    assert found[ZONE][0] == severity
    assert f"a CNAME stands at the zone's own name ({pdns.place})" in found[ZONE][1]


def test_a_host_that_does_not_let_us_look(doctor: Any) -> None:
    """It is the only one: no cutover could be made."""
    code, found = doctor(f"www.{ZONE}", key="wrong")
    assert code == 1
    severity, says = found["one"]
    assert severity == "fatal"
    assert says.startswith("cannot be asked what it holds: ")
    assert "wrong" not in says
