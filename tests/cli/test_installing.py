"""install: what is written for cron and systemd really runs, is verified by systemd itself, and is taken away again."""

import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from failover.cli.installing_cron import when_and_command
from failover.cli.installing_systemd import exec_words
from failover.config.load import load
from failover.errors import UsageError
from tests.cli.states import published
from tests.cli.test_bad_days import FAILOVER
from tests.cli.test_watching import CONFIG, PATIENCE_S

SYSTEM = ("--system", "--root", "root")


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A path that a shell, cron and systemd each read in their own way."""
    place = tmp_path / 'a shop, 100% "ours" & $HOME\'s'
    place.mkdir()
    (place / "failover.yaml").write_text(CONFIG.format(more=""))
    published(place)
    return place


def ran(here: Path, *words: str, env: dict[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        [*FAILOVER, *words],
        cwd=here,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def looked(here: Path) -> bool:
    return '"last_check_age_s": null' not in ran(here, "status", "-o", "json").stdout


# ------------------------------------------------------------------------------------ cron


def test_the_line_runs_as_cron_runs_it(here: Path) -> None:
    """An empty environment, another directory, /bin/sh, and % turned back as cron(5) does."""
    done = ran(here, "install", "cron", *SYSTEM)
    assert done.returncode == 0, done.stderr
    path = here / "root" / "etc" / "cron.d" / "failover-shop"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    assert lines[:2] == ["SHELL=/bin/sh", f"MAILTO={pwd.getpwuid(os.getuid()).pw_name}"]
    (line,) = lines[2:]
    fields = line.split(" ", 6)
    assert fields[:6] == ["*"] * 5 + [pwd.getpwuid(os.getuid()).pw_name]
    command = fields[6].replace(r"\%", "%")
    assert "%" not in fields[6].replace(r"\%", "")
    once = command.replace("--rounds 60 --every 1", "--rounds 1")
    assert once != command, "every: 1s with rounds: 4 is more often than cron needs to be told: 60 in a minute"
    home = {"HOME": str(here), "LOGNAME": "x", "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin"}
    arguments = ["env", "-i", *(f"{name}={value}" for name, value in home.items()), "/bin/sh", "-c", once]
    run = subprocess.run(arguments, cwd="/", capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", ""), "nothing that cron would mail"
    assert looked(here)
    assert ran(here, "install", "cron", *SYSTEM, "--remove").returncode == 0
    assert not path.exists()
    assert ran(here, "install", "cron", *SYSTEM, "--remove").returncode == 0, "removing twice is fine"


@pytest.mark.parametrize(
    ("every_s", "rounds", "when", "more"),
    [
        (60.0, 1, "* * * * *", ""),
        (60.0, 6, "* * * * *", ""),
        (10.0, 1, "* * * * *", " --rounds 6 --every 10"),
        (7.0, 1, "* * * * *", " --rounds 8 --every 7.5"),
        (0.2, 1, "* * * * *", " --rounds 60 --every 1"),
        (300.0, 1, "*/5 * * * *", ""),
        (3600.0, 1, "0 * * * *", ""),
        (7200.0, 1, "0 */2 * * *", ""),
    ],
)
def test_when_cron_looks(here: Path, every_s: float, rounds: int, when: str, more: str) -> None:
    config = load(here / "failover.yaml")
    found = when_and_command(replace(config, service=replace(config.service, every_s=every_s, rounds=rounds)))
    assert found["when"] == when
    assert str(found["command"]).partition("--quiet")[2] == more


def test_where_metrics_go_is_written_down(here: Path) -> None:
    """The file stands where the command was given, and the unit may write there."""
    metrics = ("--textfile", "metrics/shop.prom")
    assert "check --quiet --textfile" in ran(here, "install", "cron", "--dry-run", *SYSTEM, *metrics).stdout
    shown = ran(here, "install", "systemd", "--dry-run", *SYSTEM, *metrics).stdout
    folder = str(here / "metrics").replace('"', '\\"').replace("%", "%%")
    (writes,) = [line for line in shown.splitlines() if line.startswith("ReadWritePaths=")]
    assert f'"-{folder}"' in writes
    (runs,) = [line for line in shown.splitlines() if line.startswith("ExecStart=")]
    assert f'"check" "--quiet" "--textfile" "{folder.replace("$", "$$")}/shop.prom"' in runs
    shown = ran(here, "install", "systemd", "--watch", "--dry-run", *SYSTEM, "--metrics", "9099").stdout
    assert '"watch" "--log" "json" "--metrics" "9099"' in shown
    for words in (["--metrics", "9099"], ["--watch", "--metrics", "everywhere"]):
        done = ran(here, "install", "systemd", "--dry-run", *SYSTEM, *words)
        assert (done.returncode, done.stdout, "--metrics" in done.stderr) == (64, "", True)


@pytest.mark.parametrize("every_s", [90.0, 420.0, 5400.0, 90_000.0])
def test_what_cron_cannot_do_is_said(here: Path, every_s: float) -> None:
    config = load(here / "failover.yaml")
    with pytest.raises(UsageError, match=f"every {every_s:g} s"):
        when_and_command(replace(config, service=replace(config.service, every_s=every_s)))


@pytest.fixture
def crontab(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A crontab(1) of the test's own, which keeps its file in the test's directory, and the way to it."""
    programs, kept = tmp_path / "bin", tmp_path / "crontab.kept"
    programs.mkdir()
    program = programs / "crontab"
    program.write_text(
        "#!/bin/sh\n"
        f"[ $1 = - ] && exec cat > {kept}\n"
        f"[ -e {kept} ] || {{ echo 'no crontab for me' >&2; exit 1; }}\n"
        f"cat {kept}\n"
    )
    program.chmod(0o755)
    return kept, {"PATH": f"{programs}:{os.environ['PATH']}"}


def test_a_users_crontab_keeps_everything_else(here: Path, crontab: tuple[Path, dict[str, str]]) -> None:
    kept, env = crontab
    assert "* * * * * " in ran(here, "install", "cron", "--user", "--dry-run", env=env).stdout
    assert not kept.exists()
    assert ran(here, "install", "cron", "--user", env=env).returncode == 0
    ours = kept.read_text()
    kept.write_text(f"# mine\n5 4 * * * /bin/true\n{ours}MAILTO=me\n")
    for _ in range(2):
        assert ran(here, "install", "cron", "--user", env=env).returncode == 0
    assert kept.read_text() == f"# mine\n5 4 * * * /bin/true\nMAILTO=me\n{ours}"
    assert ran(here, "install", "cron", "--user", "--remove", env=env).returncode == 0
    assert kept.read_text() == "# mine\n5 4 * * * /bin/true\nMAILTO=me\n"
    kept.write_text("# BEGIN failover shop\n")
    done = ran(here, "install", "cron", "--user", env=env)
    assert (done.returncode, "mend it by hand" in done.stderr) == (1, True)


def test_no_cron_here(here: Path, tmp_path: Path) -> None:
    done = ran(here, "install", "cron", "--user", env={"PATH": str(tmp_path)})
    assert done.returncode == 1
    assert "is it installed?" in done.stderr
    shown = ran(here, "install", "cron", "--user", "--dry-run", env={"PATH": str(tmp_path)})
    assert (shown.returncode, "check --quiet" in shown.stdout) == (0, True)


# ------------------------------------------------------------------------------------ systemd

ANALYZE = shutil.which("systemd-analyze")


def verified(units: list[Path]) -> None:
    if ANALYZE is None:
        if os.environ.get("CI"):
            pytest.fail("systemd-analyze is not installed")
        pytest.skip("systemd-analyze is not installed")
    words = [ANALYZE, "verify", "--man=no", "--recursive-errors=no", *map(str, units)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("scope", ["--system", "--user"])
def test_units_are_what_systemd_takes_for_good(here: Path, scope: str) -> None:
    for words in ([], ["--watch"]):
        done = ran(here, "install", "systemd", scope, "--root", "root", *words, env={"XDG_CONFIG_HOME": "/conf"})
        assert done.returncode == 0, done.stderr
        assert "enable --now failover-shop-" in done.stderr
        assert ("disable --now failover-shop-check.timer" in done.stderr) == bool(words), "one of them is enough"
    folder = here / "root" / ("etc/systemd/system" if scope == "--system" else "conf/systemd/user")
    units = sorted(folder.iterdir())
    assert [unit.name for unit in units] == [
        "failover-shop-check.service",
        "failover-shop-check.timer",
        "failover-shop-watch.service",
    ]
    verified(units)
    assert all(
        ("ProtectSystem=strict" in u.read_text()) == (scope == "--system") for u in units if u.suffix == ".service"
    )
    done = ran(here, "install", "systemd", scope, "--root", "root", "--remove", env={"XDG_CONFIG_HOME": "/conf"})
    assert done.returncode == 0
    assert list(folder.iterdir()) == []


def test_the_check_of_the_unit_runs_with_an_empty_environment(here: Path) -> None:
    """The words of ExecStart as systemd.service(5) reads them: quotes, `%%` and `$$`."""
    assert ran(here, "install", "systemd", *SYSTEM).returncode == 0
    unit = (here / "root/etc/systemd/system/failover-shop-check.service").read_text()
    (line,) = [line.removeprefix("ExecStart=") for line in unit.splitlines() if line.startswith("ExecStart=")]
    words = [w.replace('\\"', '"').replace("%%", "%").replace("$$", "$") for w in line[1:-1].split('" "')]
    done = subprocess.run(
        ["env", "-i", *words, "--rounds", "1"], cwd="/", capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert looked(here)


def test_words_of_a_unit_mean_themselves() -> None:
    assert exec_words(["/bin/x", 'a "b" \\ $c %d']) == '"/bin/x" "a \\"b\\" \\\\ $$c %%d"'


def test_a_dry_run_changes_nothing(here: Path) -> None:
    for words in (["cron"], ["systemd"], ["systemd", "--watch"], ["systemd", "--remove"]):
        done = ran(here, "install", *words, "--dry-run", *SYSTEM)
        assert (done.returncode, "root/etc/" in done.stdout) == (0, True)
    assert not (here / "root").exists()


def test_what_cannot_be_installed_is_said(here: Path) -> None:
    done = ran(here, "install", "systemd", *SYSTEM, "--run-as", "no-such-user")
    assert (done.returncode, "no such user" in done.stderr) == (64, True)
    done = ran(here, "install", "cron", "--user", "--root", "root")
    assert (done.returncode, "--system" in done.stderr) == (64, True)


def test_secrets_of_the_environment_are_named(here: Path) -> None:
    config = here / "failover.yaml"
    config.write_text(config.read_text() + "notify: [{webhook: 'http://127.0.0.1:9/', secret: {env: HOOK_KEY}}]\n")
    done = ran(here, "install", "systemd", *SYSTEM)
    assert (done.returncode, "HOOK_KEY" in done.stderr, "shop.env" in done.stderr) == (0, True, True)
