"""failover local …: the local cloud from the outside."""

from collections.abc import Sequence
from pathlib import Path

from failover.cli.output import Output, emit, emit_json, progress, table
from failover.cli.wiring import config_of
from failover.local import control


def _root(config: Path | None) -> Path:
    return config_of(config).local_root


def listing(config: Path | None, output: Output) -> None:
    found = control.listing(_root(config))
    if output is Output.JSON:
        emit_json(found)
        return
    rows = []
    for cloud in found["clouds"]:
        nodes = cloud["nodes"]
        assert isinstance(nodes, list)  # noqa: S101  (the shape that `listing` promises)
        account = f"{cloud['account']}{_fault(cloud)}"
        rows.append([str(cloud["name"]), "cloud", _running(cloud), account])
        rows += [
            [f"  {n['name']}", "node", n["state"], f"{n['address']}:{n['port']} pid {n['pid'] or '-'}"] for n in nodes
        ]
    for host in found["dns"]:
        zones = host["zones"]
        names = " ".join(zones) if isinstance(zones, list) else ""
        rows.append([str(host["name"]), "dns", _running(host), f"{host['server']} {names}{_fault(host)}"])
    for beacon in found["controls"]:
        rows.append([str(beacon["name"]), "control", _running(beacon), f"{beacon['server']}{_fault(beacon)}"])
    emit(table(["NAME", "KIND", "STATE", "DETAIL"], rows) if rows else "nothing here yet; `failover apply` makes it")


def _running(entry: dict[str, object]) -> str:
    return "running" if entry["running"] else "stopped"


def _fault(entry: dict[str, object]) -> str:
    fault = entry.get("fault")
    return f" (failing: {fault})" if fault and fault != "none" else ""


def start(config: Path | None, names: Sequence[str]) -> None:
    for place in control.start(_root(config), names):
        progress(f"started {place.name}")


def stop(config: Path | None, names: Sequence[str]) -> None:
    for place in control.stop(_root(config), names):
        progress(f"stopped {place.name}")


def close(config: Path | None, name: str, reason: str) -> None:
    control.close(_root(config), name, reason)
    progress(f"the account of {name} is closed: its nodes and archives are gone")


def reopen(config: Path | None, name: str) -> None:
    control.reopen(_root(config), name)
    progress(f"the account of {name} is open again, and empty; `failover apply` fills it")


def warn(config: Path | None, name: str, message: str) -> None:
    control.warn(_root(config), name, message)
    progress(f"{name} warns: {message}")


def fail(config: Path | None, name: str, mode: str, lag_s: float | None) -> None:
    control.fail(_root(config), name, mode, lag_s)
    progress(f"{name} fails ({mode}) until `failover local start {name}`")
