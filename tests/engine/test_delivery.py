"""How nodes that fetch the release themselves get their links, and what becomes of those that never served."""

import shlex
from dataclasses import replace
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.core.cutover import PlanKind
from failover.core.mirror import ActionKind, node_spec
from failover.core.model import Node, NodeSpec, Release, Service
from failover.core.world import State, Watch
from failover.engine.delivery import LINK_S, delivered, environment_file
from failover.engine.deploy import look_ahead
from failover.engine.nodes import SILENT_MAX, wait_serving
from failover.engine.planning import make_plan
from failover.errors import AccessRefused, Conflict, Rejected, Throttled, TimedOut, Unreachable
from failover.testing.memory_cloud import MemoryCloud, ReplyLost
from failover.testing.sim_cloud import SimCloud
from failover.testing.sim_runtime import START
from failover.testing.sim_world import ERRORS, FIRST, Wire, guestbook
from tests.engine.play import Play, play

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJvdGhhbmRtb3Jl"
SECRET = Release(digest=FIRST, command="python3 server.py", environment={"KEY": 'open "sesame"', "A": "b"})


def rendered(spec: NodeSpec, archive: str, environment: str) -> str:
    return f"{spec.name}: {archive} {environment}"


def elsewhere(found: Play) -> Play:
    """The same with clouds whose nodes fetch the release themselves."""
    found.context = replace(found.context, user_data=rendered, release=lambda _: SECRET)
    return found


def spec_at(found: Play, site: str) -> NodeSpec:
    service = found.context.service
    return node_spec(service, service.site(site), service.groups[0], 0, SECRET, "small")


# ------------------------------------------------------------------------------------ links


def test_the_environment_is_handed_over_and_only_its_link_stands_in_user_data() -> None:
    found = elsewhere(play())
    spec = delivered(found.context, spec_at(found, "boreas"))
    cloud = found.outside.clouds["boreas"]
    assert cloud.handed_over == {spec.name: b'A="b"\nKEY="open \\"sesame\\""\n'}
    links = [cloud.link(FIRST, LINK_S), cloud.hand_over(spec.name, b"", LINK_S)]
    assert spec.user_data == f"{spec.name}: {links[0]} {links[1]}"
    assert "sesame" not in repr(spec)


def test_links_expire_within_the_hour() -> None:
    assert LINK_S <= 3600


def test_without_a_template_nodes_get_what_they_always_got() -> None:
    found = play()
    spec = spec_at(found, "boreas")
    assert delivered(found.context, spec) is spec
    assert found.outside.clouds["boreas"].handed_over == {}


class LocalLike(MemoryCloud):
    """Its nodes need no links."""

    def link(self, digest: str, expires_s: float) -> str:
        return ""


def test_a_cloud_without_links_needs_no_user_data() -> None:
    found = elsewhere(play())
    found.context = replace(found.context, depots={"boreas": LocalLike()})
    spec = spec_at(found, "boreas")
    assert delivered(found.context, spec) is spec


def test_every_node_that_apply_makes_gets_its_own() -> None:
    found = elsewhere(play())
    assert found.apply().problems == ()
    for cloud in found.outside.clouds.values():
        assert set(cloud.handed_over) == {n.name for n in cloud.nodes("guestbook", cloud.name)}


def test_a_template_that_cannot_be_rendered_is_a_problem_of_the_plan() -> None:
    def broken(spec: NodeSpec, archive: str, environment: str) -> str:
        raise Rejected("render user-data", "web.yaml.j2", "line 3: unexpected 'end'")

    found = play()
    found.context = replace(found.context, user_data=broken)
    assert all("line 3" in (plan.problem or "") for plan in look_ahead(found.context).sites)
    assert not found.apply().changed
    assert all(not cloud.handed_over for cloud in found.outside.clouds.values())


# ------------------------------------------------------------------------------------ the environment file


@given(st.dictionaries(st.from_regex(r"[A-Z_]{1,8}", fullmatch=True), st.text(st.characters(codec="ascii", min_codepoint=32, max_codepoint=126) | st.sampled_from("\n\té€"))))  # fmt: skip  # noqa: E501
def test_a_shell_reads_from_it_what_was_meant(environment: dict[str, str]) -> None:
    """Within double quotes systemd and a shell agree (systemd.exec(5): "similar to shell")."""
    words = shlex.split(environment_file(environment).decode().replace("\\`", "`").replace("\\$", "$"))
    assert dict(word.split("=", 1) for word in words) == environment


@pytest.mark.parametrize("value", ["a\0b", "a\rb", "\x1b[0m", "\x7f"])
def test_what_systemd_would_pass_over_is_refused_without_showing_it(value: str) -> None:
    with pytest.raises(Rejected) as caught:
        environment_file({"KEY": value + "hunter2"})
    assert "variable KEY" in str(caught.value)
    assert "hunter2" not in str(caught.value)


# ------------------------------------------------------------------------------------ firewalls


def test_ports_are_opened_before_the_first_node_and_closed_after_the_last() -> None:
    found = elsewhere(play())
    found.apply()
    for name, cloud in found.outside.clouds.items():
        assert cloud.open_ports == {("guestbook", name): frozenset({8080})}
    found.destroy()
    assert all(cloud.open_ports == {} for cloud in found.outside.clouds.values())


def test_a_firewall_that_was_changed_by_hand_is_put_right_although_all_nodes_are_as_wanted() -> None:
    found = elsewhere(play())
    found.apply()
    before = {name: dict(cloud.open_ports) for name, cloud in found.outside.clouds.items()}
    found.outside.clouds["aurora"].open_ports.clear()
    found.outside.clouds["boreas"].open_ports["guestbook", "boreas"] = frozenset({1, 22})
    noted = len(found.context.store.events(10_000))
    planned = {site.site: [(a.kind, a.what, a.why) for a in site.actions] for site in look_ahead(found.context).sites}
    assert planned["aurora"] == [("firewall", "tcp 8080", "port 8080 is closed")]
    told = "port 8080 is closed; port 1 is open to everybody; port 22 is open to everybody"
    assert planned["boreas"] == [("firewall", "tcp 8080", told)]
    done = {site.site: site.done for site in found.apply().sites}
    assert (done["aurora"], done["boreas"]) == (("firewall tcp 8080",), ("firewall tcp 8080",))
    notes = [(e.step, e.reason.split()[0]) for e in found.context.store.events(10_000)[noted:]]
    assert {(f"mirror {name}", "firewall") for name in before} <= set(notes), "S18"
    assert not look_ahead(found.context).changes
    assert {name: cloud.open_ports for name, cloud in found.outside.clouds.items()} == before


def with_port(found: Play, port: int) -> Play:
    service = found.context.service
    groups = tuple(replace(g, ports=(port,)) for g in service.groups)
    found.context = replace(found.context, service=replace(service, groups=groups))
    return found


def test_another_port_shuts_off_no_node_that_still_serves_at_the_old_one() -> None:
    found = elsewhere(play())
    found.apply()
    cloud = found.outside.clouds["aurora"]
    meanwhile: list[frozenset[int]] = []
    cloud.faults = lambda op: meanwhile.append(cloud.open_ports["guestbook", "aurora"]) if op == "destroy" else None
    with_port(found, 9090).apply()
    assert meanwhile
    assert set(meanwhile) == {frozenset({8080, 9090})}
    assert cloud.open_ports["guestbook", "aurora"] == {9090}
    assert found.state.ports["aurora"] == (9090,)


def test_the_old_port_stays_open_while_a_roll_out_has_not_come_to_its_end() -> None:
    found = elsewhere(play())
    found.apply()
    cloud = found.outside.clouds["aurora"]
    cloud.faults = lambda op: Unreachable("destroy node", "", "reset") if op == "destroy" else None
    with_port(found, 9090).apply()
    assert cloud.open_ports["guestbook", "aurora"] == {8080, 9090}
    cloud.faults = lambda _: None
    found.apply()
    assert cloud.open_ports["guestbook", "aurora"] == {9090}
    found.destroy()
    assert found.state.ports == {}


def test_where_keys_are_given_ssh_is_open() -> None:
    service = guestbook()
    groups = tuple(replace(g, ssh_keys=(KEY,)) for g in service.groups)
    found = elsewhere(play(service=replace(service, groups=groups)))
    found.apply()
    assert found.outside.clouds["aurora"].open_ports["guestbook", "aurora"] == {22, 8080}


# ------------------------------------------------------------------------------------ nodes that never served


class Young(SimCloud):
    """Its nodes were made a moment ago, whenever one asks."""

    def nodes(self, service: str, site: str) -> tuple[Node, ...]:
        return tuple(replace(n, created_at_s=2 * START.utc_s) for n in super().nodes(service, site))


Cloud = TypeVar("Cloud", bound=SimCloud)


class Dead(SimCloud):
    """What it made first never runs a program."""

    def running(self) -> dict[str, Node]:
        return {a: n for a, n in super().running().items() if n.created_at_s > 2}


def at_boreas(found: Play, kind: type[Cloud]) -> Cloud:
    """Another cloud in place of boreas."""
    before = found.outside.clouds["boreas"]
    cloud = kind(
        name="boreas",
        network="10.2",
        matches=lambda digest, archive: archive == digest.encode(),
        faults=before.faults,
    )
    cloud.onlooker = before.onlooker
    found.outside.clouds["boreas"] = cloud
    return cloud


def test_a_changed_template_replaces_nodes() -> None:
    found = elsewhere(play())
    found.apply()
    service = found.context.service
    groups = tuple(replace(g, boot_digest="changed") for g in service.groups)
    found.context = replace(found.context, service=replace(service, groups=groups))
    told = {(a.kind, a.why) for plan in look_ahead(found.context).sites for a in plan.actions}
    assert told == {(ActionKind.REPLACE, "changed: user-data")}


def test_nodes_that_an_earlier_run_left_are_waited_for() -> None:
    """They exist as wanted, so there is nothing to create; but nobody knows whether they serve."""
    found = elsewhere(play())
    at_boreas(found, Young)
    found.outside.sick = {"boreas"}
    for _ in range(2):
        assert any("not serving" in problem for problem in found.apply().problems)
        assert "boreas" not in found.state.inventory
        assert not next(p for p in look_ahead(found.context).sites if p.site == "boreas").changes
    found.outside.sick = set()
    assert found.apply().problems == ()
    assert len(found.state.inventory["boreas"]) == 2


def test_nodes_that_never_served_are_built_again() -> None:
    """Their links have expired: they could not even fetch the release now."""
    found = elsewhere(play())
    cloud = at_boreas(found, Dead)
    assert any("not serving" in problem for problem in found.apply().problems)
    before = {n.id for n in found.nodes("boreas")}
    (plan,) = [p for p in look_ahead(found.context).sites if p.site == "boreas"]
    assert [(a.kind, a.why) for a in plan.actions] == [(ActionKind.REBUILD, "it has never served")] * 2
    assert found.apply().problems == ()
    assert before.isdisjoint(n.id for n in found.nodes("boreas"))
    assert len(cloud.running()) == 2


def test_what_cannot_be_asked_is_not_taken_for_broken() -> None:
    found = elsewhere(play())
    at_boreas(found, Dead)
    found.apply()
    found.outside.blind = {"boreas"}
    assert not next(p for p in look_ahead(found.context).sites if p.site == "boreas").changes


def test_a_node_that_served_once_is_never_built_again_for_being_ill() -> None:
    found = elsewhere(play())
    found.apply()
    found.outside.sick = {"boreas"}
    assert not look_ahead(found.context).changes


# ------------------------------------------------------------------------------------ duplicates


class Forgetful(SimCloud):
    """The reply to the first creation is lost, and lists show that node only when its name was given to a second one.

    Nodes serve once they have fetched what was handed over under their name; the first one takes its time.
    """

    def __init__(self, **rest: Any) -> None:
        super().__init__(**rest)
        self.elder = ""
        self.late = True
        self.young = True
        self.looks = 0
        self.fetched: set[str] = set()

    def nodes(self, service: str, site: str) -> tuple[Node, ...]:
        since_s = 2 * START.utc_s if self.young else 0.0
        listed = [n for n in super().nodes(service, site) if not self.late or n.id != self.elder]
        return tuple(replace(n, created_at_s=n.created_at_s + since_s) for n in listed)

    def ensure(self, spec: NodeSpec) -> Node:
        if not self.elder:
            self.elder = super().ensure(spec).id
            raise ReplyLost("create node", spec.name)
        hidden = {self.elder: self._machines.pop(self.elder)} if self.late else {}
        try:
            return super().ensure(spec)
        finally:
            self._machines = hidden | self._machines

    def destroy(self, node: Node) -> None:
        (same,) = [n for n in super().nodes("guestbook", node.site) if n.id == node.id]
        super().destroy(same)

    def running(self) -> dict[str, Node]:
        up = super().running()
        for node in up.values():
            if node.id == self.elder and not self.late:
                self.looks += 1
            if (node.id != self.elder or self.looks > 3) and node.name in self.handed_over:
                self.fetched.add(node.id)
        return {address: node for address, node in up.items() if node.id in self.fetched}


def test_of_duplicates_the_one_that_stays_serves_before_the_other_goes_and_keeps_what_it_was_given() -> None:
    found = elsewhere(play())
    cloud = at_boreas(found, Forgetful)
    assert any("the reply was lost" in problem for problem in found.apply().problems)
    assert found.apply().problems == ()
    cloud.late = False
    elder, twin = sorted((n for n in found.nodes("boreas") if n.ordinal == 0), key=lambda n: n.id)
    assert (elder.id, elder.name) == (cloud.elder, twin.name)

    served: list[frozenset[str]] = []
    cloud.faults = lambda op: served.append(frozenset(cloud.fetched)) if op == "destroy" else None
    assert found.apply().problems == ()
    assert [n.id for n in found.nodes("boreas") if n.ordinal == 0] == [elder.id]
    assert len(served) == 1
    assert elder.id in served[0]
    assert elder.name in cloud.handed_over
    assert {n.id for n in found.state.inventory["boreas"]} == {n.id for n in found.nodes("boreas")}
    found.destroy()
    assert cloud.handed_over == {}


def test_of_duplicates_one_that_never_serves_goes() -> None:
    found = elsewhere(play())
    cloud = at_boreas(found, Forgetful)
    found.apply()
    found.apply()
    cloud.late, cloud.looks = False, -10_000
    assert any("not serving" in problem for problem in found.apply().problems)
    assert len(found.nodes("boreas")) == 3, "nothing that serves goes for one that does not"
    cloud.young = False
    assert found.apply().problems == ()
    assert cloud.elder not in {n.id for n in found.nodes("boreas")}


# ------------------------------------------------------------------------------------ waiting


def ensured(found: Play, site: str) -> list[str]:
    """One node there; its name."""
    cloud, spec = found.outside.clouds[site], spec_at(found, site)
    cloud.put(FIRST, FIRST.encode())
    return [cloud.ensure(spec).name]


def test_an_api_that_is_silent_for_a_moment_does_not_end_the_wait() -> None:
    found = elsewhere(play())
    names = ensured(found, "cirrus")
    left = [Unreachable("list", "", "reset")] * (SILENT_MAX - 1)
    found.outside.clouds["cirrus"].faults = lambda _: left.pop() if left else None
    assert [n.name for n in wait_serving(found.context, "cirrus", names, SECRET)] == names


def test_who_is_throttled_comes_back_when_it_was_told_to() -> None:
    """Whatever the API throttles: it was not carried out, and not a moment too soon it is asked for again."""
    found = elsewhere(play())
    asked: dict[str, list[float]] = {}

    def busy(operation: str) -> Exception | None:
        times = asked.setdefault(operation, [])
        times.append(found.clock.now().utc_s)
        if operation in ("ensure", "firewall", "destroy") and len(times) == 1:
            return Throttled(operation, "", "429", retry_after_s=20.0)
        return None

    found.outside.clouds["boreas"].faults = busy
    assert found.apply().problems == ()
    found.destroy()
    waits = {name: asked[name][1] - asked[name][0] for name in ("ensure", "firewall", "destroy")}
    assert {name for name, waited_s in waits.items() if waited_s >= 20.0} == waits.keys()


def test_who_is_throttled_for_longer_than_there_is_time_says_so() -> None:
    found = elsewhere(play())
    late = Throttled("ensure", "", "429", retry_after_s=found.context.service.node_deadline_s + 1)
    found.outside.clouds["boreas"].faults = lambda op: late if op == "ensure" else None
    began = found.clock.now()
    (problem,) = found.apply().problems
    assert problem.startswith("boreas: ensure: 429")
    assert found.clock.now().since(began) < found.context.service.node_deadline_s


def test_a_wait_that_is_throttled_does_not_ask_sooner() -> None:
    found = elsewhere(play())
    names = ensured(found, "cirrus")
    left = [Throttled("list", "", "429", retry_after_s=15.0)] * 2
    found.outside.clouds["cirrus"].faults = lambda _: left.pop() if left else None
    began = found.clock.now()
    wait_serving(found.context, "cirrus", names, SECRET)
    assert found.clock.now().since(began) >= 30
    left = [Throttled("list", "", "429", retry_after_s=found.context.service.node_deadline_s + 1)]
    with pytest.raises(Throttled):
        wait_serving(found.context, "cirrus", names, SECRET)


def test_an_api_that_stays_silent_ends_it() -> None:
    found = elsewhere(play())
    found.outside.api["cirrus"] = Wire(ERRORS["down"])
    with pytest.raises(Unreachable):
        wait_serving(found.context, "cirrus", ["guestbook-cirrus-web-0"], SECRET)


def test_a_refusal_ends_it_at_once() -> None:
    found = elsewhere(play())
    found.outside.api["cirrus"] = Wire(ERRORS["refused"])
    began = found.clock.now()
    with pytest.raises(AccessRefused):
        wait_serving(found.context, "cirrus", ["guestbook-cirrus-web-0"], SECRET)
    assert found.clock.now().since(began) < 1


def test_the_pauses_of_a_long_wait_grow() -> None:
    found = elsewhere(play())
    names, asked = ensured(found, "cirrus"), [0]
    found.outside.sick = {"cirrus"}

    def count(_: str) -> None:
        asked[0] += 1

    found.outside.clouds["cirrus"].faults = count
    with pytest.raises(TimedOut, match=names[0]):
        wait_serving(found.context, "cirrus", names, SECRET)
    assert asked[0] < found.context.service.node_deadline_s / 2


def test_what_ending_nodes_still_hold_is_cleared_in_the_end() -> None:
    found = elsewhere(play())
    found.apply()
    held = [Conflict("clear", "", "DependencyViolation")] * 5
    found.outside.clouds["boreas"].faults = lambda op: held.pop() if op == "clear" and held else None
    assert all(result.problem is None for result in found.destroy())
    assert found.outside.clouds["boreas"].open_ports == {}


# ------------------------------------------------------------------------------------ both families


class DualStack(SimCloud):
    """Each node has an IPv6 address too, from the third list on."""

    asked = 0

    def nodes(self, service: str, site: str) -> tuple[Node, ...]:
        self.asked += 1
        found = super().nodes(service, site)
        return tuple(replace(n, addresses=(*n.addresses, v6_of(n))) if self.asked > 2 else n for n in found)

    def running(self) -> dict[str, Node]:
        found = super().running()
        return {**found, **{v6_of(n): n for n in found.values()}}


def v6_of(node: Node) -> str:
    return f"2001:db8::{node.ordinal + 1}"


def test_an_ipv6_address_that_no_record_holds_is_neither_asked_nor_published() -> None:
    found = elsewhere(play())
    at_boreas(found, DualStack)
    assert found.apply().problems == ()
    assert all(":" not in a for n in found.state.inventory["boreas"] for a in n.addresses)


def both(service: Service) -> Service:
    return replace(service, records=(*service.records, replace(service.records[0], type="AAAA")))


def test_a_node_serves_only_when_it_has_an_address_for_each_record() -> None:
    found = elsewhere(play(service=both(guestbook())))
    cloud = at_boreas(found, DualStack)
    assert isinstance(cloud, DualStack)
    found.apply()
    assert cloud.asked > 3
    assert [len(n.addresses) for n in found.state.inventory["boreas"]] == [2, 2]


@pytest.mark.parametrize(
    ("good", "published"),
    [
        (("198.51.100.1",), ("198.51.100.1", "2001:db8::1", "2001:db8::2")),
        (("198.51.100.1", "2001:db8::2"), ("198.51.100.1", "2001:db8::2")),
        ((), ("198.51.100.1", "198.51.100.2", "2001:db8::1", "2001:db8::2")),
    ],
)
def test_of_each_family_the_proven_addresses_are_published_and_never_none(
    good: tuple[str, ...], published: tuple[str, ...]
) -> None:
    """Where we have no IPv6, a target's IPv6 addresses stand or fall with its IPv4 ones."""
    addresses = ("198.51.100.1", "198.51.100.2", "2001:db8::1", "2001:db8::2")
    service = both(guestbook(given=("aurora", "boreas")))
    sites = tuple(replace(s, addresses={"web": addresses}) if s.name == "boreas" else s for s in service.sites)
    found = play(service=replace(service, sites=sites))
    state = State(service="guestbook", watch={"boreas": Watch(addresses=good)})
    plan = make_plan(found.context, state, {}, PlanKind.CUTOVER, "boreas")
    assert plan.addresses["web"] == published
    assert {s.type for s in plan.rrsets} == {"A", "AAAA"}
