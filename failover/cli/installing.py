"""What cron's line and systemd's units have in common: rendered from templates, put in place, and taken away again."""

import os
import pwd
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from failover.cli.configuring import secrets_of
from failover.cli.output import emit, progress
from failover.config.model import Config
from failover.errors import FailoverError, UsageError
from failover.net.resources import resource

DONE = 0
PROGRAM_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallWish:
    """What the command line says. `system` None: for the machine when root, else for this user."""

    system: bool | None = None
    run_as: str | None = None
    dry_run: bool = False
    remove: bool = False
    root: Path | None = None
    """Put files below this directory, as for an image; nothing is started then."""
    textfile: Path | None = None
    """Where what runs the checks writes metrics."""
    metrics: str | None = None
    """Where what runs `watch` serves metrics."""

    @property
    def for_system(self) -> bool:
        return os.geteuid() == 0 if self.system is None else self.system

    @property
    def textfile_words(self) -> list[str]:
        return ["--textfile", str(self.textfile.absolute())] if self.textfile is not None else []


def plain(path: Path) -> str:
    """For settings that take the rest of the line as it is, except for specifiers."""
    return str(path).replace("%", "%%")


def program() -> list[str]:
    """How to start this very installation, whatever PATH says."""
    script = Path(sys.executable).parent / "failover"
    return [str(script)] if script.exists() else [sys.executable, "-P", "-m", "failover"]


def render(config: Config, wish: InstallWish, folder: str, name: str, more: Mapping[str, object]) -> str:
    import jinja2  # no other command of these needs it

    places = (config.path.absolute(), config.state_path, config.local_root, *program(), *wish.textfile_words)
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
    values = {"service": config.service.name, "config": plain(config.path.absolute())}
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


def below(root: Path | None, path: Path) -> Path:
    return path if root is None else root / path.relative_to("/")


def put(files: Mapping[Path, str], wish: InstallWish) -> None:
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


def _write(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text)
    fresh.chmod(0o644)
    os.replace(fresh, path)


def advise(config: Config, what: str, needs: object) -> None:
    """Secrets among what it `needs` of the config that this shell has in its environment, and cron or systemd not."""
    names = sorted({ref.env for ref in secrets_of(needs) if ref.env})
    if not names:
        return
    where = f"in {config.path.absolute().parent / f'{config.service.name}.env'}, mode 0600, or"
    progress(
        f"failover: {what} does not know {', '.join(names)}, which the config takes from the environment\n"
        f"  next: put them {where if what == 'systemd' else 'into files, and refer to them'} by {{file: PATH}}"
    )


def run(line: Sequence[str], text: str | None) -> str:
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
