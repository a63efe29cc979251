"""A local cloud's account and nodes: everything that changes them. Runs in the loop's thread only.

What is written to `cloud.json` comes first, what happens to processes after, so that a daemon that is killed between
the two finds on its next start what it was about to do.
"""

import secrets
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from failover.errors import FailoverError
from failover.local import addresses
from failover.local.depot import ArchiveStore
from failover.local.digests import Digests
from failover.local.ledger import Ledger, NodeRecord, Status, read_ledger, write_ledger
from failover.local.nodes import Supervisor
from failover.local.server import Refusal
from failover.local.wish import Wish


class Account:
    """The provider's side of one account. `ledger` may be read from any thread; it is replaced as a whole."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.nodes_path = directory / "nodes"
        self.ledger = read_ledger(directory)
        self.archives = ArchiveStore(directory / "archives")
        self.digests = Digests()
        self._supervisor = Supervisor(self.nodes_path)

    # ------------------------------------------------------------------------------------------ its life

    def start(self) -> None:
        """Bring back what was meant to run."""
        self.nodes_path.mkdir(mode=0o700, exist_ok=True)
        self._supervisor.clear_strays(node.id for node in self.ledger.nodes)
        if self.ledger.status is Status.CLOSED:  # a daemon killed while it closed may have left some
            self.archives.clear()
        self._write(nodes=tuple(self._started(n) if n.wanted else n for n in self.ledger.nodes))

    def stop(self) -> None:
        """End every node; they stay wanted and come back with the next start."""
        self._supervisor.stop_all()
        self._supervisor.clear_strays(node.id for node in self.ledger.nodes)

    def reap(self) -> None:
        """Nodes that ended by themselves are stopped from now on: to start them again is not the cloud's business."""
        ended = self._supervisor.reap()
        if ended:
            self._write(
                nodes=tuple(
                    replace(n, wanted=False, identity=None, last_exit=ended[n.id]) if n.id in ended else n
                    for n in self.ledger.nodes
                )
            )

    # ------------------------------------------------------------------------------------------ the customer's side

    def check_open(self) -> None:
        """Raises Refusal when the account is closed."""
        if self.ledger.status is Status.CLOSED:
            raise Refusal(403, "account_closed", self.ledger.reason)

    def existing(self, wish: Wish) -> NodeRecord | None:
        """The node that this wish means. Raises Refusal when another has its name, or when there is no room."""
        self.check_open()
        found = self.ledger.named(wish.name)
        if found is None and len(self.ledger.nodes) >= self.ledger.nodes_max:
            raise Refusal(403, "quota_exceeded", f"the account may have {self.ledger.nodes_max} nodes and has them")
        if found is not None and found.labels != wish.labels:
            raise Refusal(409, "name_taken", f"a node named {wish.name} has other labels")
        return found

    def create(self, wish: Wish, prepared: Path) -> NodeRecord:
        """The node of this wish, running. `prepared` is its folder, with the release in it; it is moved."""
        found = self.existing(wish)
        if found is not None:
            return self.run(found.id)
        record = NodeRecord(
            id=secrets.token_hex(8),
            name=wish.name,
            labels=wish.labels,
            image=wish.image,
            cpus=wish.cpus,
            memory_mib=wish.memory_mib,
            disk_gib=wish.disk_gib,
            ports=wish.ports,
            release=wish.release,
            command=wish.command,
            address=self._address(wish.ports),
            created_at_s=self._now_s(),
        )
        prepared.rename(self._supervisor.folder(record.id))
        self._write(nodes=(*self.ledger.nodes, record))
        return self._replace(self._started(record))

    def run(self, id: str) -> NodeRecord:
        """Start a node that stands still. Raises Refusal when its disk is gone, or itself by now."""
        self.check_open()
        record = self.ledger.node(id)
        if record is None:
            raise Refusal(409, "node_gone", "the node was destroyed meanwhile")
        if record.running:
            return record
        started = self._started(replace(record, wanted=True))
        self._replace(started)
        if not started.wanted:
            raise Refusal(409, "disk_lost", f"{started.last_exit}; destroy the node and create it again")
        return started

    def destroy(self, id: str) -> None:
        self.check_open()
        if self.ledger.node(id) is None:
            raise Refusal(404, "node_not_found", f"there is no node {id}")
        self._write(nodes=tuple(n for n in self.ledger.nodes if n.id != id))
        self._supervisor.kill([id])
        self._remove_disks([id])

    def commit(self, change: Callable[[], None]) -> None:
        """Do it unless the account is closed."""
        self.check_open()
        change()

    # ------------------------------------------------------------------------------------------ the provider's side

    def close(self, reason: str) -> None:
        """Stop everything, delete everything, say no from now on."""
        doomed = [node.id for node in self.ledger.nodes]
        self._write(status=Status.CLOSED, reason=reason, nodes=())
        self._supervisor.kill_all()
        self._remove_disks(doomed)
        self._supervisor.clear_strays(())
        self.archives.clear()

    def reopen(self) -> None:
        """Active again. What was deleted stays deleted."""
        self._write(status=Status.ACTIVE, reason="")

    def warn(self, message: str) -> None:
        if self.ledger.status is Status.CLOSED:
            raise Refusal(409, "account_closed", "a closed account cannot be warned; reopen it first")
        self._write(status=Status.WARNED, reason=message)

    def freeze(self) -> None:
        self._supervisor.freeze()

    def thaw(self) -> None:
        self._supervisor.thaw()

    # ------------------------------------------------------------------------------------------ within

    def _write(
        self,
        *,
        nodes: tuple[NodeRecord, ...] | None = None,
        status: Status | None = None,
        reason: str | None = None,
    ) -> None:
        before = self.ledger
        after = Ledger(
            name=before.name,
            nodes_max=before.nodes_max,
            status=before.status if status is None else status,
            reason=before.reason if reason is None else reason,
            nodes=before.nodes if nodes is None else nodes,
        )
        try:
            write_ledger(self._directory, after)
        except OSError as error:
            raise Refusal(507, "storage_failed", f"cloud.json: {error.strerror}") from error
        self.ledger = after

    def _replace(self, record: NodeRecord) -> NodeRecord:
        self._write(nodes=tuple(record if n.id == record.id else n for n in self.ledger.nodes))
        return record

    def _started(self, record: NodeRecord) -> NodeRecord:
        """The record with its process, or stopped with the reason."""
        try:
            return replace(record, identity=self._supervisor.start(record), last_exit="")
        except (OSError, FailoverError) as error:
            return replace(record, wanted=False, identity=None, last_exit=f"its disk cannot be used: {error}")

    def _address(self, ports: tuple[int, ...]) -> str:
        """Not one of any node of the clouds beside this one."""
        used = {node.address for node in self.ledger.nodes}
        for sibling in self._directory.parent.iterdir():
            try:
                used |= {node.address for node in read_ledger(sibling).nodes}
            except FailoverError:  # just being made or removed, or damaged; the trial to bind still protects
                continue
        try:
            return addresses.pick(ports, used)
        except addresses.NoAddress as error:
            raise Refusal(400, "port_unavailable", str(error)) from error

    def _now_s(self) -> float:
        """UTC, and later than every node's: the order of creation is the order of this number."""
        now_s = time.time()  # noqa: TID251 - a provider has a clock of its own
        return max([now_s, *(node.created_at_s + 1e-6 for node in self.ledger.nodes)])

    def _remove_disks(self, ids: list[str]) -> None:
        for id in ids:
            folder = self._supervisor.folder(id)
            shutil.rmtree(folder, ignore_errors=True)
            self.digests.forget(folder / "release")
