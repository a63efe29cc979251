"""Moving many record sets at a real PowerDNS and a real BIND: failover's hosts beside octoDNS, in one run.

    python benchmarks/dns_hosts.py [--sets 10000] [--some 1000] [--rounds 5] [--json FILE]

Every round gives every set another address: what stands at the server is read and compared, the difference is written,
and (failover only) the epoch is compared before and set with it, and looked at afterwards.

    process    `--sets` sets, from the start of a process to its end; octoDNS is `octodns-sync --doit`
    library    `--some` sets, the same in a process that runs already, everything imported; octoDNS is `Manager.sync`
    provider   `--some` sets in memory, no file read: the host beside octoDNS's provider, by `plan` and `apply`

In the first two each side starts from its own file, written before the clock runs: octoDNS from its config and the zone
in YAML, failover from the plan's record sets in JSON, as its journal keeps them for whoever carries the plan out.

Both sides take turns, so that whatever else the machine does hits both alike. `cpu` is what the side itself spends on
a move, in the process rows from its start to its end; `server` is what the name server spends meanwhile, whoever asks.
`calls` are the requests to the server (those of octodns-sync are not counted), `peak` is the largest resident size of
the process.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RATIO_MAX = 1 / 3
ZONE = "example.test"
SERVICE = "bench"
DEADLINE_S = 600.0
POWERDNS, BIND = "powerdns", "bind"
PROCESS, LIBRARY, PROVIDER = "process", "library", "provider"
PLAN = "rrsets.json"


# ---------------------------------------------------------------------------------------------- both sides


def addresses(sets: int, round: int) -> Iterator[tuple[str, str]]:
    """Names with their address in this round."""
    for number in range(sets):
        yield f"n{number}", f"10.{round % 250}.{number // 250 % 250}.{number % 250 + 1}"


class Ours:
    """Through the port `Dns`, as a cutover does it."""

    def __init__(self, host: str, place: dict[str, Any]) -> None:
        from failover.net.tsig import TsigKey

        self.calls = 0
        if host == POWERDNS:
            from failover.dns.powerdns import PowerDns

            self.host: Any = PowerDns(
                name="bench",
                endpoint=f"http://127.0.0.1:{place['api_port']}",
                token=place["api_key"],
                servers=("127.0.0.1:53",),
                timeout_s=DEADLINE_S,
                deadline_s=DEADLINE_S,
            )
        else:
            from failover.dns.rfc2136 import Rfc2136

            self.host = Rfc2136(
                name="bench",
                server=f"127.0.0.1:{place['port']}",
                key=TsigKey(name=place["key_name"], secret=place["key_secret"]),
                timeout_s=DEADLINE_S,
                deadline_s=DEADLINE_S,
            )

    def write(self, directory: Path, sets: int, round: int) -> None:
        import msgspec

        (directory / PLAN).write_bytes(msgspec.json.encode(self.wanted(sets, round)))

    def run(self, directory: Path, round: int) -> None:
        """From the file to the end."""
        import msgspec

        from failover.core.rrsets import RRset

        self.move(msgspec.json.decode((directory / PLAN).read_bytes(), type=list[RRset]), round)

    def wanted(self, sets: int, round: int) -> Any:
        from failover.core.rrsets import RRset

        return [
            RRset(name=f"{name}.{ZONE}", type="A", ttl_s=60, values=frozenset({address}))
            for name, address in addresses(sets, round)
        ]

    def move(self, wanted: Any, round: int) -> None:
        from failover.core.rrsets import Epoch, difference, epoch_name, epoch_set, read_epoch

        names = [rrset.key for rrset in wanted]
        found = self.host.read(ZONE, [*names, (epoch_name(SERVICE, ZONE), "TXT")])
        epoch = read_epoch(found, SERVICE, ZONE)
        new = Epoch(number=(epoch.number if epoch else 0) + 1, site="bench", plan=f"round{round}")
        expect = epoch_set(SERVICE, ZONE, epoch) if epoch else None
        changes = difference(wanted, found, names)
        assert len(changes.put) == len(wanted)
        self.host.apply(ZONE, changes, expect=expect, fence=epoch_set(SERVICE, ZONE, new))

    def count(self) -> None:
        """From now on requests are counted."""
        from failover.dns.wire import Connection

        _count_http(self)
        send = Connection.send

        def counted(connection: Any, wires: Any, deadline: Any) -> None:
            self.calls += len(wires)
            send(connection, wires, deadline)

        Connection.send = counted  # type: ignore[method-assign]  # counted, not changed


class Octodns:
    """Through octoDNS's own library and its providers for these servers."""

    def __init__(self, host: str, place: dict[str, Any]) -> None:
        self._host, self._place, self.calls = host, place, 0

    def write(self, directory: Path, sets: int, round: int) -> None:
        (directory / "zones").mkdir(exist_ok=True)
        lines = ["'':\n  ttl: 60\n  type: NS\n  value: ns1.example.test.\n"]
        lines += ["ns1:\n  ttl: 60\n  type: A\n  value: 127.0.0.1\n"]
        lines += [f"{name}:\n  ttl: 60\n  type: A\n  value: {address}\n" for name, address in addresses(sets, round)]
        (directory / "zones" / f"{ZONE}.yaml").write_text("".join(lines))
        place = self._place
        target = {"class": "octodns_powerdns.PowerDnsProvider", "host": "127.0.0.1", "port": place.get("api_port")}
        target |= {"api_key": place.get("api_key"), "timeout": 600}
        if self._host == BIND:
            target = {"class": "octodns_bind.Rfc2136Provider", "host": "127.0.0.1", "port": place["port"]}
            target |= {"timeout": 600, "key_name": place["key_name"], "key_secret": place["key_secret"]}
            target |= {"key_algorithm": "hmac-sha256"}
        zones = {"class": "octodns.provider.yaml.YamlProvider", "directory": str(directory / "zones")}
        config = {
            "providers": {"files": zones | {"enforce_order": False}, "server": target},
            "zones": {f"{ZONE}.": {"sources": ["files"], "targets": ["server"]}},
        }
        (directory / "config.yaml").write_text(json.dumps(config))

    def run(self, directory: Path, _: int) -> None:
        from octodns.manager import Manager

        Manager(str(directory / "config.yaml")).sync(dry_run=False, force=True)

    def _provider(self) -> Any:
        if self._host == POWERDNS:
            from octodns_powerdns import PowerDnsProvider

            place = self._place
            return PowerDnsProvider("bench", "127.0.0.1", place["api_key"], port=place["api_port"], timeout=DEADLINE_S)
        from octodns_bind import Rfc2136Provider

        place = self._place
        return Rfc2136Provider(
            "bench",
            "127.0.0.1",
            port=place["port"],
            timeout=DEADLINE_S,
            key_name=place["key_name"],
            key_secret=place["key_secret"],
            key_algorithm="hmac-sha256",
        )

    def wanted(self, sets: int, round: int) -> Any:
        from octodns.record import Record
        from octodns.zone import Zone

        zone = Zone(f"{ZONE}.", [])
        for name, address in addresses(sets, round):
            zone.add_record(Record.new(zone, name, {"type": "A", "ttl": 60, "values": [address]}))
        zone.add_record(Record.new(zone, "", {"type": "NS", "ttl": 60, "values": [f"ns1.{ZONE}."]}))
        zone.add_record(Record.new(zone, "ns1", {"type": "A", "ttl": 60, "values": ["127.0.0.1"]}))
        return zone

    def move(self, wanted: Any, _: int) -> None:
        provider = self._provider()
        plan = provider.plan(wanted)
        assert plan is not None
        provider.apply(plan)

    def count(self) -> None:
        import dns.query

        _count_http(self)
        for name in ("tcp", "xfr", "udp"):
            real = getattr(dns.query, name)

            def counted(*words: Any, real: Any = real, **options: Any) -> Any:
                self.calls += 1
                return real(*words, **options)

            setattr(dns.query, name, counted)


def _count_http(side: Any) -> None:
    import http.client

    real = http.client.HTTPConnection.putrequest

    def counted(connection: Any, *words: Any, **options: Any) -> Any:
        side.calls += 1
        return real(connection, *words, **options)

    http.client.HTTPConnection.putrequest = counted  # type: ignore[method-assign]  # counted, not changed


SIDES = {"failover": Ours, "octodns": Octodns}


def child(kind: str, side: str, host: str, place: dict[str, Any], sets: int, rounds: Sequence[int]) -> None:
    """Moves all sets once per round; prints what each move took, and the calls of the last one."""
    worker = SIDES[side](host, place)
    directory = Path.cwd()
    found = []
    for round in rounds:
        if round == rounds[-1]:
            worker.count()
        if kind == LIBRARY:
            worker.write(directory, sets, round)
        start = time.perf_counter(), time.process_time(), server_cpu_s(place)
        if kind == PROVIDER:
            worker.move(worker.wanted(sets, round), round)
        else:
            worker.run(directory, round)
        end = time.perf_counter(), time.process_time(), server_cpu_s(place)
        found.append([after - before for before, after in zip(start, end, strict=True)])
    print(json.dumps({"moves": found, "calls": worker.calls}))


def server_cpu_s(place: dict[str, Any]) -> float:
    """What the name server has spent so far (proc(5): the 14th and 15th field; its grain is 10 ms)."""
    fields = Path(f"/proc/{place['pid']}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# ---------------------------------------------------------------------------------------------- measuring


@dataclass(slots=True)
class Measured:
    seconds: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    server_s: list[float] = field(default_factory=list)
    peak_mib: float = 0.0
    calls: int | None = None


def run(words: Sequence[str], cwd: Path) -> tuple[float, float, float, str]:
    """Seconds, seconds of processor, peak MiB and standard output of one process; RuntimeError when it fails."""
    start_s = time.perf_counter()
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            words,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start_s
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read()
    if process.returncode != 0:
        raise RuntimeError(f"exit {process.returncode}: {(text.splitlines() or ['no word'])[-1]}")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, text


def own_words(kind: str, side: str, host: str, place: dict[str, Any], sets: int, rounds: Sequence[int]) -> list[str]:
    words = {"kind": kind, "side": side, "host": host, "place": place, "sets": sets, "rounds": list(rounds)}
    return [sys.executable, "-P", str(Path(__file__).resolve()), "--child", json.dumps(words)]


def sync_words() -> list[str]:
    """octoDNS's own command."""
    binary = str(Path(sys.executable).with_name("octodns-sync"))
    return [binary, "--config-file", "config.yaml", "--doit", "--force", "--quiet"]


def measure_processes(
    kind: str, directory: Path, host: str, place: dict[str, Any], sets: int, rounds: int
) -> dict[str, Measured]:
    found = {side: Measured() for side in SIDES}
    for number in range(rounds + 1):
        for at, side in enumerate(SIDES):
            round = 2 * number + at
            SIDES[side](host, place).write(directory, sets, round)
            words = sync_words() if side == "octodns" else own_words(kind, side, host, place, sets, [round])
            before = server_cpu_s(place)
            seconds, cpu_s, peak_mib, said = run(words, directory)
            if number > 0:  # the first round creates what stands there, and warms up
                found[side].seconds.append(seconds)
                found[side].cpu_s.append(cpu_s)
                found[side].server_s.append(server_cpu_s(place) - before)
                found[side].peak_mib = max(found[side].peak_mib, peak_mib)
                if side == "failover":
                    found[side].calls = json.loads(said.splitlines()[-1])["calls"]
    return found


def measure_moves(
    kind: str, directory: Path, host: str, place: dict[str, Any], sets: int, rounds: int
) -> dict[str, Measured]:
    """Three moves in one process, the first of which warms it up."""
    found = {side: Measured() for side in SIDES}
    for number in range(rounds):
        for at, side in enumerate(SIDES):
            first = 3 * (2 * number + at)
            words = own_words(kind, side, host, place, sets, range(first, first + 3))
            _, _, peak_mib, said = run(words, directory)
            told = json.loads(said.splitlines()[-1])  # octoDNS warns before
            for seconds, cpu_s, server_s in told["moves"][1:]:
                found[side].seconds.append(seconds)
                found[side].cpu_s.append(cpu_s)
                found[side].server_s.append(server_s)
            found[side].peak_mib = max(found[side].peak_mib, peak_mib)
            found[side].calls = told["calls"]
    return found


def serve(host: str, directory: Path) -> None:
    """The real server with an empty zone, until the end of input; prints how to reach it."""
    sys.path.insert(0, str(ROOT))
    from tests.servers.tools import need

    if host == POWERDNS:
        from tests.servers.pdns import API_KEY, Pdns

        with Pdns(directory) as pdns:
            place = {"api_port": pdns.api_port, "api_key": API_KEY, "pid": pdns.process.pid}
            print(json.dumps(place), flush=True)
            sys.stdin.read()
        return
    from tests.servers.test_bind import KEY, _start, _stop

    started = _start(need("named", "bind9"), directory)
    if started is None:
        sys.exit("BIND did not start: someone else took its port; try again")
    try:
        place = {"port": started.port, "key_name": KEY.name, "key_secret": KEY.secret, "pid": started.process.pid}
        print(json.dumps(place), flush=True)
        sys.stdin.read()
    finally:
        _stop(started.process)


@contextmanager
def server(host: str, directory: Path) -> Iterator[dict[str, Any]]:
    """In a process of its own, so that this one stays small: a child's peak counts from its parent's size."""
    words = [sys.executable, "-P", str(Path(__file__).resolve()), "--serve", host, "--directory", str(directory)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            sys.exit(f"{host} did not start")
        yield json.loads(line)
        process.communicate("")


def rows_of(kind: str, host: str, sets: int, found: dict[str, Measured]) -> list[dict[str, object]]:
    peer = statistics.median(found["octodns"].seconds)
    rows: list[dict[str, object]] = []
    for side, measured in found.items():
        row: dict[str, object] = {
            "kind": kind,
            "host": host,
            "sets": sets,
            "side": side,
            "median_s": round(statistics.median(measured.seconds), 3),
            "cpu_s": round(statistics.median(measured.cpu_s), 3),
            "server_s": round(statistics.fmean(measured.server_s), 3),
            "peak_mib": round(measured.peak_mib, 1),
            "calls": measured.calls,
        }
        if side == "failover":
            ratio = statistics.median(measured.seconds) / peer
            row |= {"ratio": round(ratio, 2)} | ({} if kind == PROVIDER else {"met": ratio <= RATIO_MAX})
        rows.append(row)
    return rows


def show(rows: Sequence[dict[str, object]]) -> None:
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} processors, load {load:.1f}, Python {sys.version.split()[0]}\n")
    head = f"{'kind':<8} {'host':<9} {'sets':>6} {'side':<9} {'median':>9}"
    print(f"{head} {'cpu':>9} {'server':>9} {'peak':>10} {'calls':>6}")
    for row in rows:
        calls = "" if row["calls"] is None else row["calls"]
        line = f"{row['kind']:<8} {row['host']:<9} {row['sets']:>6} {row['side']:<9} {row['median_s']:>7.3f} s"
        line += f" {row['cpu_s']:>7.3f} s {row['server_s']:>7.3f} s {row['peak_mib']:>6.1f} MiB {calls:>6}"
        if "ratio" in row:
            line += f"   {row['ratio']:.2f} × octoDNS"
        if "met" in row:
            line += f" (at most {RATIO_MAX:.2f}): {'met' if row['met'] else 'missed'}"
        print(line)


def main() -> None:
    parser = argparse.ArgumentParser(description="Moving many record sets, beside octoDNS.")
    parser.add_argument("--sets", type=int, default=10_000)
    parser.add_argument("--some", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--hosts", nargs="+", default=[POWERDNS, BIND], choices=[POWERDNS, BIND])
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    for hidden in ("--child", "--serve", "--directory"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve, Path(arguments.directory))
        return
    if arguments.child:
        child(**json.loads(arguments.child))
        return
    rows: list[dict[str, object]] = []
    failed = False
    for host in arguments.hosts:
        for kind, sets, measure in (
            (PROVIDER, arguments.some, measure_moves),
            (LIBRARY, arguments.some, measure_moves),
            (PROCESS, arguments.sets, measure_processes),
        ):
            with tempfile.TemporaryDirectory(prefix="failover-bench-") as temporary:
                directory = Path(temporary)
                with server(host, directory) as place:
                    try:
                        rows += rows_of(kind, host, sets, measure(kind, directory, host, place, sets, arguments.rounds))
                    except RuntimeError as error:
                        failed = True
                        print(f"{kind} {host} {sets}: {error}", file=sys.stderr)
    show(rows)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n")
    sys.exit(failed)


if __name__ == "__main__":
    main()
