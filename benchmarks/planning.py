"""What `failover plan` costs for 5 sites × 200 nodes: CPU time of the whole process, and how it grows.

    python benchmarks/planning.py [--rounds 5] [--json FILE]

Every node exists at its provider (a stand-in, asked over HTTP), half of them as wanted and
half of an earlier release, so the command reads every page of every list and plans a change for every second node.
"""

import argparse
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from fleet import IMAGES, ROOT, SITES, TOKEN, Fleet, fleet, name_server

from failover.cli.wiring import context_of
from failover.clouds.hetzner import cloud as hetzner
from failover.clouds.libcloud_dialect import Dialect, Wish, matching
from failover.config.load import load
from failover.core.mirror import choose_size, node_spec
from failover.core.model import NodeSpec, Release, Service
from failover.core.world import State
from failover.engine.context import Context
from tests.clouds.libcloud_cases import CASES
from tests.standins.base import StandIn

NODES = (100, 200, 400)
AIM_NODES, CPU_S_MAX = 200, 2.0
GROWTH_MAX = 1.5
"""CPU seconds that one more node costs, from one size to the next: growing faster than this is not linear."""
PLAN_S = 300.0
OLD = "sha256:" + "0" * 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`nodes` is at each site. The fastest of all rounds: what else the machine does only adds."""

    nodes: int
    cpu_s: float
    wall_s: float
    changes: int
    peak_mib: float


# ------------------------------------------------------------------------------------ nodes that are there


def fill(found: Fleet, service: Service, release: Release, first: int, end: int) -> None:
    """Nodes number `first` to `end` at every site; every second one of an earlier release."""
    old = Release(digest=OLD, command=release.command)
    for site in service.sites:
        wishes = [
            node_spec(service, site, service.groups[0], number, release if number % 2 else old, "")
            for number in range(first, end)
        ]
        standin = found.standins[site.name]
        case = next((c for c in CASES if isinstance(standin, c.standin)), None)
        if case is None:
            _by_adapter(standin, wishes)
        else:
            _by_dialect(case.dialect(standin), service, wishes)


def _by_adapter(standin: StandIn, wishes: list[NodeSpec]) -> None:
    made = hetzner(name="h", region="nbg1", token=TOKEN, images=IMAGES, endpoint=f"{standin.url}/v1")
    for wish in wishes:
        made.ensure(wish)
    made.close()


def _by_dialect(dialect: Dialect, service: Service, wishes: list[NodeSpec]) -> None:
    """Without the look for a node of that name, which the whole adapter takes each time."""
    api = dialect.api(60.0)
    api.begin("fill", dialect.kind, 600.0)
    entry = IMAGES.find(dialect.kind, service.groups[0].image)
    image = matching(dialect.offered(api), entry)
    size = choose_size(service.groups[0], dialect.sizes(api))
    assert image is not None
    assert size is not None
    for wish in wishes:
        dialect.create(api, Wish(spec=wish, image=image.id, size=size.name))
    api.line.close()


# ------------------------------------------------------------------------------------ the command


def plan(found: Fleet, directory: Path) -> tuple[float, float, int, float]:
    """CPU and wall seconds, changes, peak MiB of `failover plan`, with its children."""
    out = directory / "plan.json"
    start_s = time.perf_counter()
    with out.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "failover", "plan", "-o", "json"],
            cwd=directory,
            env={**found.environment(), "PYTHONPATH": str(ROOT)},
            stdout=file,
        )
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall_s = time.perf_counter() - start_s
    document = json.loads(out.read_text(encoding="utf-8"))
    problems = [site["problem"] for site in document["sites"] if site["problem"]]
    if process.returncode != 2 or problems:
        sys.exit(f"plan: exit {process.returncode} {problems}")
    changes = sum(len(site["actions"]) for site in document["sites"])
    return usage.ru_utime + usage.ru_stime, wall_s, changes, usage.ru_maxrss / 1024


def measure(rounds: int) -> list[Row]:
    temporary = Path(tempfile.mkdtemp(prefix="failover-bench-"))
    os.environ.update({"BENCH_TOKEN": TOKEN, "BENCH_USER": "operator"})
    rows, before = [], 0
    try:
        with fleet() as found, name_server(temporary):
            for count in NODES:
                found.write(temporary, tuple(SITES), count)
                context = context_of(load(temporary / "failover.yaml"), mirror=True)
                release = context.release(context.package().digest)
                fill(found, context.service, release, before, count)
                before = count
                inventory = {s.name: context.compute[s.name].nodes("bench", s.name) for s in context.service.sites}
                _remember(context, State(service="bench", release=release.digest, inventory=inventory), temporary)
                ran = [plan(found, temporary) for _ in range(rounds + 1)][1:]
                cpu_s, wall_s, changes, _ = min(ran)
                peak_mib = max(r[3] for r in ran)
                rows.append(Row(nodes=count, cpu_s=cpu_s, wall_s=wall_s, changes=changes, peak_mib=peak_mib))
    finally:
        shutil.rmtree(temporary)
    return rows


def _remember(context: Context, state: State, directory: Path) -> None:
    """Make this the state, whatever was known before."""
    for file in (directory / ".failover").glob("state.db*"):
        file.unlink()
    context.store.create(state)
    context.store.close()


def growth(rows: list[Row]) -> list[float]:
    """What one more node costs, from each size to the next, in CPU seconds."""
    return [
        (after.cpu_s - before.cpu_s) / (len(SITES) * (after.nodes - before.nodes))
        for before, after in itertools.pairwise(rows)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="CPU time of `failover plan` for 5 sites with many nodes.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    arguments = parser.parse_args()
    rows = measure(arguments.rounds)
    print(f"fastest of {arguments.rounds} runs on {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}\n")
    print(f"{'sites × nodes':>14} {'CPU':>8} {'wall':>8} {'changes':>8} {'peak':>9}")
    for row in rows:
        head = f"{len(SITES)} × {row.nodes}"
        print(f"{head:>14} {row.cpu_s:>6.2f} s {row.wall_s:>6.2f} s {row.changes:>8} {row.peak_mib:>5.0f} MiB")
    each = growth(rows)
    met = all(row.cpu_s <= CPU_S_MAX for row in rows if row.nodes == AIM_NODES)
    linear = all(b <= a * GROWTH_MAX for a, b in itertools.pairwise(each))
    print(f"\nat most {CPU_S_MAX:g} s of CPU for {len(SITES)} × {AIM_NODES}: {'met' if met else 'missed'}")
    texts = ", then ".join(f"{1000 * e:.2f} ms" for e in each)
    print(f"one more node costs {texts}; linear: {'yes' if linear else 'no'}")
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")


if __name__ == "__main__":
    main()
