"""A cloud that is built by the first call that needs it: with what that call needs to be allowed, and no sooner.

So a command that only looks never resolves a secret that writes; a secret that cannot be read is the trouble of one
provider, not of the whole round; and a provider's library loads in the commands that talk to it.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from failover.clouds.table import Cloud
from failover.core.firewall import Firewall
from failover.core.model import AccountReport, Node, NodeSpec, Quota, Reading, Size
from failover.core.rights import Right
from failover.errors import AccessRefused, ConfigError
from failover.ports import Depot

T = TypeVar("T")


class LateCloud:
    """`ports.Account`, `ports.Compute` and `ports.Depot`: looks by `reader`, and changes by `writer`.

    `depot`: another one than the cloud's own. A config that turns out to be unusable (a secret that cannot be read, a
    library that is not installed) raises AccessRefused; `state` reads it as UNCLEAR, because the provider said nothing.
    """

    def __init__(
        self,
        name: str,
        reader: Callable[[], Cloud],
        writer: Callable[[], Cloud],
        depot: Callable[[], Depot] | None = None,
    ) -> None:
        self.name = name
        self._reader = reader
        self._writer = writer
        self._reading_depot: Callable[[], Depot] = depot or reader
        self._writing_depot: Callable[[], Depot] = depot or writer

    def _of(self, built: Callable[[], T], operation: str) -> T:
        try:
            return built()
        except ConfigError as error:
            raise AccessRefused(operation, self.name, str(error), error.hint) from error

    # ------------------------------------------------------------------------------------------ account

    def state(self) -> AccountReport:
        """See `ports.Account`."""
        try:
            cloud = self._reader()
        except ConfigError as error:
            return AccountReport(reading=Reading.UNCLEAR, message=str(error))
        return cloud.state()

    def nodes(self, service: str, site: str) -> tuple[Node, ...]:
        """See `ports.Account`."""
        return self._of(self._reader, "list nodes").nodes(service, site)

    def rights(self, spec: NodeSpec) -> tuple[Right, ...]:
        """See `ports.Account`. Those of the credential that looks."""
        return self._of(self._reader, "ask rights").rights(spec)

    # ------------------------------------------------------------------------------------------ compute

    def images(self) -> frozenset[str]:
        """See `ports.Compute`."""
        return self._of(self._reader, "list images").images()

    def sizes(self) -> tuple[Size, ...]:
        """See `ports.Compute`."""
        return self._of(self._reader, "list sizes").sizes()

    def quota(self) -> Quota:
        """See `ports.Compute`."""
        return self._of(self._reader, "ask quota").quota()

    def vet(self, spec: NodeSpec) -> None:
        """See `ports.Compute`."""
        self._of(self._reader, "vet node").vet(spec)

    def ensure(self, spec: NodeSpec) -> Node:
        """See `ports.Compute`."""
        return self._of(self._writer, "create node").ensure(spec)

    def destroy(self, node: Node) -> None:
        """See `ports.Compute`."""
        self._of(self._writer, "destroy node").destroy(node)

    def firewall(self, service: str, site: str, ports: Sequence[int]) -> None:
        """See `ports.Compute`."""
        self._of(self._writer, "open ports").firewall(service, site, ports)

    def firewall_now(self, service: str, site: str) -> Firewall | None:
        """See `ports.Compute`."""
        return self._of(self._reader, "look at ports").firewall_now(service, site)

    def clear(self, service: str, site: str) -> None:
        """See `ports.Compute`."""
        self._of(self._writer, "clear").clear(service, site)

    # ------------------------------------------------------------------------------------------ depot

    def put(self, digest: str, archive: bytes) -> None:
        """See `ports.Depot`."""
        self._of(self._writing_depot, "store release").put(digest, archive)

    def has(self, digest: str) -> bool:
        """See `ports.Depot`."""
        return self._of(self._reading_depot, "look for release").has(digest)

    def list(self) -> frozenset[str]:
        """See `ports.Depot`."""
        return self._of(self._reading_depot, "list releases").list()

    def remove(self, digest: str) -> None:
        """See `ports.Depot`."""
        self._of(self._writing_depot, "remove release").remove(digest)

    def link(self, digest: str, expires_s: float) -> str:
        """See `ports.Depot`."""
        return self._of(self._writing_depot, "link release").link(digest, expires_s)

    def may_put(self) -> Right | None:
        """See `ports.Depot`."""
        return self._of(self._writing_depot, "ask rights").may_put()

    def hand_over(self, name: str, contents: bytes, expires_s: float) -> str:
        """See `ports.Depot`."""
        return self._of(self._writing_depot, "hand over").hand_over(name, contents, expires_s)
