"""Accepted, served, seen: three facts with three times."""

from failover.core.facts import HostFacts, ServerAnswer, accepted, seen, served, stale_servers, still_old
from tests.core.builders import at


def answer(host: str, server: str, late: str = "", *, stale: bool = False) -> ServerAnswer:
    return ServerAnswer(host=host, server=server, address=f"{server}:53", late=late, stale=stale)


def test_each_fact_keeps_its_first_time() -> None:
    facts = accepted({}, ["one"], epoch=7, now=at(1))
    facts = accepted(facts, ["one", "two"], epoch=7, now=at(2))
    assert facts == {"one": HostFacts(epoch=7, accepted=at(1)), "two": HostFacts(epoch=7, accepted=at(2))}
    facts = served(facts, [answer("one", "a"), answer("two", "b", "old")], epoch=7, now=at(3))
    facts = served(facts, [answer("one", "a"), answer("two", "b")], epoch=7, now=at(4))
    assert [(f.served, f.late) for f in facts.values()] == [(at(3), ()), (at(4), ())]
    facts = seen(seen(facts, epoch=7, now=at(5)), epoch=7, now=at(6))
    assert [f.seen for f in facts.values()] == [at(5), at(5)]


def test_a_lagging_server_is_named_and_takes_the_fact_back() -> None:
    facts = served({}, [answer("one", "a"), answer("one", "b")], epoch=7, now=at(1))
    late = [answer("one", "a"), answer("one", "b", "it answers 192.0.2.1", stale=True)]
    facts = served(facts, late, epoch=7, now=at(2))
    assert facts["one"] == HostFacts(epoch=7, late=("b:53: it answers 192.0.2.1",))


def test_what_is_known_of_another_plan_counts_for_nothing() -> None:
    before = {"one": HostFacts(epoch=6, accepted=at(1), served=at(2), seen=at(3), late=("x",))}
    assert accepted(before, ["one"], epoch=7, now=at(9)) == {"one": HostFacts(epoch=7, accepted=at(9))}
    assert served(before, [answer("one", "a")], epoch=7, now=at(9)) == {"one": HostFacts(epoch=7, served=at(9))}
    assert seen(before, epoch=7, now=at(9)) == before


def test_a_host_that_does_not_serve_the_plan_is_not_seen() -> None:
    facts = {"one": HostFacts(epoch=7, served=at(1)), "two": HostFacts(epoch=7, accepted=at(1))}
    assert [f.seen for f in seen(facts, epoch=7, now=at(2)).values()] == [at(2), None]


def test_servers_that_still_answer_the_old_address() -> None:
    answers = [answer("two", "c", "old", stale=True), answer("two", "c", "old by TCP", stale=True)]
    answers += [answer("two", "d", "no answer"), answer("one", "a")]
    assert stale_servers(answers) == ("c",)
    assert still_old((), ("a", "b")) == ""
    one = "1 of 4 name servers still answers the old address; remove it at the registrar"
    assert still_old(("c",), ("a", "b", "c", "d")) == one
    assert still_old(("c", "d"), ("a", "b")) == one.replace("1 of", "2 of").replace("answers", "answer").replace(
        "it at", "them at"
    )
