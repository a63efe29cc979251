"""Zones of a local name server: immutable versions in memory, the standard master format on disk (RFC 1035)."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import dns.exception
import dns.name
import dns.node
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.zone

from failover.errors import StateDamaged, UsageError
from failover.net.tsig import TsigKey, write_key

KEY_FILE = "tsig.key"
NEGATIVE_TTL_S = 5
"""SOA minimum: how long resolvers may remember that a name is absent. Short, so that a first publish shows soon."""

_ZONE_TEXT = """\
@ 60 IN SOA {server} hostmaster.{zone}. 1 60 30 1209600 {minimum}
@ 60 IN NS {server}
"""


class ZoneVersion:
    """One version of a zone. It is never changed once made, so readers need no lock.

    `names` holds every name that exists, also those that only have names below them (RFC 4592, section 2.2.2).
    `cuts` are the delegations below the apex.
    """

    __slots__ = ("cuts", "names", "origin", "zone")

    def __init__(self, zone: dns.zone.Zone) -> None:
        if zone.origin is None:
            raise ValueError("the zone has no origin")
        self.zone = zone
        self.origin = zone.origin
        self.names = _existing(zone.nodes, self.origin)
        self.cuts = frozenset(
            name
            for name, node in zone.nodes.items()
            if name != self.origin and node.get_rdataset(dns.rdataclass.IN, dns.rdatatype.NS) is not None
        )

    def node(self, name: dns.name.Name) -> dns.node.Node | None:
        """What stands at exactly this name."""
        return self.zone.nodes.get(name)

    def find(self, name: dns.name.Name, rdtype: dns.rdatatype.RdataType) -> dns.rdataset.Rdataset | None:
        """The set at exactly this name."""
        node = self.node(name)
        return None if node is None else node.get_rdataset(dns.rdataclass.IN, rdtype)

    def soa(self) -> dns.rdataset.Rdataset:
        """The SOA set, which every zone has."""
        return self.zone.find_rdataset(self.origin, dns.rdatatype.SOA)

    def writable(self) -> dns.zone.Zone:
        """A zone that starts as this version. Its transactions copy what they change, so this version stays."""
        copy = dns.zone.Zone(self.origin, relativize=False)
        copy.nodes = self.zone.nodes
        return copy


def _existing(nodes: Iterable[dns.name.Name], origin: dns.name.Name) -> frozenset[dns.name.Name]:
    names = {origin}
    for owner in nodes:
        name = owner
        while name not in names:
            names.add(name)
            name = name.parent()
    return frozenset(names)


def create(directory: Path, zones: Sequence[str], server_name: str, key_name: str, key_secret: str) -> None:
    """Lay down new zones and the key that may change them. What exists already is kept as it is.

    `server_name` is a label (`ns1`: the server of each zone is `ns1.<zone>`) or a full name; where it lies in the
    zone it gets the address 127.0.0.1. `key_secret` is base64. Raises UsageError for a name that cannot be one.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (directory / KEY_FILE).exists():
        write_key(directory / KEY_FILE, TsigKey(name=key_name, secret=key_secret))
    for zone in zones:
        origin = _zone_name(zone)
        path = _path(directory, origin)
        if not path.exists():
            save(directory, ZoneVersion(_fresh(origin, server_name)))


def _fresh(origin: dns.name.Name, server_name: str) -> dns.zone.Zone:
    relative = "." not in server_name
    server = dns.name.from_text(server_name, origin if relative else dns.name.root)
    text = _ZONE_TEXT.format(server=server, zone=origin.to_text(omit_final_dot=True), minimum=NEGATIVE_TTL_S)
    if server.is_subdomain(origin):
        text += f"{server} 60 IN A 127.0.0.1\n"
    return dns.zone.from_text(text, origin, relativize=False)


def _zone_name(text: str) -> dns.name.Name:
    try:
        name = dns.name.from_text(text)
    except (dns.exception.DNSException, UnicodeError) as error:
        raise UsageError("create zone", text, f"not a domain name: {error}") from error
    if name == dns.name.root or "/" in text:
        raise UsageError("create zone", text, "not the name of a zone")
    return name.canonicalize()


def _path(directory: Path, origin: dns.name.Name) -> Path:
    return directory / f"{origin.to_text(omit_final_dot=True)}.zone"


def load(directory: Path) -> tuple[ZoneVersion, ...]:
    """Every zone in the directory, by name. Raises StateDamaged for a file that is not a whole zone."""
    return tuple(_load(path) for path in sorted(directory.glob("*.zone")))


def _load(path: Path) -> ZoneVersion:
    try:
        with path.open(encoding="utf-8") as file:
            zone = dns.zone.from_file(file, path.stem, relativize=False, allow_include=False)
        return ZoneVersion(zone)
    except (dns.exception.DNSException, OSError, ValueError, KeyError) as error:
        raise StateDamaged("read zone", str(path), str(error), "mend the file or create the DNS host anew") from error


def save(directory: Path, version: ZoneVersion) -> None:
    """Write the zone so that it is whole and on the disk when this returns, whatever happens meanwhile."""
    path = _path(directory, version.origin)
    temporary = path.with_name(path.name + ".new")
    with temporary.open("w", encoding="utf-8") as file:
        version.zone.to_file(file, relativize=False)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
