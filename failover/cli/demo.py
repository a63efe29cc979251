"""`failover demo`: lose a provider under load and get back, by the public commands alone, every number measured.

The story: build a playground of three local clouds and two DNS hosts, run the guestbook at all of them, watch, put a
client under steady load, close the first account; wait for the first good answer from the next site and for the
committed cutover; open the account again, apply, fail back. The demo succeeds only if all of it happened.
"""

import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Literal

from rich.console import Console

from failover.cli.demo_dns import Eyes
from failover.cli.demo_stage import DemoFailed, Stage
from failover.cli.demo_tape import Tape, failures_after, first_good, only_from, outage_s
from failover.cli.demo_timeline import Asker, Timeline
from failover.cli.demo_view import LiveView, PlainView, View
from failover.core.budget import Term, total_s
from failover.core.rrsets import epoch_name
from failover.errors import FailoverError, RefusedError

SCHEMA_VERSION = 1
SERVICE, ZONE, NAME, PORT = "guestbook", "guestbook.test", "www.guestbook.test", 8080
HOME, AWAY = "aurora", "boreas"
RATE = 20
STEADY = 2 * RATE
"""So many good answers in a row count as steady."""
PATIENCE_S = 40.0
"""How long each single thing may take until the demo gives up."""
DEADLINE_S = 150.0
"""How long all of it may take."""
PUMP_S = 0.1
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Output = Literal["table", "json"]


class Interrupted(DemoFailed):
    """A person or a program asked the demo to end."""


@dataclass(slots=True, kw_only=True)
class Facts:
    """What is known so far. Instants are of the monotonic clock."""

    budget: tuple[Term, ...] = ()
    closed_s: float | None = None
    failback_s: float | None = None
    verified: list[str] = field(default_factory=list)
    ok: bool = False


class Demo:
    """One run of the story. `play` raises DemoFailed where something does not happen; `result` says what is known."""

    def __init__(self, stage: Stage, view: View) -> None:
        self.facts = Facts()
        self._stage = stage
        self._timeline = Timeline(view=view, home=HOME, away=AWAY)
        self._tape = Tape(stage.logs / "requests.jsonl")
        self._eyes = Eyes(name=NAME, epoch_name=epoch_name(SERVICE, ZONE))
        self._asker = Asker(stage)

    def play(self) -> None:
        self._build()
        self._settle()
        self._lose()
        self._come_back()
        self._pump()
        if self._eyes.wrongs:
            raise DemoFailed("watch", "the name servers", "; ".join(self._eyes.wrongs))

    def close(self) -> list[str]:
        """End threads and processes, and read what the client wrote to its end. Returns what did not end."""
        self._asker.stop()
        self._eyes.stop()
        problems = self._stage.close()
        self._tape.read()
        return problems

    # ---------------------------------------------------------------------------------------------- the story

    def _build(self) -> None:
        tell = self._timeline.tell
        self._stage.run("init", "--local", str(self._stage.play), cwd=self._stage.directory)
        tell("playground made", "three local clouds, two DNS hosts, two controls; `failover init --local`")
        self._stage.run("apply", "--yes")
        listing = self._stage.ask("local", "list")
        nodes = ", ".join(f"{len(cloud['nodes'])} nodes at {cloud['name']}" for cloud in listing["clouds"])
        tell("applied", f"{nodes}; `failover apply`")
        self._eyes.start({host["name"]: _place(host["server"]) for host in listing["dns"]})

    def _settle(self) -> None:
        """Until the client gets steady answers and every site could take over."""
        self._stage.start("watch", "watch")
        options = ["--name", NAME, "--port", str(PORT), "--rate", str(RATE), "--out", str(self._tape.path)]
        for address, port in self._eyes.servers.values():
            options += ["--server", f"{address}:{port}"]
        self._stage.start("client", *options, module="failover.cli.demo_client")
        self._timeline.tell("client started", f"{RATE} requests per second, no retries; knows the name, nothing else")
        self._until_answers_from(HOME)
        self._until_status("every site to be ready", _all_ready)
        self.facts.budget = tuple(Term(**term) for term in self._stage.ask("status")["budget"])
        self._timeline.tell(
            "steady", f"{HOME} serves; a cutover would take {total_s(self.facts.budget):.1f} s at worst"
        )

    def _lose(self) -> None:
        self.facts.closed_s = closed_s = time.monotonic()
        self._timeline.tell("account closed", f"`failover local close {HOME}`", closed_s)
        self._stage.run("local", "close", HOME)
        self._asker.start()
        good = f"the first good answer from {AWAY}"
        self._until(good, lambda: first_good(self._tape.answers, AWAY, closed_s) is not None)
        self._until("the committed cutover", lambda: AWAY in self._timeline.committed)
        epoch = self._timeline.committed[AWAY]
        hosts = list(self._eyes.servers)
        self._until("the change at every DNS host", lambda: self._eyes.hosts_at(epoch) == hosts)
        self.facts.verified = hosts
        self._until_answers_from(AWAY)

    def _come_back(self) -> None:
        self._stage.run("local", "reopen", HOME)
        self._timeline.tell("account open again", f"and empty; `failover local reopen {HOME}`")
        self._stage.run("apply", "--yes")
        self._timeline.tell("applied", f"{HOME} runs the release again; `failover apply`")
        self._until_status(f"{HOME} to be ready", _all_ready)
        self.facts.failback_s = back_s = time.monotonic()
        self._timeline.tell("failback", "`failover failback`", back_s)
        self._stage.run("failback", "--yes")
        self._until_answers_from(HOME)
        self._until("the committed failback", lambda: HOME in self._timeline.committed)
        self._until_status(f"{HOME} to be active", lambda status: bool(status["active_site"] == HOME))
        self._timeline.tell("home again", f"every answer comes from {HOME}")

    # ---------------------------------------------------------------------------------------------- waiting

    def _until_answers_from(self, site: str) -> None:
        """Until nothing but good answers comes from that site, longer than any cache keeps the old address."""
        since_s = time.monotonic()
        self._until(f"answers from {site} only", lambda: only_from(self._tape.answers, site, since_s, STEADY))

    def _until_status(self, what: str, good: Callable[[dict[str, Any]], bool]) -> None:
        self._until(what, lambda: good(self._stage.ask("status")))

    def _until(self, what: str, happened: Callable[[], bool]) -> None:
        start_s = time.monotonic()
        while not happened():
            if time.monotonic() > start_s + PATIENCE_S:
                raise DemoFailed("wait for", what, f"it did not happen within {PATIENCE_S:g} s")
            if time.monotonic() > self._timeline.start_s + DEADLINE_S:
                raise DemoFailed("wait for", what, f"the demo may not take longer than {DEADLINE_S:g} s")
            self._stage.check_children()
            self._pump()
            time.sleep(PUMP_S)

    def _pump(self) -> None:
        """Take in what happened since the last time, wherever it shows."""
        self._timeline.update(self._tape.read())
        self._timeline.see_dns(self._eyes)
        if self.facts.closed_s is None:
            return
        self._timeline.see_client(self._tape, self.facts.closed_s)
        for command, answer, at_s in self._asker.take():
            if command == "status":
                self._timeline.see_status(answer, at_s)
            else:
                self._timeline.see_history(answer)

    # ---------------------------------------------------------------------------------------------- the result

    def result(self) -> dict[str, Any]:
        """What was measured, as `--output json` prints it; null for what did not happen."""
        facts, answers = self.facts, self._tape.answers
        outage = outage_s(answers, AWAY, facts.closed_s) if facts.closed_s is not None else None
        back = failures_after(answers, facts.failback_s) if facts.failback_s is not None else None
        return {
            "schema_version": SCHEMA_VERSION,
            "ok": facts.ok,
            "outage_s": None if outage is None else round(outage, 3),
            "budget_s": round(total_s(facts.budget), 3) if facts.budget else None,
            "budget": [asdict(term) for term in facts.budget],
            "requests": len(answers),
            "failures": self._tape.failures,
            "failback_failures": back,
            "epochs": self._eyes.epochs(),
            "dns_hosts_verified": facts.verified,
            "timeline": [asdict(line) for line in self._timeline.lines],
        }


def _place(server: str) -> tuple[str, int]:
    address, _, port = server.rpartition(":")
    return address, int(port)


def _all_ready(status: dict[str, Any]) -> bool:
    return all(site["ready"] for site in status["sites"])


# -------------------------------------------------------------------------------------------------- the command


def run(output: Output, keep: Path | None = None) -> int:
    """Play the demo. Returns 0 when all of it happened, else 1 with the reason on standard error.

    `table` shows the timeline on standard output, live on a terminal; `json` prints one object there and progress on
    standard error. With `keep` everything is left in that directory; otherwise only a run that failed leaves its logs.
    """
    stage = Stage(_directory(keep))
    view = _view(output)
    demo = Demo(stage, view)
    with _interruptible() as disarm:
        problem = _play(demo)
        disarm()
        problems = [problem] if problem else []
        problems += demo.close()
        view.close()
    demo.facts.ok = not problems
    result = demo.result()
    sys.stdout.write(json.dumps(result, indent=2) + "\n" if output == "json" else summary(result))
    sys.stdout.flush()
    if problems:
        sys.stderr.write(f"failover: the demo failed: {'; '.join(problems)}\n  logs: {stage.logs}\n")
    elif keep is None:
        stage.remove()
    return 1 if problems else 0


def _directory(keep: Path | None) -> Path:
    """A fresh directory: the one that is wanted, or one that goes again. Raises RefusedError for one in use."""
    if keep is None:
        return Path(tempfile.mkdtemp(prefix="failover-demo-")).resolve()
    if keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
        raise RefusedError("keep the demo in", str(keep), "something is there already", "name a new directory")
    keep.mkdir(parents=True, exist_ok=True)
    return keep.resolve()


def _view(output: Output) -> View:
    if output == "json":
        return PlainView(sys.stderr)
    console = Console()
    return LiveView(console) if console.is_terminal else PlainView(sys.stdout)


def _play(demo: Demo) -> str | None:
    """The reason why it failed, if it did."""
    try:
        demo.play()
    except FailoverError as error:
        return str(error)
    return None


@contextmanager
def _interruptible() -> Iterator[Callable[[], None]]:
    """The first signal to end raises Interrupted, once; later ones, and all after `disarm`, do not disturb the end."""
    armed = True

    def disarm() -> None:
        nonlocal armed
        armed = False

    def on_signal(number: int, _frame: FrameType | None) -> None:
        if armed:
            disarm()
            raise Interrupted("play", "to the end", f"interrupted by {signal.Signals(number).name}")

    before = {number: signal.signal(number, on_signal) for number in SIGNALS}
    try:
        yield disarm
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def summary(result: dict[str, Any]) -> str:
    """The figures in words, under the timeline."""
    lines = ["", f"requests   {result['requests']}, of which {result['failures']} failed"]
    if result["failback_failures"] is not None:
        lines[-1] += f", {result['failback_failures']} of them since the failback"
    if result["outage_s"] is not None:
        lines.append(
            f"outage     {result['outage_s']:.2f} s, from the last good answer to the first, as the client saw it"
        )
    if result["budget_s"] is not None:
        lines.append(f"worst case {result['budget_s']:.2f} s, computed before the account was closed:")
        lines += [f"  {term['seconds']:6.2f} s  {term['term']:<12} {term['why']}" for term in result["budget"]]
    lines.append(f"epochs     {', '.join(map(str, result['epochs'])) or 'none'}, as the name servers answered")
    if result["dns_hosts_verified"]:
        lines[-1] += f"; the cutover was verified at {', '.join(result['dns_hosts_verified'])}"
    return "\n".join(lines) + "\n"
