"""What is installed from the wheel works as what runs from the sources: templates and the example travel with it."""

import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.play import COMMAND_S, Play, environment

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.timeout(600)


def _run(*words: str, cwd: Path) -> str:
    env = {name: value for name, value in environment().items() if name != "PYTHONPATH"}
    done = subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, timeout=COMMAND_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(directory))
    _run(*pip, "wheel", *options, str(ROOT), cwd=directory)
    (found,) = directory.glob("failover-*.whl")
    return found


def test_what_is_inside(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for path in ("templates/init/local.yaml", "templates/init/given.yaml", "examples/guestbook/server.py", "py.typed"):
        assert f"failover/{path}" in names
    assert {name.split("/")[0] for name in names} == {
        "failover",
        next(n for n in names if "dist-info" in n).split("/")[0],
    }
    assert not [name for name in names if name.endswith((".pyc", ".db")) or "__pycache__" in name]


@pytest.fixture
def installed(wheel: Path, tmp_path: Path) -> Iterator[tuple[str, Play]]:
    """The command of an environment that holds the wheel; the libraries come from ours."""
    home = tmp_path / "venv"
    _run(sys.executable, "-m", "venv", "--without-pip", str(home), cwd=tmp_path)
    python = str(home / "bin" / "python")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "--python", python)
    _run(*pip, "install", "--no-deps", "--no-index", str(wheel), cwd=tmp_path)
    (site,) = home.glob("lib/python3*/site-packages")
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    play = Play(tmp_path / "play")
    yield str(home / "bin" / "failover"), play
    play.close()


def test_it_works_where_it_is_installed(installed: tuple[str, Play], tmp_path: Path) -> None:
    failover, play = installed
    python = str(Path(failover).with_name("python"))
    place = _run(python, "-c", "import failover; print(failover.__file__)", cwd=tmp_path)
    assert place.startswith(str(tmp_path)), "not the wheel's"
    assert _run(failover, "--version", cwd=tmp_path).startswith("failover ")
    assert '"properties"' in _run(failover, "schema", cwd=tmp_path)
    _run(failover, "init", "given", cwd=tmp_path)
    _run(failover, "init", "--local", "play", cwd=tmp_path)
    assert "is valid" in _run(failover, "validate", cwd=play.directory)
    assert "committed" in _run(failover, "apply", "--yes", cwd=play.directory)
    assert "guestbook: active aurora" in _run(failover, "check", cwd=play.directory)
    _run(failover, "local", "stop", cwd=play.directory)
