"""A survey and a registry in memory, for tests without an outside. They pass `failover.testing.survey`."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from failover.core.rrsets import RRset, normal_name
from failover.core.survey import Chain, Delegation, Hop, Registration, ServerFacts
from failover.errors import NotFound, Unreachable, Unreadable

HOPS_MAX = 8


@dataclass(slots=True)
class MemorySurvey:
    """The zones of a small world. `delegations` by zone; `servers` by place and zone: what is answered there.

    A place that is not in `answering` is dead; what answers, but not for a zone, is lame there. `cut`: names at whose
    parent nobody answers. Where names lead is taken from the sets of all servers.
    """

    delegations: Mapping[str, Delegation] = field(default_factory=dict)
    servers: Mapping[tuple[str, str], ServerFacts] = field(default_factory=dict)
    answering: frozenset[str] = frozenset()
    cut: frozenset[str] = frozenset()

    def delegation(self, zone: str) -> Delegation:
        """See `ports.Survey`."""
        name = normal_name(zone)
        if not name:
            raise NotFound("follow delegations", ".", "the root has no parent")
        if name in self.cut:
            raise Unreachable("follow delegations", name, "no answer")
        parent = name.partition(".")[2]
        return self.delegations.get(name, Delegation(zone=name, parent=parent))

    def places(self, server: str) -> tuple[str, ...]:
        """See `ports.Survey`."""
        host, _, port = server.rpartition(":")
        try:
            ipaddress.ip_address(host.strip("[]"))
        except ValueError:
            named = (d.name_servers.get(normal_name(host), ()) for d in self.delegations.values())
            found = dict.fromkeys(f"{place.rpartition(':')[0]}:{port}" for places in named for place in places)
        else:
            return (server,)
        if not found:
            raise NotFound("follow delegations", host, "it has no address")
        return tuple(found)

    def server(self, server: str, zone: str, names: Sequence[tuple[str, str]], *, now_utc_s: float) -> ServerFacts:
        """See `ports.Survey`."""
        del now_utc_s
        name = normal_name(zone)
        if server not in self.answering:
            return ServerFacts(zone=name, server=server, udp="no answer", tcp="connection refused")
        facts = self.servers.get((server, name))
        if facts is None:
            return ServerFacts(zone=name, server=server, lame="it answers REFUSED")
        return replace(facts, sets={key: _standing(facts.sets, *key) for key in names})

    def chain(self, name: str) -> Chain:
        """See `ports.Survey`."""
        hops: list[Hop] = []
        here = normal_name(name)
        while len(hops) < HOPS_MAX:
            sets = [rrset for facts in self.servers.values() for rrset in facts.sets.values() if rrset is not None]
            alias = next((rrset for rrset in sets if rrset.key == (here, "CNAME")), None)
            if alias is None:
                has = any(rrset.name == here and rrset.type in ("A", "AAAA") for rrset in sets)
                return Chain(name=name, hops=tuple(hops), problem=None if has else f"{here} has no address")
            hops.append(Hop(name=here, target=min(alias.values), ttl_s=alias.ttl_s))
            here = hops[-1].target
        return Chain(name=name, hops=tuple(hops), problem=f"it does not end after {HOPS_MAX} CNAMEs")


def _standing(sets: Mapping[tuple[str, str], RRset | None], name: str, type: str) -> RRset | None:
    key = normal_name(name)
    return sets.get((key, type.upper())) or sets.get((key, "CNAME"))


@dataclass(slots=True)
class MemoryRegistry:
    """`domains`: by name, `expires_s` counted from `at_utc_s`. `owners`: by network (`192.0.2.0/24`). `broken`: domains
    and addresses for which it answers what makes no sense."""

    domains: Mapping[str, Registration] = field(default_factory=dict)
    owners: Mapping[str, str] = field(default_factory=dict)
    broken: frozenset[str] = frozenset()
    at_utc_s: float = 0.0

    def registration(self, zone: str, *, now_utc_s: float) -> Registration:
        """See `ports.Registry`."""
        name = normal_name(zone)
        while name:
            if name in self.broken:
                raise Unreadable("ask registry", name, "its answer makes no sense")
            if name in self.domains:
                found = self.domains[name]
                left_s = None if found.expires_s is None else found.expires_s + self.at_utc_s - now_utc_s
                return replace(found, expires_s=left_s)
            name = name.partition(".")[2]
        raise NotFound("ask registry", zone, "the registry knows no such domain")

    def owner(self, address: str) -> str:
        """See `ports.Registry`."""
        if address in self.broken:
            raise Unreadable("ask registry", address, "its answer makes no sense")
        asked = ipaddress.ip_address(address)
        for network, owner in self.owners.items():
            if asked in ipaddress.ip_network(network):
                return owner
        raise NotFound("ask registry", address, "it is registered to nobody")
