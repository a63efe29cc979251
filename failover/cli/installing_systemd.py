"""install systemd, install vantage: units that run `check`, `watch` or another vantage."""

import math
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from failover.cli.daemon import metrics_place
from failover.cli.installing import DONE, InstallWish, advise, below, plain, program, put, render, run
from failover.cli.output import progress
from failover.cli.vantages import ServeWish, place_of
from failover.cli.wiring import config_of
from failover.cli.wiring_vantages import agent_of
from failover.config.model import Config
from failover.core.budget import cadence_s
from failover.errors import UsageError

BOOTED = Path("/run/systemd/system")
"""There where systemd runs the machine: sd_booted(3)."""


def install_systemd(option: Path | None, wish: InstallWish, *, watch: bool) -> int:
    if wish.metrics is not None:
        metrics_place(wish.metrics)
        if not watch:
            hint = "add --watch, or write a --textfile"
            raise UsageError("install", "systemd --metrics", "only what runs `watch` serves metrics", hint)
    config = config_of(option)
    name = _name(config)
    check = {f"{name}-check.service": "check.service.j2", f"{name}-check.timer": "check.timer.j2"}
    watcher = {f"{name}-watch.service": "watch.service.j2"}
    if wish.remove:
        return _remove(wish, [*check, *watcher])
    _add(config, wish, watcher if watch else check, _check_words(config, wish), needs=config)
    other = f"{name}-check.timer" if watch else f"{name}-watch.service"
    if not wish.dry_run and below(wish.root, _folder(wish) / other).exists():
        progress(f"failover: {other} is there too, and looks as well\n  next: {_ends(wish, other)}")
    return DONE


def install_vantage(option: Path | None, wish: InstallWish, serve: ServeWish) -> int:
    config = config_of(option)
    unit = f"{_name(config)}-vantage.service"
    if wish.remove:
        return _remove(wish, [unit])
    name, _ = place_of(serve)
    agent = agent_of(config, name)
    words = ["vantage", "serve", "--vantage", name, "--listen", serve.listen]
    if serve.certificate is not None and serve.private_key is not None:
        words += ["--certificate", str(serve.certificate.absolute())]
        words += ["--private-key", str(serve.private_key.absolute())]
    elif serve.plain:
        words.append("--plain")
    values = {"vantage": exec_words([*_head(config), *words]), "writes": ""}
    _add(config, wish, {unit: "vantage.service.j2"}, values, needs=agent)
    return DONE


def _name(config: Config) -> str:
    return f"failover-{config.service.name}"


def _add(
    config: Config, wish: InstallWish, templates: Mapping[str, str], more: Mapping[str, object], *, needs: object
) -> None:
    """Put these units in place, and start those that are started by themselves."""
    values = {**_places(config), **more}
    files = {
        below(wish.root, _folder(wish) / unit): render(config, wish, "templates/systemd", template, values)
        for unit, template in templates.items()
    }
    put(files, wish)
    if not wish.dry_run:
        advise(config, "systemd", needs)
        _systemctl(wish, ["daemon-reload"])
        _systemctl(wish, ["enable", "--now", *filter(_starts, templates)])


def _remove(wish: InstallWish, units: Sequence[str]) -> int:
    files = {unit: below(wish.root, _folder(wish) / unit) for unit in units}
    if not wish.dry_run:
        _systemctl(wish, ["disable", "--now", *(u for u, path in files.items() if _starts(u) and path.exists())])
    put(dict.fromkeys(files.values(), ""), wish)
    if not wish.dry_run:
        _systemctl(wish, ["daemon-reload"])
    return DONE


def _starts(unit: str) -> bool:
    """Whether the unit is started by itself; the service of a check is by its timer."""
    return not unit.endswith("-check.service")


def _folder(wish: InstallWish) -> Path:
    if wish.for_system:
        return Path("/etc/systemd/system")
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "systemd" / "user"


def _ends(wish: InstallWish, unit: str) -> str:
    return shlex.join(["systemctl", *([] if wish.for_system else ["--user"]), "disable", "--now", unit])


def _head(config: Config) -> list[str]:
    return [*program(), "-c", str(config.path.absolute())]


def _places(config: Config) -> dict[str, object]:
    directory = config.path.absolute().parent
    return {"directory": plain(directory), "environment": plain(directory / f"{config.service.name}.env")}


def _check_words(config: Config, wish: InstallWish) -> dict[str, object]:
    """What the units of `check` and `watch` run, how often, for how long, and where it may write."""
    service, head = config.service, _head(config)
    writes = dict.fromkeys((config.state_path.parent, config.local_root))
    if wish.textfile is not None:
        writes[wish.textfile.absolute().parent] = None
    metrics = ["--metrics", wish.metrics] if wish.metrics is not None else []
    period_s = max(service.every_s, cadence_s(service))
    return {
        "check": exec_words([*head, "check", "--quiet", *wish.textfile_words]),
        "watch": exec_words([*head, "watch", "--log", "json", *wish.textfile_words, *metrics]),
        "every_s": f"{service.every_s:g}",
        "timeout_s": math.ceil(period_s + config.hooks.timeout_s + 300.0),
        "watchdog_s": math.ceil(max(120.0, 4 * period_s) + config.hooks.timeout_s),
        "writes": " ".join(f'"-{_quoted(str(place))}"' for place in writes),
    }


def exec_words(words: Sequence[str]) -> str:
    """A command for ExecStart=: each word quoted, nothing in it expanded (systemd.service(5))."""
    return " ".join(f'"{_quoted(word).replace("$", "$$")}"' for word in words)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")


def _systemctl(wish: InstallWish, words: Sequence[str]) -> None:
    """Where systemd runs, do it; elsewhere say what is to be done."""
    line = ["systemctl", *([] if wish.for_system else ["--user"]), *words]
    if words[0] in ("enable", "disable") and len(words) < 3:
        return
    if wish.root is not None or not BOOTED.exists():
        progress(f"  next, where systemd runs: {shlex.join(line)}")
        return
    run(line, None)
    progress(shlex.join(line))
