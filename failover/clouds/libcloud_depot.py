"""The depot of a provider whose own API has none: an S3-compatible bucket beside it."""

from typing import Protocol

from failover.clouds.depot_settings import DepotSettings
from failover.core.rights import Right
from failover.errors import Rejected
from failover.ports import Depot


class NodeDepot(Depot, Protocol):
    """A depot that can also take back what was handed over: to one node, or to all. `Bucket` is one."""

    def withdraw(self, name: str) -> None: ...

    def withdraw_all(self) -> None: ...

    def close(self) -> None: ...


def bucket(settings: DepotSettings | None, region: str, deadline_s: float, timeout_s: float) -> NodeDepot | None:
    """The bucket of these settings, in the site's region where they name none."""
    if settings is None:
        return None
    from failover.clouds.bucket import Bucket  # loads AWS's library, which nobody needs without a bucket

    return Bucket(
        bucket=settings.bucket,
        region=settings.region or region,
        endpoint=settings.endpoint,
        access_key=settings.access_key,
        secret_key=settings.secret_key,
        prefix=settings.prefix,
        deadline_s=deadline_s,
        timeout_s=timeout_s,
    )


class WithDepot:
    """`ports.Depot`, by the bucket. Raises Rejected where there is none: nodes then fetch releases elsewhere."""

    def __init__(self, name: str, depot: NodeDepot | None) -> None:
        self.name = name
        self._depot = depot

    def put(self, digest: str, archive: bytes) -> None:
        """See `ports.Depot`."""
        self._at("store release").put(digest, archive)

    def has(self, digest: str) -> bool:
        """See `ports.Depot`."""
        return self._at("look for release").has(digest)

    def list(self) -> frozenset[str]:
        """See `ports.Depot`."""
        return self._at("list releases").list()

    def remove(self, digest: str) -> None:
        """See `ports.Depot`."""
        self._at("remove release").remove(digest)

    def link(self, digest: str, expires_s: float) -> str:
        """See `ports.Depot`."""
        return self._at("link release").link(digest, expires_s)

    def may_put(self) -> Right | None:
        """See `ports.Depot`."""
        return None if self._depot is None else self._depot.may_put()

    def hand_over(self, name: str, contents: bytes, expires_s: float) -> str:
        """See `ports.Depot`. Under the node's name, so that `destroy` withdraws it."""
        return self._at("hand over").hand_over(name, contents, expires_s)

    def _at(self, operation: str) -> NodeDepot:
        if self._depot is None:
            hint = "add `depot: {bucket: …}` to the provider"
            raise Rejected(operation, self.name, "this provider has no depot", hint)
        return self._depot
