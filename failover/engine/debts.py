"""DNS hosts that lag behind the published plan: brought up to date, or shown as a debt."""

from collections.abc import Mapping
from dataclasses import replace

from failover.core.model import HostReading
from failover.core.rrsets import same_values
from failover.core.safety import highest_epoch
from failover.core.world import Debt, State
from failover.engine.context import Context
from failover.engine.notify import note
from failover.engine.planning import still_ours
from failover.engine.publish import HostState, swap_everywhere, unserved


def behind(context: Context, state: State, hosts: Mapping[str, HostReading]) -> list[str]:
    """Readable hosts whose epoch is below the published one."""
    if state.published is None:
        return []
    found = []
    for name, reading in hosts.items():
        if reading.problem is None:
            epoch = highest_epoch(context.service, (reading,))
            if epoch is None or epoch.number < state.published.epoch:
                found.append(name)
    return found


def settle(context: Context, state: State, hosts: Mapping[str, HostReading], *, term: int) -> State:
    """Bring hosts that lag behind to the published plan; forget debts that are settled and served.

    The fence makes this safe: a host that holds a newer epoch refuses.
    """
    published, late = state.published, behind(context, state, hosts)
    state = replace(state, debts=tuple(d for d in state.debts if d.host in hosts))
    owing = set(late) | {d.host for d in state.debts}
    able = [name for name in hosts if name in owing and hosts[name].problem is None]
    if published is None or state.open_plan is not None or not able:
        return state
    if late:
        note(context, "settle", f"bring {', '.join(late)} to epoch {published.epoch}", term=term)
    results = swap_everywhere(context, replace(published, hosts=tuple(able)), published.rrsets)
    debts = {d.host: d for d in state.debts}
    now = context.runtime.now()
    for result in results:
        done = result.state is HostState.DONE
        unserving = unserved(context, published, published.rrsets, [result.host]) if done else {}
        reason = result.reason or "; ".join(f"{server}: {why}" for server, why in unserving.items())
        if done and not unserving:
            debts.pop(result.host, None)
            note(context, "settled", f"{result.host} holds epoch {published.epoch} and serves it", term=term)
        else:
            since = debts[result.host].since if result.host in debts else now
            debts[result.host] = Debt(host=result.host, epoch=published.epoch, since=since, reason=reason)
    return replace(state, debts=tuple(debts.values()))


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
