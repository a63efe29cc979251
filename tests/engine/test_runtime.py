"""The real runtime and the simulated one pass the same suite; a hanging call never keeps a process."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from failover.engine.runtime import RealRuntime
from failover.errors import TimedOut
from failover.ports import Call
from failover.testing.runtime import RuntimeBench, RuntimeConformance
from failover.testing.sim_runtime import Hangs, SimRuntime, Trouble, VirtualClock

HOUSE = Path(__file__).parents[2]
ENDS_S = 60.0


class TestRealRuntime(RuntimeConformance):
    @pytest.fixture
    def bench(self) -> Iterator[RuntimeBench]:
        over = threading.Event()
        yield RuntimeBench(runtime=RealRuntime(), hang=over.wait)
        over.set()


class TestSimRuntime(RuntimeConformance):
    @pytest.fixture(params=[1, 2, 3])
    def bench(self, request: pytest.FixtureRequest) -> RuntimeBench:
        def hang() -> object:
            raise Hangs

        return RuntimeBench(runtime=SimRuntime(request.param), hang=hang)


# ------------------------------------------------------------------------------------ only the simulated one


def order(seed: int) -> list[int]:
    done: list[int] = []
    runtime = SimRuntime(seed)
    runtime.together([Call(what=str(n), do=lambda n=n: done.append(n), deadline_s=1.0) for n in range(6)])  # type: ignore[misc]
    return done


def test_the_order_follows_the_seed() -> None:
    assert order(1) == order(1)
    assert len({tuple(order(seed)) for seed in range(20)}) > 10


def test_calls_at_the_same_time_cost_the_slowest() -> None:
    clock = VirtualClock()
    runtime = SimRuntime(1, clock, latency_s_max=1.0)
    calls = [Call(what=str(n), do=lambda: None, deadline_s=5.0) for n in range(50)]
    before_s = clock.seconds()
    runtime.together(calls)
    assert 0.5 < clock.seconds() - before_s <= 1.0


@pytest.mark.parametrize(
    ("trouble", "at_once", "within_an_hour"),
    [(Trouble.LOST, 0, 0), (Trouble.UNANSWERED, 1, 1), (Trouble.LATE, 0, 1)],
)
def test_what_a_hanging_call_asked_for(trouble: Trouble, at_once: int, within_an_hour: int) -> None:
    done: list[str] = []
    runtime = SimRuntime(1, trouble=lambda what: trouble if what == "write" else None)
    with pytest.raises(TimedOut):
        runtime.call("write", lambda: done.append("x"), deadline_s=5.0)
    assert len(done) == at_once
    runtime.sleep(3600.0 + 5.0)
    assert len(done) == within_an_hour


def test_the_wall_clock_may_jump_alone() -> None:
    clock = VirtualClock()
    before = clock.now()
    clock.step(-3600.0)
    assert clock.now().boottime_s == before.boottime_s
    assert clock.now().utc_s == before.utc_s - 3600.0


# ------------------------------------------------------------------------------------ only the real one

ASKING = """
import socket, sys
from failover.engine.runtime import RealRuntime
from failover.errors import TimedOut

def ask():
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as connection:
        connection.sendall(b"hello")
        return connection.recv(1)

try:
    RealRuntime().call("ask", ask, deadline_s=0.2)
except TimedOut as error:
    print("unknown" if "unknown" in str(error) else error)
"""


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=8) as server:
        yield server.getsockname()[1]


def test_a_process_ends_although_its_call_still_hangs(silent_port: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASKING, str(silent_port)],
        cwd=HOUSE,
        capture_output=True,
        text=True,
        timeout=ENDS_S,
        check=False,
    )
    assert (done.stdout.strip(), done.returncode, done.stderr) == ("unknown", 0, "")


def test_a_machine_without_threads_left_is_an_error_of_each_call() -> None:
    limited = (
        "import resource, threading\n"
        "from failover.engine.runtime import RealRuntime\n"
        "from failover.ports import Call\n"
        "resource.setrlimit(resource.RLIMIT_AS, (200 << 20, 200 << 20))\n"
        "threading.stack_size(64 << 20)\n"
        "wait = threading.Event()\n"
        "calls = [Call(what=str(n), do=lambda: wait.wait(5), deadline_s=0.2) for n in range(40)]\n"
        "done = RealRuntime().together(calls)\n"
        "print(len(done), any(d.error for d in done), all(d.error or d.unknown for d in done))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", limited], cwd=HOUSE, capture_output=True, text=True, timeout=ENDS_S, check=False
    )
    assert done.stdout.split() == ["40", "True", "True"], done.stderr
