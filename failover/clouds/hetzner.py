"""Hetzner Cloud as a kind of provider. Its library is an extra, so it is looked for only when it is needed."""

from typing import TYPE_CHECKING

from failover.clouds.depot_settings import DepotSettings
from failover.clouds.images import ImageTable
from failover.clouds.libcloud_depot import bucket
from failover.errors import ConfigError

if TYPE_CHECKING:
    from failover.clouds.hetzner_project import Hetzner


def cloud(
    *,
    name: str,
    region: str,
    token: str,
    images: ImageTable,
    endpoint: str | None = None,
    ca_file: str | None = None,
    depot: DepotSettings | None = None,
    deadline_s: float = 25.0,
    timeout_s: float = 10.0,
    architecture: str = "x86",
) -> "Hetzner":
    """A Hetzner project in one location. `endpoint`: another address of the API, `ca_file`: what to trust there.

    Raises ConfigError where Hetzner's library is not installed.
    """
    try:
        from failover.clouds.hetzner_project import Hetzner
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "hcloud":
            raise
        cause = "Hetzner's library hcloud is not installed"
        raise ConfigError("use provider", name, cause, "pip install 'failover[hetzner]'") from error
    return Hetzner(
        name=name,
        region=region,
        token=token,
        images=images,
        endpoint=endpoint,
        ca_file=ca_file,
        depot=bucket(depot, region, deadline_s, timeout_s),
        deadline_s=deadline_s,
        timeout_s=timeout_s,
        architecture=architecture,
    )
