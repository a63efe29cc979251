"""The conformance suite of `ports.Runtime`.

class TestMyRuntime(RuntimeConformance):
    @pytest.fixture
    def bench(self) -> RuntimeBench:
        return RuntimeBench(runtime=..., hang=...)
"""
# ruff: noqa: S101 - a suite of assertions

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from failover.errors import Rejected, TimedOut
from failover.ports import Call, Runtime

PATIENCE_S = 60.0
SHORT_S = 0.05
MANY = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeBench:
    """A runtime, and something to do that never comes back while the test lasts."""

    runtime: Runtime
    hang: Callable[[], object]


class RuntimeConformance:
    """What every runtime must do."""

    @pytest.fixture
    def bench(self) -> RuntimeBench:
        raise NotImplementedError("return a RuntimeBench")

    def test_a_call_gives_its_value(self, bench: RuntimeBench) -> None:
        assert bench.runtime.call("add", lambda: 1 + 1, deadline_s=PATIENCE_S) == 2

    def test_a_call_may_give_none(self, bench: RuntimeBench) -> None:
        assert bench.runtime.call("nothing", lambda: None, deadline_s=PATIENCE_S) is None

    def test_a_call_raises_the_very_error(self, bench: RuntimeBench) -> None:
        error = Rejected("create node", "web-0", "no such size")
        with pytest.raises(Rejected) as raised:
            bench.runtime.call("create", _raising(error), deadline_s=PATIENCE_S)
        assert raised.value is error

    def test_a_call_that_hangs_is_unknown_at_its_deadline(self, bench: RuntimeBench) -> None:
        with pytest.raises(TimedOut, match="ask the wall") as raised:
            bench.runtime.call("ask the wall", bench.hang, deadline_s=SHORT_S)
        assert "unknown" in raised.value.cause

    def test_nothing_together_is_nothing(self, bench: RuntimeBench) -> None:
        assert bench.runtime.together(()) == ()

    def test_answers_come_in_the_order_of_the_calls(self, bench: RuntimeBench) -> None:
        found = bench.runtime.together([_value(n) for n in range(MANY)])
        assert [done.value for done in found] == list(range(MANY))
        assert not any(done.unknown or done.error for done in found)

    def test_each_call_ends_in_its_own_way(self, bench: RuntimeBench) -> None:
        error = Rejected("create node", "web-0", "no such size")
        calls = [
            _value(1),
            Call(what="hang", do=bench.hang, deadline_s=SHORT_S),
            Call(what="fail", do=_raising(error), deadline_s=PATIENCE_S),
            _value(2),
        ]
        first, hung, failed, last = bench.runtime.together(calls)
        assert (first.value, last.value) == (1, 2)
        assert hung.unknown
        assert (hung.value, hung.error) == (None, None)
        assert failed.error is error
        assert not failed.unknown

    def test_an_error_that_is_none_of_ours_is_handed_over_too(self, bench: RuntimeBench) -> None:
        (done,) = bench.runtime.together([Call(what="bug", do=lambda: int("x"), deadline_s=PATIENCE_S)])
        assert isinstance(done.error, ValueError)

    def test_every_call_is_made_once(self, bench: RuntimeBench) -> None:
        made: list[int] = []

        def making(number: int) -> Callable[[], object]:
            return lambda: made.append(number)

        bench.runtime.together([Call(what=f"make {n}", do=making(n), deadline_s=PATIENCE_S) for n in range(MANY)])
        assert sorted(made) == list(range(MANY))

    def test_a_call_may_make_calls(self, bench: RuntimeBench) -> None:
        def inner(number: int) -> Callable[[], object]:
            return lambda: sum(int(str(done.value)) for done in bench.runtime.together([_value(number), _value(1)]))

        calls = [Call(what=f"outer {n}", do=inner(n), deadline_s=PATIENCE_S) for n in range(3)]
        assert [done.value for done in bench.runtime.together(calls)] == [1, 2, 3]

    def test_an_inner_call_that_hangs_is_told_to_the_outer_one(self, bench: RuntimeBench) -> None:
        def outer() -> str:
            try:
                bench.runtime.call("inner", bench.hang, deadline_s=SHORT_S)
            except TimedOut:
                return "told"
            return "not told"

        assert bench.runtime.call("outer", outer, deadline_s=PATIENCE_S) == "told"

    def test_an_outer_call_is_given_up_while_an_inner_one_hangs(self, bench: RuntimeBench) -> None:
        def outer() -> object:
            return bench.runtime.call("inner", bench.hang, deadline_s=PATIENCE_S)

        with pytest.raises(TimedOut):
            bench.runtime.call("outer", outer, deadline_s=SHORT_S)

    def test_time_never_goes_back(self, bench: RuntimeBench) -> None:
        runtime = bench.runtime
        seen = [runtime.now()]
        for _ in range(10):
            runtime.together([_value(1), _value(2)])
            runtime.sleep(0.001)
            seen.append(runtime.now())
        assert [i.boottime_s for i in seen] == sorted(i.boottime_s for i in seen)
        assert len({i.boot_id for i in seen}) == 1

    @pytest.mark.parametrize("seconds", [SHORT_S, 0.0, -1.0])
    def test_sleep_takes_at_least_so_long(self, bench: RuntimeBench, seconds: float) -> None:
        before = bench.runtime.now()
        bench.runtime.sleep(seconds)
        assert bench.runtime.now().since(before) >= max(0.0, seconds) - 1e-3

    def test_a_hanging_call_takes_until_its_deadline(self, bench: RuntimeBench) -> None:
        before = bench.runtime.now()
        bench.runtime.together([Call(what="hang", do=bench.hang, deadline_s=SHORT_S)])
        assert bench.runtime.now().since(before) >= SHORT_S - 1e-3

    def test_tokens_are_fresh(self, bench: RuntimeBench) -> None:
        tokens = {bench.runtime.token() for _ in range(MANY)}
        assert len(tokens) == MANY
        assert all(len(t) == 8 and t.isascii() and t.isalnum() and t == t.lower() for t in tokens)


def _value(number: int) -> Call:
    return Call(what=f"value {number}", do=lambda: number, deadline_s=PATIENCE_S)


def _raising(error: Exception) -> Callable[[], object]:
    def do() -> object:
        raise error

    return do
