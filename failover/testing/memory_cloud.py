"""A provider account in memory: nodes, depot, quota, moods of the provider, and faults.

It passes the same suite as the real ones (`failover.testing.clouds`). Everything in it is deterministic: ids, addresses
and the order of creation follow from the calls.
"""

import tempfile
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from failover.core.firewall import Firewall, wanted_openings
from failover.core.model import AccountReport, Node, NodeSpec, NodeState, Quota, Reading, Size
from failover.core.rights import NODES, Act, Right, allowed, refused
from failover.errors import (
    AccessRefused,
    Conflict,
    NotFound,
    QuotaExceeded,
    Rejected,
    TimedOut,
)
from failover.net.archive import unpack

IMAGES = ("debian-12", "debian-13", "ubuntu-24.04")
SIZES = (
    Size(name="small", cpus=1, memory_mib=1024, disk_gib=20, price_per_hour=0.01),
    Size(name="large", cpus=8, memory_mib=16384, disk_gib=320, price_per_hour=0.1),
)
Faults = Callable[[str], Exception | None]


class ReplyLost(TimedOut):
    """As a fault: the change is carried out, but nobody learns of it."""

    def __init__(self, operation: str = "", object: str = "") -> None:
        super().__init__(operation, object, "the reply was lost")


def no_faults(_: str) -> None:
    """Everything works."""


def unpacks_to(digest: str, archive: bytes) -> bool:
    """Whether the archive holds the tree of that digest."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            unpack(archive, Path(folder, "release"), digest)
        except Rejected:
            return False
    return True


@dataclass(slots=True, kw_only=True)
class _Machine:
    """A node as the provider knows it. `node.site` and the like mean nothing without the labels."""

    node: Node
    labels: Mapping[str, str]
    environment: Mapping[str, str] = field(repr=False)
    polls_left: int = 0


class MemoryCloud:
    """One account: `ports.Account`, `ports.Compute` and `ports.Depot`.

    `faults` is asked before each operation, named as the method is (`state`, `nodes`, `ensure`, …). What it returns is
    raised (`state` turns it into a reading); a ReplyLost is raised after the change. A new node is PENDING for
    `polls_pending` lists. `network` are the first two bytes of the nodes' addresses. `matches` says whether an archive
    has a digest.
    """

    def __init__(
        self,
        *,
        name: str = "memory",
        nodes_max: int = 20,
        name_max: int = 255,
        images: Collection[str] = IMAGES,
        network: str = "10.0",
        polls_pending: int = 0,
        faults: Faults = no_faults,
        matches: Callable[[str, bytes], bool] = unpacks_to,
    ) -> None:
        self.name = name
        self.nodes_max = nodes_max
        self.name_max = name_max
        self.polls_pending = polls_pending
        self.faults = faults
        self._images = frozenset(images)
        self._network = network
        self._matches = matches
        self._report = AccountReport(reading=Reading.ACTIVE, code="active")
        self._machines: dict[str, _Machine] = {}
        self._archives: dict[str, bytes] = {}
        self._made = 0
        self.open_ports: dict[tuple[str, str], frozenset[int]] = {}
        self.handed_over: dict[str, bytes] = {}
        self.lacks: frozenset[Act] = frozenset()
        """What the credential may not do, as `rights` and `may_put` tell it."""
        self._lock = threading.RLock()

    # ------------------------------------------------------------------------------------------ account

    def state(self) -> AccountReport:
        fault = self.faults("state")
        if fault is None:
            return self._report
        reading = Reading.REFUSED if isinstance(fault, AccessRefused) else Reading.UNCLEAR
        return AccountReport(reading=reading, message=str(fault))

    def nodes(self, service: str, site: str) -> tuple[Node, ...]:
        with self._operation("nodes"):
            for machine in self._machines.values():
                _poll(machine)
            return tuple(m.node for m in self._machines.values() if _is_ours(m.labels, service, site))

    def rights(self, spec: NodeSpec) -> tuple[Right, ...]:
        with self._operation("rights", spec.name):
            return tuple(self._right(act) for act in NODES)

    def _right(self, act: Act) -> Right:
        return refused(act, "the account's owner did not grant it") if act in self.lacks else allowed(act)

    # ------------------------------------------------------------------------------------------ compute

    def images(self) -> frozenset[str]:
        with self._operation("images"):
            return self._images

    def sizes(self) -> tuple[Size, ...]:
        with self._operation("sizes"):
            return SIZES

    def quota(self) -> Quota:
        with self._operation("quota"):
            return Quota(nodes_max=self.nodes_max, nodes_used=len(self._machines))

    def vet(self, spec: NodeSpec) -> None:
        if len(spec.name) > self.name_max:
            raise Rejected("give a name", spec.name, f"at most {self.name_max} characters", "shorten it")

    def ensure(self, spec: NodeSpec) -> Node:
        with self._operation("ensure", spec.name):
            found = next((m for m in self._machines.values() if m.node.name == spec.name), None)
            if found is None:
                return self._create(spec)
            if dict(found.labels) != spec.labels:
                raise Conflict("create node", spec.name, "a node of this name has other labels")
            if found.node.state is NodeState.STOPPED:
                found.node = replace(found.node, state=NodeState.RUNNING)
            return found.node

    def firewall(self, service: str, site: str, ports: Sequence[int]) -> None:
        with self._operation("firewall", site):
            self.open_ports[service, site] = frozenset(ports)

    def firewall_now(self, service: str, site: str) -> Firewall:
        with self._operation("firewall_now", site):
            return Firewall(openings=wanted_openings(self.open_ports.get((service, site), ())))

    def clear(self, service: str, site: str) -> None:
        with self._operation("clear", site):
            self.open_ports.pop((service, site), None)
            self.handed_over.clear()

    def destroy(self, node: Node) -> None:
        with self._operation("destroy", node.name):
            found = self._machines.get(node.id)
            if found is None:
                return
            labels = found.labels
            ours = _is_ours(labels, labels.get("failover-service", ""), node.site)
            here = found.node
            if not ours or here != replace(node, state=here.state, release=here.release, addresses=here.addresses):
                raise Conflict("destroy node", node.name, "the node of this id does not carry our labels")
            del self._machines[node.id]
            if all(machine.node.name != node.name for machine in self._machines.values()):
                self.handed_over.pop(node.name, None)

    def _create(self, spec: NodeSpec) -> Node:
        self.vet(spec)
        if spec.image not in self._images:
            raise Rejected("create node", spec.name, f"no image {spec.image}")
        if len(self._machines) >= self.nodes_max:
            raise QuotaExceeded("create node", spec.name, f"the account may have {self.nodes_max} nodes")
        if spec.release not in self._archives:
            raise NotFound("create node", spec.name, f"no archive {spec.release}")
        return self._add(spec, spec.labels)

    def _add(self, spec: NodeSpec, labels: Mapping[str, str]) -> Node:
        self._made += 1
        node = Node(
            id=f"{self.name}-{self._made}",
            name=spec.name,
            site=spec.site,
            group=spec.group,
            ordinal=spec.ordinal,
            spec=spec.spec,
            state=NodeState.PENDING if self.polls_pending else NodeState.RUNNING,
            addresses=(f"{self._network}.{self._made // 250}.{self._made % 250 + 1}",),
            release=spec.release,
            created_at_s=float(self._made),
        )
        self._machines[node.id] = _Machine(
            node=node, labels=labels, environment=dict(spec.environment), polls_left=self.polls_pending
        )
        return node

    # ------------------------------------------------------------------------------------------ depot

    def put(self, digest: str, archive: bytes) -> None:
        with self._operation("put", digest):
            if not self._matches(digest, archive):
                raise Rejected("store release", digest, "the archive holds something else")
            self._archives[digest] = archive

    def has(self, digest: str) -> bool:
        with self._operation("has", digest):
            return digest in self._archives and self._matches(digest, self._archives[digest])

    def list(self) -> frozenset[str]:
        with self._operation("list"):
            return frozenset(self._archives)

    def remove(self, digest: str) -> None:
        with self._operation("remove", digest):
            self._archives.pop(digest, None)

    def link(self, digest: str, expires_s: float) -> str:
        with self._operation("link", digest):
            return f"memory://{self.name}/{digest}?expires_s={expires_s:g}"

    def may_put(self) -> Right | None:
        with self._operation("may_put"):
            return self._right(Act.STORE)

    def hand_over(self, name: str, contents: bytes, expires_s: float) -> str:
        with self._operation("hand_over", name):
            self.handed_over[name] = contents
            return f"memory://{self.name}/{name}?expires_s={expires_s:g}"

    # ------------------------------------------------------------------------------------------ the provider's side

    def close(self, reason: str) -> None:
        """Everything is gone, every call is refused with the reason."""
        with self._lock:
            self._report = AccountReport(reading=Reading.CLOSED, code="account_closed", message=reason)
            self._machines.clear()
            self._archives.clear()

    def reopen(self) -> None:
        """Active again; what a closing deleted stays deleted."""
        with self._lock:
            self._report = AccountReport(reading=Reading.ACTIVE, code="active")

    def warn(self, message: str) -> None:
        """Everything goes on."""
        with self._lock:
            self._report = AccountReport(reading=Reading.WARNED, code="warned", message=message)

    # ------------------------------------------------------------------------------------------ for tests

    def running(self) -> dict[str, Node]:
        """What serves, by address."""
        with self._lock:
            nodes = [m.node for m in self._machines.values() if m.node.state is NodeState.RUNNING]
            return {node.addresses[0]: node for node in nodes}

    def environment(self, name: str) -> Mapping[str, str]:
        """What the node of that name was given. Raises KeyError."""
        return self._named(name).environment

    def stop(self, name: str) -> None:
        """The node's program ends by itself. Raises KeyError."""
        machine = self._named(name)
        machine.node = replace(machine.node, state=NodeState.STOPPED)

    def tamper(self, name: str, release: str) -> None:
        """From now on another release is on the node. Raises KeyError."""
        machine = self._named(name)
        machine.node = replace(machine.node, release=release)

    def foreign(self, name: str) -> Node:
        """Somebody else creates a node in this account."""
        spec = NodeSpec(
            name=name,
            service="",
            site="",
            group="",
            ordinal=0,
            spec="",
            cpus=1,
            memory_mib=512,
            disk_gib=1,
            image=IMAGES[0],
            ports=(),
            release="",
            command="",
        )
        with self._lock:
            return self._add(spec, {"owner": "somebody-else"})

    def has_node(self, id: str) -> bool:
        """Whether a node of that id exists, whoever owns it."""
        return id in self._machines

    def _named(self, name: str) -> _Machine:
        for machine in self._machines.values():
            if machine.node.name == name:
                return machine
        raise KeyError(name)

    @contextmanager
    def _operation(self, name: str, object: str = "") -> Iterator[None]:
        """Faults, the lock, and a closed account's refusal around what an operation does."""
        fault = self.faults(name)
        if fault is not None and not isinstance(fault, ReplyLost):
            raise fault
        with self._lock:
            if self._report.reading is Reading.CLOSED:
                raise AccessRefused(name, object, f"account_closed: {self._report.message}")
            yield
        if fault is not None:
            raise fault


def _is_ours(labels: Mapping[str, str], service: str, site: str) -> bool:
    rest = ("failover-group", "failover-ordinal", "failover-spec")
    same = labels.get("failover-service") == service and labels.get("failover-site") == site
    return same and all(key in labels for key in rest)


def _poll(machine: _Machine) -> None:
    """A node that is being made is a little further each time somebody looks."""
    if machine.node.state is not NodeState.PENDING:
        return
    if machine.polls_left == 0:
        machine.node = replace(machine.node, state=NodeState.RUNNING)
    machine.polls_left -= 1
