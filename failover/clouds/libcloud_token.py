"""Providers whose API is one address and one token: DigitalOcean, Linode, Vultr. What their dialects have in common."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from libcloud.compute.base import NodeDriver

from failover.clouds.depot_settings import DepotSettings
from failover.clouds.images import ImageTable
from failover.clouds.libcloud import LibcloudCloud, built
from failover.clouds.libcloud_dialect import Dialect
from failover.net.libcloud import Api, Line, placed


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenDialect:
    """The beginning of a `Dialect`. `endpoint`: the API's address; `ca_file`: what to trust there."""

    driver: ClassVar[type[NodeDriver]]
    """libcloud's, made from the token."""

    token: str = field(repr=False)
    region: str
    endpoint: str
    ca_file: str | None = None
    kind: str

    def api(self, timeout_s: float) -> Api:
        connection = self.driver(self.token).connection
        return Api(self.kind, Line(timeout_s, self.ca_file), {"api": placed(connection, self.endpoint)})


def cloud_by_token(dialect: Callable[..., Dialect]) -> Callable[..., LibcloudCloud]:
    """The function `cloud` of a dialect's module: a config's words → LibcloudCloud."""

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
    ) -> LibcloudCloud:
        """An account in one region. `endpoint`: another address of the API, `ca_file`: what to trust there."""
        elsewhere = {} if endpoint is None else {"endpoint": endpoint}
        return built(
            dialect(token=token, region=region, ca_file=ca_file, **elsewhere),
            name=name,
            region=region,
            images=images,
            depot=depot,
            deadline_s=deadline_s,
            timeout_s=timeout_s,
        )

    return cloud
