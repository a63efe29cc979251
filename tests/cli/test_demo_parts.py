"""The parts of the demo: what it measures, what it sees in DNS, what it shows, and how it ends its processes."""

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import dns.rcode
import pytest
from rich.console import Console

from failover.cli.demo import Interrupted, _directory, _interruptible, summary
from failover.cli.demo_client import Answer
from failover.cli.demo_dns import Eyes
from failover.cli.demo_stage import DemoFailed, Stage, processes_under
from failover.cli.demo_tape import Tape, failures_after, first_failed, first_good, only_from, outage_s
from failover.cli.demo_timeline import Timeline
from failover.cli.demo_view import Line, LiveView, PlainView
from failover.errors import RefusedError
from tests.cli.small_authority import NAME, Authority


def good(at_s: float, site: str) -> Answer:
    return Answer(sent_s=at_s - 0.01, at_s=at_s, ok=True, address="127.0.0.1", site=site, status=200)


def bad(at_s: float) -> Answer:
    return Answer(sent_s=at_s - 0.01, at_s=at_s, ok=False, error="ConnectionRefusedError")


OUTAGE = [
    good(1.0, "aurora"),
    good(1.1, "aurora"),
    bad(1.2),
    bad(6.9),
    good(7.1, "boreas"),
    bad(7.2),
    good(7.3, "boreas"),
]


# ---------------------------------------------------------------------------------------------- measures


def test_the_outage_is_from_the_last_good_answer_to_the_first_of_the_next_site() -> None:
    assert outage_s(OUTAGE, "boreas", 1.15) == pytest.approx(6.0)


def test_an_answer_that_came_after_the_closing_still_counts_as_good() -> None:
    assert outage_s([*OUTAGE[:2], good(1.18, "aurora"), *OUTAGE[2:]], "boreas", 1.15) == pytest.approx(5.92)


def test_without_an_end_there_is_no_outage_to_measure() -> None:
    assert outage_s(OUTAGE[:4], "boreas", 1.15) is None
    assert outage_s(OUTAGE[4:], "boreas", 1.15) is None


def test_failures_are_counted_by_when_the_request_was_sent() -> None:
    assert failures_after(OUTAGE, 7.0) == 1
    assert failures_after(OUTAGE, 7.195) == 0
    assert first_failed(OUTAGE, 1.0) == bad(1.2)
    assert first_good(OUTAGE, "boreas", 0.0) == good(7.1, "boreas")


def test_only_from_wants_so_many_good_answers_in_a_row() -> None:
    answers = [good(number / 10, "boreas") for number in range(10)]
    assert only_from(answers, "boreas", 0.0, 5)
    assert not only_from(answers, "aurora", 0.0, 5)
    assert not only_from(answers, "boreas", 0.7, 5)
    assert not only_from([*answers, bad(1.0)], "boreas", 0.0, 5)


def test_a_tape_is_read_as_it_grows_and_never_half_a_line(tmp_path: Path) -> None:
    tape = Tape(tmp_path / "requests.jsonl")
    assert tape.read() == []
    line, other = json.dumps(asdict(good(1.0, "aurora"))), json.dumps(asdict(bad(0.5)))
    tape.path.write_text(line + "\n" + other[:20])
    assert tape.read() == [good(1.0, "aurora")]
    with tape.path.open("a") as file:
        file.write(other[20:] + "\n")
    assert [answer.at_s for answer in tape.read()] == [0.5]
    assert [answer.at_s for answer in tape.answers] == [0.5, 1.0]
    assert tape.failures == 1
    assert tape.read() == []


# ---------------------------------------------------------------------------------------------- dns


@pytest.fixture
def authority() -> Iterator[Authority]:
    authority = Authority("127.0.1.1")
    authority.answers["TXT"] = ['"v=1 epoch=1 site=aurora plan=abc"']
    yield authority
    authority.stop()


@pytest.fixture
def eyes(authority: Authority) -> Iterator[Eyes]:
    eyes = Eyes(name=NAME, epoch_name="_failover.guestbook.guestbook.test")
    eyes.start({"ns1": authority.place})
    yield eyes
    eyes.stop()


def wait_for(happened: Callable[[], bool]) -> None:
    while not happened():
        time.sleep(0.02)


def test_the_eyes_see_each_change_once(eyes: Eyes, authority: Authority) -> None:
    wait_for(lambda: len(eyes.sights) == 1)
    asked = authority.asked
    wait_for(lambda: authority.asked > asked + 6)
    authority.answers = {"A": ["127.0.2.1"], "TXT": ['"v=1 epoch=2 site=boreas plan=def"']}
    wait_for(lambda: len(eyes.sights) == 2)
    assert [(s.host, s.epoch, s.site, sorted(s.addresses)) for s in eyes.sights] == [
        ("ns1", 1, "aurora", ["127.0.1.1"]),
        ("ns1", 2, "boreas", ["127.0.2.1"]),
    ]
    assert (eyes.epochs(), eyes.hosts_at(2), eyes.hosts_at(1), eyes.wrongs) == ([1, 2], ["ns1"], [], [])


def test_an_empty_address_set_is_a_wrong(eyes: Eyes, authority: Authority) -> None:
    authority.answers = {**authority.answers, "A": []}
    wait_for(lambda: bool(eyes.wrongs))
    assert "empty address set" in eyes.wrongs[0]


def test_an_epoch_that_goes_back_is_a_wrong(eyes: Eyes, authority: Authority) -> None:
    wait_for(lambda: len(eyes.sights) == 1)
    authority.answers = {**authority.answers, "TXT": ['"v=1 epoch=0 site=aurora plan=abc"']}
    wait_for(lambda: bool(eyes.wrongs))
    assert eyes.wrongs[0] == "ns1 went back from epoch 1 to 0"


def test_other_addresses_under_the_same_epoch_are_a_wrong(eyes: Eyes, authority: Authority) -> None:
    wait_for(lambda: len(eyes.sights) == 1)
    authority.answers = {**authority.answers, "A": ["127.0.2.1"]}
    wait_for(lambda: bool(eyes.wrongs))
    assert "within epoch 1" in eyes.wrongs[0]


def test_a_text_that_is_no_epoch_is_a_wrong(eyes: Eyes, authority: Authority) -> None:
    authority.answers = {**authority.answers, "TXT": ['"hello"']}
    wait_for(lambda: bool(eyes.wrongs))
    assert "not an epoch" in eyes.wrongs[0]


def test_no_answer_is_not_a_wrong(eyes: Eyes, authority: Authority) -> None:
    authority.rcode = dns.rcode.SERVFAIL
    asked = authority.asked
    wait_for(lambda: authority.asked > asked + 3)
    authority.rcode, authority.authoritative, authority.answers = dns.rcode.NOERROR, False, {}
    asked = authority.asked
    wait_for(lambda: authority.asked > asked + 3)
    assert eyes.wrongs == []


# ---------------------------------------------------------------------------------------------- timeline and view


def history(result: str | None = "committed") -> dict[str, object]:
    steps = [("claim", "started"), ("claim", "ok"), ("verify", "ok"), ("swap", "ok"), ("confirm", "ok")]
    steps += [("", "closed")] if result else []
    events = [
        {"sequence": number, "step": step, "kind": kind, "at_utc_s": 1000.0 + number, "reason": "", "output": {}}
        for number, (step, kind) in enumerate(steps)
    ]
    plan = {"id": "p1", "kind": "cutover", "epoch": 2, "source": "aurora", "target": "boreas", "result": result}
    plan["verdict"] = "ACCOUNT_CLOSED"
    other = {"id": "p0", "kind": "publish", "epoch": 1, "source": None, "target": "aurora", "result": "committed"}
    return {"plans": [{**other, "events": events}, {**plan, "events": events}], "notes": []}


def make_timeline(out: io.StringIO) -> Timeline:
    return Timeline(view=PlainView(out), home="aurora", away="boreas", start_s=100.0, utc_offset_s=890.0)


def test_the_journal_becomes_a_timeline_and_each_event_is_told_once() -> None:
    out = io.StringIO()
    timeline = make_timeline(out)
    timeline.see_history(history(None))
    assert timeline.committed == {}
    timeline.see_history(history())
    timeline.see_history(history())
    assert [(line.at_s, line.what) for line in timeline.lines] == [
        (10.0, "cutover started"),
        (12.0, "target proven"),
        (13.0, "DNS swapped"),
        (14.0, "verified"),
        (15.0, "committed"),
    ]
    assert timeline.committed == {"boreas": 2}
    timeline.view.close()
    assert (
        out.getvalue().splitlines()[0]
        == " 10.00 s  cutover started            aurora → boreas, epoch 2; ACCOUNT_CLOSED"
    )


def test_what_becomes_known_late_stands_at_its_own_time() -> None:
    timeline = make_timeline(io.StringIO())
    tape = Tape(Path("absent"), answers=OUTAGE)
    timeline.tell("late", at_s=120.0)
    timeline.see_client(Tape(Path("absent"), answers=[]), 1.15)
    timeline.start_s = 0.0
    timeline.see_client(tape, 1.15)
    assert [(line.at_s, line.what) for line in timeline.lines] == [
        (1.2, "first failed request"),
        (7.1, "first good answer"),
        (20.0, "late"),
    ]


def test_plain_lines_come_in_order_as_soon_as_nothing_can_come_before_them() -> None:
    out = io.StringIO()
    view = PlainView(out)
    for at_s in (3.0, 1.0, 2.0):
        view.event(Line(at_s=at_s, what=f"event {at_s:g}"))
    view.update(2.0)
    assert out.getvalue().split() == ["1.00", "s", "event", "1", "2.00", "s", "event", "2"]
    view.close()
    assert out.getvalue().split()[-1] == "3"
    assert out.getvalue().count("event") == 3


def test_verdicts_on_the_first_site_are_told_until_it_is_given_up() -> None:
    timeline = make_timeline(io.StringIO())
    sites = [{"name": "aurora", "verdict": "ACCOUNT_CLOSED"}, {"name": "boreas", "verdict": "UP"}]
    up = {"active_site": "aurora", "sites": [{"name": "aurora", "verdict": "UP"}], "next": "would cut over"}
    timeline.see_status(up, 101.0)
    timeline.see_status({"active_site": "aurora", "sites": sites, "next": "cuts over to boreas"}, 102.0)
    timeline.see_status({"active_site": "aurora", "sites": sites, "next": "cuts over to boreas"}, 103.0)
    timeline.see_status({"active_site": "boreas", "sites": [{"name": "aurora", "verdict": "UNKNOWN"}]}, 104.0)
    assert timeline.lines == [Line(at_s=2.0, what="aurora is ACCOUNT_CLOSED", detail="cuts over to boreas")]


def test_the_live_picture_shows_events_bars_and_failures() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=100, height=30, color_system=None)
    view = LiveView(console)
    view.event(Line(at_s=1.0, what="account closed", detail="`failover local close aurora`"))
    view.update(0.0, OUTAGE)
    view.close()
    console.print(view.picture())
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "account closed" in shown
    assert "✗ failed  3 of 7 requests" in shown
    assert "▇ aurora  ▇ boreas" in shown
    assert "✗  " in shown


def test_the_summary_says_the_figures_in_words() -> None:
    result = {
        "requests": 500,
        "failures": 120,
        "failback_failures": 0,
        "outage_s": 6.0,
        "budget_s": 10.5,
        "budget": [{"term": "ttl", "seconds": 1.0, "why": "caches"}],
        "epochs": [1, 2, 3],
        "dns_hosts_verified": ["ns1", "ns2"],
    }
    text = summary(result)
    assert "500, of which 120 failed, 0 of them since the failback" in text
    assert "outage     6.00 s" in text
    assert "1.00 s  ttl" in text
    assert "1, 2, 3, as the name servers answered; the cutover was verified at ns1, ns2" in text
    early = {**result, "outage_s": None, "budget_s": None, "failback_failures": None, "epochs": [], "budget": []}
    early["dns_hosts_verified"] = []
    assert "outage" not in summary(early)


# ---------------------------------------------------------------------------------------------- the stage


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    stage = Stage(tmp_path / "stage")
    stage.play.mkdir()
    return stage


def test_a_command_that_fails_is_named_with_its_last_words(stage: Stage) -> None:
    with pytest.raises(DemoFailed, match=r"`failover no-such-command`: exit [0-9]+"):
        stage.run("no-such-command")
    assert "$ failover no-such-command" in (stage.logs / "commands.log").read_text()


def check_for_ever(stage: Stage) -> None:
    while True:
        stage.check_children()
        time.sleep(0.02)


def test_a_process_that_ends_by_itself_is_noticed(stage: Stage) -> None:
    stage.start("client", "--no-such-option", module="failover.cli.demo_client")
    with pytest.raises(DemoFailed, match="client: it ended with exit 2"):
        check_for_ever(stage)
    stage.stop("client")
    stage.stop("client")
    assert stage.close() == []


def test_what_is_left_over_is_told_and_not_killed(stage: Stage) -> None:
    words = [sys.executable, "-c", "input()", str(stage.directory / "x")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        wait_for(lambda: processes_under(stage.directory) == [child.pid])
        assert processes_under(stage.directory / "other") == []
        (problem,) = stage.close()
        assert f"process {child.pid} is left over" in problem
        assert child.poll() is None


def test_a_directory_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for place in (tmp_path, tmp_path / "file"):
        with pytest.raises(RefusedError, match="already"):
            _directory(place)
    assert _directory(tmp_path / "new" / "one").is_dir()


def test_the_first_signal_interrupts_and_later_ones_do_not_disturb_the_end() -> None:
    with pytest.raises(Interrupted, match="SIGTERM"), _interruptible():
        os.kill(os.getpid(), 15)
    with _interruptible() as disarm:
        disarm()
        os.kill(os.getpid(), 15)


def test_a_wrong_answer_of_a_command_is_not_taken_for_json(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    for answer in ("no json", json.dumps([1])):
        monkeypatch.setattr(stage, "run", lambda *words, answer=answer: answer)
        with pytest.raises(DemoFailed, match="failover status"):
            stage.ask("status")
