"""The local cloud as a provider: account, nodes and depot over its HTTP API."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from failover.core.model import AccountReport, Node, NodeSpec, NodeState, Quota, Reading, Size
from failover.core.rights import NODES, Act, Right, allowed, lacking, refused
from failover.errors import (
    AccessRefused,
    Conflict,
    FailoverError,
    NotFound,
    QuotaExceeded,
    Rejected,
    Unreachable,
    Unreadable,
)
from failover.local import tokens
from failover.local.registry import Kind, Place, Record, place, read_record
from failover.local.tokens import Role
from failover.local.wish import NAME_MAX
from failover.net.http import ApiClient, answer_of

_READINGS = {"active": Reading.ACTIVE, "warned": Reading.WARNED, "closed": Reading.CLOSED}
_CLOSED_CODE = "account_closed"
_CODES = {"quota_exceeded": QuotaExceeded}
_PAGES_MAX = 1000


class _Quota(msgspec.Struct):
    nodes_max: int
    nodes_used: int


class _Account(msgspec.Struct):
    status: str
    reason: str
    quota: _Quota


class _Images(msgspec.Struct):
    images: list[str]


class _Sizes(msgspec.Struct):
    sizes: tuple[Size, ...]


class _Node(msgspec.Struct):
    id: str
    name: str
    labels: dict[str, str]
    state: NodeState
    address: str
    release: str
    created_at_s: float


class _Page(msgspec.Struct):
    nodes: list[_Node]
    next: str | None


class _Archives(msgspec.Struct):
    archives: list[str]


class _Archive(msgspec.Struct):
    intact: bool


class LocalCloud:
    """The cloud `ROOT/clouds/NAME`. Looks for its daemon anew on each call: it may have been started again elsewhere.

    `role`: `watch` may read, `mirror` may also create and remove. `deadline_s` bounds each call in all.
    """

    def __init__(
        self,
        root: Path,
        name: str,
        role: str = "watch",
        deadline_s: float = 10.0,
        *,
        timeout_s: float = 5.0,
        page_size: int = 100,
    ) -> None:
        self.name = name
        self._place: Place = place(root, Kind.CLOUD, name)
        self._role = Role(role)
        self._deadline_s = deadline_s
        self._timeout_s = timeout_s
        self._page_size = page_size
        self._known: tuple[Record, ApiClient] | None = None

    # ------------------------------------------------------------------------------------------ account

    def state(self) -> AccountReport:
        """See `ports.Account`. A daemon that does not run is UNCLEAR, as a provider's API that cannot be reached."""
        try:
            account = self._client("ask account").get_once("/v1/account", _Account, "ask account", self.name)
        except AccessRefused as error:
            answer = answer_of(error)
            code, message = (answer.code, answer.message) if answer else ("", str(error))
            closed = code == _CLOSED_CODE
            return AccountReport(reading=Reading.CLOSED if closed else Reading.REFUSED, code=code, message=message)
        except FailoverError as error:
            answer = answer_of(error)
            return AccountReport(
                reading=Reading.UNCLEAR, code=answer.code if answer else "", message=f"{error.cause or error}"
            )
        reading = _READINGS.get(account.status, Reading.UNCLEAR)
        return AccountReport(reading=reading, code=account.status, message=account.reason)

    def nodes(self, service: str, site: str) -> tuple[Node, ...]:
        """See `ports.Account`."""
        operation = "list nodes"
        client = self._client(operation)
        found: list[Node] = []
        query = {"service": service, "site": site, "limit": str(self._page_size)}
        for _ in range(_PAGES_MAX):
            page = client.get("/v1/nodes", _Page, operation, self.name, query)
            found += [node for item in page.nodes if (node := _ours(item, service, site)) is not None]
            if page.next is None:
                return tuple(sorted(found, key=lambda node: (node.created_at_s, node.id)))
            if page.next == query.get("after"):
                break
            query["after"] = page.next
        raise Unreadable(operation, self.name, "the list of nodes has no end")

    def rights(self, spec: NodeSpec) -> tuple[Right, ...]:
        """See `ports.Account`. By removing a node that cannot be: a token that only reads is refused before."""
        del spec
        operation = "ask rights"
        try:
            self._client(operation).delete("/v1/nodes/none-has-this-id", operation, self.name)
        except NotFound as error:
            if _says(error, "node_not_found"):
                return tuple(allowed(act) for act in (*NODES, Act.STORE))
            return lacking(NODES, str(error.cause))
        except AccessRefused as error:
            if _says(error, "forbidden"):
                return tuple(refused(act, "it needs the token for mirroring") for act in (*NODES, Act.STORE))
            raise
        return lacking(NODES, "a node was removed that nobody named")

    # ------------------------------------------------------------------------------------------ compute

    def images(self) -> frozenset[str]:
        """See `ports.Compute`."""
        operation = "list images"
        return frozenset(self._client(operation).get("/v1/images", _Images, operation, self.name).images)

    def sizes(self) -> tuple[Size, ...]:
        """See `ports.Compute`."""
        operation = "list sizes"
        return self._client(operation).get("/v1/sizes", _Sizes, operation, self.name).sizes

    def quota(self) -> Quota:
        """See `ports.Compute`."""
        operation = "ask quota"
        quota = self._client(operation).get("/v1/account", _Account, operation, self.name).quota
        return Quota(nodes_max=quota.nodes_max, nodes_used=quota.nodes_used)

    def vet(self, spec: NodeSpec) -> None:
        """See `ports.Compute`."""
        if len(spec.name) > NAME_MAX:
            cause = f"a local cloud takes {NAME_MAX} characters, it has {len(spec.name)}"
            raise Rejected("give a name", spec.name, cause, "shorten the names of the service, site or group")

    def ensure(self, spec: NodeSpec) -> Node:
        """See `ports.Compute`."""
        operation, thing = "create node", f"{spec.name} at {self.name}"
        wish = {
            "name": spec.name,
            "labels": spec.labels,
            "image": spec.image,
            "cpus": spec.cpus,
            "memory_mib": spec.memory_mib,
            "disk_gib": spec.disk_gib,
            "ports": list(spec.ports),
            "release": spec.release,
            "command": spec.command,
            "environment": dict(spec.environment),
        }
        answer = self._client(operation).post("/v1/nodes", wish, _Node, operation, thing)
        node = _ours(answer, spec.service, spec.site)
        if node is None:
            raise Unreadable(operation, thing, "the node that was created does not carry our labels")
        return node

    def destroy(self, node: Node) -> None:
        """See `ports.Compute`."""
        operation, thing = "destroy node", f"{node.name} at {self.name}"
        client = self._client(operation)
        path = f"/v1/nodes/{node.id}"
        try:
            found = client.get(path, _Node, operation, thing)
            if not _same_labels(found.labels, node):
                raise Conflict(operation, thing, "the node of this id does not carry our labels", "destroy it by hand")
            client.delete(path, operation, thing)
        except NotFound as error:
            if not _says(error, "node_not_found"):
                raise

    def firewall(self, service: str, site: str, ports: Sequence[int]) -> None:
        """See `ports.Compute`. Nothing to do: loopback addresses have no firewall."""

    def firewall_now(self, service: str, site: str) -> None:
        """See `ports.Compute`. Nodes need none."""

    def clear(self, service: str, site: str) -> None:
        """See `ports.Compute`. Nothing to do: there is nothing besides the nodes."""

    # ------------------------------------------------------------------------------------------ depot

    def put(self, digest: str, archive: bytes) -> None:
        """See `ports.Depot`."""
        operation = "store release"
        self._client(operation).put(f"/v1/archives/{digest}", archive, operation, f"{digest} at {self.name}")

    def has(self, digest: str) -> bool:
        """See `ports.Depot`."""
        operation, thing = "look for release", f"{digest} at {self.name}"
        try:
            return self._client(operation).get(f"/v1/archives/{digest}", _Archive, operation, thing).intact
        except NotFound as error:
            if _says(error, "archive_not_found"):
                return False
            raise

    def list(self) -> frozenset[str]:
        """See `ports.Depot`."""
        operation = "list releases"
        return frozenset(self._client(operation).get("/v1/archives", _Archives, operation, self.name).archives)

    def remove(self, digest: str) -> None:
        """See `ports.Depot`."""
        operation = "remove release"
        self._client(operation).delete(f"/v1/archives/{digest}", operation, f"{digest} at {self.name}")

    def link(self, digest: str, expires_s: float) -> str:  # noqa: ARG002
        """See `ports.Depot`. Empty: the cloud itself puts the release on its nodes."""
        return ""

    def may_put(self) -> Right | None:
        """See `ports.Depot`. One token opens both: `rights` tells."""
        return None

    def hand_over(self, name: str, contents: bytes, expires_s: float) -> str:  # noqa: ARG002
        """See `ports.Depot`. Empty: nodes get their environment with the request that creates them."""
        return ""

    # ------------------------------------------------------------------------------------------ the daemon

    def _client(self, operation: str) -> ApiClient:
        """A client for the daemon that runs now. Raises Unreachable when none does, SecretError, StateDamaged."""
        if not self._place.exists():
            hint = f"failover local list; `failover apply` creates {self.name}"
            raise Unreachable(operation, self.name, f"there is no local cloud in {self._place.directory}", hint)
        record = read_record(self._place.directory)
        if record is None or not record.running:
            cause = "the daemon of this local cloud is not running"
            raise Unreachable(operation, self.name, cause, f"failover local start {self.name}")
        known = self._known
        if known is not None and known[0] == record:
            return known[1]
        client = ApiClient(
            base=f"http://{record.address}:{record.port}",
            token=tokens.read(self._place.directory, self._role),
            timeout_s=self._timeout_s,
            deadline_s=self._deadline_s,
            codes=_CODES,
        )
        self._known = (record, client)
        return client


def _says(error: FailoverError, code: str) -> bool:
    answer = answer_of(error)
    return answer is not None and answer.code == code


def _ours(item: _Node, service: str, site: str) -> Node | None:
    """The node, None when it does not carry all of our labels: then it is not ours to count or to touch."""
    labels = item.labels
    group, ordinal, spec = (labels.get(f"failover-{key}") for key in ("group", "ordinal", "spec"))
    ours = labels.get("failover-service") == service and labels.get("failover-site") == site
    if not ours or group is None or spec is None or ordinal is None or not ordinal.isdecimal():
        return None
    return Node(
        id=item.id,
        name=item.name,
        site=site,
        group=group,
        ordinal=int(ordinal),
        spec=spec,
        state=item.state,
        addresses=(item.address,),
        release=item.release,
        created_at_s=item.created_at_s,
    )


def _same_labels(labels: Mapping[str, str], node: Node) -> bool:
    wanted = {
        "failover-site": node.site,
        "failover-group": node.group,
        "failover-ordinal": str(node.ordinal),
        "failover-spec": node.spec,
    }
    return "failover-service" in labels and all(labels.get(key) == value for key, value in wanted.items())
