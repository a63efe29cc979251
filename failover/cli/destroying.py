"""destroy: everything, or one site."""

from pathlib import Path

from failover.cli.deploying import confirmed, results_document
from failover.cli.output import Output, counted, emit, emit_json, progress, site_progress, table
from failover.cli.wiring import config_of, context_of, store_of
from failover.engine.mirror import SiteResult
from failover.engine.teardown import tear_down, tear_down_site
from failover.errors import FailoverError, UsageError

DONE, FAILED = 0, 1


def destroy(config: Path | None, output: Output, *, yes: bool, wait_s: float) -> int:
    found = config_of(config)
    store_of(found).load()  # nothing to take down is said before a question, and before a lock is made
    confirmed(f"take {found.service.name} out of DNS and destroy its nodes at every site?", yes=yes)
    try:
        results = tear_down(context_of(found, mirror=True), site_progress, lease_wait_s=wait_s)
    except FailoverError as error:
        if not error.hint:
            error.hint = "failover destroy again"
        raise
    return _told(results, output, "gone", "failover destroy")


def destroy_site(
    config: Path | None, output: Output, site: str | None, *, forget: bool, yes: bool, wait_s: float
) -> int:
    if site is None:
        raise UsageError("forget", "", "at which site?", "failover destroy --site SITE --forget")
    found = config_of(config)
    store_of(found).load()
    what = "forget that anything stands" if forget else f"destroy what {found.service.name} has"
    confirmed(f"{what} at {site}?", yes=yes)
    context = context_of(found, mirror=True)
    result = tear_down_site(context, site, site_progress, forget=forget, lease_wait_s=wait_s)
    return _told((result,), output, "forgotten" if forget else "gone", f"failover destroy --site {site}")


def _told(results: tuple[SiteResult, ...], output: Output, done: str, again: str) -> int:
    problems = [f"{r.site}: {r.problem}" for r in results if r.problem is not None]
    if output is Output.JSON:
        emit_json({"sites": results_document(results), "problems": problems})
    else:
        rows = [[r.site, "FAILED" if r.problem else done, counted(len(r.done), "thing")] for r in results]
        emit(table(["SITE", "RESULT", "REMOVED"], rows))
    for problem in problems:
        progress(f"failover: {problem}")
    if problems:
        progress(f"  next: `{again}` again; it goes on with what is left")
    return FAILED if problems else DONE
