"""wanted × found → what would change; and that doing it leaves nothing to do."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.core.firewall import Firewall, Opening, wanted_openings
from failover.core.mirror import (
    ActionKind,
    SiteAction,
    SiteFound,
    choose_size,
    node_spec,
    plan_site,
    specs,
    wanted_count,
)
from failover.core.model import Node, NodeGroup, NodeSpec, NodeState, Release, Service, Site, Size, Standby
from tests.core.builders import BOREAS, DIGEST, OTHER_DIGEST, RELEASE, SERVICE

SIZE = "small"
SIZES = (
    Size(name=SIZE, cpus=1, memory_mib=1024, disk_gib=20, price_per_hour=0.01),
    Size(name="large", cpus=8, memory_mib=16384, disk_gib=320, price_per_hour=0.1),
)
WEB = NodeGroup(name="web", count=2, warm_count=1, ports=(8080,))
API = NodeGroup(name="api", count=1, warm_count=3)
TWO = replace(SERVICE, groups=(WEB,))
HOT = Site(name=BOREAS, provider="b", standby=Standby.HOT)
WARM = replace(HOT, standby=Standby.WARM)
COLD = replace(HOT, standby=Standby.COLD)
GIVEN = replace(HOT, provider=None, addresses={"web": ("192.0.2.7",)})
NEW = Release(digest=OTHER_DIGEST, command=RELEASE.command, environment=RELEASE.environment)


def found(*nodes: Node, **changed: object) -> SiteFound:
    base = SiteFound(
        nodes=nodes, archive=True, images=frozenset({"debian-12"}), sizes=SIZES, nodes_max=None, nodes_used=len(nodes)
    )
    return replace(base, **changed)  # type: ignore[arg-type]


def built(spec: NodeSpec, **changed: object) -> Node:
    base = Node(
        id=f"id-{spec.name}",
        name=spec.name,
        site=spec.site,
        group=spec.group,
        ordinal=spec.ordinal,
        spec=spec.spec,
        state=NodeState.RUNNING,
        release=spec.release,
    )
    return replace(base, **changed)  # type: ignore[arg-type]


def wish(ordinal: int = 0, release: Release = RELEASE, site: Site = HOT) -> NodeSpec:
    return node_spec(TWO, site, WEB, ordinal, release, SIZE)


def all_of(site: Site = HOT, *, active: bool = False, release: Release = RELEASE) -> tuple[Node, ...]:
    return tuple(built(s) for s in specs(TWO, site, release, {"web": SIZE}, active=active))


def actions(site: Site, seen: SiteFound, *, active: bool = False, service: Service = TWO) -> list[str]:
    plan = plan_site(service, site, RELEASE, seen, active=active)
    assert plan.problem is None
    assert plan.changes is bool(plan.actions)
    return [a.kind.value for a in plan.actions]


# ------------------------------------------------------------------------------------ firewalls


OPEN = wanted_openings([8080])


def firewalled(*nodes: Node, openings: frozenset[Opening] = OPEN, site: Site = HOT) -> list[tuple[str, str, str]]:
    plan = plan_site(TWO, site, RELEASE, found(*nodes, firewall=Firewall(openings=openings)), active=False)
    return [(a.kind, a.what, a.why) for a in plan.actions if a.kind is ActionKind.FIREWALL]


def test_a_firewall_that_lets_in_what_it_should_is_no_news() -> None:
    assert firewalled(*all_of()) == []
    assert actions(HOT, found(*all_of(), firewall=None)) == [], "nodes need none there"


def test_a_firewall_that_lets_in_something_else_is_put_right_first() -> None:
    by_hand = wanted_openings([9090])
    told = "port 8080 is closed; port 9090 is open to everybody"
    assert firewalled(*all_of(), openings=by_hand) == [("firewall", "tcp 8080", told)]
    assert actions(HOT, found(all_of()[0], firewall=Firewall(openings=by_hand))) == ["firewall", "create"]


def test_nodes_behind_no_firewall_are_news_and_the_one_that_comes_with_the_first_node_is_none() -> None:
    assert firewalled(all_of()[0], openings=frozenset()) == [("firewall", "tcp 8080", "port 8080 is closed")]
    assert firewalled(openings=frozenset()) == []
    assert firewalled(openings=wanted_openings([22])) != [], "somebody left it there"


def test_a_site_without_nodes_needs_no_firewall() -> None:
    assert firewalled(openings=wanted_openings([22]), site=COLD) == []


def test_without_ports_nothing_is_open() -> None:
    group = replace(WEB, ports=())
    plan = plan_site(
        replace(SERVICE, groups=(group,)), HOT, RELEASE, found(firewall=Firewall(openings=OPEN)), active=False
    )
    assert ("firewall", "nothing open") in [(a.kind, a.what) for a in plan.actions]


# ------------------------------------------------------------------------------------ how many, and which


@pytest.mark.parametrize(
    ("site", "active", "count"),
    [
        (HOT, False, 2),
        (HOT, True, 2),
        (WARM, False, 1),
        (WARM, True, 2),
        (COLD, False, 0),
        (COLD, True, 2),
        (GIVEN, False, 0),
        (GIVEN, True, 0),
    ],
)
def test_how_many_nodes(site: Site, active: bool, count: int) -> None:
    assert wanted_count(site, WEB, active=active) == count
    assert len(specs(TWO, site, RELEASE, {"web": SIZE}, active=active)) == count


def test_warm_never_runs_more_than_all() -> None:
    assert wanted_count(WARM, API, active=False) == 1


def test_the_same_wish_has_the_same_name_another_wish_another() -> None:
    assert wish() == wish()
    others = [
        node_spec(TWO, HOT, replace(WEB, cpus=2), 0, RELEASE, SIZE),
        node_spec(TWO, HOT, replace(WEB, memory_mib=1), 0, RELEASE, SIZE),
        node_spec(TWO, HOT, replace(WEB, disk_gib=9), 0, RELEASE, SIZE),
        node_spec(TWO, HOT, replace(WEB, image="debian-13"), 0, RELEASE, SIZE),
        node_spec(TWO, HOT, replace(WEB, ports=(80, 80)), 0, RELEASE, SIZE),
        node_spec(TWO, HOT, WEB, 0, NEW, SIZE),
        node_spec(TWO, HOT, WEB, 0, replace(RELEASE, command="other"), SIZE),
        node_spec(TWO, HOT, WEB, 0, replace(RELEASE, environment_digest="another"), SIZE),
    ]
    assert len({wish().spec, *(o.spec for o in others)}) == 9
    assert len({wish().name, *(o.name for o in others), wish(1).name, wish(site=replace(HOT, name="x")).name}) == 11
    assert wish().name == f"guestbook-boreas-web-0-{wish().spec}"
    assert len(wish().spec) == 8


def test_what_may_be_secret_is_not_in_the_name_but_by_its_own_digest() -> None:
    other = replace(RELEASE, environment={"PASSWORD": "letmein"})
    assert node_spec(TWO, HOT, WEB, 0, other, SIZE).spec == wish().spec


def test_counts_do_not_change_the_wish() -> None:
    assert node_spec(TWO, HOT, replace(WEB, count=9, warm_count=4), 0, RELEASE, SIZE) == wish()


# ------------------------------------------------------------------------------------ stories


def test_1_an_empty_site_gets_everything() -> None:
    assert actions(HOT, found(archive=False)) == ["upload", "create", "create"]


def test_2_a_second_run_changes_nothing() -> None:
    assert actions(HOT, found(*all_of())) == []
    assert actions(WARM, found(*all_of(WARM))) == []
    assert actions(COLD, found()) == []


def test_3_a_node_was_killed() -> None:
    assert actions(HOT, found(all_of()[1])) == ["create"]


def test_4_a_node_was_stopped() -> None:
    assert actions(HOT, found(all_of()[0], built(wish(1), state=NodeState.STOPPED))) == ["start"]


def test_5_a_node_that_is_still_coming_is_left_alone() -> None:
    assert actions(HOT, found(all_of()[0], built(wish(1), state=NodeState.PENDING))) == []


def test_6_one_byte_was_changed_on_a_node() -> None:
    broken = built(wish(), release=OTHER_DIGEST)
    (action,) = plan_site(TWO, HOT, RELEASE, found(broken, all_of()[1]), active=False).actions
    assert (action.kind, action.nodes, action.spec) == (ActionKind.REBUILD, (broken,), wish())
    assert action.why == "its release is bbbbbbbbbbbb, wanted aaaaaaaaaaaa"


def test_7_a_provider_that_cannot_tell_the_release_is_believed() -> None:
    assert actions(HOT, found(*(replace(n, release=None) for n in all_of()))) == []


def test_8_a_new_release_replaces_every_node() -> None:
    old = all_of(release=NEW)
    plan = plan_site(TWO, HOT, RELEASE, found(*old), active=False)
    assert [a.kind for a in plan.actions] == [ActionKind.REPLACE, ActionKind.REPLACE]
    assert [a.nodes for a in plan.actions] == [(old[0],), (old[1],)]
    assert plan.actions[0].why == "changed: release bbbbbbbbbbbb → aaaaaaaaaaaa, no record of what else it was"


@pytest.mark.parametrize("state", [NodeState.PENDING, NodeState.RUNNING])
def test_9_a_roll_out_was_cut_short(state: NodeState) -> None:
    """The new node exists, the old one too: the old one still goes only after the new one serves."""
    old = built(wish(release=NEW))
    plan = plan_site(TWO, HOT, RELEASE, found(old, built(wish(), state=state), all_of()[1]), active=True)
    (action,) = plan.actions
    assert (action.kind, action.spec, action.nodes) == (ActionKind.REPLACE, wish(), (old,))


def test_10_a_roll_out_was_cut_short_and_the_new_node_is_no_good() -> None:
    old = built(wish(release=NEW))
    rest = all_of()[1]
    assert actions(HOT, found(old, built(wish(), state=NodeState.STOPPED), rest)) == ["start", "replace"]
    assert actions(HOT, found(old, built(wish(), release=OTHER_DIGEST), rest)) == ["rebuild", "replace"]


def test_11_of_duplicates_the_oldest_stays() -> None:
    twin = built(wish(), id="twin", created_at_s=5.0)
    plan = plan_site(TWO, HOT, RELEASE, found(twin, *all_of()), active=False)
    (action,) = plan.actions
    assert (action.kind, action.nodes, action.why) == (ActionKind.DESTROY, (twin,), "a duplicate")


def test_12_of_duplicates_one_in_order_stays() -> None:
    """Not the oldest, where that one is broken: destroying it and asking for its name would bring up its twin."""
    broken = built(wish(), id="old", release=OTHER_DIGEST)
    twin = built(wish(), id="twin", created_at_s=5.0)
    plan = plan_site(TWO, HOT, RELEASE, found(broken, twin, all_of()[1]), active=False)
    assert [(a.kind, a.nodes) for a in plan.actions] == [(ActionKind.DESTROY, (broken,))]
    stopped = replace(twin, state=NodeState.STOPPED)
    plan = plan_site(TWO, HOT, RELEASE, found(broken, stopped, all_of()[1]), active=False)
    assert [(a.kind, a.nodes) for a in plan.actions] == [(ActionKind.REBUILD, (broken, stopped))]


def test_13_a_smaller_count_and_a_group_that_left() -> None:
    strange = built(wish(), id="x", name="guestbook-boreas-old-0-x", group="old")
    surplus = built(wish(2))
    plan = plan_site(TWO, HOT, RELEASE, found(*all_of(), surplus, strange), active=False)
    assert {a.what for a in plan.actions} == {surplus.name, strange.name}
    assert {(a.kind, a.why) for a in plan.actions} == {(ActionKind.DESTROY, "not wanted any more")}


def test_14_a_cold_site_that_is_active_no_more() -> None:
    assert actions(COLD, found(*all_of(COLD, active=True)), active=True) == []
    assert actions(COLD, found(*all_of(COLD, active=True))) == ["destroy", "destroy"]


def test_15_earlier_archives_go_last() -> None:
    plan = plan_site(TWO, HOT, RELEASE, found(archive=False, old_archives=("sha256:old",)), active=False)
    assert [a.kind.value for a in plan.actions] == ["upload", "create", "create", "remove"]
    assert (plan.actions[-1].what, plan.actions[0].what) == ("sha256:old", "release aaaaaaaaaaaa")


def test_16_what_is_missing_comes_before_what_is_only_old() -> None:
    """First more capacity, then changes, then what goes."""
    service = replace(SERVICE, groups=(replace(WEB, count=5),))
    nodes = (
        built(wish(0, NEW)),
        built(wish(1), release=OTHER_DIGEST),
        built(wish(2), state=NodeState.STOPPED),
        built(wish(3)),
        built(wish(3), id="twin", created_at_s=9.0),
        built(wish(7)),
    )
    assert actions(HOT, found(*nodes), service=service) == [
        "start",
        "create",
        "rebuild",
        "replace",
        "destroy",
        "destroy",
    ]


# ------------------------------------------------------------------------------------ what cannot be


def problem(site: Site, seen: SiteFound, *, active: bool = False, service: Service = TWO) -> str:
    plan = plan_site(service, site, RELEASE, seen, active=active)
    assert plan.problem is not None
    assert plan.actions == ()
    assert not plan.changes
    return plan.problem


def test_17_an_image_that_does_not_exist_there() -> None:
    assert problem(HOT, found(images=frozenset({"b", "a"}))) == "image debian-12 does not exist there; it has a, b"
    assert problem(COLD, found(images=frozenset())) == "image debian-12 does not exist there; it has none"


@pytest.mark.parametrize("site", [HOT, WARM, COLD])
def test_18_the_quota_must_hold_all_nodes_of_the_active_site(site: Site) -> None:
    assert problem(site, found(nodes_max=3, nodes_used=2)) == (
        "2 more nodes are needed, the quota of 3 leaves 1; ask the provider for more"
    )
    assert problem(site, found(nodes_max=1, nodes_used=5)).endswith("leaves 0; ask the provider for more")
    plan_site(TWO, site, RELEASE, found(nodes_max=3, nodes_used=1), active=False)


def test_19_nodes_that_are_there_need_no_quota() -> None:
    assert actions(HOT, found(*all_of(), nodes_max=2, nodes_used=2)) == []
    assert actions(HOT, found(all_of()[0], nodes_max=2, nodes_used=1)) == ["create"]


def test_20_nodes_of_another_group_do_not_make_room() -> None:
    old = built(wish(), id="x", name="x", group="old")
    assert problem(HOT, found(old, replace(old, ordinal=1), nodes_max=2, nodes_used=2)).startswith("2 more nodes")


def test_21_a_given_site_never_lacks_anything_of_ours() -> None:
    assert actions(GIVEN, found(nodes_max=0)) == []


def test_22_where_the_quota_has_no_room_for_both_the_old_node_of_a_standby_goes_first() -> None:
    old = all_of(release=NEW)
    full = found(*old, nodes_max=2)
    plan = plan_site(TWO, HOT, RELEASE, full, active=False)
    assert [(a.kind, a.nodes) for a in plan.actions] == [
        (ActionKind.REBUILD, (old[0],)),
        (ActionKind.REBUILD, (old[1],)),
    ]
    assert plan.actions[0].why.endswith("; the old one goes first: the quota of 2 has no room for both")
    assert actions(HOT, replace(full, nodes_max=3)) == ["replace", "replace"]
    assert actions(HOT, found(old[0], nodes_max=2)) == ["create", "rebuild"], "the missing one takes the last place"


def test_23_the_active_site_is_not_thinned_out_for_want_of_quota() -> None:
    full = found(*all_of(release=NEW), nodes_max=2)
    says = "nodes are replaced one by one, new before old, but the quota of 2 leaves 0; "
    assert problem(HOT, full, active=True) == f"{says}ask the provider for more, or cut over to another site first"
    assert actions(HOT, replace(full, nodes_max=3), active=True) == ["replace", "replace"]


def test_24_a_roll_out_that_was_cut_short_needs_no_more_room() -> None:
    rest = all_of()[1]
    assert actions(HOT, found(built(wish(release=NEW)), built(wish()), rest, nodes_max=3), active=True) == ["replace"]


# ------------------------------------------------------------------------------------ idempotence


def carry_out(seen: SiteFound, todo: tuple[SiteAction, ...]) -> SiteFound:
    """A provider that does what it is told."""
    nodes = {n.id: n for n in seen.nodes}
    archive, old = seen.archive, set(seen.old_archives)
    for action in todo:
        archive = archive or action.kind is ActionKind.UPLOAD
        old -= {action.what} if action.kind is ActionKind.REMOVE else set()
        for gone in action.nodes:
            nodes.pop(gone.id)
        if action.spec is not None:
            _ensure(nodes, action.spec)
    return replace(seen, nodes=tuple(nodes.values()), archive=archive, old_archives=tuple(sorted(old)))


def _ensure(nodes: dict[str, Node], spec: NodeSpec) -> None:
    same = sorted((n for n in nodes.values() if n.name == spec.name), key=lambda n: (n.created_at_s, n.id))
    kept = replace(same[0], state=NodeState.RUNNING) if same else built(spec)
    nodes[kept.id] = kept


@st.composite
def listed(draw: st.DrawFn) -> tuple[Node, ...]:
    """Any mess that a provider may list: right and wrong specs, releases, states, places, duplicates."""
    messy = []
    for number in range(draw(st.integers(0, 7))):
        spec = wish(draw(st.integers(0, 3)), draw(st.sampled_from((RELEASE, NEW))))
        group = draw(st.sampled_from(("web", "web", "web", "old")))
        messy.append(
            built(
                spec,
                id=f"n{number}",
                name=spec.name.replace("web", group),
                group=group,
                state=draw(st.sampled_from(NodeState)),
                release=draw(st.sampled_from((DIGEST, OTHER_DIGEST, None))),
                created_at_s=draw(st.sampled_from((1.0, 2.0))),
            )
        )
    return tuple(messy)


@given(listed(), st.sampled_from((HOT, WARM, COLD)), st.booleans(), st.booleans())
def test_what_is_done_needs_not_be_done_again(nodes: tuple[Node, ...], site: Site, active: bool, archive: bool) -> None:
    before = found(*nodes, archive=archive, old_archives=("sha256:old",))
    plan = plan_site(TWO, site, RELEASE, before, active=active)
    after = carry_out(before, plan.actions)
    assert not plan_site(TWO, site, RELEASE, after, active=active).changes
    assert {n.name for n in after.nodes} == {s.name for s in specs(TWO, site, RELEASE, {"web": SIZE}, active=active)}
    assert len(after.nodes) == wanted_count(site, WEB, active=active)


def most(before: int, todo: tuple[SiteAction, ...]) -> int:
    """How many nodes there are at the worst moment, when actions are carried out as `ActionKind` says."""
    now = peak = before
    for action in todo:
        if action.kind is ActionKind.REBUILD:
            now += 1 - len(action.nodes)
        elif action.kind in (ActionKind.CREATE, ActionKind.REPLACE):
            now, peak = now + 1 - len(action.nodes), max(peak, now + 1)
        else:
            now -= len(action.nodes)
        peak = max(peak, now)
    return peak


@given(listed(), st.sampled_from((HOT, WARM, COLD)), st.booleans(), st.integers(0, 3))
def test_no_plan_needs_more_than_the_quota(nodes: tuple[Node, ...], site: Site, active: bool, free: int) -> None:
    plan = plan_site(TWO, site, RELEASE, found(*nodes, nodes_max=len(nodes) + free), active=active)
    known = {n.name for n in nodes}
    surges = tuple(a for a in plan.actions if a.kind is not ActionKind.REPLACE or (a.spec and a.spec.name not in known))
    assert most(len(nodes), surges) <= len(nodes) + free


@given(listed(), st.sampled_from((HOT, WARM)), st.integers(0, 12))
def test_a_run_killed_in_between_is_completed_by_the_next(nodes: tuple[Node, ...], site: Site, done: int) -> None:
    plan = plan_site(TWO, site, RELEASE, found(*nodes), active=False)
    half = carry_out(found(*nodes), plan.actions[:done])
    rest = plan_site(TWO, site, RELEASE, half, active=False)
    after = carry_out(half, rest.actions)
    assert not plan_site(TWO, site, RELEASE, after, active=False).changes
    assert len(after.nodes) == wanted_count(site, WEB, active=False)


@given(listed(), st.sampled_from((HOT, WARM, COLD)), st.booleans())
def test_nothing_goes_twice_and_a_place_in_order_keeps_its_node(
    nodes: tuple[Node, ...], site: Site, active: bool
) -> None:
    plan = plan_site(TWO, site, RELEASE, found(*nodes), active=active)
    gone = [n.id for a in plan.actions for n in a.nodes]
    assert len(gone) == len(set(gone))
    for spec in specs(TWO, site, RELEASE, {"web": SIZE}, active=active):
        good = [n.id for n in nodes if n.name == spec.name and n.release in (None, DIGEST)]
        serving = [n.id for n in nodes if n.id in good and n.state is not NodeState.STOPPED]
        assert not serving or set(serving) - set(gone)


# ------------------------------------------------------------------------------------ sizes


def size(name: str, cpus: int, memory_mib: int, price: float | None = None) -> Size:
    return Size(name=name, cpus=cpus, memory_mib=memory_mib, disk_gib=50, price_per_hour=price)


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ([size("a", 1, 1024, 0.02), size("b", 2, 2048, 0.01)], "b"),  # cheaper, though larger
        ([size("a", 1, 1024), size("b", 2, 2048)], "a"),  # no prices: the smallest
        ([size("a", 1, 1024), size("b", 2, 2048, 0.9)], "b"),  # only what has a price can be compared
        ([size("a", 1, 1024, 0.01), size("b", 1, 1024, 0.01)], "a"),  # the same choice every time
        ([size("a", 1, 256, 0.01)], None),
        ([], None),
    ],
)
def test_the_cheapest_size_that_fits(offered: list[Size], chosen: str | None) -> None:
    picked = choose_size(replace(WEB, cpus=1, memory_mib=512), offered)
    assert (picked.name if picked else None) == chosen


@pytest.mark.parametrize("group", [{"cpus": 2}, {"memory_mib": 1025}, {"disk_gib": 51}])
def test_a_size_must_fit_in_every_measure(group: dict[str, int]) -> None:
    small, large = size("a", 1, 1024, 0.01), replace(size("b", 9, 9999, 0.9), disk_gib=999)
    picked = choose_size(replace(WEB, **group), [small, large])  # type: ignore[arg-type]
    assert picked == large


@pytest.mark.parametrize(
    ("sizes", "says"),
    [((), "it offers none"), ((size("tiny", 1, 256),), "the largest is tiny (1 cpus, 256 MiB, 50 GiB)")],
)
def test_no_size_fits(sizes: tuple[Size, ...], says: str) -> None:
    plan = plan_site(TWO, HOT, RELEASE, found(sizes=sizes), active=False)
    need = "no size there has 1 cpus, 512 MiB of memory and 1 GiB of disk for group web"
    assert plan.problem == f"{need}; {says}"


def test_a_node_can_be_wished_for_without_a_size() -> None:
    (action, *_) = plan_site(TWO, COLD, RELEASE, found(), active=True).actions
    assert action.why == "missing; size small"
    assert specs(TWO, HOT, RELEASE, {}, active=True)[0].size == ""


# ------------------------------------------------------------------------------------ nodes that never served


def unserving(node: Node) -> SiteFound:
    return found(node, built(wish(1)), broken=frozenset({node.id}))


def test_a_node_that_never_served_is_built_again() -> None:
    (action,) = plan_site(TWO, HOT, RELEASE, unserving(built(wish())), active=False).actions
    assert (action.kind, action.why) == (ActionKind.REBUILD, "it has never served")
    assert [n.name for n in action.nodes] == [wish().name]


def test_one_that_stands_still_is_started_first() -> None:
    assert actions(HOT, unserving(built(wish(), state=NodeState.STOPPED))) == ["start"]


def test_of_twins_the_one_that_served_stays() -> None:
    old, new = built(wish(), id="a", created_at_s=1.0), built(wish(), id="b", created_at_s=2.0)
    plan = plan_site(TWO, HOT, RELEASE, found(old, new, built(wish(1)), broken=frozenset({"a"})), active=False)
    assert [(a.kind, [n.id for n in a.nodes]) for a in plan.actions] == [(ActionKind.DESTROY, ["a"])]


def test_a_plan_names_all_nodes_that_it_wants() -> None:
    assert plan_site(TWO, HOT, RELEASE, found(), active=False).wanted == (wish().name, wish(1).name)
    assert plan_site(TWO, COLD, RELEASE, found(), active=False).wanted == ()
