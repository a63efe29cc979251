"""What `validate` says of a config that is valid, but will not do what it seems to."""

from pathlib import Path

import pytest

from failover.cli.configuring import validate, warnings_of
from failover.cli.output import Output
from failover.config.hosts import SHIPPED, USUAL_GRADES
from failover.config.load import load
from tests.config.conftest import MINIMAL

PDNS = '{kind: powerdns, endpoint: "http://127.0.0.1:81", servers: ["127.0.0.1:53"], credentials: {token: {env: KEY}}}'


def config(directory: Path, hosts: str, policy: str = "") -> Path:
    path = directory / "failover.yaml"
    path.write_text(MINIMAL.replace("{one: {kind: local}}", hosts) + policy)
    return path


def test_every_shipped_kind_has_its_grade() -> None:
    assert set(USUAL_GRADES) == set(SHIPPED)


@pytest.mark.parametrize(
    ("hosts", "policy", "warned"),
    [
        (f"{{one: {PDNS}}}", "", True),
        (f"{{one: {PDNS}, two: {{kind: local}}}}", "", False),
        (f"{{one: {PDNS}}}", "policy: {min_grade: 3}\n", False),
        ("{one: {kind: local}}", "", False),
    ],
)
def test_hosts_that_fence_worse_than_the_policy_asks(tmp_path: Path, hosts: str, policy: str, warned: bool) -> None:
    found = warnings_of(load(config(tmp_path, hosts, policy)))
    assert bool(found) is warned
    assert not warned or "fencing grade 1, as `policy.min_grade` asks (the best: 3)" in found[0]


def test_the_command_says_it_and_stays_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KEY", "secret")
    validate(config(tmp_path, f"{{one: {PDNS}}}"), Output.TABLE)
    out, err = capsys.readouterr()
    assert "is valid" in out
    assert "a person is asked each time" in err
    validate(config(tmp_path, f"{{one: {PDNS}}}"), Output.JSON)
    assert '"warnings": [' in capsys.readouterr().out
