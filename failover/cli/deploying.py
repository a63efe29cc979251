"""plan, apply."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import typer

from failover.cli.output import Output, asked, counted, emit, emit_json, progress, site_progress, table
from failover.cli.showing import budgets_document, budgets_of, budgets_text, known_world
from failover.cli.showing_dns import promise, promise_document
from failover.cli.wiring import config_of, context_of, open_local
from failover.core.cutover import PlanKind
from failover.core.holds import shown
from failover.core.mirror import SitePlan
from failover.core.model import Service
from failover.core.places import LeftBehind, remedy, told
from failover.engine.deploy import Deployed, DeployPlan, deploy, look_ahead
from failover.engine.mirror import SiteResult
from failover.errors import UsageError

NOTHING, FAILED, CHANGES = 0, 1, 2


def confirmed(question: str, *, yes: bool) -> None:
    """Ask at a terminal; without one `--yes` must say so. Raises UsageError, typer.Abort."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("ask", f'"{question}"', "there is no terminal to ask at", "add --yes")
    if asked(f"{question} [y/N]:").lower() not in ("y", "yes"):
        raise typer.Abort


# ------------------------------------------------------------------------------------ plan


def plan(config: Path | None, output: Output) -> int:
    read = config_of(config)
    found = look_ahead(context_of(read, mirror=True, preview=True))
    world = known_world(read)
    now = {h.host: h for h in found.dns.hosts}  # what the hosts can promise counts also before the first check
    world = replace(world, state=replace(world.state, hosts={**world.state.hosts, **now}))
    budgets, held = budgets_of(read, world), shown(read.service, world)
    if output is Output.JSON:
        holds = [{"kind": word.lower(), "why": why} for word, why in held]
        emit_json({**_plan_document(found, read.service), "holds": holds, "budget": budgets_document(budgets)})
    else:
        parts = [
            _plan_text(found, read.service),
            "\n".join(f"{word}: {why}" for word, why in held),
            budgets_text(budgets),
        ]
        emit("\n\n".join(part for part in parts if part))
    if found.problems:
        return FAILED
    return CHANGES if found.changes else NOTHING


def _plan_document(found: DeployPlan, service: Service) -> dict[str, object]:
    dns = found.dns
    return {
        "changes": found.changes,
        "release": found.release,
        "problems": list(found.problems),
        "open_plan": found.open_plan.id if found.open_plan else None,
        "sites": [
            {
                "name": s.site,
                "problem": s.problem,
                "actions": [{"kind": a.kind.value, "what": a.what, "why": a.why} for a in s.actions],
            }
            for s in found.sites
        ],
        "left_behind": left_document(found.left),
        "dns": {
            "kind": dns.kind or "none",
            "site": dns.site,
            "put": [str(r) for r in dns.put],
            "standing": [str(r) for r in dns.standing],
            "needs_adopt": [str(r) for r in dns.strangers],
            "waits": dns.waits,
            "hosts": [{"host": h.host, "problem": h.problem, **promise_document(service, h)} for h in dns.hosts],
        },
    }


def left_document(left: Sequence[LeftBehind]) -> list[dict[str, object]]:
    return [{"site": one.site, "place": one.place, "nodes": one.nodes, "remedy": remedy(one)} for one in left]


def _plan_text(found: DeployPlan, service: Service) -> str:
    rows = [row for site in found.sites for row in _site_rows(site)]
    rows += [[one.site, "LEFT BEHIND", counted(one.nodes, "node"), f"{told(one)}: {remedy(one)}"] for one in found.left]
    dns, kind = found.dns, found.dns.kind or "none"
    if dns.kind is None:
        rows.append(["dns", "as wanted", "", ""])
    rows += [["dns", kind, str(r), ""] for r in dns.put]
    if dns.waits or (dns.kind is PlanKind.PUBLISH and not dns.put):
        rows.append(["dns", kind, f"{dns.site}", dns.waits or "the addresses are known when its nodes run"])
    rows += [["dns", "TAKE OVER", str(r), "exists already; needs --adopt"] for r in dns.strangers]
    rows += [["dns", "PROBLEM", "", p] for p in dns.problems]
    rows += [["dns", "host", h.host, promise(service, h)] for h in dns.hosts]
    text = table(["SITE", "CHANGE", "WHAT", "WHY"], rows)
    if found.problems:
        return f"{text}\n\n{counted(len(found.problems), 'problem')}; see above"
    return text if not found.changes else f"{text}\n\n`failover apply` makes these changes"


def _site_rows(site: SitePlan) -> list[list[str]]:
    if site.problem is not None:
        return [[site.site, "PROBLEM", "", site.problem]]
    if not site.actions:
        return [[site.site, "as wanted", "", ""]]
    return [[site.site, a.kind.value, a.what, a.why] for a in site.actions]


# ------------------------------------------------------------------------------------ apply


def apply(config: Path | None, output: Output, *, yes: bool, adopt: bool, wait_s: float) -> int:
    found = config_of(config)
    confirmed(f"mirror {found.service.name} to {len(found.service.sites)} sites?", yes=yes)
    for name in open_local(found):
        site_progress(name, "opened (local)")
    done = deploy(context_of(found, mirror=True), site_progress, adopt=adopt, lease_wait_s=wait_s)
    if output is Output.JSON:
        emit_json(_deployed(done))
    else:
        emit(_deployed_text(done))
    for problem in done.problems:
        progress(f"failover: {problem}")
    for left in done.left:
        progress(f"failover: {left.site}: {told(left)}\n  next: {remedy(left)}")
    if done.problems:
        progress("  next: mend it and run `failover apply` again; it goes on from what is there")
    return FAILED if done.problems else NOTHING


def _deployed(done: Deployed) -> dict[str, object]:
    dns = done.dns
    return {
        "changed": done.changed,
        "problems": list(done.problems),
        "sites": results_document(done.sites),
        "left_behind": left_document(done.left),
        "dns": {"plan": dns.plan.id, "epoch": dns.plan.epoch, "result": dns.result} if dns else None,
    }


def results_document(results: tuple[SiteResult, ...]) -> list[dict[str, object]]:
    return [{"name": r.site, "done": list(r.done), "problem": r.problem} for r in results]


def _deployed_text(done: Deployed) -> str:
    rows = [[r.site, "FAILED" if r.problem else "ok", counted(len(r.done), "change")] for r in done.sites]
    rows.append(["dns", done.dns.result, f"epoch {done.dns.plan.epoch}"] if done.dns else ["dns", "ok", "0 changes"])
    if not done.dns and any(p.startswith("dns:") for p in done.problems):
        rows[-1] = ["dns", "FAILED", ""]
    return table(["SITE", "RESULT", "CHANGES"], rows)
