"""The common base: faults do what they say, and nothing is left open."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3

from tests.standins.base import Fault, Machine, Operator, Refused, StandIn, route
from tests.standins.wire import Call, Reply


class Toy(StandIn):
    """Boxes, named by whoever makes them."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.boxes: dict[str, str] = {}

    def refusal(self, status: int, message: str, code: str = "") -> Reply:
        return Reply(status=status, document={"error": message, "code": code})

    def unauthorized(self) -> Reply:
        return self.refusal(401, "who are you")

    def node_ids(self) -> tuple[str, ...]:
        return tuple(self.boxes)

    def halt(self, id: str) -> None:
        self.boxes[id] = "off"

    def foreign(self, name: str) -> str:
        self.boxes[name] = "theirs"
        return name

    def switched_on(self) -> Iterator[Machine]:
        return (Machine(id=name, address="", user_data="") for name, state in self.boxes.items() if state == "on")

    def forget(self, id: str) -> None:
        del self.boxes[id]

    def empty(self) -> None:
        self.boxes.clear()

    @route("GET", "/boxes")
    def list_boxes(self, call: Call) -> Reply:
        items, pages = self.sliced(sorted(self.boxes), self.page_of(call), 10)
        return Reply(document={"boxes": items, "pages": pages})

    @route("POST", "/boxes")
    def make_box(self, call: Call) -> Reply:
        if (name := call.document["name"]) in self.boxes:
            raise Refused(409, "there is one", "taken")
        self.boxes[name] = "on"
        return Reply(status=201, document={"name": name})

    @route("DELETE", "/boxes/{name}")
    def drop_box(self, call: Call, name: str) -> Reply:
        del self.boxes[name]
        return Reply(status=204)


@pytest.fixture
def toy() -> Iterator[Toy]:
    with Toy(token="t", page_max=2) as running:
        yield running


@pytest.fixture
def pool() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(retries=False, timeout=5.0, headers={"Authorization": "Bearer t"}) as made:
        yield made


def make(toy: Toy, pool: urllib3.PoolManager, name: str) -> int:
    return pool.request("POST", f"{toy.url}/boxes", json={"name": name}).status


def test_requests_are_routed_and_logged(toy: Toy, pool: urllib3.PoolManager) -> None:
    assert [make(toy, pool, name) for name in ("a", "b", "c")] == [201, 201, 201]
    assert pool.request("GET", f"{toy.url}/boxes?page=2").json() == {"boxes": ["c"], "pages": 2}
    assert pool.request("DELETE", f"{toy.url}/boxes/a").status == 204
    assert pool.request("GET", f"{toy.url}/nothing").status == 404
    assert (toy.count("POST /boxes"), len(toy.requests), toy.ticks) == (3, 6, 6)


def test_what_a_handler_refuses_has_the_shape_of_the_provider(toy: Toy, pool: urllib3.PoolManager) -> None:
    make(toy, pool, "a")
    again = pool.request("POST", f"{toy.url}/boxes", json={"name": "a"})
    assert (again.status, again.json()) == (409, {"error": "there is one", "code": "taken"})
    assert pool.request("POST", f"{toy.url}/boxes", body=b"{").status == 400
    assert pool.request("GET", f"{toy.url}/boxes", headers={"Authorization": "Bearer x"}).status == 401


@pytest.mark.parametrize(("kind", "status"), [("429", 429), ("500", 500), ("502", 502)])
def test_a_fault_hits_as_often_as_asked_for(toy: Toy, pool: urllib3.PoolManager, kind: str, status: int) -> None:
    toy.fault("make_box", kind, times=2, skip=1)
    assert [make(toy, pool, name) for name in "abcd"] == [201, status, status, 201]
    assert set(toy.boxes) == {"a", "d"}


def test_too_many_requests_say_when_to_come_back(toy: Toy, pool: urllib3.PoolManager) -> None:
    toy.fault("/boxes", "429", retry_after_s=7)
    assert pool.request("GET", f"{toy.url}/boxes").headers["Retry-After"] == "7"
    toy.limit_rate(2, 3600.0)
    answers = [pool.request("GET", f"{toy.url}/boxes") for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert answers[-1].headers["Retry-After"] == "3600"


@pytest.mark.parametrize(("kind", "carried_out"), [("drop", False), ("lost", True)])
def test_a_connection_that_ends_without_an_answer(
    toy: Toy, pool: urllib3.PoolManager, kind: str, carried_out: bool
) -> None:
    toy.fault("POST", kind)
    with pytest.raises(urllib3.exceptions.ProtocolError):
        make(toy, pool, "a")
    assert ("a" in toy.boxes) is carried_out


@pytest.mark.parametrize(("kind", "carried_out"), [("hang", False), ("late", True)])
def test_an_answer_that_never_comes(toy: Toy, kind: str, carried_out: bool) -> None:
    toy.fault("POST", kind)
    with urllib3.PoolManager(retries=False, timeout=1.0, headers={"Authorization": "Bearer t"}) as hasty:
        with pytest.raises(urllib3.exceptions.ReadTimeoutError):
            make(toy, hasty, "a")
        assert ("a" in toy.boxes) is carried_out
        toy.mend()
        assert make(toy, hasty, "b") == 201


def test_faults_of_lists(toy: Toy, pool: urllib3.PoolManager) -> None:
    for name in "abc":
        make(toy, pool, name)
    toy.fault("list_boxes", Fault.BROKEN, page=2)
    assert [pool.request("GET", f"{toy.url}/boxes?page={page}").status for page in (1, 2, 2)] == [200, 500, 200]
    toy.fault("list_boxes", Fault.EMPTY)
    assert pool.request("GET", f"{toy.url}/boxes").json() == {"boxes": [], "pages": 2}


def test_an_account_that_closes_half_way(toy: Toy, pool: urllib3.PoolManager) -> None:
    toy.fault("make_box", Fault.CLOSE, skip=1)
    assert [make(toy, pool, name) for name in "abc"] == [201, 403, 403]
    assert toy.boxes == {"a": "off"}
    toy.reopen()
    assert toy.boxes == {}


def test_the_operator_plays_the_provider(toy: Toy, pool: urllib3.PoolManager) -> None:
    operator = Operator(toy)
    theirs = operator.foreign("b")
    assert operator.has_node(theirs)
    operator.refuse()
    assert make(toy, pool, "a") == 401
    operator.recover()
    operator.cut()
    with pytest.raises(urllib3.exceptions.ProtocolError):
        make(toy, pool, "a")
    operator.recover()
    assert make(toy, pool, "a") == 201


def test_what_is_wrong_with_the_stand_in_itself_is_told_in_the_end() -> None:
    toy = Toy(token="t").start()
    with urllib3.PoolManager(retries=False, headers={"Authorization": "Bearer t"}) as pool:
        assert pool.request("DELETE", f"{toy.url}/boxes/none").status == 500
    with pytest.raises(AssertionError, match="DELETE /boxes/none: KeyError"):
        toy.stop()


def test_a_stand_in_that_was_never_started_can_be_stopped() -> None:
    Toy(token="t").stop()


def test_nothing_is_left_behind() -> None:
    before = threading.active_count()
    with Toy(token="t") as toy, urllib3.PoolManager(retries=False, timeout=0.2) as pool:
        toy.fault(".", "hang", times=None)
        with pytest.raises(urllib3.exceptions.ReadTimeoutError):
            pool.request("GET", f"{toy.url}/boxes")
    assert threading.active_count() == before
