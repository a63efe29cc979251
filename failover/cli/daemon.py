"""watch: rounds at a steady pace, as a service under systemd or in a terminal.

SIGTERM and SIGINT end it: at once while it only looks, else when the round in hand is through, so that no step is left
in the middle. SIGHUP reads the config again; one that cannot be used changes nothing. Trouble in one round is said; the
next one comes. The service manager hears of every round: a watcher that hangs is restarted.
"""

import json
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from failover.cli.options import Log
from failover.cli.output import progress
from failover.cli.showing import budget_of, world_of
from failover.cli.watching import demand_pace, text_of, verdicts_of
from failover.cli.wiring import (
    config_of,
    context_of,
    endpoint_of,
    instant,
    store_of,
    supervisor,
    switch_of,
    write_metrics,
)
from failover.config.model import Config
from failover.core.decide import DecisionKind
from failover.core.measures import Measure, measures
from failover.core.world import World
from failover.engine.context import TICK, Context, leased
from failover.engine.runtime import RealRuntime
from failover.engine.tick import TickReport, tick
from failover.errors import ConfigError, FailoverError, LockedError, RefusedError, UsageError

DONE = 0
LOOPBACK = "127.0.0.1"
LOUD = (DecisionKind.PAGE, DecisionKind.ASK, DecisionKind.REFUSE)


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchWish:
    """What the command line says. None: as the config says, or not at all."""

    vantage: str | None = None
    every_s: float | None = None
    log: Log = Log.TEXT
    metrics: str | None = None
    textfile: Path | None = None


class Stopped(BaseException):
    """Told to stop while only looking: whatever was asked may be left unanswered."""


def watch(config: Path | None, wish: WatchWish) -> int:
    place = metrics_place(wish.metrics) if wish.metrics is not None else None
    daemon = Daemon(config, wish)
    endpoint = None
    if place is not None:
        endpoint = endpoint_of(*place, daemon.config.service.name, daemon.measures, daemon.rounds)
        daemon.say("started", f"metrics at http://{place[0]}:{endpoint.port}/metrics")
    try:
        return daemon.run()
    finally:
        if endpoint is not None:
            endpoint.close()


def metrics_place(text: str) -> tuple[str, int]:
    """`9099`, `127.0.0.1:9099`, `[::1]:9099` → address and port. Raises UsageError."""
    address, colon, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > 65535 or (colon and not address):
        raise UsageError("watch", f"--metrics {text}", "it is no address and port", "write 9099 or 127.0.0.1:9099")
    return address.strip("[]") or LOOPBACK, int(port)


@dataclass
class Daemon:
    """One watcher. `measures` may be asked from other threads: it reads one immutable world."""

    option: Path | None
    wish: WatchWish
    config: Config = field(init=False)
    context: Context = field(init=False)
    runtime: RealRuntime = field(init=False)
    world: World = field(init=False)
    rounds: dict[str, int] = field(default_factory=lambda: {"ok": 0, "failed": 0, "skipped": 0})

    def __post_init__(self) -> None:
        self._wake, self._stopping, self._reload = threading.Event(), False, False
        self._said, self._unwritten = "", ""
        self._manager = supervisor()
        self._use(config_of(self.option))
        self.world = world_of(store_of(self.config))  # a state that cannot be used is said at once, not in every round

    def _use(self, config: Config) -> None:
        runtime = RealRuntime()
        context = replace(context_of(config, vantage=self.wish.vantage), runtime=runtime)
        self.config, self.context, self.runtime = config, context, runtime
        self._switch = switch_of(config)

    @property
    def interval_s(self) -> float:
        return self.wish.every_s if self.wish.every_s is not None else self.config.service.round_s

    def measures(self) -> tuple[Measure, ...]:
        """The numbers of the last round, seen from now."""
        world = replace(self.world, now=instant())
        return measures(self.config.service, world, budget_of(self.config, world))

    # -------------------------------------------------------------------------------- the loop

    def run(self) -> int:
        if self.wish.every_s is not None:
            demand_pace("watch", self.wish.every_s)
        handlers = {signal.SIGTERM: self._on_stop, signal.SIGINT: self._on_stop, signal.SIGHUP: self._on_reload}
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        self.say("started", f"watching {self.config.service.name} every {self.interval_s:g} s")
        try:
            self._rounds()
        except Stopped:
            pass
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            self._manager.stopping()
            self._switch.close()
        self.say("stopped", "nothing is left in the middle")
        return DONE

    def _rounds(self) -> None:
        due = self.runtime.now()
        first = True
        while not self._stopping:
            text = self._round()
            (self._manager.ready if first else self._manager.alive)(text.splitlines()[0])
            first = False
            now = self.runtime.now()
            due = due.plus((now.since(due) // self.interval_s + 1) * self.interval_s)  # missed ones are not made up for
            self._wait(due.since(now))
            if self._reload and not self._stopping:
                self._read_again()

    def _wait(self, seconds: float) -> None:
        """Until the next round is due, or a signal comes."""
        if not self._wake.wait(seconds):
            return
        self._wake.clear()

    def _round(self) -> str:
        """One round; what it came to, in words."""
        self._switch.started()
        code, result = DONE, "ok"
        try:
            with leased(self.context, TICK) as term:
                report = tick(self.context, term=term)
            self.world = report.world
            text = text_of(report)
            self._log_round(text, report)
            written = self._write_textfile()
            code, result = (1, "failed") if report.failed or not written else (DONE, "ok")
        except LockedError as error:
            text, result = f"skipped: {error}", "skipped"
            self._log("skipped", "info", text)
        except FailoverError as error:
            text, code, result = f"failed: {error}", error.exit_code, "failed"
            self._log("failed", "error", text + (f" (next: {error.hint})" if error.hint else ""))
        self.rounds[result] += 1
        self._switch.ended(code)
        return text

    def _write_textfile(self) -> bool:
        """False when there is a file for the metrics and it cannot be written, which is said once."""
        if self.wish.textfile is None:
            return True
        try:
            write_metrics(self.wish.textfile, self.config, self.measures())
            self._unwritten = ""
        except FailoverError as error:
            if str(error) != self._unwritten:
                self._write("failed", "error", f"failed: {error}", {})
            self._unwritten = str(error)
        return not self._unwritten

    # -------------------------------------------------------------------------------- signals

    def _on_stop(self, number: int, _frame: FrameType | None) -> None:
        at_once = self.runtime.only_looking
        name = signal.Signals(number).name
        line = self._line("stopping", "info", f"{name}: ends {'now' if at_once else 'after this round'}", {})
        os.write(sys.stderr.fileno(), f"{line}\n".encode())  # the stream itself may be in the middle of a line
        self._stopping = True
        self._wake.set()
        if at_once:
            raise Stopped

    def _on_reload(self, _number: int, _frame: FrameType | None) -> None:
        self._reload = True
        self._wake.set()

    def _read_again(self) -> None:
        """SIGHUP: the config as it is now; what cannot be used, or needs a restart, leaves the old one in place."""
        self._reload = False
        self._manager.reloading(time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000)
        old, old_switch = self.config, self._switch
        try:
            new = config_of(self.option)
            if (new.service.name, new.state_path) != (old.service.name, old.state_path):
                cause = "the name of the service or the place of its state is another one"
                raise RefusedError("reload", str(new.path), cause, "restart the service")
            self._use(new)
            old_switch.close()
            self.say("reloaded", f"{new.path}: watching every {self.interval_s:g} s")
        except FailoverError as error:
            findings = error.findings if isinstance(error, ConfigError) else ()
            said = "\n".join([f"not reloaded, the old config still counts: {error}", *findings])
            self._log("not-reloaded", "error", said)
        self._said = ""
        self._manager.ready(f"watching {self.config.service.name}")

    # -------------------------------------------------------------------------------- the log

    def say(self, event: str, text: str) -> None:
        """One line that is no round."""
        self._write(event, "info", text, {})

    def _log(self, event: str, level: str, text: str, **fields: object) -> None:
        """What was not said by the round before."""
        if text != self._said:
            self._write(event, level, text, fields)
        self._said = text

    def _log_round(self, text: str, report: TickReport) -> None:
        decision, state = report.decision, report.world.state
        level = "warning" if decision.kind in LOUD or report.failed else "info"
        self._log(
            "round",
            level,
            text,
            decision=decision.kind.value,
            target=decision.target,
            reasons=list(decision.reasons),
            active_site=state.active_site,
            epoch=state.epoch,
            verdicts=verdicts_of(report),
        )

    def _write(self, event: str, level: str, text: str, fields: dict[str, object]) -> None:
        progress(self._line(event, level, text, fields))

    def _line(self, event: str, level: str, text: str, fields: dict[str, object]) -> str:
        if self.wish.log is Log.TEXT:
            return text
        at = datetime.fromtimestamp(instant().utc_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = {"at": at, "level": level, "event": event, "service": self.config.service.name, "message": text}
        return json.dumps({**line, **fields}, ensure_ascii=False)
