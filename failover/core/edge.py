"""Names that stand behind a DNS host's own servers (Cloudflare calls them proxied): what is asked, what speaks against.

Name servers answer the addresses of the edge, whatever the records hold, so they prove nothing of a change. What proves
it is the host's API, and a request through the edge that the right site answers.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from failover.core.health import reachable
from failover.core.model import Edge, HostReading, Outcome, Sample, Service, Target
from failover.core.rrsets import RRset

NO_CACHE = {"Cache-Control": "no-cache", "Pragma": "no-cache"}
"""Asks caches on the way for the site's own word (RFC 9111, section 5.2.1.4). Cloudflare's does not listen to it."""


def behind(edge: Edge, rrsets: Iterable[RRset]) -> frozenset[str]:
    """The names that stand behind the edge now, of those that it is known how to ask through it."""
    return edge.names & {r.name for r in rrsets if r.proxied}


def targets(edge: Edge, places: Mapping[str, Iterable[str]], site: str, token: str) -> tuple[Target, ...]:
    """One request for each name at each of its edge's addresses (`places`), to be answered by `site`.

    No two of them ask for the same URL, nor do those of another `token`: a cache that knows one of them does not know
    the next.
    """
    asked = [(name, address) for name in sorted(places) for address in sorted(places[name])]
    return tuple(
        Target(
            site=site,
            address=address,
            check=replace(
                edge.check,
                host=name,
                path=f"{edge.check.path}{'&' if '?' in edge.check.path else '?'}failover={token}-{number}",
                request_headers={**edge.check.request_headers, **NO_CACHE},
            ),
        )
        for number, (name, address) in enumerate(asked)
    )


def late(asked: Sequence[Target], samples: Sequence[Sample]) -> dict[str, str]:
    """By address of the edge what is wrong there; "" where all is well.

    Addresses of an IP version that this machine has no way to are left out, where it has one to the other version.
    """
    heard = {id(sample) for sample in reachable(samples)}
    found: dict[str, str] = {}
    for target, sample in zip(asked, samples, strict=True):
        if id(sample) in heard:
            why = f"{target.check.host} is not answered by {target.site}: {sample.detail}"
            said = [found.get(sample.address, ""), "" if sample.outcome is Outcome.PASS else why]
            found[sample.address] = "; ".join(filter(None, said))
    return found


def moves_behind_edge(service: Service, readings: Iterable[HostReading]) -> bool:
    """Whether all names of the service stand behind an edge, as the config says, and no host that was read denies it:
    then no resolver knows an address of ours that could become an old one."""
    wanted = {name for edge in service.edges.values() for name in edge.names}
    ours = {record.name for record in service.records}
    bare = {r.name for reading in readings for r in reading.rrsets if not r.proxied}
    return ours <= wanted and not ours & bare


def objections(
    service: Service, readings: Iterable[HostReading], strangers: Mapping[str, Sequence[str]]
) -> tuple[str, ...]:
    """Why names that stand behind an edge cannot be published so, with what to do. `strangers`: by zone the name
    servers of others to whom it is delegated as well."""
    found: list[str] = []
    for reading in readings:
        edge, others = service.edges.get(reading.host), [h for h in service.hosts if h != reading.host]
        for name in dict.fromkeys(r.name for r in reading.rrsets if r.proxied):
            if others:
                why = f"{', '.join(others)} would answer other addresses"
                found.append(f'{reading.host}: {name} is proxied, but {why}: set it to "DNS only" at {reading.host}')
            elif edge is None or name not in edge.names:
                why = "so that name servers never answer our addresses"
                todo = f'name it in `proxied` of {reading.host}, with an `edge`, or set it to "DNS only"'
                found.append(f"{reading.host}: {name} is proxied, {why}: {todo}")
    for zone, servers in strangers.items():
        said = f"{zone} is delegated to {', '.join(servers)} as well, where proxied names have other addresses"
        found.append(f'{said}: take them out at the registrar, or set the names to "DNS only"')
    return tuple(found)
