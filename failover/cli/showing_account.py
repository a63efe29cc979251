"""show SITE: what a site's provider says about the account, over time, with every answer that nobody knew."""

from failover.cli.output import Output, emit, emit_json, table
from failover.core.evidence import ServiceMemory
from failover.core.model import Instant
from failover.core.saga import Event
from failover.core.world import State, Watch
from failover.engine.learning import STEP
from failover.ports import Store

EVENTS_MAX = 100_000


def show_site(store: Store, state: State, site: str, now: Instant, output: Output) -> None:
    watch = state.watch.get(site, Watch())
    unknown = [e for e in store.events(EVENTS_MAX) if e.step == STEP and e.output.get("site") == site]
    if output is Output.JSON:
        emit_json(_document(site, watch, unknown, now))
        return
    verdict, report = watch.verdict, watch.report
    emit(f"{site}: {verdict.kind if verdict else 'not judged yet'}")
    for sentence in verdict.evidence if verdict else ():
        emit(f"  {sentence}")
    said = " ".join(filter(None, (report.code, report.message))) if report else ""
    emit(f"account: {report.reading if report else 'never asked'}{f' ({said})' if said else ''}")
    rows = [_row(service, now) for service in watch.memory.services]
    if rows:
        emit("\n" + table(["SERVICE", "REGION", "CREDENTIAL", "SAID LAST", "WORKED", "REFUSES"], rows))
    emit("\n" + ("answers that are not known yet:" if unknown else "every answer was known"))
    for event in unknown:
        emit(f"  {event.reason}\n    {event.output.get('body') or 'no body'}")


def _row(service: ServiceMemory, now: Instant) -> list[str]:
    worked = _ago(service.worked_at, now) or "never"
    refuses = f"for {now.since(service.refused_since):.0f} s" if service.refused_since else "-"
    return [service.service, service.region or "-", service.credential or "first", service.signal, worked, refuses]


def _ago(at: Instant | None, now: Instant) -> str | None:
    return None if at is None else f"{now.since(at):.0f} s ago"


def _document(site: str, watch: Watch, unknown: list[Event], now: Instant) -> dict[str, object]:
    verdict, report = watch.verdict, watch.report
    return {
        "site": site,
        "verdict": verdict.kind.value if verdict else None,
        "evidence": list(verdict.evidence) if verdict else [],
        "account": {
            "reading": report.reading.value if report else None,
            "code": report.code if report else "",
            "message": report.message if report else "",
        },
        "services": [
            {
                "service": s.service,
                "region": s.region,
                "credential": s.credential or "first",
                "signal": s.signal.value,
                "worked_age_s": round(now.since(s.worked_at), 3) if s.worked_at else None,
                "refused_age_s": round(now.since(s.refused_since), 3) if s.refused_since else None,
            }
            for s in watch.memory.services
        ],
        "unknown_answers": [{**e.output, "at_utc_s": e.at.utc_s, "reason": e.reason} for e in unknown],
    }
