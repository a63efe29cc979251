"""What is known of a change at each DNS host, and when: accepted, served, seen; and which server lags behind."""

from dataclasses import replace

from failover.core.saga import EventKind
from failover.testing.sim_world import guestbook
from tests.engine.play import Play, published
from tests.engine.test_dns_hosts import break_host, lose

RESOLVERS = ("resolver-1:53", "resolver-2:53")


def watched() -> Play:
    """Two caching resolvers are asked whether the world sees a change."""
    return published(service=replace(guestbook(), resolvers=RESOLVERS))


def facts_in_journal(found: Play) -> list[tuple[str, str, list[str]]]:
    """By entry: the step, the host, and which facts have a time."""
    rows = []
    for event in found.events():
        facts = event.output.get("facts")
        for host, known in sorted(facts.items()) if isinstance(facts, dict) else ():
            assert isinstance(known, dict)
            rows.append((event.step, host, [name for name in ("accepted", "served", "seen") if known[f"{name}_utc_s"]]))
    return rows


def test_three_facts_with_three_times_in_the_state_and_in_the_journal() -> None:
    found = watched()
    for there in found.outside.hosts.values():
        there.lag_s = 7.0
    lose(found)
    found.until("boreas")
    for host in ("one", "two"):
        known = found.state.facts[host]
        assert known.epoch == 2
        assert known.accepted is not None
        assert known.served is not None
        assert known.seen is not None
        assert known.served.since(known.accepted) >= 7.0, "the API said yes before the servers served it"
        assert known.seen.since(known.served) >= 0.0
    rows = facts_in_journal(found)
    assert ("swap", "one", ["accepted"]) in rows
    assert ("confirm", "one", ["accepted"]) in rows, "not served yet: the servers that lag are in it"
    assert ("confirm", "two", ["accepted", "served", "seen"]) in rows


def test_caches_are_waited_for_from_the_moment_when_the_last_server_follows() -> None:
    """Until then a resolver may fetch the old answer, and keep it for a whole TTL."""
    found = watched()
    for there in found.outside.hosts.values():
        there.lag_s = 15.0
    lose(found)
    found.until("boreas")
    (done,) = [e for e in found.events() if e.step == "confirm" and e.kind is EventKind.OK]
    for host in ("one", "two"):
        was = found.state.facts[host].served
        assert was is not None
        assert done.at.since(was) >= 20.0, "the TTL that the old records had"


def test_resolvers_that_remember_the_old_address_are_named_and_never_block_a_tick() -> None:
    found = watched()

    def somebody_asks() -> None:
        for resolver in RESOLVERS:
            found.outside.authority.recall(resolver, "www.example.org", "A")

    lose(found)
    found.when("verify", EventKind.OK, somebody_asks)
    found.until_journaled("confirm:waiting")
    assert "not yet seen by resolver-1:53 (it answers 10.1.0.2, 10.1.0.3 for www.example.org A)" in found.reasons(
        "confirm"
    )
    assert found.state.facts["one"].seen is None
    found.until("boreas")
    assert "seen by all 2 resolvers" in found.reasons("confirm")
    assert found.state.facts["one"].seen is not None


def test_resolvers_that_never_follow_do_not_hold_the_cutover_up() -> None:
    found = watched()
    found.outside.dark.add("resolver-2:53")
    lose(found)
    found.until("boreas")
    assert found.state.facts["one"].seen is None
    assert found.state.debts == ()
    (done,) = [e for e in found.events() if e.step == "confirm" and e.kind is EventKind.OK]
    assert done.output["resolvers"] == {"resolver-2:53": "ask name server resolver-2:53: no answer"}


def test_an_api_that_says_yes_while_its_servers_do_not_serve_it() -> None:
    found = published()
    found.outside.hosts["two"].lag_s = 10_000.0
    lose(found)
    found.until("boreas")
    known = found.state.facts["two"]
    assert known.accepted is not None
    assert known.served is None
    assert known.late[0].startswith("two-a:53: it answers 10.1.0.2, 10.1.0.3 for www.example.org A")
    (debt,) = found.state.debts
    assert debt.stale == ("two-a:53", "two-b:53")
    (told,) = [n for n in found.outside.notices if n.event == "debt"]
    assert told.reasons[-1] == ("2 of 4 name servers still answer the old address; remove them at the registrar")
    assert found.cutover("cirrus").committed, "a debt does not block the next cutover"


def test_a_server_that_answers_by_udp_but_not_by_tcp_is_named() -> None:
    found = published()
    found.outside.dark.add("tcp one-b:53")
    lose(found)
    found.until("boreas")
    assert found.state.facts["one"].late == ("one-b:53: ask name server tcp one-b:53: no answer by TCP",)
    assert [(d.host, d.stale) for d in found.state.debts] == [("one", ())]
    found.outside.dark.clear()
    found.ticks(2)
    assert not found.state.debts
    assert found.state.facts["one"].served is not None
    assert not found.state.facts["one"].late


def test_a_host_that_is_settled_later_gets_its_times_then() -> None:
    found = published()
    break_host(found, "two", "down")
    found.outside.dark.add("two")
    lose(found)
    found.until("boreas")
    assert found.state.facts["two"].accepted is None
    found.outside.heal()
    found.ticks(3)
    known = found.state.facts["two"]
    assert (known.epoch, known.accepted is not None, known.served is not None) == (2, True, True)
