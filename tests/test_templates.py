"""Units and the like that ship are good as they stand."""

import subprocess
from pathlib import Path

from tests.servers.tools import need

TEMPLATES = Path(__file__).resolve().parents[1] / "templates"


def test_the_unit_of_a_vantage_is_understood(tmp_path: Path) -> None:
    analyze = need("systemd-analyze", "systemd")
    program = tmp_path / "failover"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = tmp_path / "failover-vantage.service"
    text = (TEMPLATES / "systemd" / unit.name).read_text(encoding="utf-8")
    unit.write_text(text.replace("/usr/local/bin/failover", str(program)).replace("User=failover\n", ""))
    done = subprocess.run([analyze, "verify", str(unit)], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
