"""Each bug is planted into a copy of the package; the simulation must name the invariant that it breaks.

A simulation that cannot fail proves nothing.
"""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import cache_from_source
from pathlib import Path

import pytest

import failover

HOUSE = Path(failover.__file__).parent
SEEDS = 200
ENDS_S = 570.0
"""For a machine that has much else to do: some bugs show only after a hundred worlds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bug:
    """One change of one file, and the invariants of which at least one must be named.

    `first`: where the worlds begin, so that one which shows a rare bug is played before the many that do not.
    """

    name: str
    file: str
    old: str
    new: str
    breaks: tuple[str, ...]
    first: int = 0


BUGS = (
    Bug(
        name="a host compares no epoch",
        file="dns/compare.py",
        old="        if wanted is not None and values != (None if expect is None else expect.values):",
        new="        if False:",
        breaks=("S1", "S2", "S10"),
    ),
    Bug(
        name="the target is not verified",
        file="engine/steps.py",
        old="        if asked and outcome is not Outcome.PASS:",
        new="        if False:",
        breaks=("S7",),
    ),
    Bug(
        name="an old proof counts",
        file="engine/execute.py",
        old='    return "; ".join(str(v) for v in violations) or _proof_again(stage)',
        new='    return "; ".join(str(v) for v in violations) or None',
        breaks=("S5", "S7", "S16"),
    ),
    Bug(
        name="unknown counts as down",
        file="core/health.py",
        old="    return Outcome.UNKNOWN, bad",
        new="    return Outcome.FAIL, bad",
        breaks=("S5", "S16"),
        first=11,
    ),
    Bug(
        name="records are emptied",
        file="engine/publish.py",
        old="    changes = Changes(put=wanted, remove=difference(wanted, here, [r.key for r in here]).remove)",
        new="    changes = Changes(put=(), remove=tuple(r.key for r in here))",
        breaks=("S2", "S3"),
    ),
    Bug(
        name="the cooldown is forgotten",
        file="core/decide.py",
        old="    if not recent and len(today) < policy.daily_limit:",
        new="    if True:",
        breaks=("S11",),
        first=39,
    ),
    Bug(
        name="a closed account may go back and forth",
        file="core/decide.py",
        old="and verdict.explicit and target not in used",
        new="and verdict.explicit",
        breaks=("S11",),
        first=88,
    ),
    Bug(
        name="nothing is written before a cloud is changed",
        file="engine/mirror.py",
        old="        self.context.store.append(event, term=self.term)",
        new="        del event",
        breaks=("S18",),
    ),
    Bug(
        name="an old controller does not see that it is old",
        file="core/decide.py",
        old="    if highest is None or highest.number <= world.state.epoch:",
        new="    if True:",
        breaks=("S14",),
    ),
    Bug(
        name="our own isolation is not seen",
        file="core/health.py",
        old="    return bool(controls) and 2 * sum(c.ok for c in controls) <= len(controls)",
        new="    return False",
        breaks=("S16", "S5"),
    ),
    Bug(
        name="a refused credential counts as a closed account",
        file="core/verdict.py",
        old="        (HealthState.DOWN, r, n): VerdictKind.PROVIDER_DOWN",
        new="        (HealthState.DOWN, r, n): VerdictKind.ACCOUNT_CLOSED",
        breaks=("S16",),
    ),
    Bug(
        name="the service is not probed again before it moves",
        file="core/quorum.py",
        old="    if not asked or Outcome.FAIL in outcomes:",
        new="    if True:",
        breaks=("S5",),
    ),
    Bug(
        name="an epoch is not spent",
        file="engine/execute.py",
        old="context.store.swap(replace(state, epoch=plan.epoch, open_plan=plan), term=term, events=claim)",
        new="context.store.swap(replace(state, open_plan=plan), term=term, events=claim)",
        breaks=("S1", "S9"),
    ),
    Bug(
        name="the commit forgets where the service went",
        file="engine/execute.py",
        old="        state = replace(state, active_site=plan.target, published=bound, adopted=adopted)",
        new="        state = replace(state, active_site=plan.target, adopted=adopted)",
        breaks=("S10",),
    ),
    Bug(
        name="debts are never settled",
        file="engine/debts.py",
        old="    if published is None or state.open_plan is not None or not owing:",
        new="    if True:",
        breaks=("L2", "S10"),
    ),
    Bug(
        name="one host that hangs keeps a plan open for ever",
        file="engine/steps_dns.py",
        old="    return stage.waited_s >= stage.context.service.host_deadline_s and",
        new="    return False and",
        breaks=("L1", "L2"),
    ),
    Bug(
        name="DNS is published with addresses that nobody proved",
        file="core/cutover.py",
        old='    return frozenset(a for a in addresses.get(record.group, ()) if (":" in a) is v6)',
        new="    return frozenset({'192.0.2.66'})",
        breaks=("S3", "L0"),
    ),
    Bug(
        name="only the first zone is swapped",
        file="engine/publish.py",
        old="    for zone in context.service.zones:\n        _swap_zone(",
        new="    for zone in context.service.zones[:1]:\n        _swap_zone(",
        breaks=("S10", "L2"),
    ),
    Bug(
        name="a host writes the second zone without its epoch",
        file="testing/memory_dns.py",
        old="        writes.append({fence.key: fence})",
        new="        writes += [{fence.key: fence}] if 'example.net' not in fence.name else []",
        breaks=("S1", "S2", "L0"),
    ),
    Bug(
        name="addresses are left beside the alias",
        file="engine/publish.py",
        old="remove=difference(wanted, here, [r.key for r in here]).remove)",
        new="remove=())",
        breaks=("L0", "L1", "L2"),
    ),
    Bug(
        name="a host leaves addresses beside the alias",
        file="testing/memory_dns.py",
        old="        writes.append({rrset.key: rrset, **{key: gone.pop(key) for key in beside}})",
        new="        writes.append({rrset.key: rrset, **{k: None for k in beside if not gone.pop(k) and k[1] != 'A'}})",
        breaks=("S2",),
    ),
    Bug(
        name="of what name servers answer only the epoch is looked at",
        file="engine/served.py",
        old="good = there == values and answer.key == (name, type) if values",
        new="good = (type != 'TXT' or there == values) if values",
        breaks=("N2",),
    ),
    Bug(
        name="nobody asks through the edge",
        file="engine/served.py",
        old="    found += [answer for host, there in places.items() for answer in through(context, plan, host, there)]",
        new="",
        breaks=("N3",),
        first=5,
    ),
    Bug(
        name="any site that answers through the edge will do",
        file="core/edge.py",
        old='"" if sample.outcome is Outcome.PASS else why',
        new='"" if sample.outcome is not Outcome.UNKNOWN else why',
        breaks=("N3",),
        first=5,
    ),
    Bug(
        name="other vendors are not looked for",
        file="engine/edge.py",
        old="            if isinstance(done.value, tuple) and done.value:",
        new="            if False:",
        breaks=("N4",),
        first=55,
    ),
)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_found(bug: Bug, tmp_path: Path) -> None:
    # what is compiled already is taken along, but not what somebody compiles at this moment
    shutil.copytree(HOUSE, tmp_path / "failover", ignore=shutil.ignore_patterns("*.pyc.*"))
    file = tmp_path / "failover" / bug.file
    Path(cache_from_source(str(file))).unlink(missing_ok=True)
    source = file.read_text(encoding="utf-8")
    assert source.count(bug.old) == 1, "the planted bug does not fit the source any more"
    file.write_text(source.replace(bug.old, bug.new), encoding="utf-8")
    worlds = ["--first", str(bug.first), "--seeds", str(SEEDS), "--crises", "0.6"]
    done = subprocess.run(
        [sys.executable, "-m", "failover.testing.simulation", *worlds, "--stop"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=ENDS_S,
        check=False,
    )
    named = [line.strip() for line in done.stdout.splitlines() if line.startswith("  ")]
    assert done.returncode == 1, done.stdout + done.stderr
    assert any(line.startswith(tuple(f"{name}:" for name in bug.breaks)) for line in named), named
