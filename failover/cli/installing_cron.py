"""install cron: a line in /etc/cron.d, or a block in this user's crontab."""

import math
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

from failover.cli.installing import DONE, InstallWish, advise, below, program, put, render, run
from failover.cli.output import emit, progress
from failover.cli.wiring import config_of
from failover.config.model import Config
from failover.core.model import Service
from failover.errors import RefusedError, UsageError

MINUTE_S, HOUR_S, DAY_S = 60.0, 3600.0, 86400.0


def install_cron(option: Path | None, wish: InstallWish) -> int:
    config = config_of(option)
    text = render(config, wish, "templates/cron", "failover.j2", when_and_command(config, wish.textfile_words))
    if wish.for_system:
        path = below(wish.root, Path("/etc/cron.d") / f"failover-{config.service.name}")
        put({path: text}, wish)
        if not wish.dry_run and not wish.remove:
            advise(config, "cron", config)
        return DONE
    if wish.root is not None:
        raise UsageError("install", "cron --user --root", "a user's crontab lies in no file of its own", "add --system")
    return _crontab(config, text, wish)


def when_and_command(config: Config, more: Sequence[str] = ()) -> dict[str, object]:
    """When cron starts a check, and the line that it runs, with `more` words. Raises UsageError for a pace beyond cron.

    Cron's grain is a minute: what shall run more often becomes so many rounds within one check.
    """
    service = config.service
    words = [*program(), "-c", str(config.path.absolute()), "check", "--quiet", *more]
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
        run(["crontab", "-"], after)
    progress("this user's crontab has no such check any more" if wish.remove else "this user's crontab has the check")
    if not wish.remove:
        advise(config, "cron", config)
    return DONE


def _crontab_now() -> str:
    found = run(["crontab", "-l"], None)
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
