"""Kinds of DNS hosts. Their modules load when they are asked for; other packages add kinds by entry points."""

from collections.abc import Callable
from importlib import import_module

from failover.errors import ConfigError
from failover.ports import Dns

GROUP = "failover.dns"
KINDS = {
    "local": "failover.dns.local:LocalHost",
    "rfc2136": "failover.dns.rfc2136:Rfc2136",
    "route53": "failover.dns.route53:Route53",
    "powerdns": "failover.dns.powerdns:PowerDns",
    "octodns": "failover.dns.octodns:OctodnsHost",
    "cloudflare": "failover.dns.cloudflare:Cloudflare",
    "digitalocean": "failover.dns.libcloud_digitalocean:host",
    "linode": "failover.dns.libcloud_linode:host",
    "vultr": "failover.dns.libcloud_vultr:host",
    "gandi": "failover.dns.libcloud_gandi:host",
}


def kinds() -> tuple[str, ...]:
    """Every kind that can be used here, sorted."""
    from importlib.metadata import entry_points  # costs as much as everything else here

    return tuple(sorted({*KINDS, *entry_points(group=GROUP).names}))


def factory(kind: str) -> Callable[..., Dns]:
    """What builds a host of this kind. Raises ConfigError for an unknown kind."""
    place = KINDS.get(kind)
    if place is not None:
        module, _, attribute = place.partition(":")
        found: Callable[..., Dns] = getattr(import_module(module), attribute)
        return found
    from importlib.metadata import entry_points

    for entry in entry_points(group=GROUP, name=kind):
        loaded: Callable[..., Dns] = entry.load()
        return loaded
    raise ConfigError("find DNS host", kind, "no such kind", f"known are {', '.join(kinds())}")
