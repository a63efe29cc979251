"""Start-up time and peak memory of failover's commands, side by side with peers, on this machine and in this run.

    python benchmarks/startup.py [--rounds 15] [--peers DIRECTORY] [--json FILE]

`status` and `check` run in a real `failover init --local` deployment. The peers are installed into a virtual
environment of their own from requirements/bench.txt with their hashes checked; `--peers` keeps it for the next time.
Each round runs every command once, in turn, so that whatever else the machine does hits all alike. The first round only
warms up.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MEMORY_AIM_MIB = 80.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A command to measure. `aim` names the peer that it should not be slower than, `times` that peer's time."""

    name: str
    words: Sequence[str]
    cwd: Path
    aim: str | None = None
    times: float = 1.0


@dataclass(slots=True)
class Measured:
    """Wall-clock seconds of each round, and the largest resident size that was seen."""

    seconds: list[float] = field(default_factory=list)
    peak_mib: float = 0.0

    @property
    def median_s(self) -> float:
        return statistics.median(self.seconds)


def failover_command() -> list[str]:
    """The installed script, as cron would run it."""
    script = Path(sys.executable).with_name("failover")
    return [str(script)] if script.exists() else [sys.executable, "-m", "failover"]


def run(words: Sequence[str], cwd: Path) -> None:
    """Run a command of the preparation; its output shows only when it fails."""
    done = subprocess.run(words, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, words))}: exit {done.returncode}\n{done.stdout}{done.stderr}")


def once(subject: Subject) -> tuple[float, float]:
    """Seconds and peak MiB of one run; a command that fails ends the benchmark."""
    start_s = time.perf_counter()
    process = subprocess.Popen(
        subject.words, cwd=subject.cwd, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start_s
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{subject.name}: exit {process.returncode}")
    return seconds, usage.ru_maxrss / 1024


def measure(subjects: Sequence[Subject], rounds: int) -> dict[str, Measured]:
    """All subjects in turn, `rounds` times after one round that does not count."""
    found = {subject.name: Measured() for subject in subjects}
    for number in range(rounds + 1):
        for subject in subjects:
            seconds, peak_mib = once(subject)
            if number > 0:
                found[subject.name].seconds.append(seconds)
            found[subject.name].peak_mib = max(found[subject.name].peak_mib, peak_mib)
    return found


def install_peers(directory: Path) -> Path:
    """A virtual environment with the peers; returns its bin directory."""
    binaries = directory / "bin"
    if not (binaries / "aws").exists():
        print("installing the peers …", file=sys.stderr)
        venv.create(directory, with_pip=True, clear=True)
        pip = [str(binaries / "pip"), "install", "--quiet", "--disable-pip-version-check"]
        run([*pip, "--require-hashes", "-r", str(ROOT / "requirements" / "bench.txt")], ROOT)
    return binaries


def subjects(play: Path, peers: Path) -> list[Subject]:
    ours = failover_command()
    octodns, aws = "octodns-sync --version", "aws --version"
    return [
        Subject(name="failover --version", words=[*ours, "--version"], cwd=play, aim=octodns),
        Subject(name="failover status", words=[*ours, "status"], cwd=play, aim=aws),
        Subject(name="failover check", words=[*ours, "check"], cwd=play, aim=aws, times=2.0),
        Subject(name=octodns, words=[str(peers / "octodns-sync"), "--version"], cwd=play),
        Subject(name=aws, words=[str(peers / "aws"), "--version"], cwd=play),
    ]


def report(wanted: Sequence[Subject], found: dict[str, Measured]) -> list[dict[str, object]]:
    """One row per command, with its ratio to the peer that it is measured against."""
    rows: list[dict[str, object]] = []
    for subject in wanted:
        measured = found[subject.name]
        row: dict[str, object] = {
            "command": subject.name,
            "median_s": round(measured.median_s, 4),
            "min_s": round(min(measured.seconds), 4),
            "peak_mib": round(measured.peak_mib, 1),
        }
        if subject.aim is not None:
            ratio = measured.median_s / found[subject.aim].median_s
            met = ratio <= subject.times and measured.peak_mib < MEMORY_AIM_MIB
            row |= {"against": subject.aim, "ratio": round(ratio, 2), "ratio_max": subject.times, "met": met}
        rows.append(row)
    return rows


def show(rows: Sequence[dict[str, object]], rounds: int) -> None:
    print(f"median of {rounds} runs on {os.cpu_count()} processors, Python {sys.version.split()[0]}\n")
    print(f"{'command':<26} {'median':>9} {'fastest':>9} {'peak':>10}   ratio, aim")
    for row in rows:
        line = f"{row['command']:<26} {row['median_s']:>7.3f} s {row['min_s']:>7.3f} s {row['peak_mib']:>6.1f} MiB"
        if "against" in row:
            verdict = "met" if row["met"] else "missed"
            line += f"   {row['ratio']:.2f} × {row['against']} (at most {row['ratio_max']:g}): {verdict}"
        print(line)
    print(f"\nThe aim for memory is a peak below {MEMORY_AIM_MIB:g} MiB.")


def main() -> None:
    parser = argparse.ArgumentParser(description="Start-up time and peak memory, side by side with peers.")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--peers", type=Path, help="where the peers' environment is, or shall be kept")
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    arguments = parser.parse_args()
    temporary = Path(tempfile.mkdtemp(prefix="failover-bench-"))
    play, ours = temporary / "play", failover_command()
    try:
        peers = install_peers((arguments.peers or temporary / "peers").resolve())
        run([*ours, "init", "--local", str(play)], temporary)
        run([*ours, "apply", "--yes"], play)
        try:
            wanted = subjects(play, peers)
            rows = report(wanted, measure(wanted, arguments.rounds))
        finally:
            run([*ours, "local", "stop"], play)
    finally:
        shutil.rmtree(temporary)
    show(rows, arguments.rounds)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
