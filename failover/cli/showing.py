"""status, history, show: from the stored state alone, without a question to the outside."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from failover.cli.output import Output, emit, emit_json, table
from failover.cli.showing_dns import host_document, hosts_text
from failover.cli.wiring import config_of, instant, store_of
from failover.config.model import Config
from failover.core.budget import Term, cadence_s, observed_cadence_s, quiet_ttl_s, sentence, terms, total_s
from failover.core.cutover import CutoverPlan
from failover.core.decide import candidates, question
from failover.core.edge import moves_behind_edge
from failover.core.health import HealthState
from failover.core.holds import against_target, flapping, maintenance, shown
from failover.core.hosting import longest_ttl_s
from failover.core.model import Service, Site
from failover.core.outlook import next_action, safe, stale_s
from failover.core.saga import Event, EventKind
from failover.core.world import State, View, Watch, World
from failover.engine.debts import stale_sentence
from failover.errors import StateMissing, UsageError
from failover.ports import Store

DONE = 0
CLEAR = "\x1b[H\x1b[2J"


# ------------------------------------------------------------------------------------ status


def status(config: Path | None, output: Output, *, watch: bool) -> int:
    found = config_of(config)
    store = store_of(found)
    while watch:
        text = _text(found, world_of(store))
        emit(f"{CLEAR}{text}" if output is Output.TABLE else text)
        time.sleep(1.0)
    world = world_of(store)
    if output is Output.JSON:
        emit_json(_document(found, world))
    else:
        emit(_text(found, world))
    return DONE


def world_of(store: Store) -> World:
    """The world of the last round, seen from now."""
    state = store.load()
    return World(
        now=instant(),
        state=state,
        orders=store.orders(),
        hosts=state.hosts,
        isolated=state.isolated,
        controls_ok=state.controls_ok,
    )


def known_world(config: Config) -> World:
    """The world of the last round; before the first `apply` an empty one."""
    try:
        return world_of(store_of(config))
    except StateMissing:
        return World(now=instant(), state=State(service=config.service.name))


def budget_of(config: Config, world: World) -> tuple[Term, ...]:
    """The worst case of the next cutover: to the site that would be chosen now, else to the next in preference."""
    service, active = config.service, world.state.active_site or config.service.sites[0].name
    ready = candidates(service, world, active)
    others = [s for s in service.sites if s.name != active]
    target = service.site(ready[0]) if ready else others[0] if others else service.sites[0]
    return _terms(config, world, target)


def _terms(config: Config, world: World, target: Site) -> tuple[Term, ...]:
    """With what the last rounds found out: how far apart they were, and what the DNS hosts can promise."""
    service, readings = config.service, world.state.hosts.values()
    return terms(
        service,
        target,
        hooks_s=config.hooks.before_s,
        intervals_s=world.state.intervals_s,
        ttl_s=longest_ttl_s(quiet_ttl_s(service), readings),
        propagation_s=max([r.traits.converges_s for r in readings if r.traits is not None], default=0.0),
        edge=moves_behind_edge(service, readings),
    )


def budgets_of(config: Config, world: World) -> dict[str, tuple[Term, ...]]:
    """By site that is not the active one: the worst case of a cutover to it."""
    service, active = config.service, world.state.active_site or config.service.sites[0].name
    return {site.name: _terms(config, world, site) for site in service.sites if site.name != active}


def budgets_document(found: Mapping[str, Sequence[Term]]) -> dict[str, object]:
    return {site: [asdict(term) for term in budget] for site, budget in found.items()}


def budgets_text(found: Mapping[str, Sequence[Term]]) -> str:
    """A line for each site."""
    return "\n".join(f"a cutover to {site} takes at most {sentence(budget)}" for site, budget in found.items())


def _document(config: Config, world: World) -> dict[str, object]:
    service, state = config.service, world.state
    budget = budget_of(config, world)
    pause = world.orders.pause_at(world.now)
    return {
        "service": service.name,
        "active_site": state.active_site,
        "epoch": state.epoch,
        "paused": pause is not None,
        "pause_reason": pause.reason if pause else None,
        "holds": [{"kind": word.lower(), "why": why} for word, why in shown(service, world)],
        "safe": safe(service, world) and stale_s(service, world) is None,
        "next": _next(service, world),
        "decision": state.decision,
        "reasons": list(state.reasons),
        "sites": [_site(config, world, site.name) for site in service.sites],
        "dns": [host_document(service, world, name) for name in state.hosts],
        "debts": [
            {"host": d.host, "epoch": d.epoch, "reason": d.reason, "stale_servers": list(d.stale)} for d in state.debts
        ],
        "open_plan": state.open_plan.id if state.open_plan else None,
        "proposal": state.proposal.id if state.proposal else None,
        "isolated": state.isolated,
        "vantages": [_vantage(service, world, v.name) for v in service.others],
        "last_check_age_s": round(world.now.since(state.last_tick), 3) if state.last_tick else None,
        "cadence_s": {
            "configured": cadence_s(service),
            "observed": _rounded(observed_cadence_s(state.intervals_s)),
        },
        "budget_s": round(total_s(budget), 3),
        "budget": [asdict(t) for t in budget],
        "not_required": ["data sets", "drills"],
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def _vantage(service: Service, world: World, name: str) -> dict[str, object]:
    view = world.state.views.get(name, View(problem="it was never asked"))
    (provider,) = [v.provider for v in service.others if v.name == name]
    return {
        "name": name,
        "provider": provider,
        "problem": view.problem,
        "isolated": view.isolated,
        "votes": dict(view.votes),
        "heard_age_s": round(world.now.since(view.at), 3) if view.at else None,
    }


def _vantages_text(service: Service, world: World) -> str:
    rows = []
    for vantage in service.others:
        view = world.state.views.get(vantage.name, View(problem="it was never asked"))
        how = "NOT HEARD" if view.problem else "ISOLATED" if view.isolated else "ok"
        says = view.problem or ", ".join(f"{site} {vote}" for site, vote in view.votes.items())
        rows.append([vantage.name, vantage.provider, how, says])
    return table(["VANTAGE", "PROVIDER", "STATE", "SAYS"], rows)


def _next(service: Service, world: World) -> str:
    stale = stale_s(service, world)
    if world.state.last_tick is None:
        return "the first check judges the sites: run `failover check` from cron, or `failover watch`"
    if stale is not None:
        return f"nothing happens: the last check was {stale:.0f} s ago; run `failover check` or `failover watch`"
    return next_action(service, world)


def _site(config: Config, world: World, name: str) -> dict[str, object]:
    site = config.service.site(name)
    watch = world.state.watch.get(name, Watch())
    verdict, readiness = watch.verdict, watch.readiness
    forced = world.orders.forced_at(world.now).get(name)
    held = against_target(config.service, world, name)
    return {
        "name": name,
        "provider": site.provider,
        "verdict": verdict.kind.value if verdict else "UNKNOWN",
        "since_s": round(world.now.since(verdict.since), 1) if verdict else None,
        "standby": site.standby.value,
        "active": name == world.state.active_site,
        "ready": bool(readiness and readiness.ready and not held),
        "reasons": [*(readiness.reasons if readiness else ["it was never checked"]), *held],
        "forced": forced.word.value if forced else None,
        "forced_reason": forced.reason if forced else None,
        "maintenance": maintenance(config.service, world.now, name) is not None,
        "flapping": flapping(config.service, world.now, name, watch) is not None,
        "evidence": list(verdict.evidence) if verdict else [],
        "addresses": list(watch.addresses),
    }


def _text(config: Config, world: World) -> str:
    service, state = config.service, world.state
    is_safe = safe(service, world) and stale_s(service, world) is None
    lines = [
        f"{service.name}: active at {state.active_site or 'no site'} (epoch {state.epoch}), "
        f"{'DOWN' if _down(world) else 'safe' if is_safe else 'NOT SAFE'}",
        f"next: {_next(service, world)}",
    ]
    lines += [f"{word}: {why}" for word, why in shown(service, world)]
    if state.isolated:
        lines.append("ISOLATED: this vantage does not reach its own controls")
    if state.proposal is not None and state.open_plan is None:
        lines.append(f"ASKING: {question(world, state.proposal)}")
    lines += [f"DEBT: {d.host} does not hold epoch {d.epoch}: {d.reason}" for d in state.debts]
    old = stale_sentence(state)
    lines += [f"DEBT: {old}"] if old else []
    lines += ["", _sites_text(config, world)]
    if service.others:
        lines += ["", _vantages_text(service, world)]
    lines += ["", hosts_text(service, world), "", _budget_text(config, world)]
    return "\n".join(lines)


def _down(world: World) -> bool:
    """Whether the active site does not serve: then nothing is safe, whatever would come next."""
    watch = world.state.watch.get(world.state.active_site or "")
    verdict = watch.verdict if watch else None
    return verdict is not None and verdict.data_plane is HealthState.DOWN


def _sites_text(config: Config, world: World) -> str:
    rows = []
    for site in config.service.sites:
        found = _site(config, world, site.name)
        ready = "active" if found["active"] else "ready" if found["ready"] else "NOT READY"
        reasons, evidence = found["reasons"], found["evidence"]
        why = evidence if found["active"] and found["verdict"] != "UP" else reasons
        said = "; ".join(why) if isinstance(why, list) else ""
        rows.append([site.name, site.provider or "-", site.standby.value, str(found["verdict"]), ready, said])
    return table(["SITE", "PROVIDER", "STANDBY", "VERDICT", "STATE", "WHY"], rows)


def _budget_text(config: Config, world: World) -> str:
    budget = budget_of(config, world)
    rows = [[t.term, f"{t.seconds:g} s", t.why] for t in budget]
    head = f"worst case from fault to verified cutover: {total_s(budget):g} s"
    return f"{head}\n{table(['TERM', 'AT MOST', 'WHY'], rows)}"


# ------------------------------------------------------------------------------------ history


def history(config: Path | None, output: Output, limit: int) -> None:
    store = store_of(config_of(config))
    store.load()
    plans = store.plans(limit)
    notes = [e for e in store.events(limit) if e.kind is EventKind.NOTE]
    store.verify()
    if output is Output.JSON:
        emit_json({"plans": [_plan(store, p) for p in plans], "notes": [_event(e) for e in notes]})
        return
    rows = [
        [_time(p.at.utc_s), p.id, f"{p.source or '-'} → {p.target}", _result(store.journal(p.id)), "; ".join(p.reasons)]
        for p in plans
    ]
    emit(table(["AT", "PLAN", "MOVE", "RESULT", "WHY"], rows) if rows else "no plan yet")
    if notes:
        emit("\n" + table(["AT", "WHAT", "DETAIL"], [[_time(e.at.utc_s), e.step, e.reason] for e in notes]))


def show(config: Path | None, output: Output, plan_id: str) -> None:
    found = config_of(config)
    store = store_of(found)
    state = store.load()
    if plan_id in {site.name for site in found.service.sites}:
        from failover.cli.showing_account import show_site

        show_site(store, state, plan_id, instant(), output)
        return
    plan = next((p for p in store.plans(100_000) if p.id == plan_id), None)
    if plan is None:
        raise UsageError("show", plan_id, "there is no plan of that id, and no such site", "failover history")
    if output is Output.JSON:
        emit_json(_plan(store, plan))
        return
    emit(f"{plan.id}: {plan.kind} {plan.source or '-'} → {plan.target}, epoch {plan.epoch} after {plan.parent_epoch}")
    how = "automatic" if plan.automatic else "by hand"
    emit(f"made {_time(plan.at.utc_s)}, {how}{', forced' if plan.forced else ''}")
    for title, lines in (
        ("because", plan.reasons),
        ("before", [str(r) for r in plan.before]),
        ("after", [str(r) for r in plan.rrsets]),
    ):
        emit("\n".join(f"{title:<8} {line}" for line in lines) or f"{title:<8} -")
    rows = [[_time(e.at.utc_s), e.step, e.kind.value, e.reason] for e in store.journal(plan.id)]
    emit("\n" + table(["AT", "STEP", "EVENT", "DETAIL"], rows))


def _plan(store: Store, plan: CutoverPlan) -> dict[str, object]:
    journal = store.journal(plan.id)
    return {
        "id": plan.id,
        "kind": plan.kind.value,
        "epoch": plan.epoch,
        "parent_epoch": plan.parent_epoch,
        "source": plan.source,
        "target": plan.target,
        "automatic": plan.automatic,
        "forced": plan.forced,
        "verdict": plan.verdict,
        "reasons": list(plan.reasons),
        "at_utc_s": plan.at.utc_s,
        "result": _result(journal),
        "before": [str(r) for r in plan.before],
        "after": [str(r) for r in plan.rrsets],
        "events": [_event(e) for e in journal],
    }


def _result(journal: tuple[Event, ...]) -> str:
    if not journal:
        return "never started"
    last = journal[-1]
    return last.reason if last.kind is EventKind.CLOSED else "under way"


def _event(event: Event) -> dict[str, object]:
    return {
        "sequence": event.sequence,
        "step": str(event.step),
        "kind": event.kind.value,
        "at_utc_s": event.at.utc_s,
        "reason": event.reason,
        "output": dict(event.output),
    }


def _time(utc_s: float) -> str:
    return datetime.fromtimestamp(utc_s, UTC).strftime("%Y-%m-%d %H:%M:%S")
