"""Record sets: normalised values, their difference, and the epoch that travels with them.

The unit of DNS is the set (RFC 2181, section 5): a name and a type with one TTL and all of its values.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

EPOCH_TTL_S = 60
BESIDE_NO_ALIAS = (
    *("CAA", "CERT", "DNAME", "HINFO", "HTTPS", "LOC", "MX", "NAPTR", "NS", "PTR", "RP", "SPF", "SRV", "SSHFP", "SVCB"),
    *("TLSA", "TXT", "URI"),
)
"""What people put at host names besides addresses, and what keeps a CNAME away (RFC 1034, section 3.6.2)."""


def normal_name(name: str) -> str:
    """Lower case, without the final dot: `WWW.Example.org.` → `www.example.org`."""
    return name.strip().rstrip(".").lower()


def normal_address(value: str) -> str:
    """The shortest form of an address: `2001:DB8:0::1` → `2001:db8::1`. Any other text stays as it is."""
    try:
        return str(ipaddress.ip_address(value.strip()))
    except ValueError:
        return value


_OCTETS = frozenset(map(str, range(256)))


def _is_dotted(value: str) -> bool:
    """Whether it is an IPv4 address in its only form. Most are, and `ipaddress` takes long for all of a big zone."""
    parts = value.split(".")
    return len(parts) == 4 and _OCTETS.issuperset(parts)


def _normal_value(type: str, value: str) -> str:
    if type == "A":
        return value if _is_dotted(value) else str(ipaddress.IPv4Address(value.strip()))
    if type == "AAAA":
        return str(ipaddress.IPv6Address(value.strip()))
    if type == "CNAME":
        return normal_name(value)
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class RRset:
    """One record set. Names are lower case without the final dot, addresses in their shortest form.

    TXT values are the text itself, without quotes. Raises ValueError for an empty set or a bad address.
    """

    name: str
    type: str
    ttl_s: int
    values: frozenset[str]
    proxied: bool = field(default=False, compare=False)
    """Name servers answer the host's own edge in its place; the values are what stands behind it. As read, not a wish:
    two sets are the same whatever stands before them."""

    def __post_init__(self) -> None:
        kind = self.type.upper()
        if not self.values:
            raise ValueError(f"record set {self.name} {kind} is empty")
        object.__setattr__(self, "name", normal_name(self.name))
        object.__setattr__(self, "type", kind)
        object.__setattr__(self, "values", frozenset(_normal_value(kind, v) for v in self.values))

    @property
    def key(self) -> tuple[str, str]:
        return (self.name, self.type)

    def __str__(self) -> str:
        edge = " (proxied)" if self.proxied else ""
        return f"{self.name} {self.ttl_s} {self.type} {' '.join(sorted(self.values))}{edge}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """One transaction: sets to replace as a whole (whatever stood there), and sets to remove."""

    put: tuple[RRset, ...] = ()
    remove: tuple[tuple[str, str], ...] = ()

    @property
    def empty(self) -> bool:
        return not self.put and not self.remove


def difference(wanted: Iterable[RRset], found: Iterable[RRset], names: Iterable[tuple[str, str]]) -> Changes:
    """What turns `found` into `wanted`, touching only the (name, type) pairs in `names`.

    Sets that are equal (values and TTL) do not appear.
    """
    allowed = set(names)
    here = {r.key: r for r in found}
    want = {r.key: r for r in wanted}
    put = tuple(r for key, r in sorted(want.items()) if key in allowed and here.get(key) != r)
    remove = tuple(key for key in sorted(here) if key in allowed and key not in want)
    return Changes(put=put, remove=remove)


def same_values(a: Iterable[RRset], b: Iterable[RRset]) -> bool:
    """Whether both hold the same values under the same names; TTLs may differ (some hosts round them)."""
    return {r.key: r.values for r in a} == {r.key: r.values for r in b}


def by_key(rrsets: Iterable[RRset]) -> Mapping[tuple[str, str], RRset]:
    return {r.key: r for r in rrsets}


# ---------------------------------------------------------------------------------------------- the epoch in DNS

_EPOCH = re.compile(r"v=1 epoch=([0-9]{1,18}) site=(\S{1,63}) plan=(\S{1,80})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """The fence that travels into DNS: `v=1 epoch=7 site=boreas plan=<digest>`."""

    number: int
    site: str
    plan: str

    def __str__(self) -> str:
        return f"v=1 epoch={self.number} site={self.site} plan={self.plan}"

    @classmethod
    def parse(cls, text: str) -> "Epoch":
        """Raises ValueError when the text is not of this form."""
        match = _EPOCH.fullmatch(text)
        if match is None:
            raise ValueError(f"not an epoch: {text[:120]!r}")
        return cls(number=int(match[1]), site=match[2], plan=match[3])


def epoch_name(service: str, zone: str) -> str:
    """Where the epoch stands: `_failover.<service>.<zone>`."""
    return f"_failover.{service}.{normal_name(zone)}"


def epoch_set(service: str, zone: str, epoch: Epoch) -> RRset:
    return RRset(name=epoch_name(service, zone), type="TXT", ttl_s=EPOCH_TTL_S, values=frozenset({str(epoch)}))


def read_epoch(rrsets: Iterable[RRset], service: str, zone: str) -> Epoch | None:
    """The epoch that stands in `zone`, or None where there is none.

    Raises ValueError when something stands there that is not exactly one epoch: never taken for absent.
    """
    found = by_key(rrsets).get((epoch_name(service, zone), "TXT"))
    if found is None:
        return None
    if len(found.values) != 1:
        raise ValueError(f"{found.name} holds {len(found.values)} values; one is expected")
    return Epoch.parse(next(iter(found.values)))
