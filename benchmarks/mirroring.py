"""Mirroring to five providers at once, against mirroring to each of them alone. Every answer takes a fixed time.

    python benchmarks/mirroring.py [--delay 0.2] [--nodes 2] [--json FILE]

Each row is one run of the real command `failover apply --yes` with a fresh state: it looks at every site, opens
firewalls, creates the nodes, waits until they serve, and publishes their addresses at a real name server. What each run
does besides (starting, DNS) is in all rows alike.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from fleet import ROOT, SITES, Fleet, fleet, name_server

RATIO_MAX = 1.25
"""Of all at once to the slowest one alone."""
APPLY_S = 300.0


def apply(found: Fleet, directory: Path, sites: Sequence[str], nodes: int) -> tuple[float, int]:
    """Seconds, and how many requests the providers got."""
    found.write(directory, sites, nodes)
    before = sum(len(s.requests) for s in found.standins.values())
    with name_server(directory):
        start_s = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-P", "-m", "failover", "apply", "--yes"],
            cwd=directory,
            env={**found.environment(), "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=APPLY_S,
            check=False,
        )
        seconds = time.perf_counter() - start_s
    if done.returncode != 0:
        sys.exit(f"apply to {', '.join(sites)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return seconds, sum(len(s.requests) for s in found.standins.values()) - before


def measure(delay_s: float, nodes: int) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory(prefix="failover-bench-") as temporary:
        for sites in (*((site,) for site in SITES), tuple(SITES)):
            with fleet(delay_s) as found:
                seconds, requests = apply(found, Path(temporary) / "-".join(sites), sites, nodes)
            name = sites[0] if len(sites) == 1 else "all five at once"
            rows.append({"sites": name, "seconds": round(seconds, 2), "requests": requests})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description="Mirroring to five providers at once, against each of them alone.")
    parser.add_argument("--delay", type=float, default=0.2, help="seconds that every answer takes")
    parser.add_argument("--nodes", type=int, default=2, help="per site")
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    arguments = parser.parse_args()
    rows = measure(arguments.delay, arguments.nodes)
    *alone, together = [float(str(row["seconds"])) for row in rows]
    slowest, total = together / max(alone), together / sum(alone)
    load = os.getloadavg()[0]
    where = f"{os.cpu_count()} processors, load {load:.1f}"
    print(f"{arguments.delay:g} s an answer, {arguments.nodes} nodes a site; {where}\n")
    for row in rows:
        print(f"{row['sites']:<18} {row['seconds']:>7} s {row['requests']:>5} requests")
    verdict = "met" if slowest <= RATIO_MAX else "missed"
    print(f"\n{slowest:.2f} × the slowest alone (at most {RATIO_MAX:g}): {verdict}; {total:.2f} × the sum")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
