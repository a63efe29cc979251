"""Sites behind a load balancer that is known by its name: an alias there, addresses elsewhere."""

from dataclasses import replace

from failover.core.model import Record
from failover.core.rrsets import RRset
from failover.core.saga import EventKind
from failover.core.verdict import VerdictKind
from failover.engine.context import TICK, leased
from failover.errors import TimedOut
from failover.testing.sim_world import GIVEN, NAME, ZONE, balancer, guestbook
from tests.engine.play import Play, play, published

LB = balancer("boreas")


def alias_and_addresses() -> Play:
    """Aurora has addresses of its own, boreas a load balancer, cirrus too."""
    return published(given=("aurora",), targets=("boreas", "cirrus"))


def held(found: Play, host: str = "one") -> set[tuple[str, tuple[str, ...]]]:
    return {(r.type, tuple(sorted(r.values))) for r in found.outside.standing(host) if r.type != "TXT"}


def test_addresses_become_an_alias_and_back_in_one_change_at_each_host() -> None:
    found = alias_and_addresses()
    assert held(found) == {("A", GIVEN["aurora"])}
    versions: list[set[tuple[str, tuple[str, ...]]]] = []
    found.outside.watcher = lambda host, _: versions.append(held(found, host))
    assert found.cutover("boreas").committed
    assert held(found, "one") == held(found, "two") == {("CNAME", (LB,))}
    assert found.cutover("aurora").committed
    assert versions == [{("CNAME", (LB,))}] * 2 + [{("A", GIVEN["aurora"])}] * 2, "nothing in between"
    assert found.cutover("boreas").committed
    assert found.cutover("cirrus").committed
    assert held(found) == {("CNAME", (balancer("cirrus"),))}


def test_a_load_balancer_is_asked_where_it_is_now() -> None:
    found = alias_and_addresses()
    assert found.state.resolved["boreas"] == {"web": GIVEN["boreas"]}
    assert found.state.watch["boreas"].addresses == GIVEN["boreas"]
    assert found.state.watch["boreas"].readiness.ready  # type: ignore[union-attr]
    first = GIVEN["boreas"][0]
    found.outside.names[LB] = (first,)
    found.ticks(2)
    assert set(found.state.watch["boreas"].addresses) == {first}


def test_a_name_that_cannot_be_looked_up_is_asked_where_it_was_last() -> None:
    found = alias_and_addresses()
    found.outside.unknown[LB] = TimedOut("look up", LB, "no answer")
    found.ticks(5)
    assert found.state.watch["boreas"].addresses == GIVEN["boreas"]
    verdict = found.state.watch["boreas"].verdict
    assert verdict is not None
    assert verdict.kind is VerdictKind.UP


def test_a_name_that_never_could_be_looked_up_is_unknown_never_down() -> None:
    found = alias_and_addresses()
    found.outside.unknown[LB] = TimedOut("look up", LB, "no answer")
    with leased(found.context, TICK) as term:
        found.context.store.swap(replace(found.state, resolved={}, health={}, watch={}), term=term)
    found.ticks(5)
    watch = found.state.watch["boreas"]
    assert watch.verdict is not None
    assert watch.verdict.kind is VerdictKind.UNKNOWN
    assert watch.readiness is not None
    assert "could not be looked up" in watch.readiness.reasons[0]


def test_a_name_that_its_servers_give_no_address_is_down() -> None:
    """What is left when a provider deletes a load balancer."""
    found = alias_and_addresses()
    found.until("aurora")
    assert found.cutover("boreas").committed
    found.wait(3700.0)
    found.ticks(3)
    found.wait()
    found.outside.names[LB] = ()
    report = found.ticks(8)
    verdict = found.state.watch["boreas"].verdict
    assert verdict is not None
    assert verdict.kind is VerdictKind.DOWN_UNEXPLAINED
    assert any(f"give {LB} no address" in reason for reason in report.decision.reasons)
    assert found.state.proposal is not None
    assert found.state.proposal.target == "aurora"


def test_a_target_that_vanishes_is_noticed_before_the_pivot() -> None:
    found = alias_and_addresses()

    def vanish() -> None:
        found.outside.names[LB] = ()

    found.when("preflight", EventKind.OK, vanish)
    done = found.cutover("boreas")
    assert done.result == "unwound"
    assert "no address" in found.reasons("verify")
    assert found.epochs() == [1, 1]


def test_what_stands_at_a_name_that_becomes_an_alias_is_taken_over_only_on_request() -> None:
    """An alias stands alone, so the AAAA of somebody else would have to go one day."""
    found = play(given=("aurora",), targets=("boreas", "cirrus"))
    strange = RRset(name=NAME, type="AAAA", ttl_s=60, values=frozenset({"2001:db8::99"}))
    for host in found.outside.hosts.values():
        host._publish(ZONE, {strange.key: strange})  # a hand that our port does not have
    refused = found.apply()
    assert "failover apply --adopt" in refused.problems[0]
    assert found.apply(adopt=True).problems == ()
    found.ticks(4)
    assert found.cutover("boreas").committed
    assert held(found) == {("CNAME", (LB,))}
    found.destroy()
    assert held(found) == {("AAAA", ("2001:db8::99",))}


def test_a_site_with_both_publishes_each_its_own_way() -> None:
    """`www` is an alias there, and `api` has the site's own addresses, never those of the load balancer."""
    service = guestbook(given=("aurora", "boreas", "cirrus"))
    api = Record(name=f"api.{ZONE}", zone=ZONE, type="A", group="web")
    mixed = replace(service.sites[1], targets={NAME: LB})
    found = play(
        service=replace(service, records=(*service.records, api), sites=(service.sites[0], mixed, service.sites[2]))
    )
    found.outside.names[LB] = ("198.51.100.1",)
    assert found.apply().problems == ()
    found.ticks(4)
    assert found.cutover("boreas").committed
    read = found.context.hosts["one"].read(ZONE, [(NAME, "A"), (api.name, "A")])
    assert {r.key: r.values for r in read} == {(NAME, "CNAME"): {LB}, (api.name, "A"): set(GIVEN["boreas"])}
