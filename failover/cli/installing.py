"""install: what makes cron or systemd run the checks, rendered from templates, put in place, and taken away again."""

import math
import os
import pwd
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from failover.cli.configuring import secrets_of
from failover.cli.output import emit, progress
from failover.cli.wiring import config_of
from failover.config.model import Config
from failover.core.budget import cadence_s
from failover.core.model import Service
from failover.errors import FailoverError, RefusedError, UsageError
from failover.net.resources import resource

DONE = 0
MINUTE_S, HOUR_S, DAY_S = 60.0, 3600.0, 86400.0
PROGRAM_S = 30.0
BOOTED = Path("/run/systemd/system")
"""There where systemd runs the machine: sd_booted(3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallWish:
    """What the command line says. `system` None: for the machine when root, else for this user."""

    system: bool | None = None
    run_as: str | None = None
    dry_run: bool = False
    remove: bool = False
    root: Path | None = None
    """Put files below this directory, as for an image; nothing is started then."""

    @property
    def for_system(self) -> bool:
        return os.geteuid() == 0 if self.system is None else self.system


# ------------------------------------------------------------------------------------ cron


def install_cron(option: Path | None, wish: InstallWish) -> int:
    config = config_of(option)
    text = _render(config, wish, "templates/cron", "failover.j2", when_and_command(config))
    if wish.for_system:
        path = _below(wish.root, Path("/etc/cron.d") / f"failover-{config.service.name}")
        return _put({path: text}, wish, config)
    if wish.root is not None:
        raise UsageError("install", "cron --user --root", "a user's crontab lies in no file of its own", "add --system")
    return _crontab(config, text, wish)


def when_and_command(config: Config) -> dict[str, object]:
    """When cron starts a check, and the line that it runs. Raises UsageError for a pace that cron cannot keep.

    Cron's grain is a minute: what shall run more often becomes so many rounds within one check.
    """
    service = config.service
    words = [*program(), "-c", str(config.path.absolute()), "check", "--quiet"]
    when = _when(service)
    if service.every_s < MINUTE_S:
        rounds = max(1, math.floor(MINUTE_S / service.round_s))
        words += ["--rounds", str(min(60, rounds)), "--every", f"{MINUTE_S / min(60, rounds):g}"]
    return {"when": when, "command": shlex.join(words).replace("%", r"\%")}


def _when(service: Service) -> str:
    every_s = max(MINUTE_S, service.every_s)
    if every_s < HOUR_S and HOUR_S % every_s == 0 and every_s % MINUTE_S == 0:
        minutes = int(every_s // MINUTE_S)
        return "* * * * *" if minutes == 1 else f"*/{minutes} * * * *"
    if every_s >= HOUR_S and every_s % HOUR_S == 0 and DAY_S % every_s == 0:
        hours = int(every_s // HOUR_S)
        return "0 * * * *" if hours == 1 else f"0 */{hours} * * *"
    cause = f"cron cannot start something every {every_s:g} s"
    raise UsageError(
        "install", "cron", cause, "set runner.every to 1m, 2m, 3m, …, 30m or 1h, or: failover install systemd"
    )


def _crontab(config: Config, text: str, wish: InstallWish) -> int:
    """This user's crontab with our block in it, and everything else as it was."""
    before = _crontab_now() if shutil.which("crontab") or not wish.dry_run else ""
    begin, end = f"# BEGIN failover {config.service.name}\n", f"# END failover {config.service.name}\n"
    kept = _without_block(before, begin, end)
    after = kept if wish.remove else f"{kept}{begin}{text}{end}"
    if wish.dry_run:
        emit(after.rstrip("\n"))
        return DONE
    if after != before:
        _run(["crontab", "-"], after)
    progress("this user's crontab has no such check any more" if wish.remove else "this user's crontab has the check")
    if not wish.remove:
        _advise(config, "cron")
    return DONE


def _crontab_now() -> str:
    found = _run(["crontab", "-l"], None)
    return found if not found or found.endswith("\n") else f"{found}\n"


def _without_block(text: str, begin: str, end: str) -> str:
    head, found, rest = text.partition(begin)
    if not found:
        return text
    _, closed, tail = rest.partition(end)
    if not closed:
        cause = f"the line {begin.strip()!r} stands there without its end"
        raise RefusedError("edit", "the crontab", cause, "crontab -e, and mend it by hand")
    return head + tail


# ------------------------------------------------------------------------------------ systemd


def install_systemd(option: Path | None, wish: InstallWish, *, watch: bool) -> int:
    config = config_of(option)
    base = Path("/etc/systemd/system") if wish.for_system else _user_units()
    name = f"failover-{config.service.name}"
    values = _unit_values(config)
    templates = {f"{name}-check.service": "check.service.j2", f"{name}-check.timer": "check.timer.j2"}
    if watch:
        templates = {f"{name}-watch.service": "watch.service.j2"}
    if wish.remove:
        templates |= {f"{name}-watch.service": "watch.service.j2"}
    files = {
        _below(wish.root, base / unit): _render(config, wish, "templates/systemd", template, values)
        for unit, template in templates.items()
    }
    started = [path.name for path in files if path.name.endswith((".timer", "-watch.service"))]
    if wish.remove and not wish.dry_run:
        _systemctl(wish, ["disable", "--now", *(u for u in started if _below(wish.root, base / u).exists())])
    code = _put(files, wish, config)
    if not wish.dry_run:
        _systemctl(wish, ["daemon-reload"])
    if not wish.dry_run and not wish.remove:
        _systemctl(wish, ["enable", "--now", *started])
        other = f"{name}-check.timer" if watch else f"{name}-watch.service"
        if _below(wish.root, base / other).exists():
            progress(f"failover: {other} is there too, and looks as well\n  next: {_ends(wish, other)}")
    return code


def _ends(wish: InstallWish, unit: str) -> str:
    return shlex.join(["systemctl", *([] if wish.for_system else ["--user"]), "disable", "--now", unit])


def _user_units() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "systemd" / "user"


def _unit_values(config: Config) -> dict[str, object]:
    service, path = config.service, config.path.absolute()
    head = [*program(), "-c", str(path)]
    writes = dict.fromkeys((config.state_path.parent, config.local_root))
    period_s = max(service.every_s, cadence_s(service))
    return {
        "check": exec_words([*head, "check", "--quiet"]),
        "watch": exec_words([*head, "watch", "--log", "json"]),
        "every_s": f"{service.every_s:g}",
        "timeout_s": math.ceil(period_s + config.hooks.timeout_s + 300.0),
        "watchdog_s": math.ceil(max(120.0, 4 * period_s) + config.hooks.timeout_s),
        "directory": _plain(path.parent),
        "environment": _plain(path.parent / f"{service.name}.env"),
        "writes": " ".join(f'"-{_quoted(str(place))}"' for place in writes),
    }


def exec_words(words: Sequence[str]) -> str:
    """A command for ExecStart=: each word quoted, nothing in it expanded (systemd.service(5))."""
    return " ".join(f'"{_quoted(word).replace("$", "$$")}"' for word in words)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")


def _plain(path: Path) -> str:
    """For settings that take the rest of the line as it is, except for specifiers."""
    return str(path).replace("%", "%%")


def _systemctl(wish: InstallWish, words: Sequence[str]) -> None:
    """Where systemd runs, do it; elsewhere say what is to be done."""
    line = ["systemctl", *([] if wish.for_system else ["--user"]), *words]
    if words[0] in ("enable", "disable") and len(words) < 3:
        return
    if wish.root is not None or not BOOTED.exists():
        progress(f"  next, where systemd runs: {shlex.join(line)}")
        return
    _run(line, None)
    progress(shlex.join(line))


# ------------------------------------------------------------------------------------ both


def program() -> list[str]:
    """How to start this very installation, whatever PATH says."""
    script = Path(sys.executable).parent / "failover"
    return [str(script)] if script.exists() else [sys.executable, "-P", "-m", "failover"]


def _render(config: Config, wish: InstallWish, folder: str, name: str, more: Mapping[str, object]) -> str:
    import jinja2  # no other command of these needs it

    places = (config.path.absolute(), config.state_path, config.local_root, *map(Path, program()))
    if not all(str(place).isprintable() for place in places):
        raise UsageError("install", str(config.path), "a path with control characters fits into no such file")
    frame = jinja2.Environment(
        loader=jinja2.FileSystemLoader(resource(folder)),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - these are no pages; what goes in is quoted for its place
    )
    values = {"service": config.service.name, "config": _plain(config.path.absolute())}
    found = frame.get_template(name).render(
        {**values, **more, "system": wish.for_system, "user": _user(config, wish) if wish.for_system else ""}
    )
    return found.lstrip("\n")


def _user(config: Config, wish: InstallWish) -> str:
    """Who runs the checks of a machine: as asked for, else whoever owns the config. Raises UsageError."""
    try:
        if wish.run_as is not None:
            return pwd.getpwnam(wish.run_as).pw_name
        return pwd.getpwuid(config.path.absolute().stat().st_uid).pw_name
    except KeyError:
        who = wish.run_as or "the owner of the config"
        raise UsageError("install", f"--run-as {who}", "this machine knows no such user") from None


def _below(root: Path | None, path: Path) -> Path:
    return path if root is None else root / path.relative_to("/")


def _put(files: Mapping[Path, str], wish: InstallWish, config: Config) -> int:
    """Write the files, or remove them; `--dry-run` prints them instead."""
    for path, text in files.items():
        if wish.dry_run:
            emit(f"# {path}\n{text}" if not wish.remove else f"# {path} would be removed")
        elif wish.remove:
            path.unlink(missing_ok=True)
            progress(f"removed {path}")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, text)
            progress(f"wrote {path}")
    if not wish.dry_run and not wish.remove:
        _advise(config, "cron" if any("cron.d" in path.parts for path in files) else "systemd")
    return DONE


def _write(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text)
    fresh.chmod(0o644)
    os.replace(fresh, path)


def _advise(config: Config, what: str) -> None:
    """Secrets that this shell has in its environment, and cron or systemd have not."""
    names = sorted({ref.env for ref in secrets_of(config) if ref.env})
    if not names:
        return
    where = f"in {config.path.absolute().parent / f'{config.service.name}.env'}, mode 0600, or"
    progress(
        f"failover: {what} does not know {', '.join(names)}, which the config takes from the environment\n"
        f"  next: put them {where if what == 'systemd' else 'into files, and refer to them'} by {{file: PATH}}"
    )


def _run(line: Sequence[str], text: str | None) -> str:
    """The standard output of a program of this machine. An empty crontab is no failure. Raises FailoverError."""
    try:
        done = subprocess.run(
            line,
            input=text,
            capture_output=True,
            text=True,
            timeout=PROGRAM_S,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        cause = error.strerror if isinstance(error, OSError) and error.strerror else "it does not end"
        raise FailoverError("run", line[0], cause, "is it installed? --dry-run shows what would be done") from error
    if done.returncode == 0 or (line[1:] == ["-l"] and "no crontab" in done.stderr):
        return done.stdout
    last = (done.stderr.strip().splitlines() or [f"it exited with {done.returncode}"])[-1]
    raise FailoverError("run", shlex.join(line), last)
