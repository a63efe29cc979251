"""From the fault to the changed DNS answer: `failover watch` next to gdnsd, which is the name server itself."""

import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import dns.message
import dns.query
import dns.rdatatype
from probing import PORT, Row, named, started

from failover.local import control
from failover.local.registry import Kind, place, read_record
from failover.net.tsig import read_key

HERE = Path(__file__).resolve().parent
NEAR, FAR = "127.2.0.1", "127.2.0.2"
INTERVAL_S, FALL, REPEATS = 2.0, 3, 5
POLL_S = 0.01
GIVE_UP_S = 60.0
CONFIG = """\
version: 1
service: shop
runner: {{every: 2s, call_timeout: 2s}}
sites:
  near: {{provider: near, addresses: {{web: [{near}]}}}}
  far: {{provider: far, addresses: {{web: [{far}]}}}}
dns:
  zones: [shop.test]
  ttl: 1
  hosts: {{one: {{kind: rfc2136, server: "{server}", tsig: {{name: failover-one, secret: {{file: key}}}}}}}}
  records: {{www.shop.test: {{type: A, nodes: web}}}}
checks:
  web: {{url: "http://{{address}}:{port}/", expect: {{body: ok}}, interval: 2s, timeout: 1s, fall: 3, rise: 1}}
quorum: {{single: accept}}
policy:
  unexplained_down: {{action: cutover, confirm: 0s}}
  cooldown: 0s
  tilt: 0s
  retry_after: 0s
  daily_limit: 100
  flap_limit: 100
"""


class Site:
    """A web server of one address, killed and started again."""

    def __init__(self, address: str, stack: ExitStack) -> None:
        self._words = [sys.executable, str(HERE / "probing_targets.py"), address, str(PORT)]
        self._process: subprocess.Popen[bytes] | None = None
        stack.callback(self.kill)
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._words, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self._process.stdout.readline()

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.communicate()
            self._process = None


def fault() -> list[Row]:
    """Seconds until each name server gives the other address, median of several faults."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        near, _far = Site(NEAR, stack), Site(FAR, stack)
        ours = watched(directory, stack)
        pair = f"www => {{ primary => {NEAR}, secondary => {FAR} }}"
        peer = stack.enter_context(named([pair], {"www": "www"}, down=FALL))
        places = {"failover": (*ours, "www.shop.test")}
        if peer is not None:
            places["gdnsd"] = ("127.0.0.1", 5300, "www.example.test")
        taken: dict[str, list[float]] = {name: [] for name in places}
        for _ in range(REPEATS):
            until(places, NEAR, lambda: run(directory, "failback", "--yes", check=False))
            time.sleep(INTERVAL_S * (2 + random.random()))
            near.kill()
            for name, seconds in until(places, FAR).items():
                taken[name].append(seconds)
            near.start()
    return told(taken)


def told(taken: dict[str, list[float]]) -> list[Row]:
    rows: list[Row] = [
        {"subject": name, "median_s": statistics.median(all_s), "worst_s": max(all_s)} for name, all_s in taken.items()
    ]
    for row in rows:
        print(
            f"{row['subject']:10} fault to changed answer: median {row['median_s']:.1f} s, worst {row['worst_s']:.1f} s"
        )
    if "gdnsd" in taken:
        allowed_s = statistics.median(taken["gdnsd"]) + INTERVAL_S
        rows[0]["missed"] = statistics.median(taken["failover"]) > allowed_s
        print(f"allowed: gdnsd's median and one interval, {allowed_s:.1f} s")
    return rows


def watched(directory: Path, stack: ExitStack) -> tuple[str, int]:
    """A published service and its watcher; where its name server is."""
    local = directory / ".failover/local"
    control.create_dns(local, "one", ("shop.test",))
    control.start(local, ("one",))
    stack.callback(control.stop, local, ("one",))
    record = read_record(place(local, Kind.DNS, "one").directory)
    assert record is not None
    key = directory / "key"
    key.touch(0o600)
    key.write_text(read_key(local / "dns/one/tsig.key").secret + "\n")
    server = f"{record.address}:{record.port}"
    (directory / "failover.yaml").write_text(CONFIG.format(near=NEAR, far=FAR, server=server, port=PORT))
    run(directory, "apply", "--yes")
    log = stack.enter_context((directory / "watch.log").open("w"))
    stack.enter_context(started([*failover(), "watch"], cwd=directory, stderr=log))
    return record.address, record.port


def failover() -> list[str]:
    return [sys.executable, "-m", "failover"]


def run(directory: Path, *words: str, check: bool = True) -> None:
    done = subprocess.run([*failover(), *words], cwd=directory, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise SystemExit(f"failover {' '.join(words)} exited with {done.returncode}:\n{done.stderr}")


def until(places: dict[str, tuple[str, int, str]], wanted: str, push=None) -> dict[str, float]:
    """Seconds until each name server answers `wanted`. `push` is done again and again meanwhile."""
    began_s, found = time.monotonic(), {}
    while len(found) < len(places):
        for name, (address, port, asked) in places.items():
            if name not in found and answer(address, port, asked) == {wanted}:
                found[name] = time.monotonic() - began_s
        if time.monotonic() - began_s > GIVE_UP_S:
            raise SystemExit(f"no answer {wanted} from {set(places) - set(found)} within {GIVE_UP_S:g} s")
        if push is not None and len(found) < len(places):
            push()
        time.sleep(POLL_S)
    return found


def answer(address: str, port: int, name: str) -> set[str]:
    try:
        reply = dns.query.udp(dns.message.make_query(name, "A"), address, port=port, timeout=1.0)
    except (OSError, dns.exception.DNSException):
        return set()
    return {rdata.to_text() for rrset in reply.answer if rrset.rdtype == dns.rdatatype.A for rdata in rrset}
