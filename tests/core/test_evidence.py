"""Many readings over time: when a closed account that does not say so is believed to be closed."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.core.evidence import (
    BODIES_MAX,
    FLIP_S,
    SERVICES_MAX,
    Memory,
    ServiceMemory,
    corroborated,
    new_bodies,
    remember,
)
from failover.core.health import HealthState
from failover.core.model import Instant
from failover.core.reading import AMBIGUOUS, EXPLICIT, ServiceReading, Signal
from tests.core.builders import at

CONFIRM_S = 60.0
PLACES = (("ec2", "us-east-1"), ("ec2", "eu-west-1"), ("s3", "us-east-1"), ("sts", "eu-west-1"))
GLOBAL = (("account", ""), ("droplets", ""), ("firewalls", ""))
Place = tuple[str, str]


def said(signal: Signal, *places: Place, credential: str = "", **rest: object) -> tuple[ServiceReading, ...]:
    return tuple(
        ServiceReading(service=s, region=r, signal=signal, credential=credential, **rest)  # type: ignore[arg-type]
        for s, r in places
    )


def after(*rounds: tuple[float, tuple[ServiceReading, ...]], memory: Memory | None = None) -> Memory:
    """The memory after rounds at these seconds."""
    memory = memory or Memory()
    for seconds, readings in rounds:
        memory = remember(memory, readings, at(seconds))
    return memory


def closed(memory: Memory, now_s: float = 1000.0, plane: HealthState = HealthState.DOWN) -> tuple[bool, int]:
    """Whether it is believed, and how many signs hold."""
    found, signs = corroborated(memory, now=at(now_s), data_plane=plane, explicit=False, confirm_s=CONFIRM_S)
    return found, len(signs)


WORKED = (0.0, said(Signal.OK, *PLACES))
FLIPPED = after(WORKED, (10.0, said(Signal.AUTH_AMBIGUOUS, *PLACES)))
"""Signs 1 and 3: what a rotated key looks like as well."""
SECOND = after(
    (0.0, said(Signal.OK, PLACES[0], credential="mirror")),
    (10.0, said(Signal.AUTH_AMBIGUOUS, PLACES[0], credential="mirror")),
    memory=FLIPPED,
)


# ------------------------------------------------------------------------------------ three signs


def test_1_everything_flips_that_is_two_signs() -> None:
    assert closed(FLIPPED) == (False, 2)


def test_2_a_second_credential_is_the_third() -> None:
    assert closed(SECOND) == (True, 3)


def test_3_so_are_nodes_that_stopped_and_a_persons_word() -> None:
    assert closed(replace(FLIPPED, stopped_since=at(20))) == (True, 3)
    assert closed(replace(FLIPPED, flagged_at=at(20))) == (True, 3)
    assert closed(replace(SECOND, stopped_since=at(20), flagged_at=at(20))) == (True, 5)


def test_4_never_while_the_service_answers_or_nobody_knows() -> None:
    for plane in (HealthState.UP, HealthState.UNKNOWN):
        assert closed(SECOND, plane=plane) == (False, 3)


def test_5_each_sign_must_have_held_over_the_confirm_window() -> None:
    assert closed(SECOND, now_s=10 + CONFIRM_S - 1) == (False, 1)
    assert closed(SECOND, now_s=10 + CONFIRM_S) == (True, 3)
    late = replace(FLIPPED, flagged_at=at(500))
    assert closed(late, now_s=500 + CONFIRM_S - 1) == (False, 2)
    assert closed(late, now_s=500 + CONFIRM_S) == (True, 3)


def test_6_a_persons_word_and_stopped_nodes_are_not_enough_alone() -> None:
    assert closed(Memory(stopped_since=at(0), flagged_at=at(0))) == (False, 2)


def test_7_the_provider_saying_so_is_enough_while_the_service_is_down() -> None:
    for plane in HealthState:
        found, signs = corroborated(Memory(), now=at(0), data_plane=plane, explicit=True, confirm_s=CONFIRM_S)
        assert found is (plane is HealthState.DOWN)
        assert signs == ("the provider itself says so",)


# ------------------------------------------------------------------------------------ sign 1: services flip together


@pytest.mark.parametrize(
    ("places", "flipped"),
    [
        (PLACES, True),
        (PLACES[:2], False),
        ((PLACES[0], PLACES[2]), False),
        ((("ec2", "us-east-1"), ("s3", "us-east-1"), ("sts", "us-east-1")), False),
        ((("ec2", "us-east-1"), ("s3", "us-east-1"), ("sts", "")), False),
    ],
)
def test_8_three_services_and_two_regions(places: tuple[Place, ...], flipped: bool) -> None:
    """The other places go on as they are: nobody asked, or nobody answered."""
    worked = (0.0, said(Signal.OK, *PLACES, ("sts", "us-east-1"), ("sts", "")))
    memory = after(worked, (10.0, said(Signal.AUTH_AMBIGUOUS, *places)))
    assert closed(memory)[1] == (2 if flipped else 0)


def test_9_a_provider_without_regions_needs_none() -> None:
    memory = after((0.0, said(Signal.OK, *GLOBAL)), (10.0, said(Signal.AUTH_AMBIGUOUS, *GLOBAL)))
    assert closed(memory)[1] == 2
    two = after((0.0, said(Signal.OK, *GLOBAL)), (10.0, said(Signal.AUTH_AMBIGUOUS, *GLOBAL[:2])))
    assert closed(two)[1] == 0


def test_10_what_never_worked_proves_nothing() -> None:
    """A wrong key from the start."""
    assert closed(after((10.0, said(Signal.AUTH_AMBIGUOUS, *PLACES)))) == (False, 0)


def test_11_services_may_disagree_for_minutes_not_for_hours() -> None:
    def spread(step_s: float) -> int:
        rounds = [(10.0 + n * step_s, said(Signal.AUTH_AMBIGUOUS, place)) for n, place in enumerate(GLOBAL)]
        return closed(after((0.0, said(Signal.OK, *GLOBAL)), *rounds), now_s=50_000)[1]

    assert spread(FLIP_S / 2) == 2
    assert spread(FLIP_S / 2 + 1) == 0


def test_12_an_early_refusal_does_not_hide_a_later_flip_of_the_others() -> None:
    early = after(WORKED, (10.0, said(Signal.AUTH_AMBIGUOUS, ("s3", "eu-west-1"), PLACES[2])))
    more = (("iam", "us-east-1"), ("rds", "eu-west-1"), ("ec2", "eu-west-1"))
    memory = after((20.0, said(Signal.OK, *more)), (5000.0, said(Signal.AUTH_AMBIGUOUS, *more)), memory=early)
    assert closed(memory, now_s=9000)[1] == 2


def test_13_one_good_answer_takes_it_back() -> None:
    memory = after((20.0, said(Signal.OK, PLACES[3])), memory=FLIPPED)
    assert closed(memory)[1] == 0
    assert closed(after((30.0, said(Signal.AUTH_AMBIGUOUS, PLACES[3])), memory=memory))[1] == 2


@pytest.mark.parametrize("signal", [Signal.TRANSPORT, Signal.OUTAGE, Signal.THROTTLED, Signal.REQUEST_BUG])
def test_14_no_answer_neither_adds_nor_takes_away(signal: Signal) -> None:
    assert after((20.0, said(signal, *PLACES)), memory=FLIPPED) == FLIPPED
    assert after((20.0, said(signal, *PLACES))) == Memory()


def test_15_missing_permissions_count_only_when_they_come_everywhere_at_once() -> None:
    mixed = (*said(Signal.PERMISSION, *PLACES[:2]), *said(Signal.AUTH_AMBIGUOUS, *PLACES[2:]))
    assert closed(after(WORKED, (10.0, mixed)))[1] == 2
    assert closed(after(WORKED, (0.0, said(Signal.OK, ("iam", ""))), (10.0, mixed)))[1] == 0


@pytest.mark.parametrize("signal", [Signal.CREDENTIAL_WRONG, Signal.CREDENTIAL_EXPIRED])
def test_16_a_credential_that_is_named_wrong_explains_itself(signal: Signal) -> None:
    assert closed(after(WORKED, (10.0, said(signal, *PLACES))))[1] == 0


# ------------------------------------------------------------------------------------ signs 2 and 3


def test_17_a_second_credential_counts_when_nothing_works_with_it_any_more() -> None:
    def second(*rounds: tuple[float, tuple[ServiceReading, ...]]) -> tuple[bool, int]:
        return closed(after(*rounds, memory=FLIPPED))

    worked = (0.0, said(Signal.OK, *PLACES[:2], credential="mirror"))
    refused = said(Signal.AUTH_AMBIGUOUS, PLACES[0], credential="mirror")
    assert second(worked, (10.0, refused)) == (True, 3), "the other one is silent"
    assert second(worked, (10.0, (*refused, *said(Signal.OK, PLACES[1], credential="mirror")))) == (False, 2)
    assert second(worked, (10.0, refused), (20.0, said(Signal.OK, PLACES[1], credential="mirror"))) == (False, 2)
    assert second((10.0, refused)) == (False, 2), "it never worked"
    assert second(worked, (10.0, said(Signal.PERMISSION, PLACES[0], credential="mirror"))) == (False, 2)


def test_18_a_rotation_that_we_know_of_explains_the_refusals() -> None:
    assert closed(replace(SECOND, rotated_at=at(5))) == (False, 2)
    worked_since = after(WORKED, (10.0, said(Signal.OK, *PLACES)), (20.0, said(Signal.AUTH_AMBIGUOUS, *PLACES)))
    assert closed(replace(worked_since, rotated_at=at(5)))[1] == 2


# ------------------------------------------------------------------------------------ the memory


def test_19_the_memory_is_bounded_and_forgets_the_oldest() -> None:
    many = tuple((f"s{n}", "") for n in range(SERVICES_MAX + 5))
    memory = after((0.0, said(Signal.OK, *many)), (10.0, said(Signal.OK, many[7])))
    assert len(memory.services) == SERVICES_MAX
    assert [s.service for s in memory.services][:2] == ["s5", "s6"]
    assert memory.services[-1].service == "s7"


def test_20_what_is_remembered_of_a_service() -> None:
    memory = after((0.0, said(Signal.OK, PLACES[0])), (10.0, said(Signal.PERMISSION, PLACES[0])))
    memory = after((20.0, said(Signal.AUTH_AMBIGUOUS, PLACES[0])), memory=memory)
    assert memory.services == (
        ServiceMemory(
            service="ec2",
            region="us-east-1",
            signal=Signal.AUTH_AMBIGUOUS,
            worked_at=at(0),
            refused_since=at(10),
        ),
    )


def test_21_after_a_reboot_utc_decides() -> None:
    later = Instant(boot_id="next", boottime_s=5.0, utc_s=at(10).utc_s + 700)
    found, signs = corroborated(SECOND, now=later, data_plane=HealthState.DOWN, explicit=False, confirm_s=CONFIRM_S)
    assert found
    assert len(signs) == 3


SIGNALS = st.sampled_from([s for s in Signal if s not in EXPLICIT])
ROUNDS = st.lists(st.tuples(st.sampled_from([*PLACES, *GLOBAL]), SIGNALS, st.sampled_from(["", "mirror"])), max_size=40)


@given(ROUNDS)
def test_22_s16_without_two_more_signs_no_history_of_one_credential_says_closed(
    history: list[tuple[Place, Signal, str]],
) -> None:
    """Whatever was answered to one credential: it may as well have been rotated behind our back."""
    memory = Memory()
    for number, (place, signal, _) in enumerate(history):
        memory = remember(memory, said(signal, place), at(10.0 * number))
    assert closed(memory, now_s=1e6)[0] is False


@given(ROUNDS)
def test_23_what_is_believed_has_worked_before_and_is_refused_now(history: list[tuple[Place, Signal, str]]) -> None:
    memory = Memory(stopped_since=at(0))
    for number, (place, signal, credential) in enumerate(history):
        memory = remember(memory, said(signal, place, credential=credential), at(10.0 * number))
    if closed(memory, now_s=1e6)[0]:
        refused = [s for s in memory.services if s.refused_since is not None and s.worked_at is not None]
        assert refused
        assert any(s.signal in AMBIGUOUS for s in refused)


# ------------------------------------------------------------------------------------ unknown bodies


def body(message: str, code: str = "New", raw: str = "<body>") -> ServiceReading:
    return said(Signal.AUTH_AMBIGUOUS, PLACES[0], code=code, message=message, raw=raw, status=403)[0]


def test_24_an_unknown_body_is_new_once() -> None:
    first, second = body("request 67ed842d failed: frozen"), body("request 0a1b2c3d failed: frozen")
    other = body("request 0a1b2c3d failed: thawed")
    memory, new = new_bodies(Memory(), (first, first, second))
    assert new == (first,)
    memory, new = new_bodies(memory, (second, other))
    assert new == (other,)
    assert new_bodies(memory, (first, second, other)) == (memory, ())


def test_25_known_answers_have_no_body_to_keep() -> None:
    assert new_bodies(Memory(), (body("words", raw=""),)) == (Memory(), ())


def test_26_a_provider_that_says_something_else_each_time_does_not_fill_the_log() -> None:
    readings = tuple(body("words", code=f"C{n}") for n in range(BODIES_MAX + 9))
    memory, new = new_bodies(Memory(), readings)
    assert len(new) == len(memory.bodies) == BODIES_MAX
    assert new_bodies(memory, readings) == (memory, ())
