"""Names behind a host's own edge: proven by its API, by the epoch at its servers, by the site that answers there."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from failover.core.model import Record, Sample, Service, Target
from failover.core.rrsets import RRset
from failover.core.saga import EventKind
from failover.core.survey import Delegation
from failover.engine.deploy import look_ahead
from failover.engine.doctor import examine
from failover.errors import Unreachable
from failover.testing.memory_dns import MemoryAuthority
from failover.testing.memory_probe import MemoryProbe
from failover.testing.sim_runtime import Trouble
from failover.testing.sim_world import EDGE, GIVEN, NAME, SITES, ZONE, behind_edge, guestbook
from tests.engine.play import Play, play

LATE = f"edge {EDGE}:443: {NAME} is not answered by boreas: it says aurora"


def edged(
    delegation: Callable[[str], Delegation] | None = None,
    resolvers: tuple[str, ...] = (),
    service: Service | None = None,
) -> Play:
    """One DNS host, whose edge stands before our name; nothing is published yet."""
    service = behind_edge(service or guestbook(given=SITES), NAME)
    found = play(service=replace(service, resolvers=resolvers))
    if delegation is not None:
        found.context = replace(found.context, delegation=delegation)
    return found


def stuck(found: Play) -> None:
    """The edge goes on passing requests to where they go now."""
    found.outside.stuck = found.addresses()


def published(resolvers: tuple[str, ...] = (), service: Service | None = None) -> Play:
    found = edged(resolvers=resolvers, service=service)
    done = found.apply()
    assert done.problems == (), done.problems
    found.ticks(4)
    found.wait()
    return found


def test_a_cutover_behind_the_edge_waits_for_no_cache() -> None:
    found = published(resolvers=("resolver:53",))
    assert found.state.debts == ()
    assert found.said("records-changed") == [], "what name servers answer is no drift"
    started = found.clock.seconds()
    assert found.cutover("boreas").committed
    assert found.clock.seconds() - started < found.context.service.ttl_s
    known = found.state.facts["one"]
    assert known.served is not None
    assert known.seen is not None
    assert found.addresses() == set(GIVEN["boreas"])


def test_an_edge_that_asks_the_old_site_is_waited_for_then_a_debt_then_settled() -> None:
    found = published()
    stuck(found)
    assert found.cutover("boreas", wait_s=1.0).result == "waiting"
    assert f"not yet served everywhere: {LATE}" in found.reasons("confirm")
    found.until("boreas")
    (debt,) = found.state.debts
    assert (debt.host, debt.reason, debt.stale) == ("one", LATE, ()), "no name server is to be removed for it"
    assert found.state.facts["one"].late == (LATE,)
    found.ticks(3)
    assert found.state.debts
    found.outside.stuck = frozenset()
    found.tick()
    assert found.state.debts == ()
    assert found.state.facts["one"].served is not None


def test_an_api_that_cannot_be_read_or_holds_something_else_proves_nothing() -> None:
    found = published()
    found.when("swap", EventKind.OK, lambda: setattr(found.outside.dns["one"], "error", _silent))
    assert found.cutover("boreas", wait_s=1.0).result == "waiting"
    assert "the API of one: read: nobody answers" in found.reasons("confirm")
    found.outside.heal()
    found.until("boreas")
    assert found.state.debts == ()
    found.when("swap", EventKind.OK, lambda: found.outside.edit("one", "192.0.2.77"))
    assert found.cutover("cirrus", wait_s=1.0).result == "waiting"
    assert "the API of one: it holds www.example.org 300 A 192.0.2.77 (proxied)" in found.reasons("confirm")


def _silent(operation: str) -> Unreachable:
    return Unreachable(operation, "", "nobody answers")


def test_servers_that_know_no_address_and_an_edge_that_hangs() -> None:
    found = published()
    found.outside.hosts["one"].behind = {NAME: frozenset()}
    assert found.cutover("boreas", wait_s=1.0).result == "waiting"
    assert f"one-a:53: it answers no address for {NAME}, which is proxied" in found.reasons("confirm")
    found.outside.hosts["one"].behind = {NAME: frozenset({EDGE})}
    found.trouble = lambda what: Trouble.LOST if what == "ask through the edge" else None
    found.tick()
    assert f"{NAME} is not answered by boreas: no answer in time" in found.reasons("confirm")


def test_a_name_that_somebody_takes_from_behind_the_edge_is_verified_at_the_servers() -> None:
    found = published()
    found.outside.hosts["one"].behind = {}
    assert found.cutover("boreas").committed
    assert found.state.facts["one"].served is not None
    waits = found.reasons("confirm")
    assert "old answers leave the caches within" in waits


def test_a_load_balancer_behind_the_edge() -> None:
    """Name servers answer addresses, and no CNAME."""
    found = published(service=guestbook(targets=SITES))
    stuck(found)
    assert found.cutover("boreas", wait_s=1.0).result == "waiting"
    assert LATE in found.reasons("confirm")
    found.outside.stuck = frozenset()
    found.until("boreas")
    assert found.addresses() == {"lb.boreas.example"}
    assert found.state.debts == ()


def test_beside_a_name_that_is_not_proxied() -> None:
    """That one is verified at the name servers, and the caches are waited for."""
    bare, one = f"bare.{ZONE}", guestbook(given=SITES)
    records = (*one.records, Record(name=bare, zone=ZONE, type="A", group="web"))
    found = published(service=replace(one, records=records))
    found.outside.hosts["one"].lag_s = 5.0
    assert found.cutover("boreas").committed
    said = found.reasons("confirm")
    assert f"one-a:53: it answers {', '.join(GIVEN['aurora'])} for {bare} A" in said
    assert "old answers leave the caches within" in said
    assert f"for {NAME}" not in said


def test_resolvers_must_know_the_edge() -> None:
    found = published(resolvers=("resolver:53",))
    somewhere = RRset(name=NAME, type="A", ttl_s=999, values=frozenset({"192.0.2.99"}))
    found.outside.authority._cache["resolver:53", NAME, "A"] = (float("inf"), somewhere)
    assert found.cutover("boreas").committed
    (done,) = [e for e in found.events() if e.step == "confirm" and e.kind is EventKind.OK]
    assert done.output["resolvers"] == {"resolver:53": f"it answers 192.0.2.99 for {NAME} A"}
    assert found.state.facts["one"].seen is None


def test_adopted_records_come_back_without_a_word_of_the_edge() -> None:
    found = edged()
    found.outside.edit("one", "192.0.2.77")
    assert found.apply(adopt=True).problems == ()
    found.ticks(4)
    started = found.clock.seconds()
    assert not [r for r in found.destroy() if r.problem]
    assert found.clock.seconds() - started < found.context.service.ttl_s, "no cache is waited for"
    assert found.addresses() == {"192.0.2.77"}


def test_no_other_vendor_may_answer_for_the_zone() -> None:
    ours = {"one-a": ("one-a:53",), "ns.vanity.example": ("one-b:53",)}
    for more, says in (
        ({}, ""),
        ({"ns1.other.net": ("192.0.2.53:53",)}, f"{ZONE} is delegated to ns1.other.net as well"),
    ):
        found = edged(lambda zone, more=more: Delegation(zone=zone, name_servers={**ours, **more}))  # type: ignore[misc]
        problems = look_ahead(found.context).dns.problems
        done = found.apply()
        assert bool(problems) == bool(done.problems) == bool(says)
        if says:
            assert says in problems[0]
            assert says in done.problems[0]
            assert found.addresses() == frozenset()


def test_a_server_that_may_be_ours_under_another_name_is_not_called_anothers() -> None:
    """While the name of one of ours cannot be looked up, its address is not known."""
    delegated = {"one-a": ("one-a:53",), "ns.vanity.example": ("one-b:53",)}
    found = edged(lambda zone: Delegation(zone=zone, name_servers=delegated))
    unknown = Unreachable("find name server", "one-b:53", "Temporary failure in name resolution")
    found.outside.authority.faults = lambda asked: unknown if asked == "name one-b:53" else None
    (problem,) = look_ahead(found.context).dns.problems
    assert "tell whose name server it is ns.vanity.example: it may be one of one" in problem
    assert "Temporary failure in name resolution" in problem
    assert "registrar" not in problem
    found.outside.authority.faults = lambda _: None
    assert look_ahead(found.context).dns.problems == ()
    del delegated["ns.vanity.example"]
    found.outside.authority.faults = lambda asked: unknown if asked == "name one-b:53" else None
    assert look_ahead(found.context).dns.problems == (), "the name tells that it is ours"


def test_what_comes_up_after_the_first_publication_is_told_and_holds_nothing_up() -> None:
    found = published()
    strange = {"ns1.other.net": ("192.0.2.53:53",)}
    found.context = replace(found.context, delegation=lambda zone: Delegation(zone=zone, name_servers=strange))
    found.context = replace(found.context, service=replace(found.context.service, ttl_s=30))
    (problem,) = found.apply().problems
    assert f"{ZONE} is delegated to ns1.other.net as well" in problem
    assert {r.ttl_s for r in found.outside.standing("one") if r.type != "TXT"} == {30}, "the new TTL is there"
    assert found.cutover("boreas").committed


def test_a_delegation_that_cannot_be_read_is_not_taken_for_ours() -> None:
    def silent(zone: str) -> Delegation:
        raise Unreachable("follow delegations", zone, "no route")

    found = edged(silent)
    (problem,) = look_ahead(found.context).dns.problems
    assert f"whether others answer for {ZONE} too" in problem
    assert "set dns.roots" in problem
    assert found.apply().problems


@pytest.mark.parametrize("elsewhere", [False, True])
def test_the_doctor_looks_through_the_edge(elsewhere: bool) -> None:
    found = published()
    if elsewhere:
        found.outside.stuck = frozenset(GIVEN["cirrus"])
    facts = examine(found.context, found.context, clocks={})
    late = [a.late for a in facts.edges["one"] if a.late]
    assert late == ([f"{NAME} is not answered by aurora: it says cirrus"] if elsewhere else [])


def test_an_edge_that_is_asked_about_less_than_wanted_proves_nothing() -> None:
    found = published()
    whole = found.context.probe

    class Short(MemoryProbe):
        def run(self, targets: Sequence[Target], deadline_s: float) -> tuple[Sample, ...]:
            samples = whole.run(targets, deadline_s)
            return samples[:-1] if targets[0].address == EDGE else samples

    found.context = replace(found.context, probe=Short(now=found.clock.now))
    assert found.cutover("boreas", wait_s=1.0).result == "waiting"
    assert "it brought 0 samples of 1 targets" in found.reasons("confirm")


def test_servers_that_answer_part_of_what_they_are_asked_prove_nothing() -> None:
    found = published()
    whole = found.outside.authority

    class Short(MemoryAuthority):
        def ask_all(
            self, server: str, questions: Sequence[tuple[str, str]], *, tcp: bool = False
        ) -> tuple[RRset | None, ...]:
            return whole.ask_all(server, questions, tcp=tcp)[:-1]

    found.context = replace(found.context, authority=Short())
    assert found.cutover("boreas", wait_s=1.0).result == "waiting"
    assert "2 answers to 3 questions" in found.reasons("confirm")
