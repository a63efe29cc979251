"""failover doctor: what would make a cutover fail, and how to mend it."""

from pathlib import Path

from failover.cli.output import Output, emit, emit_json, progress, table
from failover.cli.wiring import clocks_of, config_of, context_of, seconds_of
from failover.cli.wiring_rights import credentials_of
from failover.core.doctor import diagnose, would_fail
from failover.core.findings import Finding, Severity
from failover.engine.doctor import examine
from failover.errors import SecretError

GOOD, FAILED = 0, 1


def doctor(config: Path | None, output: Output, *, verbose: bool) -> int:
    found = config_of(config)
    try:
        watch, mirror = context_of(found), context_of(found, mirror=True)
    except SecretError as error:
        return _unreadable_secret(error, output)
    facts = examine(
        watch, mirror, clocks=clocks_of(found), seconds=seconds_of(found), credentials=credentials_of(found)
    )
    findings = diagnose(watch.service, facts)
    fails = would_fail(watch.service, facts, findings)
    if output is Output.JSON:
        emit_json({"service": watch.service.name, "cutover_would_fail": fails, "findings": documents(findings)})
    else:
        emit(text(findings, fails=fails, verbose=verbose))
        progress("`failover doctor dns` looks at delegation, name servers and registrar")
    return FAILED if fails else GOOD


def _unreadable_secret(error: SecretError, output: Output) -> int:
    """Nothing can be asked without it, and no cutover can be made: that is the finding."""
    remedy = error.hint or "make it readable for this user, and for this user only"
    finding = Finding(area="secret", subject=error.object, severity=Severity.FATAL, says=str(error), remedy=remedy)
    if output is Output.JSON:
        emit_json({"cutover_would_fail": True, "findings": documents((finding,))})
    else:
        emit(text((finding,), fails=True, verbose=True))
    return FAILED


def documents(findings: tuple[Finding, ...]) -> list[dict[str, str]]:
    return [
        {"area": f.area, "subject": f.subject, "severity": f.severity.value, "says": f.says, "remedy": f.remedy}
        for f in findings
    ]


def text(findings: tuple[Finding, ...], *, fails: bool, verbose: bool) -> str:
    shown = [f for f in findings if verbose or f.severity is not Severity.FINE]
    rows = [[f.severity.value.upper(), f.area, f.subject, f.says] for f in shown]
    rows = [row for row, f in zip(rows, shown, strict=True) for row in _with_remedy(row, f)]
    fine = sum(f.severity is Severity.FINE for f in findings)
    verdict = "a cutover would FAIL" if fails else "a cutover would go through"
    head = f"{fine} of {len(findings)} findings are fine; {verdict}"
    return f"{table(['SEVERITY', 'AREA', 'WHERE', 'WHAT'], rows)}\n\n{head}" if rows else head


def _with_remedy(row: list[str], finding: Finding) -> list[list[str]]:
    return [row, ["", "", "", f"→ {finding.remedy}"]] if finding.remedy else [row]
