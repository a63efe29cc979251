"""The life of a deployment at every kind of cloud, by the real command: plan, apply, drift, replace, destroy, kill -9.

The nodes really serve: see `tests.e2e.hall`.
"""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.clouds import ENVIRONMENT, KINDS, Kind, Stage, stage
from tests.e2e.eyes import Eyes, answer
from tests.e2e.play import until
from tests.standins.base import Fault
from tests.standins.moto import MotoProcess, moto_process

__all__ = ["moto_process"]

NAME = "www.guestbook.test"
FENCE = "_failover.guestbook.guestbook.test"
KILLED = -signal.SIGKILL
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(params=KINDS, ids=str)
def there(
    request: pytest.FixtureRequest, moto_process: MotoProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stage]:
    kind: Kind = request.param
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with stage(kind, moto_process, tmp_path) as made:
        yield made


def _actions(there: Stage) -> list[str]:
    """What `plan` would do at the site. It says by its exit code that there is something."""
    found = there.play.ask("plan", code=2)
    assert found["problems"] == []
    return sorted(action["kind"] for action in found["sites"][0]["actions"])


def _killed(there: Stage, pattern: str, *words: str) -> None:
    """The provider carries out the next such request, and the command dies before it hears of it."""
    there.standin.fault(pattern, Fault.LATE)
    there.play.run(*words, code=KILLED, kill_when=lambda: there.standin.hanging)
    there.standin.mend()


def _as_wanted(there: Stage) -> None:
    """Two nodes, no more, and both of them in DNS."""
    assert len(there.ours()) == 2
    for server in there.play.servers().values():
        assert answer(server, NAME, "A") == there.addresses()


def test_from_the_first_plan_to_the_end(there: Stage) -> None:
    theirs = there.standin.foreign("somebody-elses")
    assert _actions(there) == ["create", "create", "upload"]
    assert there.ours() == set()
    _killed(there, there.kind.creating, "apply", "--yes")
    there.play.run("apply", "--yes")
    _as_wanted(there)
    there.play.run("plan")
    with Eyes(there.play.servers()) as eyes:
        _a_node_that_somebody_deleted(there)
        _a_new_release_and_a_kill_between(there)
        _another_size(there)
    eyes.check()
    there.play.run("plan")
    _the_end(there)
    assert set(there.standin.node_ids()) == {theirs}, "what is not ours stays"


def _a_node_that_somebody_deleted(there: Stage) -> None:
    there.standin.delete(min(there.ours()))
    assert _actions(there) == ["create"]
    there.play.run("apply", "--yes")
    _as_wanted(there)


def _a_new_release_and_a_kill_between(there: Stage) -> None:
    """The provider is deleting an old node when the command dies."""
    before = there.ours()
    (there.play.directory / "app" / "news.txt").write_text("new")
    _killed(there, there.kind.destroying, "apply", "--yes")
    assert before & there.ours(), "one by one: not all of the old ones are gone"
    there.play.run("apply", "--yes")
    assert not before & there.ours()
    _as_wanted(there)


def _another_size(there: Stage) -> None:
    """One by one: each new node serves before an old one goes."""
    before = there.addresses()
    there.play.edit({"memory: 1GiB": "memory: 2GiB"})
    seen = len(there.hall.log)
    done = there.play.ask("apply", "--yes")["sites"][0]["done"]
    assert [words.split()[0] for words in done] == ["replace", "replace"]
    until(lambda: len(there.hall.log) >= seen + 4, "the end of the last old node")
    assert [line.split()[0] for line in there.hall.log[seen:]] == ["serves", "ends", "serves", "ends"]
    assert not before & there.addresses()
    _as_wanted(there)


def _the_end(there: Stage) -> None:
    _killed(there, there.kind.destroying, "destroy", "--yes")
    there.play.run("destroy", "--yes")
    assert there.ours() == set()
    assert there.kind.walls(there.standin) == 0
    assert there.bucket.objects() == {}
    for server in there.play.servers().values():
        assert (answer(server, NAME, "A"), answer(server, FENCE, "TXT")) == (set(), set())


def test_an_account_that_is_closed_half_way_through_an_apply(there: Stage) -> None:
    there.standin.fault(there.kind.creating, Fault.CLOSE, skip=1)
    ran = there.play.run("apply", "--yes", "-o", "json", code=1)
    (site,) = ran.document["sites"]
    done: list[Any] = site["done"]
    assert [words.split()[0] for words in done] == ["upload", "create"], "what did not come about is not done"
    assert site["problem"] in ran.err
    assert "failover apply" in ran.err
    assert len(there.standin.node_ids()) == 1
    there.standin.reopen()
    there.play.run("apply", "--yes")
    _as_wanted(there)
