"""Deadlines, repetitions of what is safe to repeat, and one driver per caller."""

import threading
import time
from collections.abc import Callable

import pytest

from failover.core.reading import Transport
from failover.errors import AccessRefused, AdapterError, NotFound, Throttled, TimedOut, Unreachable, Unreadable
from failover.net.answers import error_of, from_parts
from failover.net.calls import Deadline, PerThread, as_documented, repeat


def failing(*errors: Exception) -> tuple[Callable[[], str], list[int]]:
    """A call that raises these, one after the other, and then works; and a list that counts the calls."""
    left = list(errors)
    calls: list[int] = []

    def do() -> str:
        calls.append(len(calls))
        if left:
            raise left.pop(0)
        return "done"

    return do, calls


def gateway(status: int) -> AdapterError:
    return error_of(from_parts("linode", "x", status=status), "read")


@pytest.mark.parametrize("error", [ValueError("month must be in 1..12"), KeyError("State"), TypeError("no text")])
def test_a_value_that_no_document_knows_is_unreadable_and_no_crash(error: Exception) -> None:
    told = "list nodes here: linode answered what its API does not document"
    with pytest.raises(Unreadable, match=told) as caught, as_documented("linode", "list nodes", "here"):
        raise error
    assert caught.value.__cause__ is error
    with pytest.raises(NotFound), as_documented("linode", "list nodes", "here"):
        raise NotFound("read", "it", "gone")


# ------------------------------------------------------------------------------------ deadlines


def test_1_a_timeout_is_never_longer_than_what_is_left() -> None:
    deadline = Deadline(60)
    assert deadline.bound_s(5, "list nodes") == 5
    assert 59 < deadline.bound_s(600, "list nodes") <= 60
    assert 59 < deadline.left_s() <= 60


def test_2_what_is_over_is_a_timeout_not_a_failure() -> None:
    over = Deadline(0)
    assert over.left_s() == 0.0
    with pytest.raises(TimedOut, match="list nodes at linode: not done within 0 s"):
        over.bound_s(5, "list nodes", "at linode")
    with pytest.raises(TimedOut):
        Deadline(10).wait(11, "wait for node")
    Deadline(10).wait(0, "wait for node")


# ------------------------------------------------------------------------------------ repeating


@pytest.mark.parametrize(
    "error", [Unreachable("read"), Throttled("read"), Throttled("read", retry_after_s=0.01), gateway(502), gateway(503)]
)
def test_3_what_may_pass_is_tried_again(error: Exception) -> None:
    do, calls = failing(error, error)
    assert repeat(do, Deadline(60)) == "done"
    assert len(calls) == 3


@pytest.mark.parametrize(
    "error",
    [
        TimedOut("read"),
        AccessRefused("read"),
        NotFound("read"),
        Unreadable("read"),
        gateway(504),
        gateway(404),
        error_of(from_parts("linode", "x", transport=Transport.TLS), "read"),
        ValueError("a bug"),
    ],
)
def test_4_an_answer_and_a_timeout_are_not(error: Exception) -> None:
    do, calls = failing(error)
    with pytest.raises(type(error)):
        repeat(do, Deadline(60))
    assert len(calls) == 1


def test_5_after_so_many_attempts_the_last_error_is_told() -> None:
    do, calls = failing(*(Unreachable("read", cause=str(n)) for n in range(9)))
    with pytest.raises(Unreachable, match="read: 1"):
        repeat(do, Deadline(60), attempts=2)
    assert len(calls) == 2


def test_6_a_wait_beyond_the_deadline_is_not_begun() -> None:
    do, calls = failing(Throttled("read", retry_after_s=3600))
    with pytest.raises(Throttled):
        repeat(do, Deadline(60))
    assert len(calls) == 1


def test_7_as_long_as_the_api_asks_for() -> None:
    do, calls = failing(Throttled("read", retry_after_s=0.3))
    started = time.monotonic()
    assert repeat(do, Deadline(60)) == "done"
    assert time.monotonic() - started >= 0.3
    assert len(calls) == 2


# ------------------------------------------------------------------------------------ drivers


class Driver:
    """Notices when two threads use it at once."""

    def __init__(self) -> None:
        self.users = 0
        self.closed = False

    def use(self) -> int:
        self.users += 1
        time.sleep(0.002)
        seen, self.users = self.users, self.users - 1
        return seen


def test_8_no_driver_is_used_by_two_threads_at_once_and_each_is_used_again() -> None:
    made: list[Driver] = []
    seen: list[int] = []

    def make() -> Driver:
        made.append(Driver())
        return made[-1]

    drivers = PerThread(make, lambda driver: setattr(driver, "closed", True))

    def work() -> None:
        for _ in range(20):
            with drivers.lent() as driver:
                seen.append(driver.use())

    for _ in range(3):  # threads that end, as the engine's do
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert set(seen) == {1}
    assert len(seen) == 240
    assert len(made) <= 4
    drivers.close()
    assert all(driver.closed for driver in made)


def test_9_what_is_lent_when_all_is_closed_is_closed_when_it_comes_back() -> None:
    closed: list[str] = []
    drivers = PerThread(lambda: "driver", closed.append)
    with drivers.lent():
        drivers.close()
        assert closed == []
    assert closed == ["driver"]


def test_10_a_driver_comes_back_after_an_error_too() -> None:
    made: list[int] = []

    def make() -> int:
        made.append(len(made))
        return made[-1]

    drivers = PerThread(make)
    for _ in range(3):
        with pytest.raises(ValueError), drivers.lent():
            raise ValueError
    assert made == [0]
    drivers.close()
    with drivers.lent() as another:
        assert another == 1


def test_11_a_factory_that_fails_is_asked_again() -> None:
    do, calls = failing(Unreachable("sign in"))
    drivers = PerThread(do)
    with pytest.raises(Unreachable), drivers.lent():
        pass
    with drivers.lent() as driver:
        assert driver == "done"
    assert len(calls) == 2
