"""What the firewall before our nodes lets in, against what it should: ports wanted × firewall found → what differs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

ANYWHERE_V4, ANYWHERE_V6 = "0.0.0.0/0", "::/0"
_FAMILIES = {ANYWHERE_V4: "IPv4", ANYWHERE_V6: "IPv6"}
ALL = "all"
"""As a protocol: every one."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Opening:
    """Something that is let in. `protocol`: `tcp`, `udp` …, or ALL; `ports`: `8080`, `8000-8100`, or "" for every one.

    `source`: from where, a network (`192.0.2.0/24`) or the provider's own word for something else.
    """

    protocol: str
    ports: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Firewall:
    """Our own firewall before the nodes of one service at one site, as the provider has it now. Without one: empty."""

    openings: frozenset[Opening] = frozenset()
    outside: tuple[str, ...] = ()
    """Names of our nodes that it does not stand before."""


def wanted_openings(ports: Iterable[int]) -> frozenset[Opening]:
    """These TCP ports, to everybody over both families."""
    return frozenset(Opening(protocol="tcp", ports=str(p), source=source) for p in ports for source in _FAMILIES)


EVERYTHING = frozenset(Opening(protocol=ALL, ports="", source=source) for source in _FAMILIES)
"""What comes in where nothing is kept out."""


def drift(found: Firewall, ports: Iterable[int]) -> tuple[str, ...]:
    """In words, what differs from a firewall before all nodes that lets in exactly these TCP ports; () is nothing.

    Before: one that lets in TCP 8080 over IPv4 and TCP 9000, for the ports 8080 and 22.
    After: "port 22 is closed", "port 8080 is closed over IPv6", "port 9000 is open to everybody".
    A port that is let in among others is not closed: what lets them in is too much.
    """
    wanted = wanted_openings(ports)
    more = found.openings - wanted
    missing = {one for one in wanted - found.openings if not any(_covers(other, one) for other in more)}
    closed, opened = _by_port(missing), _by_port(more)
    return (
        *(f"{port} is closed{_only(sources)}" for port, sources in closed.items()),
        *(f"{port} is open to {_whom(sources)}" for port, sources in opened.items()),
        *(f"{name} stands outside of it" for name in found.outside),
    )


def _covers(opening: Opening, one: Opening) -> bool:
    """Whether it lets in this one port, too. What it says in words that are no ports lets in none."""
    if opening.source != one.source or opening.protocol not in (one.protocol, ALL):
        return False
    low, _, high = opening.ports.partition("-")
    bounds = (low, high or low)
    return not opening.ports or (all(map(str.isdecimal, bounds)) and int(low) <= int(one.ports) <= int(bounds[1]))


def _by_port(openings: Iterable[Opening]) -> Mapping[str, set[str]]:
    """The sources of each port, in the order in which one would name them."""
    found: dict[str, set[str]] = {}
    for opening in sorted(openings, key=lambda o: (o.protocol, len(o.ports), o.ports)):
        found.setdefault(_port(opening), set()).add(opening.source)
    return found


def _port(opening: Opening) -> str:
    if opening.protocol == "tcp" and opening.ports.isdecimal():
        return f"port {opening.ports}"
    protocol = "everything" if opening.protocol == ALL else opening.protocol
    return f"{protocol} {opening.ports}".rstrip()


def _only(sources: set[str]) -> str:
    return "" if len(sources) == len(_FAMILIES) else f" over {_FAMILIES[min(sources)]}"


def _whom(sources: set[str]) -> str:
    everywhere = sources & _FAMILIES.keys()
    named = sorted(sources - everywhere)
    if everywhere:
        named.insert(0, f"everybody{_only(everywhere)}")
    return " and ".join(named)
