"""Which addresses may be asked."""

import ipaddress
import socket
from functools import lru_cache
from typing import NewType

from failover.core.model import Failure
from failover.probes.trouble import Trouble

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

METADATA = frozenset(
    ipaddress.ip_address(address)
    for address in (
        "fd00:ec2::254",  # AWS, instance metadata over IPv6
        "fd20:ce::254",  # Google Cloud, instance metadata over IPv6
        "100.100.100.200",  # Alibaba Cloud
        "192.0.0.192",  # Oracle Cloud, classic
        "168.63.129.16",  # Azure, the platform's own address
    )
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052


Pinned = NewType("Pinned", str)
"""An address that may be asked. Only `checked` makes one."""


@lru_cache(maxsize=65536)
def checked(address: str, allowed: frozenset[str] = frozenset()) -> Pinned:
    """The address, if it may be asked. Raises Trouble (LOCAL) for anything else.

    Link-local (RFC 3927, RFC 4291) and metadata addresses answer with the secrets of the machine that we run on, and
    say nothing about a site; they are asked only when they stand in `allowed` as they are written. An IPv4 address
    inside an IPv6 one counts as that IPv4 address.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        raise Trouble(Failure.LOCAL, f"{address} is not an IP address") from None
    if address in allowed:
        return Pinned(address)
    real = _inner(found)
    if real.is_link_local:
        raise Trouble(Failure.LOCAL, f"{address} is link-local and is never asked")
    if real in METADATA:
        raise Trouble(Failure.LOCAL, f"{address} is a provider's metadata address and is never asked")
    return Pinned(address)


def _inner(address: IPAddress) -> IPAddress:
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address


def family(address: Pinned) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def resolved(host: str) -> tuple[str, ...]:
    """The addresses of a host, in the resolver's order; an address is its own. Raises Trouble (NAME).

    Only for controls: targets are pinned. It may block for long, so it is called apart.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        cause = error.strerror if isinstance(error, OSError) and error.strerror else "not a name"
        raise Trouble(Failure.NAME, f"{host} has no address: {cause}") from None
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
