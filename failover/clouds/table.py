"""Kinds of providers. Their modules load when they are asked for; other packages add kinds by entry points."""

from collections.abc import Callable
from importlib import import_module
from typing import Protocol

from failover.errors import ConfigError
from failover.ports import Compute, Depot

GROUP = "failover.clouds"
KINDS = {
    "aws": "failover.clouds.aws:Aws",
    "local": "failover.clouds.local:LocalCloud",
    "digitalocean": "failover.clouds.libcloud_digitalocean:cloud",
    "hetzner": "failover.clouds.hetzner:cloud",
    "linode": "failover.clouds.libcloud_linode:cloud",
    "openstack": "failover.clouds.libcloud_openstack:cloud",
    "vultr": "failover.clouds.libcloud_vultr:cloud",
}


class Cloud(Compute, Depot, Protocol):
    """All that mirroring needs of one provider account."""


def kinds() -> tuple[str, ...]:
    """Every kind that can be used here, sorted."""
    from importlib.metadata import entry_points  # costs as much as everything else here

    return tuple(sorted({*KINDS, *entry_points(group=GROUP).names}))


def factory(kind: str) -> Callable[..., Cloud]:
    """What builds a cloud of this kind. Raises ConfigError for an unknown kind."""
    place = KINDS.get(kind)
    if place is not None:
        module, _, attribute = place.partition(":")
        found: Callable[..., Cloud] = getattr(import_module(module), attribute)
        return found
    from importlib.metadata import entry_points

    for entry in entry_points(group=GROUP, name=kind):
        loaded: Callable[..., Cloud] = entry.load()
        return loaded
    raise ConfigError("find provider", kind, "no such kind", f"known are {', '.join(kinds())}")
