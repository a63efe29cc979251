"""OpenStack's dialect (keystone v3, nova 2.1, glance v2, neutron v2.0, by docs.openstack.org/api-ref); OVH is one."""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from libcloud.common.openstack import OpenStackBaseConnection
from libcloud.compute.drivers.openstack import OpenStackNodeDriver

from failover.clouds import libcloud_openstack_answers as answers
from failover.clouds import libcloud_rights as rights
from failover.clouds.depot_settings import DepotSettings
from failover.clouds.images import ImageTable
from failover.clouds.libcloud import LibcloudCloud, built
from failover.clouds.libcloud_dialect import (
    Machine,
    Offered,
    Place,
    Wish,
    gone,
    shortest,
)
from failover.clouds.libcloud_keystone import SignIn, Tokens
from failover.clouds.libcloud_openstack_answers import COMPUTE, IMAGE, NETWORK
from failover.core.firewall import Firewall, wanted_openings
from failover.core.model import NodeSpec, NodeState, Size
from failover.core.reading import Answer
from failover.core.rights import Right
from failover.errors import Rejected, Unreadable
from failover.net.libcloud import Api, Ask, Line
from failover.net.lists import READINGS

_IDENTITY = "identity"
_TEXT_MAX = 255
_SETTLED = ("ACTIVE", "SHUTOFF", "PAUSED", "SUSPENDED")
"""States in which a server has its ports for good."""


def cloud(
    *,
    name: str,
    region: str,
    auth_url: str,
    project: str,
    username: str,
    password: str,
    images: ImageTable,
    domain: str = "Default",
    network: str | None = None,
    endpoint: str | None = None,
    ca_file: str | None = None,
    depot: DepotSettings | None = None,
    deadline_s: float = 25.0,
    timeout_s: float = 10.0,
) -> LibcloudCloud:
    """A project of an OpenStack cloud in one region. `domain` is the user's and the project's.

    `network`: name or id of the one that nodes get; by default the only external one. `endpoint` replaces `auth_url`,
    `ca_file` says what to trust there.
    """
    dialect = OpenStack(
        auth_url=endpoint or auth_url,
        project=project,
        username=username,
        password=password,
        region=region,
        domain=domain,
        network=network,
        ca_file=ca_file,
    )
    return built(
        dialect, name=name, region=region, images=images, depot=depot, deadline_s=deadline_s, timeout_s=timeout_s
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenStack:
    """See `Dialect`. All drivers share one token."""

    auth_url: str
    project: str
    username: str
    password: str = field(repr=False)
    region: str
    domain: str = "Default"
    network: str | None = None
    ca_file: str | None = None
    kind: str = "openstack"
    busy: tuple[int, str] = (409, "task_state|in use")
    tokens: Tokens = field(default_factory=Tokens, repr=False)

    def api(self, timeout_s: float) -> Api:
        root = self.auth_url.rstrip("/").removesuffix("/v3")
        driver: Any = OpenStackNodeDriver(  # type: ignore[no-untyped-call]
            self.username,
            self.password,
            api_version="2.2",
            ex_force_auth_url=root,
            ex_force_auth_version="3.x_password",
            ex_tenant_name=self.project,
            ex_force_service_region=self.region,
        )
        line = Line(timeout_s, self.ca_file)
        services = {
            COMPUTE: driver.connection,
            NETWORK: driver.network_connection,
            IMAGE: driver.image_connection,
        }
        for connection in services.values():
            connection.service_name = None  # catalogs name their services as they like
            connection._osa = self._sign_in(root, connection, line)
        return Api(self.kind, line, {**services, _IDENTITY: driver.connection._osa}, refreshes=True)

    def _sign_in(self, root: str, connection: OpenStackBaseConnection, line: Line) -> SignIn:
        made = SignIn(  # type: ignore[no-untyped-call]
            auth_url=root,
            user_id=self.username,
            key=self.password,
            tenant_name=self.project,
            domain_name=self.domain,
            parent_conn=connection,
            auth_cache=self.tokens,
        )
        line.through(made)
        return made

    # ------------------------------------------------------------------------------------------ servers

    def machines(self, api: Api) -> tuple[Machine, ...]:
        return tuple(answers.machine_of(server, self.network) for server in self._servers(api))

    def _servers(self, api: Api) -> list[answers.Server]:
        """As many as the project uses: nova's lists do not say how long they are."""
        problem = ""
        for _ in range(READINGS):
            used = answers.used(api)
            servers = answers.listed(api, "servers.list", "/servers/detail", "servers", answers.Server, COMPUTE)
            if len(servers) >= used:
                return servers
            problem = f"{len(servers)} servers were listed, the project uses {used}"
        raise Unreadable(api.operation, api.object, problem)

    def machine(self, api: Api, id: str) -> Machine:
        found = api.get(Ask(name="compute.servers.get", path=f"/servers/{id}"), answers.OneServer)
        return answers.machine_of(found.server, self.network)

    def vet(self, spec: NodeSpec) -> None:
        """Names and the values of metadata take 255 characters each (compute API reference, "Create Server")."""
        for what, text in (("name", spec.name), *(("metadata", value) for value in spec.labels.values())):
            shortest(text, _TEXT_MAX, what, self.kind)

    def create(self, api: Api, wish: Wish) -> Machine:
        """The answer tells the id alone; status and addresses come later."""
        server: dict[str, object] = {
            "name": wish.spec.name,
            "imageRef": wish.image,
            "flavorRef": answers.flavor_id(api, wish.size),
            "metadata": wish.spec.labels,
        }
        network, groups = self._network(api), answers.groups(api, wish.place)
        if network is not None:
            server["networks"] = [{"uuid": network}]
        if groups:
            server["security_groups"] = [{"name": groups[0].id}]
        if wish.spec.user_data:
            server["user_data"] = b64encode(wish.spec.user_data.encode()).decode()
        ask = Ask(name="compute.servers.create", method="POST", path="/servers", body={"server": server})
        made = api.once(ask, answers.OneNew).server
        return Machine(id=made.id, name=wish.spec.name, labels=wish.spec.labels, state=NodeState.PENDING)

    def start(self, api: Api, id: str) -> None:
        path, body = f"/servers/{id}/action", {"os-start": None}
        api.sent(Ask(name="compute.servers.start", method="POST", path=path, body=body))

    def delete(self, api: Api, id: str) -> None:
        api.done(Ask(name="compute.servers.delete", method="DELETE", path=f"/servers/{id}"))

    def _network(self, api: Api) -> str | None:
        """The id of the one that was named, else of the only external one, else None: nova chooses."""
        networks = answers.listed(api, "networks.list", "/v2.0/networks", "networks", answers.Network, NETWORK)
        if self.network is not None:
            found = [n.id for n in networks if self.network in (n.id, n.name)]
            if len(found) != 1:
                known = ", ".join(sorted(n.name for n in networks)) or "none"
                cause = f"{len(found)} networks are called {self.network}; there are {known}"
                raise Rejected(api.operation, api.object, cause, "set `network` of the provider, by id if need be")
            return found[0]
        external = [n for n in networks if n.external]
        if len(external) > 1:
            names = ", ".join(sorted(n.name for n in external))
            raise Rejected(api.operation, api.object, f"there are several external networks: {names}", "set `network`")
        return external[0].id if external else None

    # ------------------------------------------------------------------------------------------ what can be had

    def offered(self, api: Api) -> tuple[Offered, ...]:
        images = answers.listed(api, "images.list", "/v2/images", "images", answers.Image, IMAGE, status="active")
        return tuple(Offered(id=i.id, name=i.name or "", created=i.created_at) for i in images if i.status == "active")

    def sizes(self, api: Api) -> tuple[Size, ...]:
        """Without prices: nova knows none."""
        try:
            flavors = answers.flavors(api)
        except Unreadable as error:
            self._check_region(api, error)
            raise
        return tuple(
            Size(name=f.name, cpus=f.vcpus, memory_mib=f.ram, disk_gib=f.disk) for f in flavors if not f.disabled
        )

    def _check_region(self, api: Api, error: Unreadable) -> None:
        """A catalog without our region looks like trouble with the answer. Raises Rejected."""
        catalog = getattr(api.connection(COMPUTE), "service_catalog", None)
        known = catalog.get_regions(COMPUTE) if catalog is not None else None
        if known is not None and self.region not in known:
            cause = f"there is no region {self.region}; there are {', '.join(sorted(known)) or 'none'}"
            raise Rejected(api.operation, api.object, cause) from error

    def nodes_max(self, api: Api) -> int | None:
        most = answers.limits(api).instances_max
        return most if most >= 0 else None

    # ------------------------------------------------------------------------------------------ account

    def look(self, api: Api) -> Iterator[Answer]:
        """keystone first, about the token that we have: of all services it alone says that a project is disabled."""
        if self.tokens.held() is not None:
            yield api.look(Ask(name="identity.tokens.get", path="/v3/auth/tokens", service=_IDENTITY))
        yield api.look(Ask(name="compute.limits.get", path="/limits"))
        yield api.look(Ask(name="network.networks.list", path="/v2.0/networks", query={"limit": 1}, service=NETWORK))
        yield api.look(Ask(name="image.images.list", path="/v2/images", query={"limit": 1}, service=IMAGE))

    def rights(self, api: Api, spec: NodeSpec) -> tuple[Right, ...]:
        return rights.openstack(api, spec.name, COMPUTE)

    # ------------------------------------------------------------------------------------------ firewall

    def open(self, api: Api, place: Place, ports: Sequence[int]) -> None:
        """A security group that `create` gives to the place's servers. New rules come before old ones go.

        Servers that stand without it get it last, beside the groups that they have: it opens, and closes nothing.
        """
        groups = answers.groups(api, place)
        group = groups[0] if groups else answers.new_group(api, place)
        found, wanted = answers.ingress(group), wanted_openings(ports)
        for opening in sorted(wanted - {answers.opening(rule) for rule in found}):
            rule = {
                "security_group_id": group.id,
                "direction": "ingress",
                "ethertype": "IPv6" if ":" in opening.source else "IPv4",
                "protocol": opening.protocol,
                "port_range_min": int(opening.ports),
                "port_range_max": int(opening.ports),
                "remote_ip_prefix": opening.source,
            }
            body: dict[str, object] = {"security_group_rule": rule}
            path = "/v2.0/security-group-rules"
            api.sent(Ask(name="network.rules.create", method="POST", path=path, body=body, service=NETWORK))
        for known in found:
            if answers.opening(known) not in wanted:
                path = f"/v2.0/security-group-rules/{known.id}"
                gone(api, Ask(name="network.rules.delete", method="DELETE", path=path, service=NETWORK))
        for server in self._outside(api, place):
            path, body = f"/servers/{server.id}/action", {"addSecurityGroup": {"name": group.id}}
            api.sent(Ask(name="compute.servers.group", method="POST", path=path, body=body))

    def opened(self, api: Api, place: Place) -> Firewall:
        groups = answers.groups(api, place)
        openings = frozenset(map(answers.opening, answers.ingress(groups[0]))) if groups else frozenset()
        return Firewall(openings=openings, outside=tuple(server.name for server in self._outside(api, place)))

    def _outside(self, api: Api, place: Place) -> list[answers.Server]:
        """Those of the place's servers that are there, in order, and without its group."""
        return [
            server
            for server in self._servers(api)
            if server.status in _SETTLED and server.task != "deleting"
            if place.labels.items() <= server.metadata.items()
            if place.mark not in {group.name for group in server.groups}
        ]

    def clear(self, api: Api, place: Place) -> None:
        for group in answers.groups(api, place):
            path = f"/v2.0/security-groups/{group.id}"
            gone(api, Ask(name="network.groups.delete", method="DELETE", path=path, service=NETWORK))
