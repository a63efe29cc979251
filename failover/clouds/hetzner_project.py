"""A project at Hetzner Cloud, by Hetzner's own library: servers as nodes, a bucket beside it as the depot.

Every change at Hetzner is an action that runs for a while; a server under one is locked, and refuses others. Names of
servers, firewalls and keys are unique in a project, so a request to create that is sent twice makes one thing.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import TypeVar

from hcloud.images import Image
from hcloud.locations import Location
from hcloud.server_types import BoundServerType, ServerType
from hcloud.servers import BoundServer, Server, ServerCreatePublicNetwork

from failover.clouds.hetzner_access import clear_firewalls, clear_keys, keys_of, open_ports, opened
from failover.clouds.hetzner_nodes import carries, id_of, is_node, node_of, selector, size_of
from failover.clouds.images import ImageTable
from failover.clouds.libcloud_depot import NodeDepot, WithDepot
from failover.core.firewall import Firewall
from failover.core.mirror import choose_size
from failover.core.model import AccountReport, Node, NodeGroup, NodeSpec, Quota, Size
from failover.core.reading import Transport, report_of, service_reading
from failover.core.rights import NODES, Right, right_of
from failover.errors import Conflict, NotFound, Rejected
from failover.net.calls import PerThread, as_documented
from failover.net.hetzner import ENDPOINT, PROVIDER, HetznerApi, code_of

_BUSY = ("locked", "conflict")
_HOST_NAME_MAX = 63
"""Codes that say: the request was not carried out, because something else is under way."""

_ID_OF_NOTHING = 2**52 - 1
"""Ids have 52 bits at most (API overview)."""

T = TypeVar("T")


class Hetzner(WithDepot):
    """One Hetzner project, in one location: `ports.Account`, `ports.Compute` and `ports.Depot`.

    May be used by several threads.

    `endpoint`: another address of the API, `ca_file`: what to trust there. `depot` is where its nodes fetch releases;
    None where they fetch them elsewhere. `deadline_s` bounds each call in all, `timeout_s` each wait for the network,
    `poll_s` is between two looks at something that takes time. `architecture`: x86 or arm, of sizes and images alike.
    """

    def __init__(
        self,
        *,
        name: str,
        region: str,
        token: str,
        images: ImageTable,
        endpoint: str | None = None,
        ca_file: str | None = None,
        depot: NodeDepot | None = None,
        deadline_s: float = 25.0,
        timeout_s: float = 10.0,
        poll_s: float = 1.0,
        architecture: str = "x86",
    ) -> None:
        super().__init__(name, depot)
        self._region = region
        self._table = images
        self._deadline_s = deadline_s
        self._poll_s = poll_s
        self._architecture = architecture
        base = endpoint or ENDPOINT
        self._apis = PerThread(
            lambda: HetznerApi(token, endpoint=base, timeout_s=timeout_s, ca_file=ca_file), HetznerApi.close
        )
        self._made: dict[int, str] = {}
        """Names by id of servers that were created here, until lists show them."""

    def close(self) -> None:
        """End every connection."""
        self._apis.close()
        if self._depot is not None:
            self._depot.close()

    # ------------------------------------------------------------------------------------------ account

    def state(self) -> AccountReport:
        """See `ports.Account`. Hetzner tells no account state: what several services answer is all there is.

        The depot is not asked: its keys are others, and it may be anybody's.
        """
        readings = []
        with self._asking("ask account", self.name) as api:
            for name, page in (
                ("servers.list", api.client.servers.get_list),
                ("images.list", api.client.images.get_list),
                ("firewalls.list", api.client.firewalls.get_list),
            ):
                answer = api.look(name, partial(page, per_page=1))
                readings.append(service_reading(answer, region=self._region))
                if answer.transport is not Transport.ANSWERED:
                    break  # the others are behind the same door
        return report_of(readings)

    def nodes(self, service: str, site: str) -> tuple[Node, ...]:
        """See `ports.Account`. Servers that are being deleted are gone: nothing brings them back."""
        with self._asking("list nodes", self.name) as api:
            found = self._listed(api, labels=selector(service, site))
            nodes = [node for server in found if (node := node_of(server, service, site)) is not None]
        return tuple(sorted(nodes, key=lambda node: (node.created_at_s, int(node.id))))

    def rights(self, spec: NodeSpec) -> tuple[Right, ...]:
        """See `ports.Account`. By removing a server that cannot be: a token that reads may send GET alone.

        Source: https://docs.hetzner.cloud/reference/cloud, errors (`token_readonly`, `not_found`)
        """
        del spec
        with self._asking("ask rights", self.name) as api:
            none = Server(id=_ID_OF_NOTHING)
            answer = api.look("servers.delete", lambda: api.client.servers.delete(none))
        return tuple(right_of(act, answer, ("not_found",), needs="a token that may read and write") for act in NODES)

    # ------------------------------------------------------------------------------------------ what can be had

    def images(self) -> frozenset[str]:
        """See `ports.Compute`."""
        with self._asking("list images", self.name) as api:
            found = api.whole("images.list", api.client.images.get_list, architecture=[self._architecture])
        there = {image.name for image in found if image.status == "available"}  # hcloud cannot ask for a status
        return frozenset(
            name for name in self._table.names("hetzner") if self._table.find("hetzner", name)["name"] in there
        )

    def sizes(self) -> tuple[Size, ...]:
        """See `ports.Compute`. Prices are net, in the currency of the project."""
        with self._asking("list sizes", self.name) as api:
            return self._sizes(api)

    def quota(self) -> Quota:
        """See `ports.Compute`. The API tells no limit: only the refusal does."""
        with self._asking("ask quota", self.name) as api:
            listed = api.client.servers.get_list
            used = len(self._listed(api)) if self._made else api.count("servers.list", listed)
            return Quota(nodes_max=None, nodes_used=used)

    def _sizes(self, api: HetznerApi) -> tuple[Size, ...]:
        types: list[BoundServerType] = api.whole("server_types.list", api.client.server_types.get_list)
        known = sorted({place.location.name or "" for type in types for place in type.locations or ()})
        if self._region not in known:
            cause = f"there is no location {self._region}; there are {', '.join(known) or 'none'}"
            raise Rejected(api.operation, api.object, cause, "set the site's `region`")
        mine = (type for type in types if type.architecture == self._architecture)
        return tuple(size for type in mine if (size := size_of(type, self._region)) is not None)

    # ------------------------------------------------------------------------------------------ nodes

    def vet(self, spec: NodeSpec) -> None:
        """See `ports.Compute`. A name must be a host name (RFC 1123), so it is one label of a domain."""
        if len(spec.name) > _HOST_NAME_MAX:
            cause = f"hetzner takes {_HOST_NAME_MAX} characters, it has {len(spec.name)}"
            raise Rejected("give a name", spec.name, cause, "shorten the names of the service, site or group")

    def ensure(self, spec: NodeSpec) -> Node:
        """See `ports.Compute`."""
        with self._asking("create node", f"{spec.name} at {self.name}") as api:
            server = self._found(api, spec)
            while server is not None and server.status == server.STATUS_DELETING:
                api.deadline.wait(self._poll_s, api.operation, api.object)
                server = self._found(api, spec)
            if server is None:
                server = self._created(api, spec)
            elif server.status in (server.STATUS_OFF, server.STATUS_STOPPING):
                self._start(api, id_of(server))
        node = node_of(server, spec.service, spec.site)
        if node is None:
            raise Conflict(api.operation, api.object, "the server of that name lost our labels", "delete it")
        return node

    def destroy(self, node: Node) -> None:
        """See `ports.Compute`. A name stands for one server only in a project, so there are no duplicates."""
        with self._asking("destroy node", f"{node.name} at {self.name}") as api:
            with suppress(NotFound):
                self._delete(api, node)
            self._made.pop(int(node.id), None)
        if self._depot is not None:
            self._depot.withdraw(node.name)

    def firewall(self, service: str, site: str, ports: Sequence[int]) -> None:
        """See `ports.Compute`. By a firewall that follows our labels, so nodes that come later are behind it too."""
        with self._asking("open firewall", f"of {service} at {site} at {self.name}") as api:
            open_ports(api, service, site, ports, self._poll_s)

    def firewall_now(self, service: str, site: str) -> Firewall:
        """See `ports.Compute`. One that follows our labels leaves none of our nodes outside."""
        with self._asking("look at firewall", f"of {service} at {site} at {self.name}") as api:
            openings, follows = opened(api, service, site)
            if follows:
                return Firewall(openings=openings)
            servers = self._listed(api, labels=selector(service, site))
        outside = (node_of(server, service, site) for server in servers)
        return Firewall(openings=openings, outside=tuple(node.name for node in outside if node is not None))

    def clear(self, service: str, site: str) -> None:
        """See `ports.Compute`."""
        if self._depot is not None:
            self._depot.withdraw_all()
        with self._asking("clear", f"{service} at {site} at {self.name}") as api:
            clear_firewalls(api, service, site, self._poll_s)
            clear_keys(api, service, site)

    # ------------------------------------------------------------------------------------------ servers

    def _listed(self, api: HetznerApi, *, name: str | None = None, labels: str | None = None) -> list[BoundServer]:
        """The whole list, and what was created here before the lists show it."""
        page = partial(api.client.servers.get_list, name=name, label_selector=labels)
        found: list[BoundServer] = api.whole("servers.list", page)
        for server in found:
            self._made.pop(id_of(server), None)
        for id, its_name in tuple(self._made.items()):
            if name in (None, its_name):
                try:
                    found.append(self._server(api, id))
                except NotFound:
                    self._made.pop(id, None)
        return found

    def _server(self, api: HetznerApi, id: int) -> BoundServer:
        return api.read("servers.get", lambda: api.client.servers.get_by_id(id))

    def _found(self, api: HetznerApi, spec: NodeSpec) -> BoundServer | None:
        """The server of that name. Raises Conflict where it is somebody else's."""
        for server in self._listed(api, name=spec.name):
            if server.name != spec.name:
                continue
            if not carries(server.labels, spec.labels):
                cause = f"the name is taken by {server.id}, which is not this node"
                raise Conflict(api.operation, api.object, cause, "rename or delete it")
            return server
        return None

    def _created(self, api: HetznerApi, spec: NodeSpec) -> BoundServer:
        """A new server. Where another call was faster (or its reply was lost), the one that it made."""
        if self._depot is not None and not self._depot.has(spec.release):
            cause = f"the release {spec.release} is not in the depot"
            raise NotFound(api.operation, api.object, cause, "failover apply")
        self.vet(spec)
        image = Image(name=self._table.find("hetzner", spec.image)["name"])
        size = ServerType(name=spec.size or self._smallest(api, spec))
        keys = keys_of(api, spec)
        try:
            made = api.once(
                "servers.create",
                lambda: api.client.servers.create(
                    name=spec.name,
                    server_type=size,
                    image=image,
                    location=Location(name=self._region),
                    labels=spec.labels,
                    ssh_keys=[*keys],
                    user_data=spec.user_data or None,
                    public_net=ServerCreatePublicNetwork(enable_ipv4=True, enable_ipv6=True),
                ),
            ).server
        except Conflict as error:
            if code_of(error) != "uniqueness_error":
                raise
            return self._appeared(api, spec)
        self._made[id_of(made)] = spec.name
        return made

    def _appeared(self, api: HetznerApi, spec: NodeSpec) -> BoundServer:
        """The server that has the name already, once lists show it. Raises Conflict where it is somebody else's."""
        while (server := self._found(api, spec)) is None:
            api.deadline.wait(self._poll_s, api.operation, api.object)
        return server

    def _smallest(self, api: HetznerApi, spec: NodeSpec) -> str:
        """For a wish that names no size."""
        need = NodeGroup(name=spec.group, count=1, cpus=spec.cpus, memory_mib=spec.memory_mib, disk_gib=spec.disk_gib)
        size = choose_size(need, self._sizes(api))
        if size is None:
            raise Rejected(api.operation, api.object, f"{self.name} has no size for the node")
        return size.name

    def _start(self, api: HetznerApi, id: int) -> None:
        self._patiently(api, "servers.power_on", lambda: self._server(api, id).power_on())

    def _delete(self, api: HetznerApi, node: Node) -> None:
        """Until it is really gone: its name is free then, and its place in the quota. Raises NotFound when it is."""
        server = self._server(api, int(node.id))
        if not is_node(server.labels, node):
            cause = "the node of this id does not carry our labels"
            raise Conflict(api.operation, api.object, cause, "destroy it by hand")
        if server.status != server.STATUS_DELETING:
            api.finish(
                [self._patiently(api, "servers.delete", lambda: api.client.servers.delete(server))], self._poll_s
            )
        while True:
            self._server(api, id_of(server))
            api.deadline.wait(self._poll_s, api.operation, api.object)

    # ------------------------------------------------------------------------------------------ asking

    @contextmanager
    def _asking(self, operation: str, object: str) -> Iterator[HetznerApi]:
        """A client for this thread alone, with the deadline of the operation."""
        with self._apis.lent() as api, as_documented(PROVIDER, operation, object):
            api.begin(operation, object, self._deadline_s)
            yield api

    def _patiently(self, api: HetznerApi, name: str, do: Callable[[], T]) -> T:
        """`do()`, again while another action holds the server. Raises TimedOut at the deadline."""
        while True:
            try:
                return api.read(name, do)
            except Conflict as error:
                if code_of(error) not in _BUSY:
                    raise
            api.deadline.wait(self._poll_s, api.operation, api.object)
