"""Kinds of hosts load when they are asked for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from failover.dns.local import LocalHost
from failover.dns.rfc2136 import Rfc2136
from failover.dns.table import KINDS, factory, kinds
from failover.errors import ConfigError


def test_kinds() -> None:
    assert set(kinds()) >= {"local", "rfc2136"}
    assert factory("local") is LocalHost
    assert factory("rfc2136") is Rfc2136
    assert all(callable(factory(kind)) for kind in KINDS)


def test_an_unknown_kind() -> None:
    with pytest.raises(ConfigError) as raised:
        factory("rfc2316")
    assert "rfc2136" in raised.value.hint


def test_the_table_loads_no_library() -> None:
    code = "import sys, failover.dns.table; sys.exit('dns' in sys.modules or 'importlib.metadata' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_another_package_adds_a_kind(tmp_path: Path) -> None:
    (tmp_path / "their_dns.py").write_text("class Host: pass\n")
    info = tmp_path / "their_dns-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-dns\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[failover.dns]\ntheirs = their_dns:Host\n")
    code = "from failover.dns.table import factory, kinds; print(factory('theirs').__name__, 'theirs' in kinds())"
    environment = {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment)
    assert done.stdout == "Host True\n"
