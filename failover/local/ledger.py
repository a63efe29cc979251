"""What a local cloud remembers: its account and its nodes, in `cloud.json`."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from failover.errors import StateDamaged
from failover.local.files import read_json, write_json
from failover.local.process import Identity, alive

SCHEMA_VERSION = 1
NODES_MAX_DEFAULT = 20


class Status(StrEnum):
    """What the provider says of the account."""

    ACTIVE = "active"
    WARNED = "warned"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRecord:
    """One node. `wanted`: it is meant to run, also after the daemon was away; one that ended by itself is not."""

    id: str
    name: str
    labels: Mapping[str, str]
    image: str
    cpus: int
    memory_mib: int
    disk_gib: int
    ports: tuple[int, ...]
    release: str
    command: str
    address: str
    created_at_s: float
    wanted: bool = True
    identity: Identity | None = None
    last_exit: str = ""

    @property
    def running(self) -> bool:
        return self.wanted and self.identity is not None and alive(self.identity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The whole memory of a cloud, oldest node first."""

    name: str
    nodes_max: int
    status: Status = Status.ACTIVE
    reason: str = ""
    nodes: tuple[NodeRecord, ...] = ()

    def node(self, id: str) -> NodeRecord | None:
        return next((n for n in self.nodes if n.id == id), None)

    def named(self, name: str) -> NodeRecord | None:
        return next((n for n in self.nodes if n.name == name), None)


def write_ledger(directory: Path, ledger: Ledger) -> None:
    write_json(directory / "cloud.json", {"schema_version": SCHEMA_VERSION, **asdict(ledger)})


def read_ledger(directory: Path) -> Ledger:
    """Raises StateDamaged, also when there is none."""
    path = directory / "cloud.json"
    document = read_json(path)
    hint = f"remove {directory} to begin anew"
    if document is None:
        raise StateDamaged("read", str(path), "there is no such file", hint)
    if document.get("schema_version") != SCHEMA_VERSION:
        raise StateDamaged("read", str(path), f"schema {document.get('schema_version')!r} is not known here", hint)
    try:
        return _ledger(document)
    except (KeyError, TypeError, ValueError) as error:
        raise StateDamaged("read", str(path), f"{type(error).__name__}: {error}", hint) from error


def _ledger(document: dict[str, object]) -> Ledger:
    match document:
        case {
            "name": str(name),
            "nodes_max": int(most),
            "status": str(status),
            "reason": str(reason),
            "nodes": list(all),
        }:
            nodes = tuple(_node(item) for item in all)
            return Ledger(name=name, nodes_max=most, status=Status(status), reason=reason, nodes=nodes)
        case _:
            raise ValueError("a field is missing or of another type")


def _node(item: dict[str, object]) -> NodeRecord:
    match item:
        case {"id": str(), "labels": dict(), "ports": list(ports), "identity": None | dict() as identity}:
            known = Identity(**identity) if identity is not None else None
            fields: dict[str, Any] = {**item, "ports": tuple(ports), "identity": known}
            return NodeRecord(**fields)
        case _:
            raise ValueError("a node's field is missing or of another type")
