import json
from pathlib import Path

import pytest

from failover.errors import RefusedError, TimedOut
from failover.hooks.commands import CommandHook
from failover.ports import Hook, Moment
from tests.hooks.made import PLAN
from tests.hooks.programs import program


def test_a_moment_without_programs_does_nothing() -> None:
    hook: Hook = CommandHook({}, 10.0)
    hook.run(Moment.BEFORE, PLAN)


def test_programs_get_the_plan(tmp_path: Path) -> None:
    text = "cat > plan; echo $FAILOVER_MOMENT $FAILOVER_PLAN $FAILOVER_FROM $FAILOVER_TO $FAILOVER_EPOCH > env"
    CommandHook({Moment.AFTER: [program(tmp_path / "p", text)]}, 30.0, tmp_path).run(Moment.AFTER, PLAN)
    assert (tmp_path / "env").read_text() == "after k3j9x0ab aurora boreas 7\n"
    assert json.loads((tmp_path / "plan").read_text()) == {
        "addresses": {"web": ["192.0.2.9", "192.0.2.10"]},
        "at": "2026-05-19T08:00:00Z",
        "automatic": True,
        "before": [{"name": "www.example.org", "ttl_s": 60, "type": "A", "values": ["192.0.2.1"]}],
        "digest": "0123456789abcdef",
        "epoch": 7,
        "forced": False,
        "from": "aurora",
        "hosts": ["north", "south"],
        "id": "k3j9x0ab",
        "kind": "plan",
        "moment": "after",
        "parent_epoch": 6,
        "plan_kind": "cutover",
        "reasons": ["aurora says: account closed"],
        "rrsets": [{"name": "www.example.org", "ttl_s": 60, "type": "A", "values": ["192.0.2.10", "192.0.2.9"]}],
        "schema_version": 1,
        "service": "guestbook",
        "to": "boreas",
        "verdict": "ACCOUNT_CLOSED",
        "zones": ["example.org"],
    }


def test_the_first_veto_ends_it(tmp_path: Path) -> None:
    first = program(tmp_path / "first", "echo ran >> log")
    no = program(tmp_path / "no", "echo 'a deploy is running' >&2; exit 1")
    last = program(tmp_path / "last", "echo too far >> log")
    hook = CommandHook({Moment.BEFORE: [first, no, last]}, 30.0, tmp_path)
    with pytest.raises(RefusedError) as caught:
        hook.run(Moment.BEFORE, PLAN)
    assert str(caught.value) == f"run before hook {tmp_path}/no: exited with 1: a deploy is running"
    assert (tmp_path / "log").read_text() == "ran\n"


def test_a_program_that_is_missing_vetoes() -> None:
    with pytest.raises(RefusedError, match="cannot be started"):
        CommandHook({Moment.BEFORE: [["/nowhere/p"]]}, 30.0).run(Moment.BEFORE, PLAN)


def test_all_programs_of_a_moment_share_the_time(tmp_path: Path) -> None:
    slow = program(tmp_path / "p", "echo x >> log; sleep 600")
    with pytest.raises(TimedOut):
        CommandHook({Moment.BEFORE: [slow, slow]}, 3.0, tmp_path).run(Moment.BEFORE, PLAN)
    assert (tmp_path / "log").read_text() == "x\n"
