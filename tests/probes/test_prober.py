"""The scheduler, plain TCP, and our own troubles."""

import errno
import resource
import subprocess
import sys

import pytest

from failover.core.model import CheckKind, Failure, Outcome, Sample
from failover.probes.addresses import Pinned
from failover.probes.connection import Place, connecting_trouble, talking_trouble
from failover.probes.prober import Prober, by_turns
from tests.ports import free_port
from tests.probes.asking import ask, ask_server, target
from tests.probes.conftest import now
from tests.probes.servers import Server, answers, hangs, page

HERE = Place(Pinned("127.0.0.1"), 80, 1.0)


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
        trouble = connecting_trouble(OSError(code, "x"), HERE)
        assert trouble.failure is Failure.LOCAL

    @pytest.mark.parametrize("code", [errno.EHOSTUNREACH, errno.ENETUNREACH])
    def test_unreachable_although_we_have_a_route_was_said_by_the_other_side(self, code: int) -> None:
        error = OSError(code, "x")
        for trouble in (connecting_trouble(error, HERE), talking_trouble(error, HERE)):
            assert trouble.failure is Failure.REFUSED
            assert trouble.detail == "127.0.0.1:80 is unreachable: a router on the way refused"

    @pytest.mark.parametrize(
        ("spare", "detail"),
        [(0, "cannot probe: Too many open files"), (2, "cannot open a socket: Too many open files")],
        ids=["not-even-to-watch", "for-no-socket"],
    )
    def test_no_file_descriptors(self, spare: int, detail: str) -> None:
        done = in_little_room(spare, "print(prober.run([target], 30.0)[0])")
        assert "UNKNOWN" in done
        assert detail in done

    def test_few_file_descriptors_make_it_slower_and_nothing_else(self) -> None:
        """Ten targets share the three sockets that there is room for."""
        with Server(answers(page())) as server:
            done = in_little_room(
                5, "print([s.outcome.value for s in prober.run([target] * 10, 60.0)])", kind="HTTP", port=server.port
            )
        assert done == f"{['pass'] * 10}\n"

    def test_controls_without_file_descriptors_are_not_ok(self) -> None:
        code = "print(prober.controls([Control(kind=ControlKind.TCP, target='127.0.0.1:1', provider='x')], 30.0)[0])"
        assert "ok=False, detail='cannot probe: Too many open files'" in in_little_room(0, code)


def in_little_room(spare: int, code: str, *, kind: str = "TCP", port: int = 1) -> str:
    """What `code` prints in a process with room for `spare` more descriptors."""
    before = (
        "import os, resource\n"
        "from failover.core.model import *\n"
        "from failover.probes import controls, http\n"
        "from failover.probes.prober import Prober\n"
        "at = Instant(boot_id='b', boottime_s=0.0, utc_s=0.0)\n"
        f"check = Check(name='t', kind=CheckKind.{kind}, group='g', port={port})\n"
        "target = Target(site='s', address='127.0.0.1', check=check)\n"
        "from failover.probes import loop\n"
        "prober = Prober(now=lambda: at)\n"
        "loop.DESCRIPTORS_KEPT = -50\n"
        "lowest = os.dup(0); os.close(lowest)\n"
        f"resource.setrlimit({resource.RLIMIT_NOFILE}, (lowest + {spare}, lowest + {spare}))\n"
    )
    done = subprocess.run([sys.executable, "-c", before + code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
