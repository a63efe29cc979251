"""The real runtime under the real engine: what hangs is abandoned, written down as unknown, and keeps no process."""

import subprocess
import sys
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]
ENDS_S = 90.0

STORY = """
import sys
import threading
from dataclasses import replace

from failover.core.model import Action, Reaction
from failover.engine.context import TICK, leased
from failover.engine.deploy import deploy
from failover.engine.runtime import RealRuntime
from failover.engine.tick import tick
from failover.testing.memory_store import MemoryDisk
from failover.testing.sim_runtime import VirtualClock
from failover.testing.sim_world import POLICY, Outside, guestbook

which = sys.argv[1]
quick = replace(POLICY, account_closed=Reaction(action=Action.CUTOVER))
service = guestbook(policy=quick)
check = replace(service.checks[0], rise=1, fall=1, interval_s=0.1, timeout_s=0.5)
service = replace(service, checks=(check,), every_s=0.1, call_s=0.5, ttl_s=1, host_deadline_s=2.0)
outside = Outside(service, VirtualClock())
context = outside.context(MemoryDisk(), RealRuntime())
assert deploy(context, lambda *_: None, adopt=False).problems == ()


def check_once():
    with leased(context, TICK) as term:
        tick(context, term=term)


for _ in range(3):
    check_once()
outside.clouds["aurora"].close("terms of service")


def hang(operation):
    if operation in hanging:
        threading.Event().wait()
    return None


hanging = {"swap": ("apply",), "account": ("state",)}[which]
if which == "swap":
    for host in outside.hosts.values():
        host.faults = hang
else:
    outside.clouds["boreas"].faults = hang
for _ in range(8):
    check_once()
    plans = context.store.plans()
    kinds = [f"{e.step}:{e.kind}" for e in context.store.journal(plans[-1].id)]
    if any(k.startswith("swap:") and k != "swap:started" for k in kinds):
        break
print(" ".join(kinds))
print(context.store.load().active_site, sorted(str(outside.epoch(h).number) for h in outside.hosts))
"""


def played(which: str) -> list[str]:
    """The story in a process of its own, which ends although calls still hang in it."""
    done = subprocess.run(
        [sys.executable, "-c", STORY, which],
        cwd=HOUSE,
        capture_output=True,
        text=True,
        timeout=ENDS_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout.splitlines()


def test_a_swap_that_hangs_at_both_hosts_is_journaled_as_unknown_and_the_process_ends() -> None:
    journal, state = played("swap")
    assert "swap:unknown" in journal.split()
    assert state == "aurora ['1', '1']"


@pytest.mark.parametrize("which", ["account"])
def test_an_api_that_hangs_keeps_nobody_from_a_hot_site(which: str) -> None:
    journal, state = played(which)
    assert "swap:ok" in journal.split()
    assert state.endswith("['2', '2']")
