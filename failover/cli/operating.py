"""cutover, failback, approve, abort, continue, pause, unpause, drain, force."""

import sys
from pathlib import Path

from failover.cli.deploying import confirmed
from failover.cli.durations import seconds_for
from failover.cli.output import Output, asked, emit, emit_json, progress
from failover.cli.wiring import config_of, context_of, instant, store_of
from failover.config.model import Config
from failover.core.model import Instant
from failover.core.saga import Result
from failover.core.world import Forced, ForcedAs, Pause, Prepared
from failover.engine import operate, ttl
from failover.engine.account import Word, say
from failover.engine.operate import Outcome
from failover.engine.ttl import Readied
from failover.errors import UsageError

DONE, FAILED = 0, 1


def cutover(
    config: Path | None,
    output: Output,
    site: str | None,
    *,
    yes: bool,
    force: bool,
    lease_wait_s: float,
    wait_s: float,
) -> int:
    found = config_of(config)
    _ask(found, f"cut {found.service.name} over to {site or 'the first ready site'}?", yes=yes, force=force)
    context = context_of(found)
    return _print(
        operate.cutover(context, site, forced=force, lease_wait_s=lease_wait_s, wait_s=wait_s, tell=progress), output
    )


def failback(config: Path | None, output: Output, *, yes: bool, force: bool, lease_wait_s: float, wait_s: float) -> int:
    found = config_of(config)
    context = context_of(found)
    target = operate.failback_target(context, context.store.load())
    _ask(found, f"move {found.service.name} back to {target}?", yes=yes, force=force)
    return _print(
        operate.cutover(context, target, forced=force, lease_wait_s=lease_wait_s, wait_s=wait_s, tell=progress), output
    )


def _ask(config: Config, question: str, *, yes: bool, force: bool) -> None:
    """A forced move goes to a site that may not work: that asks for the service's name, typed out."""
    if not force or yes or not sys.stdin.isatty():
        confirmed(question, yes=yes)
        return
    name = asked(f"{question} Its target is not proven. Type the service's name to go on:")
    if name != config.service.name:
        raise UsageError("force", question, f"{name!r} is not the name of the service")


def _print(outcome: Outcome, output: Output) -> int:
    plan = outcome.plan
    if output is Output.JSON:
        emit_json(
            {
                "plan": plan.id,
                "kind": plan.kind.value,
                "epoch": plan.epoch,
                "source": plan.source,
                "target": plan.target,
                "result": outcome.result,
                "reason": outcome.reason,
            }
        )
    else:
        emit(f"{plan.kind} to {plan.target}: {outcome.result} (epoch {plan.epoch}, plan {plan.id})")
    if outcome.committed:
        return DONE
    progress(f"failover: {plan.id} is {outcome.result}: {outcome.reason}")
    if outcome.result is Result.WAITING:
        progress(f"  next: every check goes on with it; `failover show {plan.id}` tells how it stands")
    return FAILED


def go_on(
    config: Path | None, output: Output, plan: str | None, *, force: bool, lease_wait_s: float, wait_s: float
) -> int:
    context = context_of(config_of(config))
    return _print(
        operate.go_on(context, plan, forced=force, lease_wait_s=lease_wait_s, wait_s=wait_s, tell=progress), output
    )


def account(config: Path | None, site: str, word: str, *, lease_wait_s: float) -> None:
    if word not in set(Word):
        raise UsageError("account", f"{site} {word}", f"the word is one of {', '.join(Word)}")
    say(context_of(config_of(config)), site, Word(word), lease_wait_s=lease_wait_s)
    progress(
        f"remembered of the account of {site}: {word}. Alone it moves nothing; `failover status` shows the evidence"
    )


# ------------------------------------------------------------------------------------ orders: no lock is needed


def approve(config: Path | None, proposal: str) -> None:
    store = store_of(config_of(config))
    state = store.load()
    if state.proposal is None or state.proposal.id != proposal:
        known = state.proposal.id if state.proposal else "none"
        raise UsageError("approve", proposal, f"there is no such proposal (open: {known})", "failover status")
    asked = state.proposal
    if instant().since(asked.at) > asked.expires_after_s:
        raise UsageError("approve", proposal, "it has expired", "failover status; the next check asks again if need be")
    store.approve(proposal)
    progress(f"approved: the next check cuts over to {asked.target}, if that is still right")


def abort(config: Path | None, plan: str) -> None:
    store = store_of(config_of(config))
    state = store.load()
    if state.open_plan is None or state.open_plan.id != plan:
        known = state.open_plan.id if state.open_plan else "none"
        raise UsageError("abort", plan, f"it is not under way (open: {known})", "failover history")
    store.abort(plan)
    progress(f"{plan} unwinds at the next check, unless its pivot has started: from then on only forward")


def pause(config: Path | None, reason: str, duration: str | None) -> None:
    now = instant()
    until = _until(now, duration)
    store_of(config_of(config)).set_pause(Pause(since=now, reason=reason, until=until))
    progress(f"paused{f' for {duration}' if duration else ''}: {reason}. Checks go on, nothing automatic starts")


def unpause(config: Path | None) -> None:
    store_of(config_of(config)).set_pause(None)
    progress("not paused any more")


def prepare(
    config: Path | None,
    output: Output,
    reason: str,
    duration: str | None,
    *,
    end: bool,
    lease_wait_s: float,
    wait_s: float,
) -> int:
    now = instant()
    until = _until(now, duration)
    order = None if end else Prepared(since=now, reason=reason, until=until)
    done = ttl.prepare(context_of(config_of(config)), order, lease_wait_s=lease_wait_s, wait_s=wait_s)
    return _print_readied(done, output, end=end)


def _print_readied(done: Readied, output: Output, *, end: bool) -> int:
    plan, committed = done.outcome and done.outcome.plan, done.outcome is None or done.outcome.committed
    if output is Output.JSON:
        emit_json(
            {
                "ttl_s": done.ttl_s,
                "plan": plan.id if plan else None,
                "result": done.outcome.result if done.outcome else "nothing to do",
                "cached_s": 0.0 if end else done.cached_s,
            }
        )
    else:
        emit(f"the TTL is {done.ttl_s} s" if committed else f"the TTL is to become {done.ttl_s} s")
    if done.cached_s and committed and not end:
        progress(f"caches may keep the old answer for {done.cached_s:g} s more; then `failover cutover` is quick")
    if done.outcome is not None and not committed:
        progress(f"failover: {done.outcome.plan.id} is {done.outcome.result}: {done.outcome.reason}")
        progress("  next: every check goes on with it; `failover status` tells how it stands")
    return DONE if committed else FAILED


def forced_word(word: str | None, *, clear: bool) -> str | None:
    """What `failover force` was told; None: to take it back. Raises UsageError."""
    if clear and word is None:
        return None
    if clear or word not in (ForcedAs.UP, ForcedAs.DOWN):
        raise UsageError("force", word or "", "say one of `up`, `down` and `--clear`", "failover force SITE down")
    return word


def force(config: Path | None, site: str, word: str | None, reason: str, duration: str | None) -> None:
    found = config_of(config)
    store, now = store_of(found), instant()
    if site not in {s.name for s in found.service.sites} and (word or site not in store.orders().forced):
        names = ", ".join(s.name for s in found.service.sites)
        raise UsageError("force", site, f"the config names no such site; there is {names}")
    if word is None:
        store.force(site, None)
        progress(f"{site} counts as its checks say")
        return
    until = _until(now, duration)
    store.force(site, Forced(word=ForcedAs(word), since=now, reason=reason, until=until))
    progress(f"{site} is {word}{f' for {duration}' if duration else ''}: {reason}. {_WORDS[ForcedAs(word)]}")
    if store.load().active_site == site and word != ForcedAs.UP:
        progress("  next: it is the active site; `failover cutover` moves the service away")


_WORDS = {
    ForcedAs.UP: "It counts as up whatever its checks say; a target must prove itself all the same",
    ForcedAs.DOWN: "It counts as down whatever its checks say, from the next check on",
    ForcedAs.DRAINED: "Nothing moves there",
}


def _until(now: Instant, duration: str | None) -> Instant | None:
    """When an order ends by itself; None: when it is taken back."""
    return now.plus(seconds_for(duration)) if duration is not None else None
