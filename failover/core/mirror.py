"""wanted × found → MirrorPlan: what would change at each site so that it mirrors the deployment."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from failover.core.firewall import Firewall, drift
from failover.core.model import Node, NodeGroup, NodeSpec, NodeState, Release, Service, Site, Size, Standby
from failover.core.nodes import Wish
from failover.core.ready import short
from failover.core.wish import brief, change


class ActionKind(StrEnum):
    UPLOAD = "upload"
    FIREWALL = "firewall"
    """The firewall lets in something else than it should, or does not stand before every node."""
    CREATE = "create"
    START = "start"
    """The node exists but does not run."""
    REPLACE = "replace"
    """Another spec: the new node serves before the old ones go."""
    REBUILD = "rebuild"
    """Destroyed, then created: the right spec, but changed contents, or it never served; or no room for both."""
    DESTROY = "destroy"
    REMOVE = "remove"
    """An archive that nothing needs any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteAction:
    """One change at one site. `spec` is what shall be there afterwards, `nodes` what goes."""

    kind: ActionKind
    what: str
    why: str
    spec: NodeSpec | None = None
    nodes: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SitePlan:
    """What would change at one site, or the `problem` that kept it from being read or done; then without actions."""

    site: str
    actions: tuple[SiteAction, ...] = ()
    problem: str | None = None
    wanted: tuple[str, ...] = ()
    """Names of all nodes that shall be there."""

    @property
    def changes(self) -> bool:
        return bool(self.actions)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteFound:
    """What a site's provider listed, whole."""

    nodes: tuple[Node, ...]
    archive: bool
    """The wanted release lies in its depot."""
    images: frozenset[str]
    sizes: tuple[Size, ...]
    nodes_max: int | None
    nodes_used: int
    old_archives: tuple[str, ...] = ()
    """Archives of earlier releases that we put there."""
    broken: frozenset[str] = frozenset()
    """Ids of nodes that run, had time enough, and have never served: what they were to fetch is out of reach by now."""
    firewall: Firewall | None = None
    """None: nodes need none there."""
    wishes: tuple[Wish, ...] = ()
    """What earlier specs stood for, as far as it is on record."""


def wanted_count(site: Site, group: NodeGroup, *, active: bool) -> int:
    """How many nodes of this group the site should run now. The active site always runs all of them."""
    if site.given:
        return 0
    if active or site.standby is Standby.HOT:
        return group.count
    return min(group.warm_count, group.count) if site.standby is Standby.WARM else 0


SSH_PORT = 22


def wanted_ports(service: Service) -> frozenset[int]:
    """TCP ports of all groups, and SSH's where keys are given."""
    ports = {port for group in service.groups for port in group.ports}
    return frozenset(ports | {SSH_PORT for group in service.groups if group.ssh_keys})


def specs(
    service: Service, site: Site, release: Release, sizes: Mapping[str, str], *, active: bool
) -> tuple[NodeSpec, ...]:
    """Every node that the site should run now. `sizes`: by group, the provider's name of the size chosen for it."""
    return tuple(
        node_spec(service, site, group, ordinal, release, sizes.get(group.name, ""))
        for group in service.groups
        for ordinal in range(wanted_count(site, group, active=active))
    )


def choose_size(group: NodeGroup, sizes: Iterable[Size]) -> Size | None:
    """The cheapest size that fits the group, or the smallest where prices are not known; None when none fits."""
    fit = [
        s for s in sizes if s.cpus >= group.cpus and s.memory_mib >= group.memory_mib and s.disk_gib >= group.disk_gib
    ]
    priced = [s for s in fit if s.price_per_hour is not None]
    if priced:
        return min(priced, key=lambda s: (s.price_per_hour, s.memory_mib, s.cpus, s.disk_gib, s.name))
    return min(fit, key=lambda s: (s.memory_mib, s.cpus, s.disk_gib, s.name), default=None)


def chosen_sizes(service: Service, sizes: Iterable[Size]) -> dict[str, str]:
    """By group the name of the size that its nodes get; a group that nothing fits is missing."""
    offered = tuple(sizes)
    found = {group.name: choose_size(group, offered) for group in service.groups}
    return {name: size.name for name, size in found.items() if size is not None}


def node_spec(service: Service, site: Site, group: NodeGroup, ordinal: int, release: Release, size: str) -> NodeSpec:
    """One node as it should be. The same wish always has the same name and spec digest.

    The size is no part of the digest: a new price list must not replace running nodes.
    """
    spec = _spec_digest(group, release)
    return NodeSpec(
        name=f"{service.name}-{site.name}-{group.name}-{ordinal}-{spec}",
        service=service.name,
        site=site.name,
        group=group.name,
        ordinal=ordinal,
        spec=spec,
        cpus=group.cpus,
        memory_mib=group.memory_mib,
        disk_gib=group.disk_gib,
        image=group.image,
        ports=group.ports,
        release=release.digest,
        command=release.command,
        environment=dict(release.environment),
        size=size,
        ssh_keys=group.ssh_keys,
    )


def _spec_digest(group: NodeGroup, release: Release) -> str:
    """Eight hexadecimal digits: enough to tell wishes apart. They stand in names and labels."""
    parts = [
        group.image,
        f"{group.cpus} {group.memory_mib} {group.disk_gib}",
        " ".join(map(str, group.ports)),
        group.boot_digest,
        *sorted(group.ssh_keys),
        release.digest,
        release.command,
        release.environment_digest,
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:8]


def wish_of(group: NodeGroup, release: Release) -> Wish:
    """What nodes of this group are asked to be, to be remembered with their spec digest."""
    return Wish(
        spec=_spec_digest(group, release),
        image=group.image,
        cpus=group.cpus,
        memory_mib=group.memory_mib,
        disk_gib=group.disk_gib,
        ports=group.ports,
        boot=brief([group.boot_digest]),
        ssh_keys=brief(sorted(group.ssh_keys)),
        release=release.digest,
        command=brief([release.command]),
        environment=release.environment_digest,
    )


def plan_site(service: Service, site: Site, release: Release, found: SiteFound, *, active: bool) -> SitePlan:
    """What turns `found` into the wanted nodes. Impossible wishes are a problem, before anything is created."""
    sizes = chosen_sizes(service, found.sizes)
    problem = _impossible(service, specs(service, site, release, sizes, active=True), found)
    if problem is not None:
        return SitePlan(site=site.name, problem=problem)
    actions = []
    if not found.archive:
        actions.append(
            SiteAction(kind=ActionKind.UPLOAD, what=f"release {short(release.digest)}", why="not in the depot")
        )
    wanted = specs(service, site, release, sizes, active=active)
    if wanted:
        actions += _firewall_actions(found, wanted_ports(service))
    asked = {group.name: wish_of(group, release) for group in service.groups}
    changes = _node_actions(wanted, found, asked)
    if _crowded(changes, found):
        if active:
            return SitePlan(site=site.name, problem=_no_room(found))
        changes = [_without_surge(action, found) for action in changes]
    actions += changes
    actions += [
        SiteAction(kind=ActionKind.REMOVE, what=digest, why="an earlier release") for digest in found.old_archives
    ]
    return SitePlan(site=site.name, actions=tuple(actions), wanted=tuple(spec.name for spec in wanted))


def _firewall_actions(found: SiteFound, ports: frozenset[int]) -> list[SiteAction]:
    """What is not there before the first node comes with it, and is no news."""
    if found.firewall is None or not (found.nodes or found.firewall.openings):
        return []
    differs = drift(found.firewall, ports)
    what = f"tcp {', '.join(map(str, sorted(ports)))}" if ports else "nothing open"
    return [SiteAction(kind=ActionKind.FIREWALL, what=what, why="; ".join(differs))] if differs else []


def _impossible(service: Service, full: tuple[NodeSpec, ...], found: SiteFound) -> str | None:
    """`full`: every node of the site when it is active; also a warm or cold site must have room for them."""
    missing = sorted({g.image for g in service.groups} - found.images)
    if missing:
        return f"image {missing[0]} does not exist there; it has {', '.join(sorted(found.images)) or 'none'}"
    for group in service.groups:
        if choose_size(group, found.sizes) is None:
            largest = max(found.sizes, key=lambda s: (s.memory_mib, s.cpus, s.disk_gib), default=None)
            most = f"the largest is {_size_text(largest)}" if largest else "it offers none"
            return f"no size there has {_need_text(group)} for group {group.name}; {most}"
    have = {(n.group, n.ordinal) for n in found.nodes}
    more = sum((spec.group, spec.ordinal) not in have for spec in full)
    if found.nodes_max is not None and more > found.nodes_max - found.nodes_used:
        free = max(0, found.nodes_max - found.nodes_used)
        return f"{more} more nodes are needed, the quota of {found.nodes_max} leaves {free}; ask the provider for more"
    return None


def _crowded(actions: Iterable[SiteAction], found: SiteFound) -> bool:
    """Whether a node must be replaced, and the quota has no room for the new one beside the old one."""
    kinds = [a.kind for a in actions if a.kind is ActionKind.CREATE or _surges(a, found)]
    if found.nodes_max is None or ActionKind.REPLACE not in kinds:
        return False
    return kinds.count(ActionKind.CREATE) + 1 > found.nodes_max - found.nodes_used


def _surges(action: SiteAction, found: SiteFound) -> bool:
    """Whether the new node of a replacement is still to be created (a run that was cut short may have done so)."""
    new = action.spec.name if action.spec is not None else ""
    return action.kind is ActionKind.REPLACE and new not in {n.name for n in found.nodes}


def _no_room(found: SiteFound) -> str:
    free = max(0, (found.nodes_max or 0) - found.nodes_used)
    remedy = "ask the provider for more, or cut over to another site first"
    return f"nodes are replaced one by one, new before old, but the quota of {found.nodes_max} leaves {free}; {remedy}"


def _without_surge(action: SiteAction, found: SiteFound) -> SiteAction:
    """At a site that serves nobody the old node may go first."""
    if not _surges(action, found):
        return action
    why = f"{action.why}; the old one goes first: the quota of {found.nodes_max} has no room for both"
    return replace(action, kind=ActionKind.REBUILD, why=why)


def _need_text(group: NodeGroup) -> str:
    return f"{group.cpus} cpus, {group.memory_mib} MiB of memory and {group.disk_gib} GiB of disk"


def _size_text(size: Size) -> str:
    return f"{size.name} ({size.cpus} cpus, {size.memory_mib} MiB, {size.disk_gib} GiB)"


def _node_actions(wanted: tuple[NodeSpec, ...], found: SiteFound, asked: Mapping[str, Wish]) -> list[SiteAction]:
    places = _by_place(found.nodes)
    kept: list[SiteAction] = []
    for spec in wanted:
        kept += _place(spec, places.pop((spec.group, spec.ordinal), []), found, asked[spec.group])
    surplus = [node for nodes in places.values() for node in nodes]
    order = [ActionKind.START, ActionKind.CREATE, ActionKind.REBUILD, ActionKind.REPLACE, ActionKind.DESTROY]
    kept.sort(key=lambda a: order.index(a.kind))
    return kept + [_destroy(node, "not wanted any more") for node in surplus]


def _by_place(found: Iterable[Node]) -> dict[tuple[str, int], list[Node]]:
    """Nodes by (group, ordinal), the oldest first."""
    places: dict[tuple[str, int], list[Node]] = {}
    for node in sorted(found, key=lambda n: (n.group, n.ordinal, n.created_at_s, n.id)):
        places.setdefault((node.group, node.ordinal), []).append(node)
    return places


def _place(spec: NodeSpec, nodes: list[Node], found: SiteFound, asked: Wish) -> list[SiteAction]:
    """One place (group and ordinal): what shall be there against what is there."""
    same = tuple(n for n in nodes if n.spec == spec.spec)
    other = tuple(n for n in nodes if n.spec != spec.spec)
    if not same and not other:
        return [
            SiteAction(
                kind=ActionKind.CREATE,
                what=spec.name,
                why=f"missing; size {spec.size}" if spec.size else "missing",
                spec=spec,
            )
        ]
    return _mended(spec, same, found.broken) + _replaced(spec, other, asked, found.wishes)


def _mended(spec: NodeSpec, same: tuple[Node, ...], broken: frozenset[str]) -> list[SiteAction]:
    """What leaves exactly one node of this wish, and that one in order.

    A node in order is kept, the oldest of several. Twins share a name, so where none is in order no call could mend a
    certain one of them: all go, and one is created.
    """
    in_order = [
        n for n in same if n.release in (None, spec.release) and n.state is not NodeState.STOPPED and n.id not in broken
    ]
    if in_order:
        return [_destroy(n, "a duplicate") for n in same if n is not in_order[0]]
    if len(same) > 1:
        why = f"{len(same)} nodes of that name, none of them in order"
        return [SiteAction(kind=ActionKind.REBUILD, what=spec.name, why=why, spec=spec, nodes=same)]
    return [_repair(spec, node) for node in same]


def _repair(spec: NodeSpec, node: Node) -> SiteAction:
    if node.release in (None, spec.release):
        if node.state is NodeState.STOPPED:
            return SiteAction(kind=ActionKind.START, what=spec.name, why="it does not run", spec=spec)
        why = "it has never served"
        return SiteAction(kind=ActionKind.REBUILD, what=spec.name, why=why, spec=spec, nodes=(node,))
    why = f"its release is {short(node.release)}, wanted {short(spec.release)}"
    return SiteAction(kind=ActionKind.REBUILD, what=spec.name, why=why, spec=spec, nodes=(node,))


def _replaced(spec: NodeSpec, other: tuple[Node, ...], asked: Wish, known: tuple[Wish, ...]) -> list[SiteAction]:
    """Old nodes go only after the new one serves, also when the new one exists already (a run was cut short)."""
    if not other:
        return []
    why = f"changed: {change(other[0], asked, known)}"
    return [SiteAction(kind=ActionKind.REPLACE, what=spec.name, why=why, spec=spec, nodes=other)]


def _destroy(node: Node, why: str) -> SiteAction:
    return SiteAction(kind=ActionKind.DESTROY, what=node.name, why=why, nodes=(node,))
