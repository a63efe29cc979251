"""DNS hosts that lag behind the published plan: brought up to date, or shown as a debt."""

from collections.abc import Mapping
from dataclasses import replace

from failover.core.facts import accepted, served, stale_servers, still_old
from failover.core.model import HostReading
from failover.core.rrsets import same_values
from failover.core.safety import highest_epoch, lowest_epoch
from failover.core.world import Debt, State
from failover.engine.context import Context
from failover.engine.notify import note
from failover.engine.planning import still_ours
from failover.engine.publish import HostState, swap_everywhere
from failover.engine.served import prove


def behind(context: Context, state: State, hosts: Mapping[str, HostReading]) -> list[str]:
    """Readable hosts whose epoch is below the published one, in any zone."""
    published = state.published
    if published is None:
        return []
    return [
        name
        for name, reading in hosts.items()
        if reading.problem is None and lowest_epoch(context.service, reading) < published.epoch
    ]


def settle(context: Context, state: State, hosts: Mapping[str, HostReading], *, term: int) -> State:
    """Bring hosts that lag behind to the published plan; forget debts that are settled and served.

    The fence makes this safe: a host that holds a newer epoch refuses. One that cannot refuse follows only after the
    better ones have been read once more, which may hold a newer plan by now.
    """
    published, late = state.published, behind(context, state, hosts)
    state = replace(state, debts=tuple(d for d in state.debts if d.host in hosts))
    owing = set(late) | {d.host for d in state.debts}
    readable = [name for name, reading in hosts.items() if reading.problem is None]
    able = owing & set(readable)
    if published is None or state.open_plan is not None or not owing:
        return state
    if late:
        note(context, "settle", f"bring {', '.join(late)} to epoch {published.epoch}", term=term)
    plan = replace(published, hosts=tuple(readable))
    results = swap_everywhere(context, plan, published.rrsets, patience_over=True) if able else ()
    taken = {r.host for r in results if r.state is HostState.DONE} & owing
    now, epoch = context.runtime.now(), published.epoch
    answers = prove(context, published, published.rrsets, [h for h in hosts if h in owing]).answers
    facts = served(accepted(state.facts, taken, epoch=epoch, now=now), answers, epoch=epoch, now=now)
    debts = {d.host: d for d in state.debts}
    why = {r.host: r.reason for r in results if r.host not in taken}
    for host in (h for h in hosts if h in owing):
        theirs = [a for a in answers if a.host == host]
        unserving = "; ".join(dict.fromkeys(f"{a.address}: {a.late}" for a in theirs if a.late))
        if host in taken and not unserving:
            debts.pop(host, None)
            note(context, "settled", f"{host} holds epoch {epoch} and serves it", term=term)
            continue
        since = debts[host].since if host in debts else now
        reason = hosts[host].problem or why.get(host) or unserving
        debts[host] = Debt(host=host, epoch=epoch, since=since, reason=reason, stale=stale_servers(theirs))
    return replace(state, debts=tuple(debts.values()), facts=facts)


def stale_sentence(state: State) -> str:
    """`2 of 4 name servers still answer the old address; remove them at the registrar`, or ""."""
    servers = {s for h in state.hosts.values() if h.traits is not None for s in h.traits.servers}
    return still_old({s for d in state.debts for s in d.stale}, servers)


def changed_by_others(context: Context, state: State, hosts: Mapping[str, HostReading]) -> list[str]:
    """Hosts that hold our epoch but other records: somebody changed them by hand."""
    published = state.published
    if published is None:
        return []
    wanted = still_ours(context.service, published.rrsets)
    found = []
    for name, reading in hosts.items():
        epoch = highest_epoch(context.service, (reading,)) if reading.problem is None else None
        ours = [r for r in reading.rrsets if r.type != "TXT"]
        if epoch is not None and epoch.number == published.epoch and not same_values(ours, wanted):
            says = "; ".join(str(r) for r in ours) or "nothing"
            found.append(f"somebody changed the records at {name}: they are {says}")
    return found
