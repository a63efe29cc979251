"""The life of a deployment at every kind of cloud, by the real command: plan, apply, drift, replace, destroy, kill -9.

The nodes really serve: see `tests.e2e.hall`.
"""

import shutil
import signal
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from failover.net.resources import resource
from tests.e2e.clouds import ENVIRONMENT, KINDS, Kind, Stage, stage
from tests.e2e.eyes import Eyes, answer
from tests.e2e.play import until
from tests.standins.base import Fault
from tests.standins.moto import MotoProcess

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


def _killed(there: Stage, pattern: str, *words: str, fault: Fault = Fault.LATE) -> None:
    """The provider carries out the next such request (HANG: it does not); the command dies before it hears of it."""
    there.standin.fault(pattern, fault)
    there.play.run(*words, code=KILLED, kill_when=lambda: there.standin.hanging)
    there.standin.mend()


@contextmanager
def _one_by_one(there: Stage, *expected: str, among: Collection[str] = ()) -> Iterator[None]:
    """Nodes begin to serve and end in this order, and whatever ends has left DNS before, which is never empty.

    `among`: the old ones, where they are not all that there are.
    """
    (server,) = there.play.servers().values()
    published: dict[str, set[str] | None] = {}
    seen = len(there.hall.log)
    there.hall.ended = lambda address: published.update({address: answer(server, NAME, "A")})
    before = set(among) or there.ours()
    yield
    until(lambda: len(there.hall.log) >= seen + len(expected), "the end of the last old node")
    assert [line.split()[0] for line in there.hall.log[seen:]] == list(expected)
    assert not before & there.ours()
    assert all(found and address not in found for address, found in published.items()), published
    _as_wanted(there)


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
        _another_image_and_a_kill_before_the_new_node_serves(there)
        _other_user_data_and_a_kill_before_an_old_node_goes(there)
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
    """And a port that somebody opened in our firewall meanwhile."""
    there.play.edit({"memory: 1GiB": "memory: 2GiB"})
    (ours,) = (name for name in there.standin.walls() if "guestbook" in name)
    wanted = there.standin.walls()[ours]
    there.standin.set_wall(ours, {*wanted, 9999})
    with _one_by_one(there, "serves", "ends", "serves", "ends"):
        done = there.play.ask("apply", "--yes")["sites"][0]["done"]
    assert [words.split()[0] for words in done] == ["firewall", "replace", "replace"]
    assert there.standin.walls()[ours] == wanted


def _another_image_and_a_kill_before_the_new_node_serves(there: Stage) -> None:
    """The provider has created the first new node, and it is still booting, when the command dies."""
    before, images = there.ours(), there.images()
    there.play.edit({"image: debian-12": "image: ubuntu-24.04"})
    with there.hall.holding():
        there.play.run("apply", "--yes", code=KILLED, kill_when=lambda: _heard_of_it(there))
    assert (len(there.ours()), before < there.ours()) == (3, True)
    old = there.addresses(*before)
    assert all(answer(server, NAME, "A") == old for server in there.play.servers().values())
    with _one_by_one(there, "serves", "ends", "serves", "ends", among=before):
        there.play.run("apply", "--yes")
    assert not images & there.images()


def _heard_of_it(there: Stage) -> bool:
    """The command has asked something else since the node was created."""
    return there.hall.held_at is not None and there.standin.ticks > there.hall.held_at + 1


def _other_user_data_and_a_kill_before_an_old_node_goes(there: Stage) -> None:
    """The first new node serves, and DNS knows it, when the command dies."""
    before = there.ours()
    template = there.play.directory / "node.yaml.j2"
    shutil.copy(resource("templates/cloud-init/release.yaml.j2"), template)
    with template.open("a") as file:
        file.write("# another wish\n")
    there.play.edit({r"image: ubuntu-24\.04": r"image: ubuntu-24.04, user_data: node.yaml.j2"})
    _killed(there, there.kind.destroying, "apply", "--yes", fault=Fault.HANG)
    assert (len(there.ours()), before < there.ours()) == (3, True)
    (new,) = there.addresses(*(there.ours() - before))
    for server in there.play.servers().values():
        assert new in (answer(server, NAME, "A") or ())
    with _one_by_one(there, "ends", "serves", "ends", among=before):
        there.play.run("apply", "--yes")
    assert all("# another wish" in m.user_data for m in there.standin.machines() if m.user_data)


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
