"""vantage serve, vantage ask: several places that watch one service."""

import ipaddress
import os
import signal
import ssl
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

from failover.cli.output import Output, emit, emit_json, progress, table
from failover.cli.wiring import config_of, context_of, reachable_control
from failover.cli.wiring_vantages import serving, tls_of
from failover.config.model import Config
from failover.config.units import listen_at
from failover.core.health import isolated
from failover.core.model import Ballot, Outcome
from failover.engine.context import Context
from failover.engine.observe import look_again, targets_of
from failover.errors import StateMissing, UsageError

DONE, FAILED = 0, 1
PORT = 8443


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeWish:
    """What the command line says of a vantage that answers. `vantage` None: as FAILOVER_VANTAGE says."""

    vantage: str | None
    listen: str
    certificate: Path | None = None
    private_key: Path | None = None
    plain: bool = False


def place_of(wish: ServeWish) -> tuple[str, tuple[str, int]]:
    """Which vantage it is, and the address and port where it answers. Raises UsageError."""
    name = wish.vantage or os.environ.get("FAILOVER_VANTAGE")
    if name is None:
        raise UsageError("serve", "vantage", "it needs a name", "give --vantage, or set FAILOVER_VANTAGE")
    try:
        address = listen_at(wish.listen, PORT)
    except ValueError as error:
        raise UsageError("serve at", wish.listen, f"not ADDRESS:PORT: {error}") from error
    if (wish.certificate is None) != (wish.private_key is None):
        raise UsageError("serve", "with HTTPS", "--certificate and --private-key go together")
    if wish.certificate is None and not wish.plain and not ipaddress.ip_address(address[0]).is_loopback:
        hint = "give --certificate and --private-key, or --plain inside a tunnel"
        raise UsageError("serve at", wish.listen, "without HTTPS it answers on this machine only", hint)
    return name, address


def serve(config: Path | None, wish: ServeWish) -> int:
    """Until SIGTERM or SIGINT. SIGHUP reads a renewed certificate."""
    found = config_of(config)
    name, address = place_of(wish)
    files = (wish.certificate, wish.private_key) if wish.certificate and wish.private_key else None
    tls = tls_of(*files) if files else None
    server = serving(_with_controls(found), name, address, tls)
    stop = threading.Event()

    def on_signal(number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGHUP:
            stop.set()
        elif tls is not None and files is not None:
            _renew(tls, *files)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, on_signal)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    scheme = "https" if tls is not None else "http"
    progress(f"vantage {name} of {found.service.name} answers at {scheme}://{_shown(server.server_address)}")
    while not stop.wait(3600.0):
        pass
    server.shutdown()
    server.server_close()
    return DONE


def _with_controls(config: Config) -> Config:
    controls = tuple(reachable_control(config, control) for control in config.service.controls)
    return replace(config, service=replace(config.service, controls=controls))


def _shown(address: object) -> str:
    host, port = (address[0], address[1]) if isinstance(address, tuple) else ("", 0)
    return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"


def _renew(tls: ssl.SSLContext, certificate: Path, private_key: Path) -> None:
    try:
        tls.load_cert_chain(certificate, private_key)
    except OSError as error:
        progress(f"the renewed certificate cannot be used, the old one stays: {error.strerror or error}")
    else:
        progress("the renewed certificate is in use")


# ------------------------------------------------------------------------------------ asking


def ask(config: Path | None, names: list[str], output: Output) -> int:
    found = config_of(config)
    unknown = [name for name in names if name not in found.agents]
    if unknown or not found.agents:
        cause = "the config has no such vantage" if unknown else "the config has no vantage with an `agent`"
        raise UsageError("ask vantage", ", ".join(unknown), cause, f"known are: {', '.join(found.agents) or 'none'}")
    context = _asking_only(context_of(found), names)
    try:
        state = context.store.load()
    except StateMissing:
        from failover.core.world import State

        state = State(service=found.service.name)
    ballots = look_again(context, targets_of(context, state, context.service.sites)).ballots
    if output is Output.JSON:
        emit_json({"service": found.service.name, "vantages": [_document(ballot) for ballot in ballots]})
    else:
        emit(table(["VANTAGE", "CONTROLS", "SITE", "ADDRESS", "CHECK", "SEES"], [r for b in ballots for r in _rows(b)]))
    return FAILED if any(ballot.problem for ballot in ballots) else DONE


def _asking_only(context: Context, names: list[str]) -> Context:
    """Whoever is not named is not asked: one that hangs would be waited for. No names: all are."""
    service = context.service
    wanted = tuple(v for v in service.vantages if not names or v.name in (*names, service.vantage))
    return replace(context, service=replace(service, vantages=wanted))


def _document(ballot: Ballot) -> dict[str, object]:
    return {
        "name": ballot.vantage,
        "problem": ballot.problem,
        "isolated": isolated(ballot.controls),
        "controls": [{"target": c.target, "ok": c.ok, "detail": c.detail} for c in ballot.controls],
        "samples": [
            {
                "site": s.site,
                "address": s.address,
                "check": s.check,
                "outcome": s.outcome.value,
                "failure": s.failure.value if s.failure else None,
                "detail": s.detail,
            }
            for s in ballot.samples
        ],
    }


def _rows(ballot: Ballot) -> list[list[str]]:
    if ballot.problem is not None:
        return [[ballot.vantage, "", "", "", "", f"NOT HEARD: {ballot.problem}"]]
    controls = f"{sum(c.ok for c in ballot.controls)} of {len(ballot.controls)}"
    rows = [
        [ballot.vantage, controls, s.site, s.address, s.check, "ok" if s.outcome is Outcome.PASS else s.detail]
        for s in ballot.samples
    ]
    return rows or [[ballot.vantage, controls, "", "", "", "nothing to ask yet"]]
