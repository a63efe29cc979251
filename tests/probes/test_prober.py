"""The scheduler, plain TCP, and our own troubles."""

import errno
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from failover.core.model import CheckKind, Failure, Outcome, Sample
from failover.probes.connection import Limit, connecting_trouble, talking_trouble
from failover.probes.pool import together
from failover.probes.prober import Prober, by_turns
from tests.probes.asking import ask, ask_server, target
from tests.probes.conftest import now
from tests.probes.servers import Server, answers, free_port, hangs, page


class TestTcp:
    def test_a_listener_passes(self, prober: Prober) -> None:
        with Server(hangs) as server:
            sample = ask_server(prober, server, kind=CheckKind.TCP)
        assert (sample.outcome, sample.detail) == (Outcome.PASS, f"127.0.0.1:{server.port} accepts connections")

    def test_nobody_listens(self, prober: Prober) -> None:
        sample = ask(prober, target(free_port(), kind=CheckKind.TCP))
        assert (sample.outcome, sample.failure) == (Outcome.FAIL, Failure.REFUSED)

    def test_a_probe_of_tcp_loads_neither_http_nor_tls(self) -> None:
        code = (
            "import sys, failover.probes.prober as p; sys.exit(bool({'ssl', 'http.client', 'dns'} & set(sys.modules)))"
        )
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class TestRounds:
    def test_sites_take_turns(self) -> None:
        targets = [target(1, site=site) for site in ("a", "a", "a", "b", "b", "c")]
        assert by_turns(targets) == [0, 3, 5, 1, 4, 2]

    def test_a_dead_site_does_not_keep_another_from_being_asked(self) -> None:
        with Server(hangs) as dead, Server(answers(page())) as well:
            targets = [target(dead.port, site="dead", timeout_s=60.0)] * 20
            targets += [target(well.port, site="well")] * 3
            samples = Prober(now=now, concurrency=8).run(targets, 3.0)
        assert [sample.outcome for sample in samples[:20]] == [Outcome.UNKNOWN] * 20
        assert [sample.outcome for sample in samples[20:]] == [Outcome.PASS] * 3

    def test_more_targets_than_threads(self) -> None:
        with Server(answers(page())) as server:
            samples = Prober(now=now, concurrency=4).run([target(server.port)] * 50, 60.0)
        assert {sample.outcome for sample in samples} == {Outcome.PASS}
        assert server.connections == 50

    def test_a_refusal_counts_although_the_round_is_short(self, prober: Prober) -> None:
        assert ask(prober, target(free_port(), timeout_s=60.0), 20.0).failure is Failure.REFUSED

    def test_a_job_that_never_ends_is_left_behind(self) -> None:
        release = threading.Event()
        jobs: list[Callable[[], bool]] = [release.wait, lambda: True]
        assert together(jobs, until_s=time.monotonic() + 0.3, concurrency=2) == [None, True]
        release.set()

    def test_the_process_ends_although_a_job_hangs(self) -> None:
        code = (
            "import threading, time; from failover.probes.pool import together;"
            "print(together([threading.Event().wait], until_s=time.monotonic() + 0.2, concurrency=1))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout == "[None]\n"

    def test_at_least_one_thread(self) -> None:
        with pytest.raises(ValueError, match="at least 1"):
            Prober(now=now, concurrency=0)

    def test_the_vantage_stands_in_every_sample(self) -> None:
        samples = Prober(now=now, vantage="paris").run([target(free_port()), target(1, address="nowhere")], 20.0)
        assert {sample.vantage for sample in samples} == {"paris"}


class TestOwnTrouble:
    """What cannot be blamed on the target is UNKNOWN."""

    def own(self, sample: Sample) -> str:
        assert (sample.outcome, sample.failure, sample.latency_ms) == (Outcome.UNKNOWN, Failure.LOCAL, None)
        return sample.detail

    def test_no_route(self, prober: Prober) -> None:
        # The kernel has no route for TCP to the broadcast address, on any machine.
        sample = ask(prober, target(80, address="255.255.255.255"))
        assert self.own(sample) == "255.255.255.255:80 could not be asked from here: Network is unreachable"

    def test_a_name_in_place_of_an_address(self, prober: Prober) -> None:
        assert self.own(ask(prober, target(80, address="localhost"))) == "localhost is not an IP address"

    def test_an_impossible_port(self, prober: Prober) -> None:
        assert self.own(ask(prober, target(70000))).startswith("the probe broke: OverflowError")

    @pytest.mark.parametrize("code", [errno.EMFILE, errno.ENOBUFS, errno.EADDRNOTAVAIL, errno.EPERM, errno.ENETDOWN])
    def test_errors_of_this_machine(self, code: int) -> None:
        trouble = connecting_trouble(OSError(code, "x"), "127.0.0.1", 80, Limit(1.0, time.monotonic() + 1))
        assert trouble.failure is Failure.LOCAL

    @pytest.mark.parametrize("code", [errno.EHOSTUNREACH, errno.ENETUNREACH])
    def test_unreachable_although_we_have_a_route_was_said_by_the_other_side(self, code: int) -> None:
        limit = Limit(1.0, time.monotonic() + 1)
        for trouble in (
            connecting_trouble(OSError(code, "x"), "127.0.0.1", 80, limit),
            talking_trouble(OSError(code, "x"), "127.0.0.1", 80, limit),
        ):
            assert trouble.failure is Failure.REFUSED
            assert trouble.detail == "127.0.0.1:80 is unreachable: a router on the way refused"

    def test_no_file_descriptors(self) -> None:
        code = (
            "import os, resource, socket, time\n"
            "from failover.core.model import *\n"
            "from failover.probes.prober import Prober\n"
            "at = Instant(boot_id='b', boottime_s=0.0, utc_s=0.0)\n"
            "check = Check(name='t', kind=CheckKind.TCP, group='g', port=1)\n"
            "target = Target(site='s', address='127.0.0.1', check=check)\n"
            "lowest = os.dup(0); os.close(lowest)\n"
            f"resource.setrlimit({resource.RLIMIT_NOFILE}, (lowest, lowest))\n"
            "(sample,) = Prober(now=lambda: at).run([target], 30.0)\n"
            "print(sample.outcome, sample.failure, sample.detail)\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.stdout == "unknown local cannot open a socket: Too many open files\n", done.stderr
