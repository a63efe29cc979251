"""Kinds of hosts load when they are asked for."""

import subprocess
import sys

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
