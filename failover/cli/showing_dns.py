"""What `status` and `plan` say of the DNS hosts: what each can promise, what is known of the newest change there."""

from datetime import UTC, datetime

from failover.cli.output import table
from failover.core.facts import HostFacts
from failover.core.hosting import bound_s, held_ttl_s, is_graded
from failover.core.model import HostReading, Instant, Service
from failover.core.world import World


def promise(service: Service, reading: HostReading) -> str:
    """`grade 1`, or `grade 3 (an older plan may come through for up to 30 s; …)`."""
    if not is_graded(reading):
        return "grade unknown"
    if reading.by_kind:
        return f"grade {reading.grade} by its kind, never asked"
    remarks = [reading.remark] if reading.remark else []
    bound = bound_s(reading, service)
    if bound:
        remarks.insert(0, f"an older change may come through for up to {bound:g} s")
    ttls = sorted({t for t in (service.ttl_s, service.ttl_steady_s) if t})
    if reading.traits is not None:
        kept = [(t, held_ttl_s(t, reading.traits)) for t in ttls]
        remarks += [f"it keeps a TTL of {held} s, not {asked} s" for asked, held in kept if asked != held]
    remarks += _edge_remarks(service, reading)
    said = "; ".join(remarks)
    return f"grade {reading.grade} ({said})" if said else f"grade {reading.grade}"


def _edge_remarks(service: Service, reading: HostReading) -> list[str]:
    edge = service.edges.get(reading.host)
    if edge is None:
        return []
    (header,) = edge.check.headers
    said = [f"{', '.join(sorted(edge.names))} behind its edge, where {header} names the site"]
    bare = sorted(edge.names & {r.name for r in reading.rrsets if not r.proxied})
    return said + ([f"{', '.join(bare)} is not proxied there now"] if bare else [])


def host_document(service: Service, world: World, name: str) -> dict[str, object]:
    """One host in `status --output json`."""
    reading = world.state.hosts[name]
    facts = world.state.facts.get(name, HostFacts(epoch=0))
    return {
        "host": name,
        "problem": reading.problem,
        "records": [str(r) for r in reading.rrsets],
        "read_utc_s": _utc_s(world.state.last_tick),
        **promise_document(service, reading),
        "epoch": facts.epoch or None,
        "accepted_utc_s": _utc_s(facts.accepted),
        "served_utc_s": _utc_s(facts.served),
        "seen_utc_s": _utc_s(facts.seen),
        "late_servers": list(facts.late),
    }


def promise_document(service: Service, reading: HostReading) -> dict[str, object]:
    return {
        "grade": reading.grade if is_graded(reading) else None,
        "grade_remark": reading.remark,
        "converges_s": bound_s(reading, service),
        "servers": list(reading.traits.servers) if reading.traits else [],
        "ttl_s": held_ttl_s(service.ttl_s, reading.traits) if reading.traits else None,
        "proxied": sorted({r.name for r in reading.rrsets if r.proxied}),
    }


def hosts_text(service: Service, world: World) -> str:
    """The hosts as tables: what they hold, then what is known of the newest change at each."""
    state = world.state
    if not state.hosts:
        return "DNS hosts: not asked yet"
    debts = {d.host for d in state.debts}
    rows, facts = [], []
    for name, h in state.hosts.items():
        how = "PROBLEM" if h.problem else "BEHIND" if name in debts else "ok"
        known = state.facts.get(name, HostFacts(epoch=0))
        rows.append([name, how, h.problem or _held(h, known, state.last_tick)])
        late = "; ".join(known.late)
        says = f"LATE: {late}" if late else promise(service, h)
        times = [_time(at) for at in (known.accepted, known.served, known.seen)]
        facts.append([name, str(known.epoch or "-"), *times, says])
        if late:
            facts.append(["", "", "", "", "", promise(service, h)])
    held = table(["DNS HOST", "STATE", "HOLDS"], rows)
    return f"{held}\n\n{table(['DNS HOST', 'EPOCH', 'ACCEPTED', 'SERVED', 'SEEN', 'PROMISES'], facts)}"


def _held(reading: HostReading, known: HostFacts, read_at: Instant | None) -> str:
    """What stood there at the last check. What the host has accepted since then is not in it."""
    records = "; ".join(str(r) for r in reading.rrsets) or "nothing of ours"
    since = known.accepted is not None and read_at is not None and known.accepted.since(read_at) > 0
    return f"before epoch {known.epoch}: {records}" if since else records


def _utc_s(at: Instant | None) -> float | None:
    return at.utc_s if at is not None else None


def _time(at: Instant | None) -> str:
    return datetime.fromtimestamp(at.utc_s, UTC).strftime("%m-%d %H:%M:%S") if at is not None else "-"
