"""Where local clouds, DNS hosts and controls live on disk, and which of them run.

    ROOT/clouds/NAME/      cloud.json, daemon.json, watch.token, mirror.token, operator.token, archives/, nodes/ID/, log
    ROOT/dns/NAME/         host.json, daemon.json, operator.token, zones and key of the name server, log
    ROOT/controls/NAME/    control.json, daemon.json, log

Directories have mode 0700, files 0600 (but zones, which a name server tells everybody).
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from failover.errors import StateDamaged, UsageError
from failover.local.files import read_json, write_json
from failover.local.process import Identity, alive

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class Kind(StrEnum):
    """What a daemon is; the value is its folder's name."""

    CLOUD = "clouds"
    DNS = "dns"
    CONTROL = "controls"

    @property
    def label(self) -> str:
        return {"clouds": "cloud", "dns": "DNS host", "controls": "control"}[self.value]


SETTINGS = {Kind.CLOUD: "cloud.json", Kind.DNS: "host.json", Kind.CONTROL: "control.json"}
"""The file whose presence means that the thing was created."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One thing under the root."""

    kind: Kind
    name: str
    directory: Path

    def __str__(self) -> str:
        return f"{self.kind.label} {self.name}"

    @property
    def settings_path(self) -> Path:
        return self.directory / SETTINGS[self.kind]

    def exists(self) -> bool:
        """Whether it was created."""
        return self.settings_path.exists()

    @property
    def log_path(self) -> Path:
        return self.directory / "log"

    @property
    def lock_path(self) -> Path:
        return self.directory / "lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a daemon says of itself when it is ready. It stays after the daemon ended, so that ports stay the same.

    `admin_port` takes the operator's orders (a cloud's is its API's), None when there are none to take.
    """

    identity: Identity
    address: str
    port: int
    admin_port: int | None = None
    fault: str | None = None

    @property
    def running(self) -> bool:
        return alive(self.identity)


def place(root: Path, kind: Kind, name: str) -> Place:
    """Where a thing of that name is, or would be. Raises UsageError for a name that is not a DNS label."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"name local {kind.label}", repr(name), "not a name", "use lower-case letters, digits and hyphens"
        )
    return Place(kind=kind, name=name, directory=root.absolute() / kind.value / name)


def places(root: Path) -> tuple[Place, ...]:
    """Everything that was created under the root, by kind and name."""
    found = []
    for kind in Kind:
        folder = root / kind.value
        names = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
        found += [place(root, kind, name) for name in names if _NAME.fullmatch(name)]
    return tuple(p for p in found if p.exists())


def find(root: Path, name: str) -> Place:
    """The thing of that name: `aurora`, or `clouds/aurora` where kinds share a name. Raises UsageError."""
    known = places(root)
    found = [p for p in known if name in (p.name, f"{p.kind.value}/{p.name}")]
    if len(found) == 1:
        return found[0]
    if found:
        choices = ", ".join(f"{p.kind.value}/{p.name}" for p in found)
        raise UsageError("find", name, f"several have this name under {root}", f"write one of {choices}")
    names = ", ".join(p.name for p in known) or "none; `failover apply` creates those of the config"
    raise UsageError("find", name, f"no local cloud, DNS host or control of this name under {root}", f"known: {names}")


def read_record(directory: Path) -> Record | None:
    """What the daemon last said of itself, None when it never ran. Raises StateDamaged."""
    path = directory / "daemon.json"
    match read_json(path):
        case None:
            return None
        case {
            "pid": int(pid),
            "start": int(start),
            "boot_id": str(boot),
            "address": str(address),
            "port": int(port),
        } as d:
            admin_port, fault = d.get("admin_port"), d.get("fault")
            return Record(
                identity=Identity(pid=pid, start=start, boot_id=boot),
                address=address,
                port=port,
                admin_port=admin_port if isinstance(admin_port, int) else None,
                fault=fault if isinstance(fault, str) else None,
            )
        case _:
            raise StateDamaged("read", str(path), "it is not a daemon's record", f"remove {path} and start it again")


def write_record(directory: Path, record: Record) -> None:
    """Say what is running: other processes find the daemon by this file."""
    write_json(
        directory / "daemon.json",
        {
            "pid": record.identity.pid,
            "start": record.identity.start,
            "boot_id": record.identity.boot_id,
            "address": record.address,
            "port": record.port,
            "admin_port": record.admin_port,
            "fault": record.fault,
        },
    )


def running(directory: Path) -> Record | None:
    """The daemon's record if that very process runs now, else None. Raises StateDamaged."""
    record = read_record(directory)
    return record if record is not None and record.running else None
