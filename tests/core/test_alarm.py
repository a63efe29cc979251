"""How a service stands in one word, and as numbers."""

from dataclasses import replace

import pytest

from failover.core.alarm import Level, alarm
from failover.core.blind import ROUNDS
from failover.core.budget import terms
from failover.core.measures import METRICS, Measure, measures
from failover.core.verdict import VerdictKind
from failover.core.windows import Window
from failover.core.world import Debt, Forced, ForcedAs, Move, Orders, Pause, Proposal, World
from tests.core.builders import (
    AURORA,
    BOREAS,
    NOW,
    SERVICE,
    SITES,
    ago,
    reading,
    verdict,
    with_state,
    with_watch,
    world,
)

MAINTAINED = replace(SERVICE, maintenance=(Window(start_s=NOW.utc_s - 1, length_s=60.0, reason="works"),))
ASKED = Proposal(id="p1", verdict="x", source=AURORA, target=BOREAS, at=ago(5), expires_after_s=60.0)
DRAINED = Orders(forced={BOREAS: Forced(word=ForcedAs.DRAINED, since=ago(1), reason="disks")})


def checked(active: VerdictKind = VerdictKind.UP, **changed: object) -> World:
    """A world whose last check was a moment ago."""
    return with_state(world(verdict(active)), **{"last_tick": ago(5), **changed})


BLIND = {name: reading(name, problem="the key is refused") for name in ("one", "two")}


def paused(base: World) -> World:
    return replace(base, orders=Orders(pause=Pause(since=ago(1), reason="lunch")))


@pytest.mark.parametrize(
    ("story", "seen", "level", "words"),
    [
        ("1 all is well", checked(), Level.OK, "active at aurora, safe: would cut over to boreas"),
        ("2 nobody has looked yet", world(), Level.UNKNOWN, "no check has run yet"),
        ("3 nobody looks any more", checked(last_tick=ago(900)), Level.CRITICAL, "the last check was 900 s ago"),
        ("4 it only observes", checked(decision="refuse", reasons=("too old",)), Level.CRITICAL, "observes: too old"),
        ("5 nothing is published", checked(active_site=None), Level.WARNING, "nothing is published yet"),
        ("6 cut off", checked(isolated=True), Level.UNKNOWN, "its own controls"),
        ("7 undecided", checked(VerdictKind.UNKNOWN), Level.UNKNOWN, "whether aurora serves is undecided"),
        ("8 never judged", with_watch(checked(), AURORA, verdict=None), Level.UNKNOWN, "is undecided"),
        ("9 down", checked(VerdictKind.APP_DOWN), Level.CRITICAL, "aurora is APP_DOWN: so it was seen"),
        ("10 warned", checked(VerdictKind.ACCOUNT_WARNED), Level.WARNING, "aurora is ACCOUNT_WARNED"),
        ("11 paused", paused(checked()), Level.WARNING, "NOT SAFE: could not cut over, because paused (lunch)"),
        ("12 a drained standby", replace(checked(), orders=DRAINED), Level.WARNING, "forced: boreas is drained"),
        (
            "13 a debt",
            checked(debts=(Debt(host="two", epoch=7, since=ago(1), reason="silent"),)),
            Level.WARNING,
            "two does not hold epoch 7: silent",
        ),
        (
            "14 a DNS host that does not let us in, before there is need of it",
            checked(hosts={"one": reading("one"), "two": reading("two", problem="the key is refused")}),
            Level.WARNING,
            "two cannot be read: the key is refused",
        ),
        (
            "15 no DNS host has let us in for a round or two",
            checked(hosts=BLIND, unread_rounds={"one": ROUNDS - 1, "two": 9}),
            Level.WARNING,
            "one cannot be read: the key is refused",
        ),
        (
            "16 no DNS host has let us in for some rounds",
            checked(hosts=BLIND, unread_rounds={"one": ROUNDS, "two": 9}),
            Level.CRITICAL,
            "no cutover could be made: no DNS host can be read",
        ),
        (
            "17 some DNS hosts have not, as it is told",
            checked(hosts={**BLIND, "one": reading("one")}, unread_rounds={"two": 9}),
            Level.WARNING,
            "two cannot be read: the key is refused",
        ),
        ("18 a question", checked(proposal=ASKED), Level.WARNING, "failover approve p1"),
    ],
)
def test_the_word(story: str, seen: World, level: Level, words: str) -> None:
    found = alarm(SERVICE, seen)
    assert found.level is level, (story, found)
    assert words in found.reasons[0], found.reasons


def test_a_host_that_owes_a_change_is_told_once() -> None:
    debt = Debt(host="two", epoch=7, since=ago(1), reason="the key is refused")
    seen = checked(debts=(debt,), hosts={"two": reading("two", problem="the key is refused")})
    assert alarm(SERVICE, seen).reasons == ("two does not hold epoch 7: the key is refused",)


def test_in_maintenance_a_service_that_is_down_is_only_a_warning() -> None:
    found = alarm(MAINTAINED, checked(VerdictKind.APP_DOWN))
    assert found.level is Level.WARNING
    assert "aurora is APP_DOWN" in found.reasons[0]
    assert "maintenance of the service" in found.reasons[1]


def test_in_maintenance_no_dns_host_is_only_a_warning() -> None:
    """It mutes the page as well."""
    found = alarm(MAINTAINED, checked(hosts=BLIND, unread_rounds={"one": 9, "two": 9}))
    assert found.level is Level.WARNING


def test_the_worst_comes_first() -> None:
    found = alarm(SERVICE, paused(checked(VerdictKind.PROVIDER_DOWN, proposal=ASKED)))
    assert found.level is Level.CRITICAL
    assert len(found.reasons) == 3


# ------------------------------------------------------------------------------------ numbers


def numbers(seen: World) -> dict[str, list[Measure]]:
    found: dict[str, list[Measure]] = {}
    for measure in measures(SERVICE, seen, terms(SERVICE, SITES[1])):
        found.setdefault(measure.name, []).append(measure)
    return found


def value(seen: World, name: str, **labels: str) -> float:
    (found,) = [m.value for m in numbers(seen)[name] if dict(m.labels) == labels]
    return found


def test_every_metric_is_measured_and_the_labels_of_one_metric_are_the_same() -> None:
    move = Move(plan="m", at=ago(100), source=BOREAS, target=AURORA, verdict="x", automatic=True)
    full = checked(moves=(move,), intervals_s=(10.0,) * 5, hosts={"one": reading("one")})
    found = numbers(full)
    assert list(found) == list(METRICS)
    for name, each in found.items():
        assert len({tuple(label for label, _ in m.labels) for m in each}) == 1, name
        assert len({m.labels for m in each}) == len(each), name
    assert value(full, "failover_last_cutover_timestamp_seconds") == ago(100).utc_s
    assert value(full, "failover_cadence_seconds", kind="observed") == 10.0


def test_of_several_states_exactly_one_is_so() -> None:
    found = numbers(checked(VerdictKind.APP_DOWN))
    for name in ("failover_site_health", "failover_site_verdict"):
        for site in SITES:
            assert sum(m.value for m in found[name] if dict(m.labels)["site"] == site.name) == 1.0
    assert sum(m.value for m in found["failover_decision"]) == 1.0


def test_what_is_not_known_is_absent_or_unknown() -> None:
    never = with_watch(world(), AURORA, verdict=None)
    found = numbers(never)
    assert "failover_last_check_timestamp_seconds" not in found
    assert "failover_last_cutover_timestamp_seconds" not in found
    assert value(never, "failover_site_health", site=AURORA, state="unknown") == 1.0
    assert value(never, "failover_site_verdict", site=AURORA, verdict="UNKNOWN") == 1.0
    assert value(never, "failover_alarm_level") == 3.0


def test_what_a_person_said_is_measured() -> None:
    drained = replace(checked(), orders=DRAINED)
    assert value(drained, "failover_site_forced", site=BOREAS, **{"as": "drained"}) == 1.0
    assert value(drained, "failover_site_forced", site=BOREAS, **{"as": "up"}) == 0.0
    assert value(paused(checked()), "failover_paused") == 1.0
    assert value(paused(checked()), "failover_safe") == 0.0
