"""The demo's timeline: what happened when, gathered from the client, the name servers, `status` and `history`."""

import queue
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from failover.cli.demo_client import Answer
from failover.cli.demo_dns import Eyes
from failover.cli.demo_stage import DemoFailed, Stage
from failover.cli.demo_tape import Tape, first_failed, first_good
from failover.cli.demo_view import Line, View

ASK_EVERY_S = 1.0
SETTLE_S = 5.0
"""How late an event may become known."""


class Asker:
    """Asks `status` and `history` once a second on a thread of its own, so that the picture does not wait for them."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._answers: queue.SimpleQueue[tuple[str, dict[str, Any], float]] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def take(self) -> list[tuple[str, dict[str, Any], float]]:
        """What came in since the last time: the command, its answer, and when it was there."""
        found = []
        while not self._answers.empty():
            found.append(self._answers.get())
        return found

    def _run(self) -> None:
        while not self._stop.wait(ASK_EVERY_S):
            for command in ("status", "history"):
                try:
                    answer = self._stage.ask(command)
                except DemoFailed:
                    continue  # the story itself asks again where it needs an answer
                self._answers.put((command, answer, time.monotonic()))


@dataclass(slots=True, kw_only=True)
class Timeline:
    """Tells each event once, in the order in which it becomes known; `lines` are sorted by when it happened."""

    view: View
    home: str
    away: str
    start_s: float = field(default_factory=time.monotonic)
    utc_offset_s: float = field(default_factory=lambda: time.time() - time.monotonic())  # noqa: TID251 - to place journal entries
    known: list[Line] = field(default_factory=list)
    committed: dict[str, int] = field(default_factory=dict)
    """Epoch of the newest committed cutover by its target."""
    _told: set[tuple[object, ...]] = field(default_factory=set)

    @property
    def lines(self) -> list[Line]:
        return sorted(self.known, key=lambda line: line.at_s)

    def tell(self, what: str, detail: str = "", at_s: float | None = None) -> None:
        """Add an event. `at_s` is of the monotonic clock; without it: now, and all that led to it is known."""
        moment_s = (time.monotonic() if at_s is None else at_s) - self.start_s
        line = Line(at_s=round(max(0.0, moment_s), 3), what=what, detail=detail)
        self.known.append(line)
        self.view.event(line)
        if at_s is None:
            self.view.update(line.at_s)

    def update(self, answers: Sequence[Answer]) -> None:
        """Let the view go on: what is older than `SETTLE_S` will not be preceded by anything new."""
        self.view.update(time.monotonic() - self.start_s - SETTLE_S, answers)

    def _once(self, what: str, detail: str, at_s: float, *key: object) -> None:
        if key not in self._told:
            self._told.add(key)
            self.tell(what, detail, at_s)

    def see_client(self, tape: Tape, closed_s: float) -> None:
        """The first failure after the account was closed, and the first good answer from the next site."""
        failed, good = first_failed(tape.answers, closed_s), first_good(tape.answers, self.away, closed_s)
        if failed is not None:
            self._once("first failed request", failed.error or "", failed.at_s, "failed")
        if good is not None:
            self._once("first good answer", f"from {self.away}, {good.address}", good.at_s, "good")

    def see_dns(self, eyes: Eyes) -> None:
        for sight in tuple(eyes.sights):
            detail = f"{sight.site}: {', '.join(sorted(sight.addresses))}"
            self._once(f"{sight.host} answers epoch {sight.epoch}", detail, sight.at_s, "dns", sight.host, sight.epoch)

    def see_status(self, status: Mapping[str, Any], at_s: float) -> None:
        """Verdicts on the first site, until it is given up."""
        if status["active_site"] != self.home:
            return
        for site in status["sites"]:
            if site["name"] == self.home and site["verdict"] not in (None, "UP"):
                self._once(f"{self.home} is {site['verdict']}", status["next"], at_s, "verdict", site["verdict"])

    def see_history(self, history: Mapping[str, Any]) -> None:
        for plan in history["plans"]:
            if plan["kind"] == "cutover":
                for event in plan["events"]:
                    self._see_event(plan, event)

    def _see_event(self, plan: Mapping[str, Any], event: Mapping[str, Any]) -> None:
        route, at_s = f"{plan['source']} → {plan['target']}", event["at_utc_s"] - self.utc_offset_s
        words = {
            ("claim", "started"): (
                "cutover started",
                f"{route}, epoch {plan['epoch']}; {plan['verdict'] or 'by hand'}",
            ),
            ("verify", "ok"): ("target proven", f"every node of {plan['target']} serves the right release"),
            ("swap", "ok"): ("DNS swapped", "addresses and epoch together, at every host"),
            ("confirm", "ok"): ("verified", "every authoritative server answers the new addresses"),
        }
        found = words.get((event["step"], event["kind"]))
        if event["kind"] == "closed":
            found = (str(plan["result"]), f"{route}, epoch {plan['epoch']}")
            if plan["result"] == "committed":
                self.committed[plan["target"]] = plan["epoch"]
        if found is not None:
            self._once(*found, at_s, "event", plan["id"], event["sequence"])
