"""Hetzner's servers and server types, as nodes and sizes."""

import ipaddress
from collections.abc import Mapping
from typing import cast

from hcloud.server_types import BoundServerType
from hcloud.servers import BoundServer

from failover.core.model import Node, NodeState, Size

_MIB_PER_GB = 1024
_STATES = {"running": NodeState.RUNNING, "off": NodeState.STOPPED, "stopping": NodeState.STOPPED}
"""All others are on the way to one of these."""


def place_of(service: str, site: str) -> dict[str, str]:
    """The labels of everything that belongs to one service at one site."""
    return {"failover-service": service, "failover-site": site}


def selector(service: str, site: str) -> str:
    """Picks what carries the labels of the place (docs.hetzner.cloud, label selector)."""
    return ",".join(f"{key}=={value}" for key, value in place_of(service, site).items())


def id_of(server: BoundServer) -> int:
    """Of a server that was read it is always there."""
    return cast("int", server.id)


def carries(labels: Mapping[str, str] | None, wanted: Mapping[str, str]) -> bool:
    """Whether all of the wanted labels are there."""
    return all((labels or {}).get(key) == value for key, value in wanted.items())


def is_node(labels: Mapping[str, str] | None, node: Node) -> bool:
    """Whether the labels are those of this node."""
    wanted = {
        "failover-site": node.site,
        "failover-group": node.group,
        "failover-ordinal": str(node.ordinal),
        "failover-spec": node.spec,
    }
    return "failover-service" in (labels or {}) and carries(labels, wanted)


def node_of(server: BoundServer, service: str, site: str) -> Node | None:
    """The node; None when the server does not carry all of our labels, or is being deleted."""
    labels = server.labels or {}
    group, ordinal, spec = (labels.get(f"failover-{key}") for key in ("group", "ordinal", "spec"))
    if not carries(labels, place_of(service, site)) or server.status == server.STATUS_DELETING:
        return None
    if group is None or spec is None or ordinal is None or not ordinal.isdecimal():
        return None
    addresses = addresses_of(server)
    state = _STATES.get(server.status or "", NodeState.PENDING)
    return Node(
        id=str(id_of(server)),
        name=server.name or "",
        site=site,
        group=group,
        ordinal=int(ordinal),
        spec=spec,
        state=NodeState.PENDING if state is NodeState.RUNNING and not addresses else state,
        addresses=addresses,
        created_at_s=server.created.timestamp() if server.created is not None else 0.0,
    )


def addresses_of(server: BoundServer) -> tuple[str, ...]:
    """IPv4 first. A server has a whole IPv6 network; its own address is the first one in it."""
    net = server.public_net
    if net is None:
        return ()
    found = [net.ipv4.ip] if net.ipv4 is not None else []
    if net.ipv6 is not None:
        found.append(str(ipaddress.IPv6Network(net.ipv6.ip)[1]))
    return tuple(found)


def size_of(type: BoundServerType, location: str) -> Size | None:
    """The size, if it can be had at the location now."""
    offers = [place for place in type.locations or () if place.location.name == location]
    if not any(place.available and place.deprecation is None for place in offers):
        return None
    prices = [price for price in type.prices or () if price["location"] == location]
    return Size(
        name=type.name or "",
        cpus=int(type.cores or 0),
        memory_mib=int((type.memory or 0) * _MIB_PER_GB),
        disk_gib=int(type.disk or 0),
        price_per_hour=float(prices[0]["price_hourly"]["net"]) if prices else None,
    )
