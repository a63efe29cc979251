from collections.abc import Callable
from pathlib import Path

import pytest

from failover.config.load import load
from failover.errors import ConfigError

MINIMAL = """\
version: 1
service: guestbook
sites:
  here: {addresses: {web: [192.0.2.10]}}
  there: {addresses: {web: [198.51.100.10]}}
dns:
  zones: [example.org]
  hosts: {one: {kind: local}}
  records:
    www.example.org: {type: A, nodes: web}
checks:
  http: {url: "http://{address}:8080/"}
"""
MANAGED = """\
version: 1
service: guestbook
providers:
  aurora: {kind: local}
sites:
  here: {provider: aurora}
release: {path: app, run: python3 server.py}
nodes:
  web: {count: 2}
dns:
  zones: [example.org]
  hosts: {one: {kind: local}}
  records:
    www.example.org: {type: A, nodes: web}
checks:
  http: {url: "http://{address}:8080/"}
"""

Findings = Callable[[str | bytes], tuple[str, ...]]


@pytest.fixture
def findings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Findings:
    """What is wrong with a text; the file is called f.yaml, so places read `f.yaml:1:1`."""
    monkeypatch.chdir(tmp_path)

    def of(text: str | bytes) -> tuple[str, ...]:
        path = Path("f.yaml")
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(ConfigError) as caught:
            load(path)
        assert caught.value.exit_code == 78
        return caught.value.findings

    return of
