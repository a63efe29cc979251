"""A plan says what changed about a node: what may be shown with its values, the rest by its name only."""

from dataclasses import replace

import pytest

from failover.core.mirror import SiteFound, node_spec, plan_site, wish_of
from failover.core.model import Node, NodeGroup, NodeState, Release, Service, Site, Size, Standby
from failover.core.wish import REMEMBERED_MAX, change, remembered
from tests.core.builders import BOREAS, DIGEST, OTHER_DIGEST, SERVICE

WEB = NodeGroup(name="web", count=1, ports=(8080,), boot_digest="one", ssh_keys=("ssh-ed25519 A",))
RELEASE = Release(digest=DIGEST, command="serve", environment={"KEY": "hunter2"}, environment_digest="e1")
SITE = Site(name=BOREAS, provider="b", standby=Standby.HOT)
BEFORE = wish_of(WEB, RELEASE)


def node(group: NodeGroup = WEB, release: Release = RELEASE) -> Node:
    spec = node_spec(SERVICE, SITE, group, 0, release, "")
    return Node(
        id="1",
        name=spec.name,
        site=BOREAS,
        group="web",
        ordinal=0,
        spec=spec.spec,
        state=NodeState.RUNNING,
        release=release.digest,
    )


@pytest.mark.parametrize(
    ("group", "release", "told"),
    [
        (replace(WEB, image="debian-13"), RELEASE, "image debian-12 → debian-13"),
        (replace(WEB, cpus=2), RELEASE, "size 1 cpus 512 MiB 1 GiB → 2 cpus 512 MiB 1 GiB"),
        (replace(WEB, memory_mib=1024), RELEASE, "size 1 cpus 512 MiB 1 GiB → 1 cpus 1024 MiB 1 GiB"),
        (replace(WEB, disk_gib=9), RELEASE, "size 1 cpus 512 MiB 1 GiB → 1 cpus 512 MiB 9 GiB"),
        (replace(WEB, ports=(80, 443)), RELEASE, "ports 8080 → 80 443"),
        (replace(WEB, ports=()), RELEASE, "ports 8080 → none"),
        (WEB, replace(RELEASE, digest=OTHER_DIGEST), "release aaaaaaaaaaaa → bbbbbbbbbbbb"),
        (WEB, replace(RELEASE, command="serve --key hunter2"), "command"),
        (WEB, replace(RELEASE, environment={}, environment_digest=""), "environment or secrets"),
        (replace(WEB, boot_digest="two"), RELEASE, "user-data"),
        (replace(WEB, ssh_keys=()), RELEASE, "ssh_keys"),
        (
            replace(WEB, image="debian-13", boot_digest="two"),
            replace(RELEASE, environment_digest="e2"),
            "image debian-12 → debian-13, environment or secrets, user-data",
        ),
    ],
)
def test_everything_that_makes_another_spec_is_told(group: NodeGroup, release: Release, told: str) -> None:
    now = wish_of(group, release)
    assert now.spec != BEFORE.spec
    assert change(node(), now, (BEFORE,)) == told


def test_nothing_private_is_remembered() -> None:
    assert "hunter2" not in repr(wish_of(WEB, replace(RELEASE, command="serve --key hunter2")))


def test_what_is_not_on_record_is_not_made_up() -> None:
    now = wish_of(replace(WEB, image="debian-13"), RELEASE)
    assert change(node(), now, ()) == "no record of what it was"
    assert change(replace(node(), release=None), now, (now,)) == "no record of what it was"
    other = wish_of(WEB, replace(RELEASE, digest=OTHER_DIGEST))
    told = "release aaaaaaaaaaaa → bbbbbbbbbbbb, no record of what else it was"
    assert change(node(), other, ()) == told


def test_a_record_that_shows_no_difference_explains_nothing() -> None:
    """A label that somebody changed by hand."""
    now = wish_of(WEB, RELEASE)
    strange = replace(now, spec="00000000")
    told = "nothing that is on record, its label says 00000000"
    assert change(replace(node(), spec="00000000"), now, (strange,)) == told


def test_the_oldest_records_are_forgotten_and_what_is_asked_for_again_is_the_newest() -> None:
    many = tuple(replace(BEFORE, spec=str(number)) for number in range(REMEMBERED_MAX))
    assert remembered((), many) == many
    assert remembered(many, [many[0]]) == (*many[1:], many[0])
    assert remembered(many, [BEFORE]) == (*many[1:], BEFORE)


def test_the_plan_of_a_site_tells_it() -> None:
    group = replace(WEB, image="debian-13")
    found = SiteFound(
        nodes=(node(),),
        archive=True,
        images=frozenset({"debian-13"}),
        sizes=(Size(name="small", cpus=1, memory_mib=1024, disk_gib=20),),
        nodes_max=None,
        nodes_used=1,
        wishes=(BEFORE,),
    )
    service: Service = replace(SERVICE, groups=(group,))
    (action,) = plan_site(service, SITE, RELEASE, found, active=False).actions
    assert action.why == "changed: image debian-12 → debian-13"
