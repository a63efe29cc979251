"""HTTP probes per CPU-second, side by side with blackbox_exporter and gdnsd; 2,000 targets every 10 s; fault to answer.

    apt-get install prometheus-blackbox-exporter gdnsd        # the peers; start no service
    python benchmarks/probing.py [--only cost|steady|fault] [--seconds 60] [--json FILE]

Everything runs in a network namespace of its own (root), where one small web server answers on all of 127.0.0.0/8.
Every prober asks the same 2,000 addresses over fresh connections. What counts is the CPU time of the prober's process,
threads included, from /proc/PID/stat between two moments; the server's own is not counted. A peer that is not installed
is left out.
"""

import argparse
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from probing_targets import cpu_s, rss_mib  # noqa: E402 - stands beside this file, wherever that is

PORT, TARGETS, INTERVAL_S = 8080, 2000, 10.0
RATIO_AIM, LOAD_AIM = 2.0, 0.15
Row = dict[str, object]


def addresses(count: int) -> list[str]:
    return [f"127.1.{n // 250}.{n % 250 + 1}" for n in range(count)]


@contextmanager
def started(words: Sequence[str], **more: object) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(list(words), text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **more)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def targets(address: str = "0.0.0.0") -> Iterator[None]:
    with started([sys.executable, str(HERE / "probing_targets.py"), address, str(PORT)]) as server:
        assert server.stdout is not None
        server.stdout.readline()
        yield


def served() -> int:
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
    connection.request("GET", "/count")
    return int(connection.getresponse().read())


# ---------------------------------------------------------------------------------------------- cost


def cost() -> list[Row]:
    """Probes per CPU-second, each prober in turn."""
    rows = []
    with targets():
        for name, measure in (("failover", ours), ("blackbox_exporter", blackbox), ("gdnsd", gdnsd)):
            found = measure()
            if found is None:
                print(f"{name}: not installed, left out", file=sys.stderr)
                continue
            probes, seconds, memory = found
            rows.append({"prober": name, "probes": probes, "cpu_s": seconds, "rss_mib": memory})
            print(
                f"{name:18} {probes:7} probes {seconds:6.2f} CPU-s {probes / seconds:7.0f} per CPU-s {memory:5.1f} MiB"
            )
    return rows


def ours(rounds: int = 10) -> tuple[int, float, float]:
    """Status and body, as the peers judge them."""
    with started([sys.executable, __file__, "--be", "prober", "--rounds", str(rounds)]) as prober:
        assert prober.stdout is not None
        assert prober.stdin is not None
        prober.stdout.readline()
        before_s = cpu_s(prober.pid)
        prober.stdin.write("go\n")
        prober.stdin.flush()
        passed = int(prober.stdout.readline())
        return passed, cpu_s(prober.pid) - before_s, rss_mib(prober.pid)


def be_prober(rounds: int) -> None:
    prober, asked = our_prober(starts_per_s=1e6), our_targets("/")
    prober.run(asked[:10], 10.0)  # loads what it needs
    print("ready", flush=True)
    sys.stdin.readline()
    passed = sum(sample.failure is None for _ in range(rounds) for sample in prober.run(asked, 60.0))
    print(passed, flush=True)
    sys.stdin.readline()


def our_prober(starts_per_s: float):
    from failover.core.model import Instant
    from failover.probes.prober import Prober

    def now() -> Instant:
        return Instant(boot_id="", boottime_s=time.monotonic(), utc_s=time.time())

    return Prober(now=now, starts_per_s=starts_per_s)


def our_targets(path: str):
    from failover.core.model import Check, CheckKind, Target

    check = Check(name="web", kind=CheckKind.HTTP, group="web", port=PORT, path=path, body="ok")
    return [Target(site=f"site-{n % 5}", address=a, check=check) for n, a in enumerate(addresses(TARGETS))]


BLACKBOX = """\
modules:
  web:
    prober: http
    timeout: 4s
    http:
      preferred_ip_protocol: ip4
      follow_redirects: false
      valid_status_codes: [200]
      fail_if_body_not_matches_regexp: [ok]
"""


def blackbox(probes: int = 6000) -> tuple[int, float, float] | None:
    program = shutil.which("prometheus-blackbox-exporter") or shutil.which("blackbox_exporter")
    if program is None:
        return None
    with tempfile.TemporaryDirectory() as directory:
        config = Path(directory) / "blackbox.yml"
        config.write_text(BLACKBOX)
        words = [program, f"--config.file={config}", "--web.listen-address=127.0.0.1:9115", "--log.level=error"]
        with started(words, stderr=subprocess.DEVNULL) as exporter:
            wait_for_port(9115)
            scrape(200)
            before, before_s = served(), cpu_s(exporter.pid)
            good = scrape(probes)
            used_s = cpu_s(exporter.pid) - before_s
            assert good <= served() - before
            return good, used_s, rss_mib(exporter.pid)


def scrape(count: int, workers: int = 8) -> int:
    """Asks the exporter for so many probes over kept connections; how many succeeded."""
    good, asked = [0] * workers, addresses(TARGETS)

    def work(worker: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", 9115, timeout=30)
        for n in range(worker, count, workers):
            address = asked[n % TARGETS]
            connection.request("GET", f"/probe?module=web&target=http://{address}:{PORT}/")
            good[worker] += b"\nprobe_success 1" in connection.getresponse().read()

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(good)


def gdnsd(seconds: float = 15.0) -> tuple[int, float, float] | None:
    """It looks at each address once in 2 s, its shortest interval with a timeout, by status only."""
    found = addresses(TARGETS)
    couples = zip(found[::2], found[1::2], strict=True)
    pairs = [f"r{n} => {{ primary => {a}, secondary => {b} }}" for n, (a, b) in enumerate(couples)]
    with named(pairs, {f"r{n}": f"r{n}" for n in range(len(pairs))}, down=3) as server:
        if server is None:
            return None
        time.sleep(3.0)
        before, before_s = served(), cpu_s(server.pid)
        time.sleep(seconds)
        return served() - before, cpu_s(server.pid) - before_s, rss_mib(server.pid)


@contextmanager
def named(pairs: Sequence[str], names: dict[str, str], down: int) -> Iterator["subprocess.Popen[str] | None"]:
    """gdnsd on 127.0.0.1:5300, with these pairs of addresses under example.test."""
    program = shutil.which("gdnsd") or shutil.which("gdnsd", path="/usr/sbin")
    if program is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as directory:
        base = Path(directory)
        (base / "zones").mkdir()
        records = "".join(f"{name} 1 DYNA simplefo!{resource}\n" for name, resource in names.items())
        zone = "@ SOA ns hostmaster 1 7200 1800 259200 900\n@ NS ns\nns A 127.0.0.1\n"
        (base / "zones/example.test").write_text(zone + records)
        (base / "config").write_text(
            f"options => {{ listen = 127.0.0.1:5300, run_dir = {base}/run, state_dir = {base}/state, min_ttl = 1 }}\n"
            f"service_types => {{ web => {{ plugin => http_status, port => {PORT}, interval => 2, timeout => 1,"
            f" up_thresh => 1, ok_thresh => 1, down_thresh => {down} }} }}\n"
            f"plugins => {{ simplefo => {{ service_types => [ web ], {', '.join(pairs)} }} }}\n"
        )
        with started([program, "-c", str(base), "start"], stderr=subprocess.DEVNULL) as server:
            time.sleep(1.0)
            if server.poll() is not None:
                raise SystemExit(f"gdnsd ended with {server.returncode}: run `gdnsd -c DIR checkconf`")
            yield server


def wait_for_port(port: int) -> None:
    until_s = time.monotonic() + 30
    while time.monotonic() < until_s:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"nobody listens on port {port}")


# ---------------------------------------------------------------------------------------------- steady


def steady(seconds: float) -> list[Row]:
    """2,000 targets every 10 s, all well; and with a site of 400 that hangs."""
    rows = []
    with targets():
        for hang in (0, 400):
            words = [sys.executable, __file__, "--be", "watcher", "--seconds", str(seconds), "--hang", str(hang)]
            with started(words) as watcher:
                assert watcher.stdout is not None
                row: Row = json.loads(watcher.stdout.readline())
            rows.append(row)
            print(
                f"{TARGETS} targets every {INTERVAL_S:g} s, {hang} hang: "
                f"{100 * float(str(row['load'])):.1f} % of one core, "
                f"{row['rss_first_mib']:.1f} MiB after the first round and {row['rss_last_mib']:.1f} after the last, "
                f"latest start {1000 * float(str(row['late_s'])):.0f} ms late, {row['wrong']} wrong answers"
            )
    return rows


def be_watcher(seconds: float, hang: int) -> None:
    """Rounds at a steady pace, as `failover watch` keeps it."""
    from dataclasses import replace

    asked = our_targets("/")
    silent = replace(asked[0].check, path="/hang")
    asked = [replace(t, check=silent, site="silent") if n < hang else t for n, t in enumerate(asked)]
    prober = our_prober(starts_per_s=TARGETS / (INTERVAL_S - 4.5))
    prober.run(asked[:10], 10.0)
    began_s, began_cpu_s, rounds = time.monotonic(), cpu_s(os.getpid()), 0
    late_s, wrong, first_mib = 0.0, 0, 0.0
    while rounds * INTERVAL_S < seconds:
        samples = prober.run(asked, INTERVAL_S - 0.1)
        rounds += 1
        late_s = max(late_s, prober.late_s_max)
        wrong += sum((s.failure is None) is (n < hang) for n, s in enumerate(samples))
        wrong += sum(s.outcome.value == "unknown" for s in samples)
        first_mib = first_mib or rss_mib(os.getpid())
        time.sleep(max(0.0, began_s + rounds * INTERVAL_S - time.monotonic()))
    load = (cpu_s(os.getpid()) - began_cpu_s) / (time.monotonic() - began_s)
    row = {"hang": hang, "load": load, "rounds": rounds, "late_s": late_s, "wrong": wrong}
    print(json.dumps({**row, "rss_first_mib": first_mib, "rss_last_mib": rss_mib(os.getpid())}), flush=True)


# ---------------------------------------------------------------------------------------------- main


def in_a_namespace() -> None:
    """Start again where only we are."""
    if os.environ.get("FAILOVER_BENCHMARK_NAMESPACE") == "1":
        return
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        raise SystemExit("needs root and unshare (util-linux) for a network namespace of its own")
    os.environ["FAILOVER_BENCHMARK_NAMESPACE"] = "1"
    words = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", sys.executable, *sys.argv]
    os.execvp("unshare", words)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", choices=["cost", "steady", "fault"])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--be", choices=["prober", "watcher"], help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=10, help=argparse.SUPPRESS)
    parser.add_argument("--hang", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.be == "prober":
        return be_prober(given.rounds)
    if given.be == "watcher":
        return be_watcher(given.seconds, given.hang)
    in_a_namespace()
    found: dict[str, list[Row]] = {}
    if given.only in (None, "cost"):
        found["cost"] = cost()
    if given.only in (None, "steady"):
        found["steady"] = steady(given.seconds)
    if given.only in (None, "fault"):
        from probing_fault import fault

        found["fault"] = fault()
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")
    verdict(found)
    return None


def verdict(found: dict[str, list[Row]]) -> None:
    """Exit 1 when an aim was missed."""
    missed = []
    rates = {str(row["prober"]): float(str(row["probes"])) / float(str(row["cpu_s"])) for row in found.get("cost", [])}
    if "blackbox_exporter" in rates:
        ratio = rates["failover"] / rates["blackbox_exporter"]
        print(
            f"failover makes {ratio:.1f} times as many probes per CPU-second as blackbox_exporter (aim: {RATIO_AIM:g})"
        )
        missed += ["cost"] if ratio < RATIO_AIM else []
    if "gdnsd" in rates:
        print(f"gdnsd makes {rates['gdnsd'] / rates['failover']:.1f} times as many as failover, by status only")
    missed += ["steady" for row in found.get("steady", []) if float(str(row["load"])) > LOAD_AIM or row["wrong"]]
    missed += ["fault" for row in found.get("fault", []) if row.get("missed")]
    if missed:
        raise SystemExit(f"missed: {', '.join(missed)}")


if __name__ == "__main__":
    main()
