"""Nodes at one site: ensure them, wait until they serve, remove what is too many."""

from collections.abc import Sequence

from failover.core.mirror import chosen_sizes, specs, wanted_count
from failover.core.model import Node, NodeSpec, NodeState, Outcome, Release, Site, Target
from failover.engine.context import Context
from failover.engine.observe import MARGIN_S
from failover.errors import TimedOut

CREATE_S = 30.0
"""Deadline of one call that creates or destroys a node."""
POLL_S = 0.25


def list_nodes(context: Context, site: str) -> tuple[Node, ...]:
    """Every node of ours at the site. Raises AdapterError."""
    compute, name = context.compute[site], context.service.name
    return context.runtime.call(f"nodes of {site}", lambda: compute.nodes(name, site), deadline_s=CREATE_S)


def ensure(context: Context, spec: NodeSpec) -> Node:
    """The node exists and is meant to run. Raises AdapterError."""
    compute = context.compute[spec.site]
    return context.runtime.call(f"create {spec.name}", lambda: compute.ensure(spec), deadline_s=CREATE_S)


def destroy(context: Context, node: Node) -> None:
    """The node is gone. Raises AdapterError."""
    compute = context.compute[node.site]
    context.runtime.call(f"destroy {node.name}", lambda: compute.destroy(node), deadline_s=CREATE_S)


def ensure_all(context: Context, site: Site, release: Release, *, active: bool) -> tuple[Node, ...]:
    """Every wanted node of the site exists; as the provider lists them now."""
    compute = context.compute[site.name]
    offered = context.runtime.call(f"sizes at {site.name}", compute.sizes, deadline_s=CREATE_S)
    wanted = specs(context.service, site, release, chosen_sizes(context.service, offered), active=active)
    have = {n.name: n for n in list_nodes(context, site.name) if n.state is not NodeState.STOPPED}
    for spec in wanted:
        if spec.name not in have:
            ensure(context, spec)
    names = {s.name for s in wanted}
    return tuple(n for n in list_nodes(context, site.name) if n.name in names)


def serving(context: Context, nodes: Sequence[Node], release: Release) -> tuple[Node, ...]:
    """Those of the nodes that run and pass every check with this release at every address, now."""
    running = [n for n in nodes if n.state is NodeState.RUNNING and n.addresses]
    targets = tuple(
        Target(site=n.site, address=address, check=check, releases=(release.digest,))
        for n in running
        for check in context.service.checks
        if check.group == n.group
        for address in n.addresses
    )
    deadline_s = max((t.check.timeout_s for t in targets), default=0.0) + MARGIN_S
    samples = context.runtime.call(
        "probe", lambda: context.probe.run(targets, deadline_s), deadline_s=deadline_s + MARGIN_S
    )
    bad = {s.address for s in samples if s.outcome is not Outcome.PASS}
    return tuple(n for n in running if not bad & set(n.addresses))


def wait_serving(context: Context, site: str, names: Sequence[str], release: Release) -> tuple[Node, ...]:
    """Wait until all of these nodes serve. Raises TimedOut naming those that do not, and AdapterError."""
    deadline_s = context.service.node_deadline_s
    started = context.runtime.now()
    while True:
        nodes = [n for n in list_nodes(context, site) if n.name in names]
        ready = serving(context, nodes, release)
        if len(ready) == len(set(names)):
            return ready
        if context.runtime.now().since(started) > deadline_s:
            late = sorted(set(names) - {n.name for n in ready})
            raise TimedOut("wait for", ", ".join(late), f"not serving after {deadline_s:g} s", "look at the node's log")
        context.runtime.sleep(POLL_S)


def destroy_extra(context: Context, site: Site) -> tuple[Node, ...]:
    """Remove the nodes beyond the standby's own count. Returns those that stay. Raises AdapterError."""
    counts = {g.name: wanted_count(site, g, active=False) for g in context.service.groups}
    nodes = list_nodes(context, site.name)
    extra = [n for n in nodes if n.ordinal >= counts.get(n.group, 0)]
    for node in extra:
        destroy(context, node)
    return tuple(n for n in nodes if n not in extra)
