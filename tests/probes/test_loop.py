"""The loop under the probes: every way to wait, and what happens when this machine cannot keep up."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from failover.probes.apart import Apart
from failover.probes.loop import EVENTS_MAX, FULL, Patience, Planned, Round, Talk

LONG_S = 60.0
Pair = tuple[socket.socket, socket.socket]


def run(
    *talks: Talk[str], timeout_s: float = LONG_S, round_s: float = LONG_S, concurrency: int = 100
) -> list[str | None]:
    planned = [Planned(lambda talk=talk: talk, timeout_s) for talk in talks]  # type: ignore[misc] # a default pins it
    until_s = time.monotonic() + round_s
    return Round(planned, until_s=until_s, concurrency=concurrency, starts_per_s=1e6).run()


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


def hears(sock: socket.socket) -> Talk[str]:
    """Waits for a word; says why when none comes."""
    while True:
        try:
            return sock.recv(100).decode()
        except BlockingIOError:
            pass
        try:
            yield sock
        except TimeoutError:
            return "timeout"


def says(word: str) -> Talk[str]:
    yield from ()
    return word


class TestWaiting:
    def test_nothing_to_do(self) -> None:
        assert run() == []

    def test_a_talk_that_never_waits(self) -> None:
        assert run(says("a"), says("b")) == ["a", "b"]

    def test_what_arrives_wakes(self, pair: Pair) -> None:
        def tells() -> Talk[str]:
            yield Patience(pair[1], 0.01)
            pair[1].send(b"hello")
            return "told"

        assert run(hears(pair[0]), tells()) == ["hello", "told"]

    def test_patience_ends(self, pair: Pair) -> None:
        def waits() -> Talk[str]:
            woken: list[object] = []
            while len(woken) < 3:  # the first time it can be written to, which is something
                woken.append((yield Patience(pair[0], 0.01)))
            return str(woken)

        assert run(waits()) == ["[True, None, None]"]

    def test_time_is_over(self, pair: Pair) -> None:
        assert run(hears(pair[0]), timeout_s=0.05) == ["timeout"]

    def test_whatever_is_tried_after_the_timeout_ends_at_once(self, pair: Pair) -> None:
        def stubborn() -> Talk[str]:
            for tries in range(1, 10):
                try:
                    yield pair[0]
                    yield pair[0]
                except TimeoutError:
                    if tries == 5:
                        return f"gave up after {tries}"
            return "never"

        assert run(stubborn(), timeout_s=0.05) == ["gave up after 5"]

    def test_the_end_of_the_round_closes_what_is_open(self, pair: Pair) -> None:
        closed = []

        def waits() -> Talk[str]:
            try:
                while True:
                    yield pair[0]
            finally:
                closed.append(True)

        assert run(waits(), says("a"), round_s=0.1) == [None, "a"]
        assert closed == [True]

    def test_no_more_than_so_many_at_once(self, pair: Pair) -> None:
        open_now, most = 0, 0

        def counted() -> Talk[str]:
            nonlocal open_now, most
            open_now += 1
            most = max(most, open_now)
            yield Patience(pair[0], 0.001)
            yield Patience(pair[0], 0.001)
            open_now -= 1
            return "a"

        assert run(*(counted() for _ in range(20)), concurrency=3) == ["a"] * 20
        assert most == 3

    def test_the_last_start_leaves_time_for_an_answer(self) -> None:
        planned = [Planned(lambda: says("a"), 0.2)] * 50
        slow = Round(planned, until_s=time.monotonic() + 0.3, concurrency=9, starts_per_s=1.0)  # else: 50 s
        assert set(slow.run()) == {"a"}


class TestApart:
    def test_a_value_and_an_error_come_back(self) -> None:
        def asks(do: object) -> Talk[str]:
            try:
                return str((yield Apart(do)))  # type: ignore[arg-type] # any callable
            except ValueError as error:
                return f"error {error}"

        def fails() -> None:
            raise ValueError("no")

        assert run(asks(lambda: 7), asks(fails)) == ["7", "error no"]

    def test_what_hangs_is_left_behind_and_undone_when_it_comes(self) -> None:
        go, undone = threading.Event(), threading.Event()

        def hangs() -> Talk[str]:
            try:
                yield Apart(go.wait, undo=lambda value: undone.set())
            except TimeoutError:
                return "timeout"
            return "never"

        assert run(hangs(), timeout_s=0.05) == ["timeout"]
        go.set()
        assert undone.wait(LONG_S)

    def test_what_comes_in_the_same_round_but_too_late_is_undone(self, pair: Pair) -> None:
        go = threading.Event()
        undone: list[object] = []

        def hangs() -> Talk[str]:
            try:
                yield Apart(lambda: go.wait() and "late", undo=undone.append)
            except TimeoutError:
                go.set()
                return "timeout"
            return "never"

        def stays() -> Talk[str]:
            while not undone:
                yield Patience(pair[0], 0.005)
            return "saw it"

        planned = [Planned(hangs, 0.05), Planned(stays, LONG_S)]
        assert Round(planned, until_s=time.monotonic() + LONG_S, concurrency=9, starts_per_s=1e6).run() == [
            "timeout",
            "saw it",
        ]
        assert undone == ["late"]

    def test_no_thread_left(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuses(thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        def asks() -> Talk[str]:
            try:
                yield Apart(lambda: 1)
            except OSError as error:
                return str(error.strerror)
            return "never"

        monkeypatch.setattr(threading.Thread, "start", refuses)
        assert run(asks()) == ["can't start new thread"]

    def test_the_process_ends_although_something_hangs(self) -> None:
        code = (
            "import threading, time; from failover.probes.loop import *\n"
            "def hangs():\n"
            "    yield Apart(threading.Event().wait)\n"
            "until_s = time.monotonic() + 0.2\n"
            "print(Round([Planned(hangs, 9.0)], until_s=until_s, concurrency=1, starts_per_s=1e6).run())\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout == "[None]\n"


class TestOwnTrouble:
    def test_an_answer_that_waited_for_us_is_no_silence(self, pair: Pair) -> None:
        """The word is there in time; it is us who look late."""

        def hogs() -> Talk[str]:
            pair[1].send(b"hello")
            time.sleep(0.6)
            yield from ()
            return "done"

        def quiet() -> Talk[str]:
            try:
                yield pair[0]
            except TimeoutError:
                return "timeout"
            return pair[0].recv(100).decode()

        fill(pair[0])  # it cannot be written to, so only the word wakes
        assert run(quiet(), hogs(), timeout_s=0.3) == ["hello", "done"]

    def test_more_answers_than_one_look_takes_in_are_no_silence_either(self) -> None:
        """Everything is there before the first is out of time, and it takes several looks to see all of it."""
        pairs = [socket.socketpair() for _ in range(4 * EVENTS_MAX)]

        def hogs() -> Talk[str]:
            for _, theirs in pairs:
                theirs.send(b"hello")
            time.sleep(0.6)
            yield from ()
            return "done"

        def quiet(ours: socket.socket) -> Talk[str]:
            fill(ours)
            try:
                yield ours
            except TimeoutError:
                return "timeout"
            return ours.recv(100).decode()

        for ours, _ in pairs:
            ours.setblocking(False)
        try:
            assert set(run(*(quiet(ours) for ours, _ in pairs), hogs(), timeout_s=0.5, concurrency=999)) == {
                "hello",
                "done",
            }
        finally:
            for ours, theirs in pairs:
                ours.close()
                theirs.close()

    def test_the_clock_of_a_target_stands_still_while_we_are_held_up(self, pair: Pair) -> None:
        """Its answer needs 0.1 s of the 0.4 s that it has; the 1 s in which we did nothing is not its fault."""

        def hogs() -> Talk[str]:
            time.sleep(1.0)
            yield Patience(pair[1], 0.0)
            yield Patience(pair[1], 0.1)
            pair[1].send(b"hello")
            return "done"

        held = Round(
            [Planned(lambda: hears(pair[0]), 0.4), Planned(hogs, 9.0)],
            until_s=time.monotonic() + LONG_S,
            concurrency=9,
            starts_per_s=1e6,
        )
        assert held.run() == ["hello", "done"]
        assert held.held_s > 0.8

    def test_held_up_a_little_in_every_round_it_still_knows_who_hangs(self, pair: Pair) -> None:
        """1.5 s of 4 s were ours: too much for 3 s undisturbed, too little for not knowing."""

        def hogs() -> Talk[str]:
            time.sleep(1.5)
            yield from ()
            return "done"

        assert run(hears(pair[0]), hogs(), timeout_s=3.0, round_s=4.0) == ["timeout", "done"]

    def test_held_up_for_most_of_a_round_it_knows_nothing(self, pair: Pair) -> None:
        def hogs() -> Talk[str]:
            time.sleep(2.5)
            yield from ()
            return "done"

        assert run(hears(pair[0]), hogs(), timeout_s=2.0, round_s=2.2) == [None, "done"]

    def test_without_descriptors_it_does_not_spin(self, pair: Pair) -> None:
        """What is due to begin waits too, and the loop sleeps meanwhile."""
        turns = 0

        def wants() -> Talk[str]:
            nonlocal turns
            while turns < 1:
                yield FULL
            return "got it"

        def ends() -> Talk[str]:
            nonlocal turns
            yield Patience(pair[0], 0.3)
            yield Patience(pair[0], 0.3)
            turns += 1
            return "ended"

        planned = [Planned(ends, LONG_S), Planned(wants, LONG_S), *[Planned(lambda: says("late"), LONG_S)] * 3]
        round: Round[str] = Round(planned, until_s=time.monotonic() + LONG_S, concurrency=9, starts_per_s=1e6)
        counted, turn = [0], round._turn

        def counting() -> None:
            counted[0] += 1
            turn()

        round._turn = counting  # type: ignore[method-assign] # looked on, not changed
        assert round.run() == ["ended", "got it", "late", "late", "late"]
        assert counted[0] < 1000

    def test_without_descriptors_one_waits_for_another_to_end(self) -> None:
        ended: list[bool] = []

        def wants() -> Talk[str]:
            while not ended:
                yield FULL
            return "got it"

        def ends() -> Talk[str]:
            yield Apart(lambda: None)
            ended.append(True)
            return "ended"

        assert run(ends(), wants()) == ["ended", "got it"]

    def test_when_all_wait_for_a_descriptor_there_is_no_hope(self) -> None:
        def wants() -> Talk[str]:
            try:
                yield FULL
            except OSError as error:
                return str(error.strerror)
            return "never"

        assert run(wants(), wants()) == ["Too many open files"] * 2

    def test_a_timeout_without_a_descriptor_is_our_own(self, pair: Pair) -> None:
        def wants() -> Talk[str]:
            try:
                yield FULL
            except OSError as error:
                return type(error).__name__ + str(error.errno)
            return "never"

        planned = [Planned(wants, 0.05), Planned(lambda: hears(pair[0]), 0.5)]
        found = Round(planned, until_s=time.monotonic() + LONG_S, concurrency=9, starts_per_s=1e6).run()
        assert found == ["OSError24", "timeout"]


def fill(sock: socket.socket) -> None:
    try:
        while True:
            sock.send(b"x" * 65536)
    except BlockingIOError:
        return
