"""failover doctor dns: what the world sees of our zones, before there is need of a cutover."""

from pathlib import Path

from failover.cli.doctor import FAILED, GOOD, documents, text
from failover.cli.output import Output, emit, emit_json
from failover.cli.wiring import config_of, context_of
from failover.cli.wiring_preflight import outside_of
from failover.config.model import Config
from failover.config.units import host_port
from failover.core.findings import Severity
from failover.core.preflight import preflight
from failover.engine.preflight import examine
from failover.errors import UsageError


def doctor_dns(config: Path | None, output: Output, *, roots: list[str], verbose: bool) -> int:
    found = config_of(config)
    roots = [_root(text) for text in roots]
    context = context_of(found)
    kinds = {host.name: host.kind for host in found.hosts.values()}
    facts = examine(context, outside_of(found, roots), kinds=kinds, guarded=_guarded(found))
    findings = preflight(context.service, facts)
    fails = any(finding.severity is Severity.FATAL for finding in findings)
    if output is Output.JSON:
        emit_json({"service": context.service.name, "cutover_would_fail": fails, "findings": documents(findings)})
    else:
        emit(text(findings, fails=fails, verbose=verbose))
    return FAILED if fails else GOOD


def _root(text: str) -> str:
    try:
        return host_port(text, 53)
    except ValueError as error:
        raise UsageError("read --root", text, str(error), "write it as 192.0.2.1:53") from error


def _guarded(config: Config) -> dict[str, str]:
    """What hosts a site, by its kind, or by the name that the config gives it."""
    found: dict[str, str] = {}
    for site in config.service.sites:
        if site.provider is not None:
            entry = config.providers.get(site.provider)
            found.setdefault(entry.kind if entry is not None else site.provider, site.name)
    return found
