"""What `failover local` does: create, start, stop, list, and the provider's moods."""

import base64
import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from failover.errors import AdapterError, FailoverError, StateDamaged, TimedOut, UsageError
from failover.local import tokens
from failover.local.admin import order
from failover.local.files import locked, make_private, read_json, write_json
from failover.local.ledger import NODES_MAX_DEFAULT, Ledger, read_ledger, write_ledger
from failover.local.nodes import MARK
from failover.local.process import alive, kill_marked, send, wait_gone
from failover.local.registry import Kind, Place, find, place, places, read_record, running
from failover.local.tokens import Role

READY_S = 30.0
STOP_S = 10.0
_SERVICE = {Kind.CLOUD: "cloud", Kind.DNS: "dns", Kind.CONTROL: "control"}
_PASSED_ON = ("PATH", "HOME", "LANG", "TMPDIR", "TZ")
_PASSED_ON_PREFIX = "PYTHON"


# ---------------------------------------------------------------------------------------------- create


def create_cloud(root: Path, name: str, nodes_max: int = NODES_MAX_DEFAULT) -> bool:
    """An empty, active account that may have so many nodes. False when it exists already: then nothing changes."""

    def fill(directory: Path) -> None:
        for role in Role:
            tokens.create(directory, role)
        write_ledger(directory, Ledger(name=name, nodes_max=nodes_max))

    return _create(place(root, Kind.CLOUD, name), fill)


def create_dns(root: Path, name: str, zones: Sequence[str]) -> bool:
    """A DNS host with these zones, empty but for SOA and NS, and a fresh key for updates. False when it exists."""
    from failover.local import nameserver  # dnspython is slow to import, and only needed here

    def fill(directory: Path) -> None:
        tokens.create(directory, Role.OPERATOR)
        secret = base64.b64encode(secrets.token_bytes(32)).decode()
        nameserver.create(directory, zones, name, f"failover-{name}", secret)
        write_json(directory / "host.json", {"zones": list(zones)})

    if not zones:
        raise UsageError("create local DNS host", name, "it has no zones")
    return _create(place(root, Kind.DNS, name), fill)


def create_control(root: Path, name: str) -> bool:
    """A control: something that only answers. False when it exists."""
    return _create(place(root, Kind.CONTROL, name), lambda d: write_json(d / "control.json", {}))


def _create(wanted: Place, fill: Callable[[Path], None]) -> bool:
    """Made beside and then renamed: it is there as a whole or not at all, whoever comes first."""
    if wanted.exists():
        return False
    make_private(wanted.directory.parent)
    draft = wanted.directory.with_name(f".{wanted.name}.{secrets.token_hex(4)}")
    draft.mkdir(mode=0o700)
    try:
        fill(draft)
        draft.rename(wanted.directory)
    except OSError as error:
        if wanted.exists():
            return False
        raise StateDamaged(
            "create local", str(wanted), f"{wanted.directory}: {error.strerror}", "remove what is there"
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return True


# ---------------------------------------------------------------------------------------------- start and stop


def start(root: Path, names: Sequence[str] = ()) -> tuple[Place, ...]:
    """What is named (or everything) runs, and plays no fault. Returns what was not so before.

    Two at once start nothing twice. Raises UsageError, FailoverError (it cannot start), TimedOut.
    """
    chosen = _choose(root, names)
    changed = []
    with _hold(chosen):
        records = {p: running(p.directory) for p in chosen}
        launches = [(p, _launch(p)) for p in chosen if records[p] is None]
        for p, record in records.items():
            if record is not None and record.fault is not None:
                order(p, "recover")
                changed.append(p)
        problems = [problem for p, process in launches if (problem := _await_ready(p, process)) is not None]
    if problems:
        raise problems[0]
    return (*changed, *(p for p, _ in launches))


def stop(root: Path, names: Sequence[str] = ()) -> tuple[Place, ...]:
    """Nothing of what is named (or of everything) runs any more. Returns what ran before."""
    chosen = _choose(root, names)
    stopped = []
    with _hold(chosen):
        records = [(p, record) for p in chosen if (record := running(p.directory)) is not None]
        for _, record in records:
            send(record.identity, signal.SIGTERM)
        deadline = time.monotonic() + STOP_S
        for p, record in records:
            if not wait_gone(record.identity, max(0.0, deadline - time.monotonic())):
                send(record.identity, signal.SIGKILL)
                wait_gone(record.identity, STOP_S)
            stopped.append(p)
        _kill_strays([p for p in chosen if p.kind is Kind.CLOUD])
    return tuple(stopped)


def _choose(root: Path, names: Sequence[str]) -> tuple[Place, ...]:
    return tuple(dict.fromkeys(find(root, name) for name in names)) if names else places(root)


@contextlib.contextmanager
def _hold(chosen: Sequence[Place]) -> Iterator[None]:
    """The locks of all, always in the same order."""
    with contextlib.ExitStack() as stack:
        for p in sorted(chosen, key=lambda p: p.directory):
            stack.enter_context(locked(p.lock_path))
        yield


def _launch(p: Place) -> subprocess.Popen[bytes]:
    """Start the daemon's first process, which ends when the daemon is ready."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "failover.local", _SERVICE[p.kind], "--directory", str(p.directory)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={k: v for k, v in os.environ.items() if k in _PASSED_ON or k.startswith(_PASSED_ON_PREFIX)},
    )


def _await_ready(p: Place, process: subprocess.Popen[bytes]) -> FailoverError | None:
    hint = f"read {p.log_path}"
    try:
        _, errors = process.communicate(timeout=READY_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return TimedOut("start local", str(p), f"not ready within {READY_S:g} s", hint)
    if process.returncode == 0:
        return None
    return AdapterError("start local", str(p), errors.decode(errors="replace").strip(), hint)


def _kill_strays(clouds: Sequence[Place]) -> None:
    """Processes of nodes whose daemon was killed: programs die with it, but not what they forked."""
    ids: set[str] = set()
    for p in clouds:
        folder = p.directory / "nodes"
        ids |= {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
    kill_marked(MARK, ids)


# ---------------------------------------------------------------------------------------------- the provider's moods


def close(root: Path, name: str, reason: str) -> None:
    """The provider closes the account: nodes, disks and archives are gone, the API says no and why."""
    order(_cloud(root, "close", name), "close", reason=reason)


def reopen(root: Path, name: str) -> None:
    """The account is active again; what a closing deleted stays deleted."""
    order(_cloud(root, "reopen", name), "reopen")


def warn(root: Path, name: str, message: str) -> None:
    """The provider warns. Everything goes on."""
    order(_cloud(root, "warn", name), "warn", reason=message)


def fail(root: Path, name: str, mode: str = "drop", lag_s: float | None = None) -> None:
    """A cloud or DNS host breaks, until `start`. For the modes see `cloud.FAULTS` and `dnshost.FAULTS`."""
    fields = {} if lag_s is None else {"lag_s": lag_s}
    order(find(root, name), "fail", mode=mode, **fields)


def _cloud(root: Path, what: str, name: str) -> Place:
    found = find(root, name)
    if found.kind is not Kind.CLOUD:
        raise UsageError(f"local {what}", name, f"it is a {found.kind.label}, not a cloud")
    return found


# ---------------------------------------------------------------------------------------------- list


def listing(root: Path) -> dict[str, list[dict[str, object]]]:
    """Everything under the root as it is now, read from disk, so that it works whatever runs or not.

    Raises StateDamaged when a file cannot be read.
    """
    show = {Kind.CLOUD: _show_cloud, Kind.DNS: _show_dns, Kind.CONTROL: _show_control}
    found: dict[str, list[dict[str, object]]] = {kind.value: [] for kind in Kind}
    for p in places(root):
        found[p.kind.value].append({"name": p.name, **show[p.kind](p), **_state(p)})
    return found


def target(root: Path, name: str) -> str:
    """`address:port` of a control. Raises UsageError when there is none, or it was never started."""
    found = place(root, Kind.CONTROL, name)
    server = _server(found)
    if server is None:
        raise UsageError("find local control", name, "it was never started", f"failover local start {name}")
    return server


def _state(p: Place) -> dict[str, object]:
    record = running(p.directory)
    return {"running": record is not None, "fault": record.fault if record else None}


def _server(p: Place) -> str | None:
    """Where it answers, or did when it last ran: the port stays."""
    record = read_record(p.directory)
    return f"{record.address}:{record.port}" if record is not None else None


def _show_cloud(p: Place) -> dict[str, object]:
    ledger = read_ledger(p.directory)
    nodes = []
    for node in ledger.nodes:
        up = node.identity is not None and alive(node.identity)
        nodes.append(
            {
                "name": node.name,
                "address": node.address,
                "port": node.ports[0] if node.ports else None,
                "pid": node.identity.pid if up and node.identity else None,
                "state": "running" if up else "stopped",
            }
        )
    return {"account": ledger.status.value, "reason": ledger.reason, "nodes": nodes}


def _show_dns(p: Place) -> dict[str, object]:
    settings = read_json(p.settings_path) or {}
    return {"server": _server(p), "zones": settings.get("zones", [])}


def _show_control(p: Place) -> dict[str, object]:
    return {"server": _server(p)}
