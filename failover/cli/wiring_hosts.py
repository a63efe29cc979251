"""DNS hosts as a config names them: one table from kind to the words that its factory takes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from failover.cli.wiring_secrets import resolved
from failover.config.model import Config, HostConfig
from failover.ports import Dns

LOCAL = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostOrder:
    """One DNS host to be built."""

    config: Config
    host: HostConfig

    @property
    def times(self) -> dict[str, float]:
        """For each call in all, and for each wait for the network."""
        call_s = self.config.service.call_s
        return {"deadline_s": call_s, "timeout_s": call_s}

    @property
    def options(self) -> dict[str, Any]:
        """What the config says, secrets resolved now. Raises SecretError."""
        return cast("dict[str, Any]", resolved(self.host.options))


def host_of(config: Config, host: HostConfig, *, preview: bool) -> Dns:
    """`preview`: a local name server that was never opened reads as empty."""
    from failover.dns.late import LateHost
    from failover.net.once import Once

    if preview and host.kind == LOCAL:
        from failover.dns.unopened import UnopenedHost, never_opened

        if never_opened(config.local_root, host.name):
            return UnopenedHost(root=config.local_root, name=host.name)
    return LateHost(host.name, Once(lambda: build(HostOrder(config=config, host=host))))


def build(order: HostOrder) -> Dns:
    """Raises ConfigError: a secret that cannot be read, an unknown kind."""
    from failover.dns.table import factory

    words = WORDS.get(order.host.kind, _others)
    return factory(order.host.kind)(name=order.host.name, **order.times, **words(order))


def _local(order: HostOrder) -> dict[str, Any]:
    return {"root": order.config.local_root}


def _rfc2136(order: HostOrder) -> dict[str, Any]:
    from failover.net.tsig import TsigKey

    said = order.options
    key = TsigKey(**said["tsig"]) if said["tsig"] else None
    return {"server": said["server"], "servers": said["servers"] or (), "key": key}


def _route53(order: HostOrder) -> dict[str, Any]:
    from failover.net.aws import AwsCredentials

    said = order.options
    credentials = {name: part for name, part in said.pop("credentials").items() if part is not None}
    zones = order.config.service.zones
    return {**said, "servers": said["servers"] or (), "zones": zones, "credentials": AwsCredentials(**credentials)}


def _powerdns(order: HostOrder) -> dict[str, Any]:
    said = order.options
    credentials = said.pop("credentials")
    return {**said, **credentials}


def _octodns(order: HostOrder) -> dict[str, Any]:
    said = order.options
    return {
        "provider": said["provider"],
        "options": {**said["options"], **said["credentials"]},
        "servers": said["servers"],
        "converges_s": said["converges"],
        "ttl_s_min": said["ttl_min"],
    }


def _api(order: HostOrder) -> dict[str, Any]:
    """A host with a token. Its name servers are those of the service's zones, unless the config names them."""
    said = order.options
    credentials = said.pop("credentials")
    return {**said, **credentials, "servers": said["servers"] or (), "zones": order.config.service.zones}


def _cloudflare(order: HostOrder) -> dict[str, Any]:
    """How the edge is asked is the engine's business."""
    return {name: said for name, said in _api(order).items() if name != "edge"}


def _others(order: HostOrder) -> dict[str, Any]:
    """What another package's kind gets: the common words, and all that its entry says."""
    return order.options


WORDS: Mapping[str, Callable[[HostOrder], dict[str, Any]]] = {
    "local": _local,
    "rfc2136": _rfc2136,
    "route53": _route53,
    "powerdns": _powerdns,
    "octodns": _octodns,
    "cloudflare": _cloudflare,
    "digitalocean": _api,
    "linode": _api,
    "vultr": _api,
    "gandi": _api,
}
