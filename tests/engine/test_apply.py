"""Stories of apply and destroy: every site as wanted, nothing twice, nothing of others, nothing that stops the rest."""

from dataclasses import replace

import pytest

from failover.core.cutover import PlanKind
from failover.core.decide import DecisionKind
from failover.core.mirror import specs
from failover.core.model import NodeState, Reading, Standby
from failover.core.rrsets import Changes, RRset, epoch_name
from failover.core.saga import EventKind
from failover.engine.context import MIRROR, TICK, leased
from failover.engine.deploy import deploy, look_ahead
from failover.engine.mirror import SITE_S
from failover.engine.operate import cutover
from failover.engine.runtime import RealRuntime
from failover.engine.tick import tick
from failover.errors import LockedError, RefusedError, StateMissing, TimedOut
from failover.testing.memory_cloud import no_faults
from failover.testing.memory_store import MemoryDisk
from failover.testing.sim_runtime import Trouble, VirtualClock
from failover.testing.sim_world import ERRORS, FIRST, GIVEN, HOSTS, NAME, SECOND, SITES, ZONE, Outside, guestbook
from tests.engine.play import Play, play, published, quiet


def counted(found: Play, count: int) -> None:
    """The config wants another count from now on."""
    service = found.outside.service
    groups = tuple(replace(g, count=count) for g in service.groups)
    found.outside.reconfigure(replace(service, groups=groups))
    found.process()


class Served:
    """How many addresses of the record really served, at the worst moment."""

    def __init__(self, found: Play) -> None:
        self.worst = 99
        self.found = found
        found.outside.onlooker = lambda *_: self.look()
        found.outside.watcher = lambda *_: self.look()

    def look(self) -> None:
        outside = self.found.outside
        for host in HOSTS:
            serving = [a for a in outside.addresses(host) if outside.release_at("aurora", a) is not None]
            if outside.addresses(host):
                self.worst = min(self.worst, len(serving))


# ------------------------------------------------------------------------------------ the first time


def test_each_standby_gets_what_it_should_have() -> None:
    found = published(standby={"boreas": Standby.WARM, "cirrus": Standby.COLD})
    assert [len(found.nodes(site)) for site in SITES] == [2, 1, 0]
    assert all(cloud.list() == {FIRST} for cloud in found.outside.clouds.values())
    assert found.site_of_dns("one") == found.site_of_dns("two") == {"aurora"}
    assert found.state.active_site == "aurora"
    assert found.epochs() == [1, 1]
    assert [found.state.watch[s].readiness.ready for s in SITES] == [True] * 3  # type: ignore[union-attr]


def test_before_the_first_time_a_plan_names_the_sites_that_cannot_be_read_and_blames_no_record() -> None:
    found = play()
    for site in SITES:
        found.outside.api[site].error = ERRORS["refused"]
    plan = look_ahead(found.context)
    assert all(site.problem is not None for site in plan.sites)
    assert plan.dns.waits == "", "its addresses are known when its nodes run"


def test_the_plan_says_what_apply_then_does() -> None:
    found = play()
    plan = look_ahead(found.context)
    assert plan.changes
    assert plan.problems == ()
    assert plan.dns.kind == "publish"
    with pytest.raises(StateMissing):
        _ = found.state
    found.apply()
    assert not look_ahead(found.context).changes


def test_a_second_run_changes_nothing() -> None:
    found = published()
    before = [n.id for site in SITES for n in found.nodes(site)]
    done = found.apply()
    assert (done.changed, done.problems) == (False, ())
    assert [n.id for site in SITES for n in found.nodes(site)] == before
    assert found.epochs() == [1, 1]


def test_apply_never_changes_the_active_site() -> None:
    found = published()
    found.cutover("cirrus")
    found.outside.digest = SECOND
    assert found.apply().problems == ()
    assert found.state.active_site == "cirrus"
    assert found.site_of_dns() == {"cirrus"}


def test_two_at_once_do_not_both_apply() -> None:
    found = published()
    other = found.outside.context(found.disk, found.runtime)
    with leased(other, MIRROR), pytest.raises(LockedError):
        found.apply()


def test_checks_go_on_while_an_apply_runs() -> None:
    found = published()
    with leased(found.context, MIRROR):
        other = found.outside.context(found.disk, found.runtime)
        with leased(other, TICK) as term:
            before = other.store.load().last_tick
            done = tick(other, term=term)
        assert (done.decision.kind, done.failed) == (DecisionKind.HOLD, False)
        assert other.store.load().last_tick != before


@pytest.mark.parametrize("host", HOSTS)
def test_the_first_state_needs_every_dns_host(host: str) -> None:
    found = play()
    found.outside.dns[host].error = ERRORS["down"]
    with pytest.raises(RefusedError, match="create the state"):
        found.apply()
    with pytest.raises(StateMissing):
        _ = found.state
    assert found.nodes("aurora") == ()


@pytest.mark.parametrize("host", HOSTS)
def test_an_epoch_of_ours_without_a_state_is_another_controller(host: str) -> None:
    first = published()
    found = play()
    fence = next(r for r in first.outside.standing(host) if r.type == "TXT")
    found.outside.hosts[host].apply(ZONE, Changes(), expect=None, fence=fence)
    with pytest.raises(RefusedError, match="epoch of this service"):
        found.apply()


# ------------------------------------------------------------------------------------ records of others


@pytest.mark.parametrize("host", HOSTS)
def test_records_of_others_are_shown_and_taken_over_only_when_told(host: str) -> None:
    found = play()
    found.outside.edit(host, "192.0.2.200")
    assert [str(r) for r in look_ahead(found.context).dns.strangers] == [f"{NAME} 300 A 192.0.2.200"]
    done = found.apply()
    assert any("--adopt" in p for p in done.problems)
    assert found.addresses(host) == {"192.0.2.200"}
    assert found.epochs() == [0, 0]
    assert found.apply(adopt=True).problems == ()
    assert found.site_of_dns(host) == {"aurora"}


@pytest.mark.parametrize("host", HOSTS)
def test_destroy_puts_back_what_was_adopted(host: str) -> None:
    found = play()
    found.outside.edit(host, "192.0.2.200")
    found.apply(adopt=True)
    found.destroy()
    assert found.addresses(host) == {"192.0.2.200"}
    assert found.epochs() == [0, 0]


def test_destroy_ends_although_a_wildcard_answers_where_the_epoch_stood() -> None:
    found = published(given=SITES)
    spf = RRset(name=f"*.{ZONE}", type="TXT", ttl_s=60, values=frozenset({"v=spf1 -all"}))
    for host in found.outside.hosts.values():
        host._publish(ZONE, {**host.visible(ZONE), spf.key: spf})  # a hand that our port does not have
    found.destroy()
    assert found.state.active_site is None
    assert [set(found.outside.held[host].values()) for host in HOSTS] == [{spf}, {spf}]


def test_an_alias_where_the_epoch_belongs_is_unreadable() -> None:
    found = play(given=SITES)
    name = epoch_name(found.outside.service.name, ZONE)
    alias = RRset(name=name, type="CNAME", ttl_s=60, values=frozenset({"old.example.net"}))
    host = found.outside.hosts["one"]
    host._publish(ZONE, {alias.key: alias})  # a hand that our port does not have
    with pytest.raises(RefusedError, match="stands where the epoch belongs"):
        found.apply(adopt=True)
    assert found.outside.held["one"] == {alias.key: alias}


def test_an_alias_at_our_name_is_taken_over_as_a_whole() -> None:
    found = play(given=SITES)
    alias = RRset(name=NAME, type="CNAME", ttl_s=60, values=frozenset({"old.example.net"}))
    host = found.outside.hosts["one"]
    host._publish(ZONE, {alias.key: alias})  # a hand that our port does not have
    assert any("--adopt" in p for p in found.apply().problems)
    assert found.apply(adopt=True).problems == ()
    assert found.addresses("one") == set(GIVEN["aurora"])
    assert (NAME, "CNAME") not in found.outside.held["one"]


# ------------------------------------------------------------------------------------ given sites only


def test_given_sites_need_no_cloud_at_all() -> None:
    found = published(given=SITES)
    assert found.outside.clouds == {}
    assert found.addresses() == set(GIVEN["aurora"])
    assert found.apply().changed is False
    found.destroy()
    assert found.addresses() == frozenset()


def test_a_given_site_with_new_addresses_is_refreshed() -> None:
    found = published(given=SITES)
    service = found.outside.service
    moved = replace(service.sites[0], addresses={"web": ("192.0.2.1",)})
    found.outside.reconfigure(replace(service, sites=(moved, *service.sites[1:])))
    found.process()
    assert look_ahead(found.context).dns.kind == "refresh"
    assert found.apply().problems == ()
    assert found.addresses() == {"192.0.2.1"}
    assert found.epochs() == [2, 2]
    assert found.state.moves == (), "a refresh is no move"


# ------------------------------------------------------------------------------------ drift


def test_a_killed_node_is_started_again() -> None:
    found = published()
    victim = found.nodes("boreas")[0]
    found.outside.clouds["boreas"].stop(victim.name)
    assert look_ahead(found.context).changes
    assert found.apply().problems == ()
    assert {n.state for n in found.nodes("boreas")} == {NodeState.RUNNING}
    assert found.nodes("boreas")[0].id == victim.id


def test_nodes_that_the_provider_lost_are_built_again_and_dns_follows() -> None:
    found = published()
    for node in found.nodes("aurora"):
        found.outside.clouds["aurora"].destroy(node)
    assert found.apply().problems == ()
    assert found.addresses() == {a for n in found.nodes("aurora") for a in n.addresses}
    assert len(found.addresses()) == 2


@pytest.mark.parametrize("site", SITES)
def test_one_changed_byte_is_found_and_mended(site: str) -> None:
    found = published()
    found.outside.clouds[site].tamper(found.nodes(site)[0].name, "sha256:" + "f" * 64)
    found.ticks(2)
    if site != "aurora":
        readiness = found.state.watch[site].readiness
        assert readiness is not None
        assert not readiness.ready
    assert found.apply().problems == ()
    assert {n.release for n in found.nodes(site)} == {FIRST}
    assert found.addresses() == {a for n in found.nodes("aurora") for a in n.addresses}


@pytest.mark.parametrize("count", [1, 3])
def test_another_count_is_followed_everywhere(count: int) -> None:
    found = published()
    counted(found, count)
    assert look_ahead(found.context).changes
    assert found.apply().problems == ()
    assert [len(found.nodes(site)) for site in SITES] == [count] * 3
    assert found.addresses() == {a for n in found.nodes("aurora") for a in n.addresses}
    assert not look_ahead(found.context).changes


def test_a_new_release_rolls_and_the_old_count_serves_all_the_time() -> None:
    found = published()
    served = Served(found)
    found.outside.digest = SECOND
    assert found.apply().problems == ()
    assert served.worst >= 2
    assert {n.release for n in found.nodes("aurora")} == {SECOND}
    assert found.addresses() == {a for n in found.nodes("aurora") for a in n.addresses}
    assert found.state.accepted == dict.fromkeys(SITES, (SECOND,))
    assert not look_ahead(found.context).changes


def test_a_check_during_a_roll_out_takes_both_releases_for_good() -> None:
    found = published()
    found.outside.digest = SECOND
    verdicts: list[str] = []

    def look(*_: str) -> None:
        other = found.outside.context(found.disk, found.runtime)
        watch = other.store.load().watch
        verdicts.extend(str(w.verdict.kind) for w in watch.values() if w.verdict)

    found.outside.onlooker = look
    found.apply()
    found.ticks(3)
    assert set(verdicts) == {"UP"}


def test_an_active_site_that_is_dead_and_out_of_date_is_built_anew() -> None:
    """One node died, an apply shrank the inventory, then the other one died too; the release is an older one."""
    found = published()
    cloud = found.outside.clouds["aurora"]
    first, second = found.nodes("aurora")
    cloud.stop(first.name)
    found.outside.sick.add("aurora")
    found.outside.digest = SECOND
    assert [p.endswith("(look at the node's log)") for p in found.apply().problems] == [True]
    found.outside.heal()
    for node in found.nodes("aurora"):
        cloud.stop(node.name)
    assert found.apply().problems == ()
    assert {n.release for n in cloud.running().values()} == {SECOND}
    assert found.addresses() == set(cloud.running())
    assert not cloud.has_node(second.id)


def test_twins_are_reduced_to_the_oldest() -> None:
    found = published()
    cloud = found.outside.clouds["boreas"]
    original = found.nodes("boreas")[0]
    spec = next(m for m in cloud._machines.values() if m.node.id == original.id)
    twin = replace(original, id="boreas-twin", created_at_s=original.created_at_s + 100)
    cloud._machines["boreas-twin"] = replace(spec, node=twin)
    assert len(found.nodes("boreas")) == 3
    assert found.apply().problems == ()
    assert {n.id for n in found.nodes("boreas")} == {n.id for n in found.nodes("boreas")} - {"boreas-twin"}
    assert len(found.nodes("boreas")) == 2


def test_sites_in_parallel_wait_for_the_lease_of_each_other() -> None:
    """The real runtime: while one site's new addresses go into DNS, the others write their inventories."""
    service = replace(guestbook(count=3), ttl_s=1)
    outside = Outside(service, VirtualClock(), nodes_max=20)
    context = outside.context(MemoryDisk(), RealRuntime())
    assert deploy(context, quiet, adopt=False).problems == ()
    outside.digest = SECOND
    assert deploy(context, quiet, adopt=False).problems == ()
    releases = {n.release for cloud in outside.clouds.values() for n in cloud.running().values()}
    assert releases == {SECOND}


# ------------------------------------------------------------------------------------ one site in trouble


@pytest.mark.parametrize("kind", ["down", "refused", "garbage", "throttled"])
@pytest.mark.parametrize("site", ["boreas", "cirrus"])
def test_a_failing_site_does_not_stop_the_others(site: str, kind: str) -> None:
    found = play()
    found.outside.api[site].error = ERRORS[kind]
    done = found.apply()
    assert [p.split(":")[0] for p in done.problems] == [site]
    assert found.site_of_dns() == {"aurora"}
    others = [s for s in SITES if s != site]
    assert [len(found.nodes(s)) for s in others] == [2, 2]
    found.outside.heal()
    assert found.apply().problems == ()
    assert len(found.nodes(site)) == 2


def test_a_closed_account_does_not_stop_the_others() -> None:
    found = published()
    found.outside.clouds["boreas"].close("terms of service")
    found.outside.digest = SECOND
    done = found.apply()
    assert [p.split(":")[0] for p in done.problems] == ["boreas"]
    assert {n.release for n in found.nodes("cirrus")} == {SECOND}


def test_a_quota_that_is_out_is_a_problem_before_anything_is_made() -> None:
    found = play(nodes_max=6)
    found.outside.clouds["cirrus"].nodes_max = 1
    done = found.apply()
    assert [p.split(":")[0] for p in done.problems] == ["cirrus"]
    assert "quota" in done.problems[0]
    assert found.nodes("cirrus") == ()


def test_a_name_that_a_provider_refuses_is_a_problem_before_anything_is_made() -> None:
    found = play()
    found.outside.clouds["cirrus"].name_max = 20
    (problem,) = look_ahead(found.context).problems
    assert problem.startswith("cirrus: give a name guestbook-cirrus-web-0-")
    assert problem.endswith("at most 20 characters (shorten it)")
    assert found.apply().problems == (problem,)
    assert [len(found.nodes(site)) for site in SITES] == [2, 2, 0]


def test_a_standby_at_its_quota_is_replaced_without_room_for_both() -> None:
    found = published()
    found.outside.clouds["boreas"].nodes_max = 2
    found.outside.digest = SECOND
    assert found.apply().problems == ()
    assert {n.release for n in found.nodes("boreas")} == {SECOND}
    assert len(found.nodes("boreas")) == 2


def test_the_active_site_at_its_quota_keeps_its_nodes() -> None:
    found = published()
    before = found.nodes("aurora")
    found.outside.clouds["aurora"].nodes_max = 2
    found.outside.digest = SECOND
    (problem,) = found.apply().problems
    assert "cut over to another site first" in problem
    assert found.nodes("aurora") == before
    found.ticks(4)
    assert found.state.watch["aurora"].verdict is not None
    assert found.state.watch["aurora"].verdict.kind == "UP"


def test_without_its_first_site_nothing_is_published() -> None:
    found = play()
    found.outside.api["aurora"].error = ERRORS["down"]
    done = found.apply()
    assert any("not published" in p for p in done.problems)
    assert found.epochs() == [0, 0]
    found.outside.heal()
    assert found.apply().problems == ()
    assert found.site_of_dns() == {"aurora"}


def test_a_release_that_does_not_serve_leaves_the_old_one_in_dns() -> None:
    found = published()
    before = found.addresses()
    found.outside.digest = SECOND
    found.outside.onlooker = lambda op, name: (
        found.outside.sick.add("aurora") if op == "ensure" and "aurora" in name else None
    )
    done = found.apply()
    assert any(p.startswith("aurora") for p in done.problems)
    assert found.addresses() == before
    assert {n.release for n in found.nodes("aurora")} >= {FIRST}


def test_a_call_that_hangs_is_one_sites_trouble() -> None:
    found = play()
    found.trouble = lambda what: Trouble.LOST if what.startswith("create guestbook-cirrus") else None
    done = found.apply()
    assert [p.split(":")[0] for p in done.problems] == ["cirrus"]
    found.trouble = lambda _: None
    assert found.apply().problems == ()
    assert len(found.nodes("cirrus")) == 2


def test_a_node_made_without_an_answer_is_not_made_twice() -> None:
    found = play()
    found.trouble = lambda what: Trouble.UNANSWERED if what.startswith("create") else None
    assert len(found.apply().problems) > 0
    found.trouble = lambda _: None
    assert found.apply().problems == ()
    assert [len(found.nodes(site)) for site in SITES] == [2, 2, 2]


def test_a_dns_host_that_is_away_during_a_refresh_becomes_a_debt() -> None:
    found = published()
    found.outside.dns["two"].error = ERRORS["down"]
    found.outside.dark.add("two")
    counted(found, 3)
    assert found.apply().problems == ()
    assert [d.host for d in found.state.debts] == ["two"]
    found.outside.heal()
    found.ticks(3)
    assert found.state.debts == ()
    assert found.addresses("two") == found.addresses("one")


def test_an_apply_during_a_cutover_leaves_the_target_alone() -> None:
    """DNS points to the cold site already, but the plan is not committed yet."""
    found = published(standby={"boreas": Standby.COLD})
    found.cutover("boreas", wait_s=0.0)
    assert "swap:ok" in found.journal()
    assert found.state.active_site == "aurora"
    done = found.apply()
    assert done.problems == ()
    assert len(found.nodes("boreas")) == 2
    assert found.state.active_site == "boreas"
    assert found.addresses() == {a for n in found.nodes("boreas") for a in n.addresses}


def test_a_roll_out_during_a_cutover_ends_in_dns_too() -> None:
    found = published()
    found.cutover("boreas", wait_s=0.0)
    found.outside.digest = SECOND
    assert found.apply().problems == ()
    assert {n.release for n in found.nodes("boreas")} == {SECOND}
    assert found.addresses("one") == found.addresses("two") == {a for n in found.nodes("boreas") for a in n.addresses}


def test_a_cutover_that_starts_after_the_survey_keeps_its_nodes() -> None:
    """The site has one node too many for a standby; a plan moves there before apply gets to it."""
    found = published(standby={"boreas": Standby.COLD})
    found.cutover("boreas")
    found.cutover("aurora")
    assert len(found.nodes("boreas")) == 2
    found.when("mirror boreas", EventKind.NOTE, lambda: _moves_to_boreas(found))
    done = found.apply()
    assert [p.split(":")[0] for p in done.problems] == ["boreas"]
    assert len(found.nodes("boreas")) == 2
    found.settle()
    assert found.site_of_dns() == {"boreas"}
    assert found.apply().problems == ()


def test_a_cutover_to_a_standby_at_its_quota_keeps_what_dns_names() -> None:
    """It was planned to let the old nodes go first, when the site served nobody yet."""
    found = published(count=1)
    found.outside.clouds["boreas"].nodes_max = 1
    found.outside.digest = SECOND
    before = found.nodes("boreas")
    found.when("mirror boreas", EventKind.NOTE, lambda: _moves_to_boreas(found))
    (problem,) = found.apply().problems
    assert "DNS points to it, or soon will" in problem
    assert found.nodes("boreas") == before
    found.settle()
    assert found.site_of_dns() == {"boreas"}
    assert found.addresses() == {a for n in before for a in n.addresses}


def _moves_to_boreas(found: Play) -> None:
    other = found.outside.context(found.disk, found.runtime)
    cutover(other, "boreas", forced=False, lease_wait_s=0.0, wait_s=0.0)


def test_no_node_goes_while_a_dns_host_may_still_point_to_it() -> None:
    found = published()
    found.outside.dns["two"].error = ERRORS["down"]
    before = found.addresses("two")
    found.outside.digest = SECOND
    assert any("did not take the last change" in p for p in found.apply().problems)
    assert before <= set(found.outside.clouds["aurora"].running())
    found.outside.heal()
    found.ticks(3)
    assert found.apply().problems == ()
    assert {n.release for n in found.nodes("aurora")} == {SECOND}


def test_a_roll_out_may_take_as_long_as_its_nodes() -> None:
    """One by one, each with its own deadline: eight machines that take ten minutes each take more than an hour."""
    found = published()
    found.outside.reconfigure(replace(found.outside.service, node_deadline_s=1000.0))
    for cloud in found.outside.clouds.values():
        cloud.nodes_max = 20
    counted(found, 8)
    assert found.apply().problems == ()
    found.outside.clouds["boreas"].polls_pending = 110
    found.outside.digest = SECOND
    began_s = found.clock.seconds()
    assert found.apply().problems == ()
    assert found.clock.seconds() - began_s > SITE_S


# ------------------------------------------------------------------------------------ destroy


def test_destroy_takes_what_apply_made_and_nothing_else() -> None:
    found = published(standby={"boreas": Standby.WARM, "cirrus": Standby.COLD})
    foreign = {site: found.outside.clouds[site].foreign(f"theirs-{site}") for site in SITES}
    for site in SITES:
        found.outside.clouds[site].put("sha256:" + "9" * 64, b"sha256:" + b"9" * 64)
    found.outside.hosts["one"]._publish(ZONE, {**found.outside.held["one"], **_mail()})
    results = found.destroy()
    assert all(r.problem is None for r in results)
    assert all(found.nodes(site) == () for site in SITES)
    assert all(found.outside.clouds[site].has_node(node.id) for site, node in foreign.items())
    assert all(cloud.list() == {"sha256:" + "9" * 64} for cloud in found.outside.clouds.values())
    assert found.epochs() == [0, 0]
    assert found.addresses() == frozenset()
    assert ("mail.example.org", "A") in found.outside.held["one"]
    assert found.state.active_site is None


def _mail() -> dict[tuple[str, str], RRset]:
    record = RRset(name="mail.example.org", type="A", ttl_s=60, values=frozenset({"192.0.2.25"}))
    return {record.key: record}


def test_destroy_and_apply_again() -> None:
    found = published()
    found.destroy()
    assert found.apply().problems == ()
    assert found.site_of_dns() == {"aurora"}
    assert found.epochs() == [3, 3], "an epoch is never used twice"


def test_destroying_twice_changes_nothing() -> None:
    found = published()
    found.destroy()
    assert all(r.done == () and r.problem is None for r in found.destroy())


@pytest.mark.parametrize("kind", ["down", "refused"])
def test_a_provider_that_does_not_answer_keeps_its_nodes_and_is_named(kind: str) -> None:
    found = published()
    found.outside.api["boreas"].error = ERRORS[kind]
    results = {r.site: r for r in found.destroy()}
    assert results["boreas"].problem is not None
    assert (results["aurora"].problem, results["cirrus"].problem) == (None, None)
    found.outside.heal()
    assert len(found.nodes("boreas")) == 2
    assert all(r.problem is None for r in found.destroy())
    assert found.nodes("boreas") == ()


def test_a_node_that_is_listed_late_is_destroyed_too() -> None:
    """An apply was killed just after it had asked for the node: nobody would ever look for it again."""
    found = published()
    service, boreas = found.outside.service, found.outside.clouds["boreas"]
    late = specs(service, service.site("boreas"), found.context.release(FIRST), {}, active=True)[0]

    def listed_late(operation: str) -> None:
        if operation == "clear":
            boreas.faults = no_faults
            boreas.ensure(late)

    boreas.faults = listed_late
    results = {r.site: r for r in found.destroy()}
    assert results["boreas"].problem is None
    assert found.nodes("boreas") == ()


def test_a_node_that_takes_its_time_to_go_is_waited_for() -> None:
    found = published()
    boreas, tries = found.outside.clouds["boreas"], iter(range(100))

    def slow(operation: str) -> TimedOut | None:
        late = operation == "destroy" and next(tries) < 2
        return TimedOut("destroy node", "it", "not done within 25 s") if late else None

    boreas.faults = slow
    assert all(r.problem is None for r in found.destroy())
    assert found.nodes("boreas") == ()


def test_nothing_is_destroyed_while_a_dns_host_still_answers_its_addresses() -> None:
    found = published()
    found.outside.dns["two"].error = ERRORS["down"]
    with pytest.raises(RefusedError, match="withdraw"):
        found.destroy()
    assert all(len(found.nodes(site)) == 2 for site in SITES)
    found.outside.heal()
    assert all(r.problem is None for r in found.destroy())
    assert found.addresses("two") == frozenset()


def test_a_site_whose_account_is_closed_does_not_stop_the_withdrawal() -> None:
    found = published()
    found.outside.clouds["aurora"].close("terms of service")
    results = {r.site: r for r in found.destroy()}
    assert results["aurora"].problem is not None
    assert found.epochs() == [0, 0]
    assert found.outside.report("aurora").reading is Reading.CLOSED


def test_a_withdrawal_is_no_move() -> None:
    found = published()
    found.destroy()
    assert found.state.moves == ()
    assert found.plan().kind is PlanKind.WITHDRAW
