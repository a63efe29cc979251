"""Nodes at one site: ensure them, wait until they serve, remove what is too many."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from failover.core.cutover import usable_addresses
from failover.core.health import reachable
from failover.core.mirror import chosen_sizes, specs, wanted_count, wanted_ports
from failover.core.model import Node, NodeSpec, NodeState, Outcome, Release, Sample, Site, Target
from failover.engine.context import Context
from failover.engine.delivery import delivered
from failover.engine.outcome import MARGIN_S
from failover.engine.rounds import ask_targets
from failover.errors import AdapterError, Conflict, Throttled, TimedOut, Unreachable, Unreadable

CREATE_S = 30.0
"""Deadline of one call that creates or destroys a node."""
POLL_S, POLL_S_MAX, POLL_GROWTH = 0.25, 5.0, 1.5
SILENT_MAX = 6
"""So many calls in a row without an answer end a wait."""
_MAY_PASS = (Throttled, TimedOut, Unreachable, Unreadable)

T = TypeVar("T")


def list_nodes(context: Context, site: str) -> tuple[Node, ...]:
    """Every node of ours at the site, each with those of its addresses that we use. Raises AdapterError."""
    compute, service = context.compute[site], context.service
    found = context.runtime.call(f"nodes of {site}", lambda: compute.nodes(service.name, site), deadline_s=CREATE_S)
    return tuple(replace(n, addresses=usable_addresses(service, n.group, n.addresses)) for n in found)


def open_ports(context: Context, site: str, *, besides: Iterable[int] = ()) -> None:
    """The nodes of the site can be reached at the wanted ports; `besides`: at those that older nodes still serve at.

    Raises AdapterError.
    """
    compute, service = context.compute[site], context.service
    ports = sorted(wanted_ports(service).union(besides))
    context.runtime.call(
        f"firewall of {site}", lambda: compute.firewall(service.name, site, ports), deadline_s=CREATE_S
    )


def ensure(context: Context, spec: NodeSpec) -> Node:
    """The node exists, is meant to run and can fetch its release. Raises AdapterError."""
    compute, ready = context.compute[spec.site], delivered(context, spec)
    return context.runtime.call(f"create {spec.name}", lambda: compute.ensure(ready), deadline_s=CREATE_S)


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
    missing = [spec for spec in wanted if spec.name not in have]
    if missing:
        open_ports(context, site.name)
    for spec in missing:
        ensure(context, spec)
    names = {s.name for s in wanted}
    return tuple(n for n in list_nodes(context, site.name) if n.name in names)


def serving(context: Context, nodes: Sequence[Node], release: Release) -> tuple[Node, ...]:
    """Those of the nodes that run and pass every check with this release at every address, now."""
    running = [n for n in nodes if n.state is NodeState.RUNNING and n.addresses]
    bad = {s.address for s in _probed(context, running, release) if s.outcome is not Outcome.PASS}
    return tuple(n for n in running if not bad & set(n.addresses))


def failing(context: Context, nodes: Sequence[Node], release: Release) -> tuple[Node, ...]:
    """Those of the nodes that were asked and did not pass. Who could not be asked is not among them."""
    bad = {s.address for s in _probed(context, nodes, release) if s.outcome is Outcome.FAIL}
    return tuple(n for n in nodes if bad & set(n.addresses))


def _probed(context: Context, nodes: Sequence[Node], release: Release) -> tuple[Sample, ...]:
    targets = tuple(
        Target(site=n.site, address=address, check=check, releases=(release.digest,))
        for n in nodes
        for check in context.service.checks
        if check.group == n.group
        for address in n.addresses
    )
    deadline_s = max((t.check.timeout_s for t in targets), default=0.0) + MARGIN_S
    samples = context.runtime.call(
        "probe", partial(ask_targets, context, targets, deadline_s), deadline_s=deadline_s + MARGIN_S
    )
    return reachable(samples)


def wait_serving(
    context: Context, site: str, names: Sequence[str], release: Release, *, besides: Collection[str] = ()
) -> tuple[Node, ...]:
    """Wait until all of these nodes serve, of duplicates every one. Raises TimedOut naming those that do not, and
    AdapterError. `besides`: ids of nodes that will go and need not serve.

    An API that gives no answer for a moment is asked again; one that says how long to wait, not sooner.
    """
    waiting, silent = _Waiting(context), 0
    while True:
        ready: tuple[Node, ...] = ()
        late = set(names)
        asked_s = 0.0
        try:
            nodes = [n for n in list_nodes(context, site) if n.name in names and n.id not in besides]
            ready = serving(context, nodes, release)
            late = late - {n.name for n in nodes} | {n.name for n in nodes if n not in ready}
            silent = 0
        except _MAY_PASS as error:
            silent += 1
            asked_s = _asked_s(error)
            if silent == SILENT_MAX or not waiting.has(asked_s):
                raise
        if not late:
            return ready
        if waiting.over:
            cause = f"not serving after {context.service.node_deadline_s:g} s"
            raise TimedOut("wait for", ", ".join(sorted(late)), cause, "look at the node's log")
        waiting.pause(asked_s)


def patiently(context: Context, do: Callable[[], T], may_pass: tuple[type[AdapterError], ...] = (Throttled,)) -> T:
    """`do()`, again after the pause that a provider asks for: what it throttles, it has not carried out.

    `may_pass`: what is worth another try; more than that only where it is safe to repeat. Raises what `do` raised last
    where the pause outlasts the deadline for nodes.
    """
    waiting = _Waiting(context)
    while True:
        try:
            return do()
        except may_pass as error:
            asked_s = _asked_s(error)
            if waiting.over or not waiting.has(asked_s):
                raise
        waiting.pause(asked_s)


def _asked_s(error: AdapterError) -> float:
    """How long the provider wants to be left alone."""
    return (error.retry_after_s or 0.0) if isinstance(error, Throttled) else 0.0


def clear(context: Context, site: str) -> None:
    """Firewalls and the like of the site are gone. What its last nodes still hold is tried again while they end.

    Raises AdapterError.
    """
    compute, name = context.compute[site], context.service.name
    waiting = _Waiting(context)
    while True:
        try:
            context.runtime.call(f"clear {site}", lambda: compute.clear(name, site), deadline_s=CREATE_S)
        except (Conflict, TimedOut):
            if waiting.over:
                raise
        else:
            return
        waiting.pause()


class _Waiting:
    """Pauses that grow, until the deadline for nodes: machines elsewhere take minutes, and their APIs count calls."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._started = context.runtime.now()
        self._pause_s = POLL_S

    @property
    def over(self) -> bool:
        return not self.has(0.0)

    def has(self, seconds: float) -> bool:
        """Whether there is so much time."""
        waited_s = self._context.runtime.now().since(self._started)
        return waited_s + seconds <= self._context.service.node_deadline_s

    def pause(self, at_least_s: float = 0.0) -> None:
        self._context.runtime.sleep(max(self._pause_s, at_least_s))
        self._pause_s = min(POLL_S_MAX, self._pause_s * POLL_GROWTH)


def destroy_extra(context: Context, site: Site) -> tuple[Node, ...]:
    """Remove the nodes beyond the standby's own count. Returns those that stay. Raises AdapterError."""
    counts = {g.name: wanted_count(site, g, active=False) for g in context.service.groups}
    nodes = list_nodes(context, site.name)
    extra = [n for n in nodes if n.ordinal >= counts.get(n.group, 0)]
    for node in extra:
        destroy(context, node)
    return tuple(n for n in nodes if n not in extra)
