"""Clouds as a config names them: one table from kind to the words that its factory takes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from failover.cli.wiring_secrets import resolved
from failover.config.model import Config, DepotConfig, ProviderConfig
from failover.core.cutover import ip_versions
from failover.core.model import NodeSpec, Service, Site
from failover.engine.context import UserData
from failover.net.secret import SecretRef
from failover.ports import Account

if TYPE_CHECKING:
    from failover.clouds.images import ImageTable
    from failover.clouds.late import LateCloud
    from failover.clouds.table import Cloud

WATCH, MIRROR, SECOND = "watch", "mirror", "second"
CREATE_DEADLINE_S = 25.0
"""Calls that create or destroy may take longer than those of a check."""
NETWORK_S_MAX = 10.0
LOCAL = "local"
ANYWHERE, ANYWHERE_6 = "0.0.0.0", "::"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One cloud to be built: for a site, in a role, with a time for each of its calls."""

    config: Config
    site: Site
    role: str
    deadline_s: float

    @property
    def provider(self) -> ProviderConfig:
        return self.config.providers[self.site.provider or ""]

    @property
    def times(self) -> dict[str, Any]:
        """For each call in all, and for each wait for the network."""
        return {"deadline_s": self.deadline_s, "timeout_s": min(self.deadline_s, NETWORK_S_MAX)}

    @property
    def credentials(self) -> dict[str, str]:
        """Of this role only, resolved now. Raises SecretError."""
        return _resolved(self.provider.credentials.get(self.role, {}))


def cloud_of(config: Config, site: Site, *, mirror: bool) -> "LateCloud":
    """The cloud of a managed site. A check looks by one credential; only what it creates needs the other."""
    from failover.clouds.late import LateCloud
    from failover.net.once import Once

    write = Once(lambda: build(Order(config=config, site=site, role=MIRROR, deadline_s=CREATE_DEADLINE_S)))
    call_s = config.service.call_s
    read = write if mirror else Once(lambda: build(Order(config=config, site=site, role=WATCH, deadline_s=call_s)))
    provider = config.providers[site.provider or ""]
    url = config.release.url if config.release else None
    depot = None
    if provider.kind != LOCAL and provider.depot is None and url is not None:
        depot = Once(lambda: _url_depot(url, call_s))
    return LateCloud(site.provider or "", read, write, depot)


def account_of(config: Config, site: Site, first: Account) -> Account:
    """The account of a managed site as a check reads it: by a second credential too, where the config has one.

    The one for mirroring is no such: a check never needs the right to write.
    """
    second = second_of(config, site)
    if second is None:
        return first
    from failover.clouds.second import Seconded

    return Seconded(first, second, deadline_s=config.service.call_s)


def second_of(config: Config, site: Site) -> Account | None:
    """The account of a managed site by its second credential, where the config has one."""
    provider = config.providers[site.provider or ""]
    if SECOND not in provider.credentials:
        return None
    from failover.clouds.late import LateCloud
    from failover.net.once import Once

    other = Once(lambda: build(Order(config=config, site=site, role=SECOND, deadline_s=config.service.call_s)))
    return LateCloud(provider.name, other, other)


def _url_depot(url: str, deadline_s: float) -> Any:
    from failover.clouds.url_depot import UrlDepot

    return UrlDepot(url, deadline_s)


# ------------------------------------------------------------------------------------ kinds


def build(order: Order) -> "Cloud":
    """Raises ConfigError: a secret that cannot be read, an unknown kind, a file of images that is none."""
    from failover.clouds.table import factory

    words = OPTIONS.get(order.provider.kind, _others)
    return factory(order.provider.kind)(**words(order))


def _local(order: Order) -> dict[str, Any]:
    times = {"deadline_s": order.deadline_s, "timeout_s": order.deadline_s}
    return {"root": order.config.local_root, "name": order.provider.name, "role": order.role, **times}


def _aws(order: Order) -> dict[str, Any]:
    from failover.net.aws import AwsCredentials

    return {
        **_remote(order),
        "role": WATCH if order.role == SECOND else order.role,
        "credentials": AwsCredentials(**order.credentials),
        **order.provider.options,
        "node_cpus": max((group.cpus for group in order.config.service.groups), default=1),
    }


def _token(order: Order) -> dict[str, Any]:
    return {**_remote(order), **order.credentials, "ca_file": order.provider.ca_file}


def _openstack(order: Order) -> dict[str, Any]:
    return {**_token(order), **order.provider.options}


def _others(order: Order) -> dict[str, Any]:
    """What another package's kind gets: the common words, and all that its entry says, secrets resolved."""
    said = cast("dict[str, Any]", resolved(order.provider.options))
    return {"name": order.provider.name, "region": order.site.region, "role": order.role, **order.times, **said}


OPTIONS: Mapping[str, Callable[[Order], dict[str, Any]]] = {
    "local": _local,
    "aws": _aws,
    "digitalocean": _token,
    "linode": _token,
    "vultr": _token,
    "hetzner": _token,
    "openstack": _openstack,
}


def _remote(order: Order) -> dict[str, Any]:
    provider = order.provider
    depot = _depot(order, provider.depot) if provider.depot else None
    return {
        "name": provider.name,
        "region": order.site.region,
        "endpoint": provider.endpoint,
        "images": images_of(provider),
        "depot": depot,
        **order.times,
    }


def images_of(provider: ProviderConfig) -> "ImageTable":
    """The portable names of images, with those that the config adds. Raises ConfigError."""
    from failover.clouds.images import ImageTable

    return ImageTable.load(provider.images)


def _depot(order: Order, depot: DepotConfig) -> Any:
    """Each site has a folder of its own, so that two sites of one account do not take each other's releases away."""
    from failover.clouds.depot_settings import DepotSettings

    return DepotSettings(
        bucket=depot.bucket,
        region=depot.region,
        endpoint=depot.endpoint,
        access_key=depot.access_key.resolve() if depot.access_key else None,
        secret_key=depot.secret_key.resolve() if depot.secret_key else None,
        prefix=f"failover/{order.config.service.name}/{order.site.name}",
    )


def _resolved(said: Mapping[str, str | SecretRef]) -> dict[str, str]:
    return {name: part.resolve() if isinstance(part, SecretRef) else part for name, part in said.items()}


# ------------------------------------------------------------------------------------ user-data


def with_user_data(config: Config, service: Service) -> tuple[Service, UserData | None]:
    """The service with what its nodes elsewhere are told as part of their wish, and what renders it.

    Nodes of the local cloud are told nothing. Raises ConfigError: a template that cannot be read.
    """
    kinds = {s.name: config.providers[s.provider or ""].kind for s in service.sites if not s.given}
    if set(kinds.values()) <= {LOCAL}:
        return service, None
    from failover.net.userdata import read_template, render

    templates = {group.name: read_template(config.user_data.get(group.name)) for group in service.groups}
    addresses = {group.name: _listens(service, group.name) for group in service.groups}

    def user_data(spec: NodeSpec, archive: str, environment: str) -> str:
        template, address = templates[spec.group], addresses[spec.group]
        return render(template, spec, archive, environment, kind=kinds[spec.site], address=address)

    groups = (replace(g, boot_digest=f"{templates[g.name].digest} {addresses[g.name]}") for g in service.groups)
    return replace(service, groups=tuple(groups)), user_data


def _listens(service: Service, group: str) -> str:
    """On Linux `::` takes IPv4 as well; but not every program can read it."""
    return ANYWHERE_6 if 6 in ip_versions(service, group) else ANYWHERE


def check_files(config: Config) -> None:
    """The files beside the config that clouds need can be used. Raises ConfigError for the first that cannot."""
    with_user_data(config, config.service)
    for provider in config.providers.values():
        if provider.images is not None:
            images_of(provider)
