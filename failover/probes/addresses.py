"""Which addresses may be asked."""

import ipaddress
import socket
from functools import lru_cache
from typing import NewType

from failover.core.addresses import never_asked
from failover.core.model import Failure
from failover.probes.trouble import Trouble

Pinned = NewType("Pinned", str)
"""An address that may be asked. Only `checked` makes one."""


@lru_cache(maxsize=65536)
def checked(address: str, allowed: frozenset[str] = frozenset()) -> Pinned:
    """The address, if it may be asked. Raises Trouble (LOCAL) for anything else.

    Link-local and metadata addresses are asked only when they stand in `allowed`, as they are written.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        raise Trouble(Failure.LOCAL, f"{address} is not an IP address") from None
    reason = never_asked(found)
    if reason is not None and address not in allowed:
        raise Trouble(Failure.LOCAL, f"{address} {reason} and is never asked")
    return Pinned(address)


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
