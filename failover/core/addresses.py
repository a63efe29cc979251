"""Addresses that say nothing about a site."""

import ipaddress

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


def never_asked(address: IPAddress) -> str | None:
    """Why this address is not asked: "is link-local" and the like. None for one that may be.

    Link-local (RFC 3927, RFC 4291) and metadata addresses answer with the secrets of the machine that we run on. An
    IPv4 address inside an IPv6 one counts as that IPv4 address.
    """
    real = _inner(address)
    if real.is_link_local:
        return "is link-local"
    if real in METADATA:
        return "is a provider's metadata address"
    return None


def _inner(address: IPAddress) -> IPAddress:
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address
