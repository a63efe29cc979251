"""A root for local clouds, under which nothing is left running."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from failover.local import control
from failover.local.process import marked
from failover.local.registry import places, read_record


def node_ids(root: Path) -> set[str]:
    """The ids of all nodes that have a disk under the root."""
    return {folder.name for folder in root.glob("clouds/*/nodes/*")}


def left_running(root: Path) -> list[str]:
    """Daemons and nodes under the root that still run."""
    records = [(str(place), read_record(place.directory)) for place in places(root)]
    daemons = [name for name, record in records if record is not None and record.running]
    return daemons + [f"node process {found.pid}" for found in marked("FAILOVER_NODE", node_ids(root))]


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """Where local things live in this test; everything is stopped at its end."""
    root = tmp_path / "local"
    yield root
    control.stop(root)
    assert left_running(root) == []
    assert not [name for name in os.listdir("/proc") if name.isdigit() and _is_daemon_of(root, name)]


def _is_daemon_of(root: Path, pid: str) -> bool:
    try:
        command = Path("/proc", pid, "cmdline").read_bytes()
    except OSError:
        return False
    return b"failover.local" in command and str(root).encode() in command
