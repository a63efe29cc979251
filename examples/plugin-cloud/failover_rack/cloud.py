"""A rack of machines as `ports.Account`, `ports.Compute` and `ports.Depot`."""

import hashlib
import re
import secrets
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from failover.core.model import AccountReport, Node, NodeSpec, NodeState, Quota, Size
from failover.core.reading import ServiceReading, Signal, report_of
from failover.core.rights import Act, Right, allowed, refused
from failover.errors import AdapterError, ConfigError, Conflict, NotFound, QuotaExceeded, Rejected, TimedOut
from failover.net.archive import unpack
from failover_rack.machine import Machine, Seen

T = TypeVar("T")

HERE = ("sh", "-c")
ROOT = "/var/lib/failover-rack"
AT_ONCE = 16
_ADDRESS = re.compile(r"[0-9A-Fa-f:.]+")


def rack(
    *,
    name: str,
    region: str | None,
    role: str,
    deadline_s: float,
    timeout_s: float,
    machines: Sequence[str] = (),
    reach: Sequence[str] = HERE,
    root: str = ROOT,
    **unknown: object,
) -> "Rack":
    """What failover calls with the words of the config. Raises ConfigError for what makes no sense."""
    del region, role, timeout_s
    hint = "see the README of failover-rack"
    if unknown:
        raise ConfigError("read provider", name, f"kind rack knows no {', '.join(sorted(unknown))}", hint)
    if isinstance(machines, str) or not machines or not all(map(_ADDRESS.fullmatch, map(str, machines))):
        raise ConfigError("read provider", name, "`machines` must be a list of IP addresses", hint)
    if len(set(machines)) != len(machines):
        raise ConfigError("read provider", name, "a machine stands twice in `machines`", hint)
    if isinstance(reach, str) or not reach:
        raise ConfigError("read provider", name, "`reach` must be a command as a list of words", hint)
    if len(machines) > 1 and tuple(reach) == HERE and "{address}" not in root:
        raise ConfigError("read provider", name, "without `reach`, `root` needs {address}: the machines are one", hint)
    return Rack(name, [Machine(address=a, reach=tuple(reach), root=root) for a in machines], deadline_s)


class Rack:
    """One rack. May be used by several threads. Each call ends within `deadline_s`."""

    def __init__(self, name: str, machines: Sequence[Machine], deadline_s: float) -> None:
        self.name = name
        self._machines = {machine.address: machine for machine in machines}
        self._deadline_s = deadline_s
        self._claiming = threading.Lock()

    # ------------------------------------------------------------------------------------------ account

    def state(self) -> AccountReport:
        """There is no account that could be closed: the machines are the user's own."""
        until = self._until()
        asked = self._each(lambda machine: _attempt(lambda: machine.look(_left(until))))
        return report_of(
            ServiceReading(
                service=address,
                signal=Signal.TRANSPORT if isinstance(found, AdapterError) else Signal.OK,
                message=str(found) if isinstance(found, AdapterError) else "",
            )
            for address, found in zip(self._machines, asked, strict=True)
        )

    def nodes(self, service: str, site: str) -> tuple[Node, ...]:
        """See `ports.Account`."""
        ours = [seen for seen in self._look(self._until()) if _is_at(seen, service, site)]
        return tuple(map(_node, sorted(ours, key=_age)))

    def rights(self, spec: NodeSpec) -> tuple[Right, ...]:
        """Whoever may write at `root` on every machine may do everything there; ports are nobody's business here."""
        del spec
        until = self._until()
        writable = self._each(lambda machine: machine.writable(_left(until)))
        locked = [address for address, may in zip(self._machines, writable, strict=True) if not may]
        acts = (Act.CREATE, Act.DESTROY, Act.STORE)
        if locked:
            return tuple(refused(act, f"`root` cannot be written on {', '.join(locked)}") for act in acts)
        return tuple(map(allowed, acts))

    # ------------------------------------------------------------------------------------------ what can be had

    def images(self) -> frozenset[str]:
        """The systems that run on the machines."""
        return frozenset(seen.image for seen in self._look(self._until()))

    def sizes(self) -> tuple[Size, ...]:
        """The machines' own sizes; they cost nothing more."""
        sizes = {
            _size(seen): Size(name=_size(seen), cpus=seen.cpus, memory_mib=seen.memory_mib, disk_gib=seen.disk_gib)
            for seen in self._look(self._until())
        }
        return tuple(sizes.values())

    def quota(self) -> Quota:
        """One node a machine."""
        return Quota(nodes_max=len(self._machines), nodes_used=sum(bool(s.id) for s in self._look(self._until())))

    # ------------------------------------------------------------------------------------------ nodes

    def vet(self, spec: NodeSpec) -> None:
        """Nothing to say: a machine keeps the name in a file."""

    def ensure(self, spec: NodeSpec) -> Node:
        """See `ports.Compute`."""
        until = self._until()
        if not self._claiming.acquire(timeout=self._deadline_s):
            raise TimedOut("create node", spec.name, "another call is still busy with this rack")
        try:
            found = self._look(until)
            mine = min((s for s in found if s.label.get("name") == spec.name), key=_age, default=None)
            if mine is not None and mine.label.get("labels") != spec.labels:
                raise Conflict("create node", spec.name, f"{mine.address} has this name, but other labels")
            if mine is None:
                mine = self._claimed(spec, found, until)
            if not mine.running:
                machine = self._machines[mine.address]
                machine.start(spec.command, spec.release, _left(until))
                mine = machine.look(_left(until))
            return _node(mine)
        finally:
            self._claiming.release()

    def _claimed(self, spec: NodeSpec, found: Sequence[Seen], until: float) -> Seen:
        """A machine that fits and is ours from now on; the smallest of those that are free."""
        right = [s for s in found if s.image == spec.image]
        if not right:
            raise Rejected("create node", spec.name, f"no machine of {self.name} runs {spec.image}")
        fits = [s for s in right if s.cpus >= spec.cpus and s.memory_mib >= spec.memory_mib]
        for seen in sorted(fits, key=lambda s: (s.memory_mib, s.cpus)):
            if not seen.id and seen.disk_gib >= spec.disk_gib:
                machine = self._machines[seen.address]
                try:
                    machine.claim(*_claim_of(spec, seen.address), spec.release, _left(until))
                except Conflict:  # somebody else was quicker
                    continue
                return machine.look(_left(until))
        raise QuotaExceeded("create node", spec.name, f"no machine of {self.name} that fits is free", "add a machine")

    def destroy(self, node: Node) -> None:
        """See `ports.Compute`."""
        until = self._until()
        machine = self._machines.get(node.id.rpartition("/")[0])
        if machine is None:
            raise NotFound("destroy node", node.name, f"its machine is not in `machines` of {self.name} any more")
        seen = machine.look(_left(until))
        if seen.id != node.id:
            return
        if not _is(seen, node):
            raise Conflict("destroy node", node.name, f"what stands on {seen.address} does not carry our labels")
        machine.vacate(node.id, _left(until))

    def firewall(self, service: str, site: str, ports: Sequence[int]) -> None:
        """Nothing to do: the network belongs to whoever runs the machine room."""

    def firewall_now(self, service: str, site: str) -> None:
        """Nothing to tell, for the same reason."""

    def clear(self, service: str, site: str) -> None:
        """Nothing to do: nodes are all that is made."""

    # ------------------------------------------------------------------------------------------ depot

    def put(self, digest: str, archive: bytes) -> None:
        """See `ports.Depot`. Every machine gets its copy."""
        with tempfile.TemporaryDirectory() as directory:
            unpack(archive, Path(directory) / "app", digest)
        until, sha256 = self._until(), hashlib.sha256(archive).hexdigest()
        self._each(lambda machine: machine.store(digest, archive, sha256, _left(until)))

    def has(self, digest: str) -> bool:
        """See `ports.Depot`. On every machine: one that lacks it could not become a node."""
        until = self._until()
        return all(digest in found for found in self._each(lambda machine: machine.stock(_left(until))))

    def list(self) -> frozenset[str]:
        """See `ports.Depot`."""
        until = self._until()
        return frozenset().union(*self._each(lambda machine: machine.stock(_left(until))))

    def remove(self, digest: str) -> None:
        """See `ports.Depot`."""
        until = self._until()
        self._each(lambda machine: machine.drop(digest, _left(until)))

    def may_put(self) -> None:
        """One user does both: `rights` tells."""

    def link(self, digest: str, expires_s: float) -> str:
        """Empty: the release lies on the machine already."""
        return ""

    def hand_over(self, name: str, contents: bytes, expires_s: float) -> str:
        """Empty: the environment comes with the claim."""
        return ""

    # ------------------------------------------------------------------------------------------ all machines

    def _until(self) -> float:
        return time.monotonic() + self._deadline_s

    def _look(self, until: float) -> Sequence[Seen]:
        """Every machine, or an error: a list without one of them would be a lie."""
        return self._each(lambda machine: machine.look(_left(until)))

    def _each(self, do: Callable[[Machine], T]) -> Sequence[T]:
        with ThreadPoolExecutor(min(AT_ONCE, len(self._machines))) as pool:
            return tuple(pool.map(do, self._machines.values()))


def _left(until: float) -> float:
    return until - time.monotonic()


def _attempt(do: Callable[[], T]) -> T | AdapterError:
    try:
        return do()
    except AdapterError as error:
        return error


# ------------------------------------------------------------------------------------ what is ours


def _claim_of(spec: NodeSpec, address: str) -> tuple[str, dict[str, object], dict[str, str]]:
    """The id, the label, and the environment of a node on that machine."""
    label: dict[str, object] = {
        "name": spec.name,
        "labels": spec.labels,
        "release": spec.release,
        "created_at_s": time.time(),
    }
    environment = {
        **spec.environment,
        "FAILOVER_ADDRESS": address,
        "FAILOVER_SITE": spec.site,
        "FAILOVER_RELEASE": spec.release,
        **({"PORT": str(spec.ports[0])} if spec.ports else {}),
    }
    return f"{address}/{secrets.token_hex(6)}", label, environment


def _age(seen: Seen) -> tuple[float, str]:
    return float(seen.label.get("created_at_s", 0.0)), seen.id


def _is_at(seen: Seen, service: str, site: str) -> bool:
    labels = seen.label.get("labels", {})
    return (labels.get("failover-service"), labels.get("failover-site")) == (service, site)


def _is(seen: Seen, node: Node) -> bool:
    labels = seen.label.get("labels", {})
    wanted = {
        "failover-site": node.site,
        "failover-group": node.group,
        "failover-ordinal": str(node.ordinal),
        "failover-spec": node.spec,
    }
    return "failover-service" in labels and all(labels.get(key) == value for key, value in wanted.items())


def _node(seen: Seen) -> Node:
    labels = seen.label["labels"]
    return Node(
        id=seen.id,
        name=seen.label["name"],
        site=labels["failover-site"],
        group=labels["failover-group"],
        ordinal=int(labels["failover-ordinal"]),
        spec=labels["failover-spec"],
        state=NodeState.RUNNING if seen.running else NodeState.STOPPED,
        addresses=(seen.address,),
        release=seen.label["release"],
        created_at_s=_age(seen)[0],
    )


def _size(seen: Seen) -> str:
    return f"{seen.cpus}-cpus-{seen.memory_mib}-mib-{seen.disk_gib}-gib"
