"""`failover install systemd` under the real systemd: what it writes runs, confined, and is taken away again."""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.states import published
from tests.cli.test_watching import CONFIG
from tests.servers.booted import Booted, booted
from tests.servers.clean_room import Room, eventually, room

pytestmark = [pytest.mark.server("node"), pytest.mark.timeout(1200)]
PROJECT = Path(__file__).resolve().parents[2]
HOME, SHOP = "opt/failover", "srv/a shop"
PATIENCE_S = 60.0
SCRIPT = f"""\
#!/{HOME}/bin/python -P
import sys
sys.path.insert(0, "/{HOME}/src")
from failover.__main__ import main
main()
"""


def bound(clean: Room, source: Path, place: str) -> None:
    """What stands here is seen there, and cannot be changed."""
    (clean.root / place).mkdir(parents=True, exist_ok=True)
    mount = clean.inside("mount", "--bind", "-o", "ro", str(source), f"{clean.directory}/root/{place}")
    subprocess.run(mount, check=True, timeout=60)


def installed(clean: Room) -> None:
    """This very failover, with this Python and its packages, as a virtual environment of the room."""
    base = Path(sys.base_prefix)
    if base != Path("/usr"):  # the room has its own, of the same release
        bound(clean, base, str(base).lstrip("/"))
    for name in ("failover", "templates"):
        bound(clean, PROJECT / name, f"{HOME}/src/{name}")
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    bound(clean, Path(sysconfig.get_path("purelib")), f"{HOME}/lib/{version}/site-packages")
    bin = clean.root / HOME / "bin"
    bin.mkdir()
    (bin / "python").symlink_to(os.path.realpath(sys.executable))
    (bin.parent / "pyvenv.cfg").write_text(f"home = {base}/bin\ninclude-system-site-packages = false\n")
    (bin / "failover").write_text(SCRIPT)
    (bin / "failover").chmod(0o755)


@pytest.fixture
def clean(tmp_path: Path) -> Iterator[Room]:
    """A machine with failover on it, and a shop after its first `apply`."""
    with room(tmp_path / "room") as made:
        installed(made)
        shop = tmp_path / "shop"
        shop.mkdir()
        (shop / "failover.yaml").write_text(CONFIG.format(more=""))
        published(shop)
        shutil.copytree(shop, made.root / SHOP)
        yield made


def failover(machine: Booted, *words: str) -> str:
    return machine.must(f"/{HOME}/bin/failover", "-c", f"/{SHOP}/failover.yaml", *words)


def looked(machine: Booted) -> bool:
    return '"last_check_age_s": null' not in failover(machine, "status", "-o", "json")


def shown(machine: Booted, unit: str, name: str) -> str:
    return machine.must("systemctl", "show", "-P", name, unit).strip()


def test_the_timer_checks_and_is_taken_away_again(clean: Room) -> None:
    with booted(clean) as machine:
        failover(machine, "install", "systemd", "--system")
        assert shown(machine, "failover-shop-check.timer", "ActiveState") == "active"
        eventually(lambda: looked(machine), PATIENCE_S)
        first = shown(machine, "failover-shop-check.timer", "LastTriggerUSecMonotonic")
        eventually(lambda: shown(machine, "failover-shop-check.timer", "LastTriggerUSecMonotonic") != first, PATIENCE_S)
        failover(machine, "install", "systemd", "--system", "--remove")
        assert "failover-shop" not in machine.must("systemctl", "list-unit-files", "--no-legend")
        assert shown(machine, "failover-shop-check.timer", "ActiveState") == "inactive"


def test_the_watcher_says_that_it_is_ready_and_is_started_anew_also_after_a_loss_of_power(clean: Room) -> None:
    unit = "failover-shop-watch.service"
    with booted(clean) as machine:
        failover(machine, "install", "systemd", "--system", "--watch")
        eventually(lambda: shown(machine, unit, "ActiveState") == "active", PATIENCE_S)
        eventually(lambda: looked(machine), PATIENCE_S)
        before = machine.started(unit)
        machine.must("systemctl", "reload", unit)
        eventually(lambda: '"reloaded"' in machine.must("journalctl", "--unit", unit), PATIENCE_S)
        assert machine.started(unit) == before
        machine.must("systemctl", "kill", "--signal=KILL", unit)
        eventually(lambda: int(shown(machine, unit, "MainPID")) not in (0, before), PATIENCE_S)
        eventually(lambda: shown(machine, unit, "ActiveState") == "active", PATIENCE_S)
    with booted(clean) as machine:
        eventually(lambda: shown(machine, unit, "ActiveState") == "active", PATIENCE_S)
