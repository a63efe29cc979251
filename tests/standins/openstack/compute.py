"""nova, the servers: built in time, or not; stopped, started, deleted in time."""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.standins.base import Machine, Refused, route
from tests.standins.openstack.identity import PROJECT_ID, USER_ID, Document
from tests.standins.openstack.network import PRIVATE, PUBLIC
from tests.standins.openstack.shop import Shop, version_of
from tests.standins.wire import Call, Reply

USER_DATA_BYTES_MAX = 65535
NO_HOST = "No valid host was found. There are not enough hosts available."


@dataclass(slots=True, kw_only=True)
class Server:
    id: str
    name: str
    made: int
    flavor: Document
    image: str
    metadata: dict[str, str] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    user_data: str = ""
    key_name: str | None = None
    groups: list[str] = field(default_factory=list)
    status: str | None = None
    """None: it is being built, or has been, as its age says."""
    fault: str = ""
    deleted: int | None = None


class Compute(Shop):
    """The whole cloud. `builds_failing`: so many of the next servers end in ERROR."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.servers: dict[str, Server] = {}
        self.builds_failing = 0

    def used(self) -> list[Document]:
        return [server.flavor for server in self.servers.values()]

    # ------------------------------------------------------------------------------------------ the base

    def node_ids(self) -> tuple[str, ...]:
        self._sweep()
        return tuple(self.servers)

    def halt(self, id: str) -> None:
        if id in self.servers:
            self.servers[id].status = "SHUTOFF"

    def switched_on(self) -> Iterable[Machine]:
        """Only those with a public address can be reached."""
        public = next(id for id, network in self.networks.items() if network["name"] == PUBLIC)
        return [
            Machine(id=server.id, address=ip["ip_address"], user_data=server.user_data, image=server.image)
            for port in self.ports.values()
            for ip in port["fixed_ips"]
            if port["network_id"] == public and ":" not in ip["ip_address"]
            if (server := self.servers.get(port["device_id"])) is not None
            if server.deleted is None and server.status in (None, "ACTIVE") and not server.fault
        ]

    def forget(self, id: str) -> None:
        del self.servers[id]
        self.ports = {key: port for key, port in self.ports.items() if port["device_id"] != id}

    def foreign(self, name: str) -> str:
        with self._lock:
            wish = {"name": name, "metadata": {"owner": "somebody-else"}, "key_name": None}
            network = next(id for id, network in self.networks.items() if network["name"] == PUBLIC)
            return self._build(wish, self.flavors[0], self.images[1]["id"], [network]).id

    def empty(self) -> None:
        super().empty()
        self.servers.clear()

    def checked(self, call: Call) -> None:
        self._sweep()
        super().checked(call)

    def _sweep(self) -> None:
        """What was deleted long enough ago is gone, its ports with it."""
        for server in list(self.servers.values()):
            if server.deleted is not None and self.ticks - server.deleted >= self.pace.gone:
                del self.servers[server.id]
                self.ports = {id: port for id, port in self.ports.items() if port["device_id"] != server.id}

    # ------------------------------------------------------------------------------------------ servers, as shown

    def _condition(self, server: Server) -> tuple[str, str | None]:
        """Status and task state."""
        if server.deleted is not None:
            return server.status or "ACTIVE", "deleting"
        if server.status is not None:
            return server.status, None
        age = self.ticks - server.made
        if age < self.pace.running:
            return "BUILD", "networking" if age * 2 < self.pace.running else "spawning"
        return ("ERROR", None) if server.fault else ("ACTIVE", None)

    def _addresses(self, server: Server) -> Document:
        if self.ticks - server.made < self.pace.addressed or server.fault:
            return {}
        found: Document = {}
        for port in self.ports.values():
            if port["device_id"] != server.id:
                continue
            entries = found.setdefault(self.networks[port["network_id"]]["name"], [])
            entries += [_address(ip["ip_address"], port, "fixed") for ip in port["fixed_ips"]]
            for floating in self.floating.values():
                if floating["port_id"] == port["id"]:
                    entries.append(_address(floating["floating_ip_address"], port, "floating"))
        return found

    def _shown(self, call: Call, server: Server) -> Document:
        status, task = self._condition(server)
        vm_state = {"BUILD": "building", "SHUTOFF": "stopped", "ERROR": "error"}.get(status, "active")
        made = self.instant(server.made)
        shown: Document = {
            "id": server.id,
            "name": server.name,
            "status": status,
            "tenant_id": PROJECT_ID,
            "user_id": USER_ID,
            "metadata": server.metadata,
            "hostId": hashlib.sha224(server.id.encode()).hexdigest() if status != "BUILD" else "",
            "image": {"id": server.image, "links": self._links("images", server.image)[1:]},
            "flavor": self._embedded(call, server),
            "created": made,
            "updated": made,
            "addresses": self._addresses(server),
            "accessIPv4": "",
            "accessIPv6": "",
            "links": self._links("servers", server.id),
            "config_drive": "",
            "key_name": server.key_name,
            "security_groups": [{"name": self.groups[id]["name"]} for id in server.groups if id in self.groups],
            "OS-DCF:diskConfig": "MANUAL",
            "OS-EXT-AZ:availability_zone": "nova",
            "OS-EXT-STS:task_state": task,
            "OS-EXT-STS:vm_state": vm_state,
            "OS-EXT-STS:power_state": 1 if status == "ACTIVE" else 4 if status == "SHUTOFF" else 0,
            "OS-SRV-USG:launched_at": made.rstrip("Z") if status != "BUILD" else None,
            "OS-SRV-USG:terminated_at": None,
            "os-extended-volumes:volumes_attached": [],
        }
        if status in ("BUILD", "ACTIVE"):
            shown["progress"] = 0
        if status == "ERROR":
            shown["fault"] = {"code": 500, "created": made, "message": server.fault}
        return shown | self._newer(call, server)

    def _embedded(self, call: Call, server: Server) -> Document:
        flavor = server.flavor
        if version_of(call) < (2, 47):
            return {"id": flavor["id"], "links": self._links("flavors", flavor["id"])[1:]}
        sizes = {name: flavor[name] for name in ("vcpus", "ram", "disk")}
        return {**sizes, "ephemeral": 0, "swap": 0, "original_name": flavor["name"], "extra_specs": {}}

    def _newer(self, call: Call, server: Server) -> Document:
        """What later microversions added."""
        added: dict[tuple[int, int], Document] = {
            (2, 9): {"locked": False},
            (2, 19): {"description": None},
            (2, 26): {"tags": server.tags},
            (2, 63): {"trusted_image_certificates": None},
            (2, 71): {"server_groups": []},
            (2, 73): {"locked_reason": None},
        }
        return {k: v for since, more in added.items() if version_of(call) >= since for k, v in more.items()}

    def _asked_for(self, call: Call) -> list[Server]:
        """The newest first, as nova's default is. `name` is a regular expression."""
        if call.asked("all_tenants") not in ("", "0", "False", "false"):
            raise Refused(403, "Policy doesn't allow os_compute_api:servers:detail:get_all_tenants to be performed.")
        found = [s for s in self.servers.values() if self.ticks - s.made >= self.pace.listed]
        found.sort(key=lambda s: (s.made, s.id), reverse=True)
        if name := call.asked("name"):
            found = [s for s in found if re.search(name, s.name)]
        if status := call.asked("status"):
            found = [s for s in found if self._condition(s)[0] == status.upper()]
        if (tags := call.asked("tags")) and version_of(call) >= (2, 26):
            found = [s for s in found if set(tags.split(",")) <= set(s.tags)]
        return found

    @route("GET", "/compute/v2.1/servers/detail")
    def list_servers(self, call: Call) -> Reply:
        return self._slice(call, "servers", [self._shown(call, server) for server in self._asked_for(call)])

    @route("GET", "/compute/v2.1/servers")
    def list_servers_short(self, call: Call) -> Reply:
        found = [{"id": s.id, "name": s.name, "links": self._links("servers", s.id)} for s in self._asked_for(call)]
        return self._slice(call, "servers", found)

    @route("GET", "/compute/v2.1/servers/{id}")
    def get_server(self, call: Call, id: str) -> Reply:
        return Reply(document={"server": self._shown(call, self._there(id))})

    def _there(self, id: str) -> Server:
        if id not in self.servers:
            raise Refused(404, f"Instance {id} could not be found.")
        return self.servers[id]

    # ------------------------------------------------------------------------------------------ servers, changed

    @route("POST", "/compute/v2.1/servers")
    def create_server(self, call: Call) -> Reply:
        """The form first, then the policy, then what it names: nova's order."""
        wish = call.document["server"]
        if not isinstance(wish.get("name"), str) or not 1 <= len(wish["name"]) <= 255:
            raise Refused(400, "Invalid input for field/attribute name.")
        self.permit(call, "os_compute_api:servers:create")
        flavor, image = self._wanted(call, wish)
        networks = self._networks_for(call, wish)
        groups = [self._group(group["name"]) for group in wish.get("security_groups") or [{"name": "default"}]]
        if len(self.servers) >= self.nodes_max:
            used = f"Requested 1, but already used {len(self.servers)} of {self.nodes_max} instances"
            raise Refused(403, f"Quota exceeded for instances: {used}")
        server = self._build(wish, flavor, image, networks, groups)
        links = self._links("servers", server.id)
        document = {
            "id": server.id,
            "links": links,
            "OS-DCF:diskConfig": "MANUAL",
            "security_groups": [{"name": self.groups[id]["name"]} for id in server.groups],
            "adminPass": "zPnp2GseTqG4",
        }
        headers = {"Location": links[0]["href"]}
        return Reply(status=202, document={"server": document}, headers=headers)

    def _wanted(self, call: Call, wish: Document) -> tuple[Document, str]:
        flavor = next((f for f in self.flavors if f["id"] == str(wish.get("flavorRef")).rpartition("/")[2]), None)
        if flavor is None:
            raise Refused(400, f"Flavor {wish.get('flavorRef')} could not be found.")
        image = next((i for i in self.images if i["id"] == wish.get("imageRef")), None)
        if image is None or image["status"] != "active":
            raise Refused(400, "Can not find requested image")
        if wish.get("key_name") and wish["key_name"] not in self.keypairs:
            raise Refused(400, "Invalid key_name provided.")
        for key, value in (wish.get("metadata") or {}).items():
            if not re.fullmatch(r"[a-zA-Z0-9-_:. ]{1,255}", key) or not isinstance(value, str) or len(value) > 255:
                raise Refused(400, f"Invalid input for field/attribute {key}.")
        self._check_user_data(wish.get("user_data"))
        if wish.get("tags") and version_of(call) < (2, 52):
            raise Refused(400, "Additional properties are not allowed ('tags' was unexpected)")
        return flavor, image["id"]

    def _check_user_data(self, data: str | None) -> None:
        if data is None:
            return
        if len(data) > USER_DATA_BYTES_MAX:
            raise Refused(400, "Invalid input for field/attribute user_data. Value is too long.")
        try:
            base64.b64decode(data, validate=True)
        except binascii.Error:
            raise Refused(400, "Invalid input for field/attribute user_data. is not a 'base64'") from None

    def _networks_for(self, call: Call, wish: Document) -> list[str]:
        """The networks of the new server. Raises Refused where nova would not choose."""
        asked = wish.get("networks")
        if asked is None and version_of(call) >= (2, 37):
            raise Refused(400, "Invalid input for field/attribute server. 'networks' is a required property")
        if asked in (None, "auto"):
            if asked is None and len(self.networks) > 1:
                raise Refused(409, "Multiple possible networks found, use a Network ID to be more specific.")
            return [id for id, network in self.networks.items() if network["name"] == PRIVATE][:1]
        if asked == "none":
            return []
        for one in asked:
            if one.get("uuid") not in self.networks:
                raise Refused(400, f"Network {one.get('uuid')} could not be found.")
        return [one["uuid"] for one in asked]

    def _group(self, name: str) -> str:
        found = [id for id, group in self.groups.items() if name in (id, group["name"])]
        if len(found) > 1 and name not in found:
            raise Refused(
                409, f"Multiple security_group matches found for name '{name}', use an ID to be more specific."
            )
        if not found:
            raise Refused(400, f"Unable to find security_group with name or id '{name}'")
        return name if name in found else found[0]

    def _build(
        self, wish: Document, flavor: Document, image: str, networks: list[str], groups: Sequence[str] = ()
    ) -> Server:
        server = Server(
            id=self.new_id(),
            name=wish["name"],
            made=self.ticks,
            flavor=flavor,
            image=image,
            metadata=dict(wish.get("metadata") or {}),
            tags=list(wish.get("tags") or ()),
            user_data=base64.b64decode(wish.get("user_data") or "").decode(),
            key_name=wish.get("key_name"),
            groups=list(groups),
            fault=NO_HOST if self.builds_failing else "",
        )
        self.builds_failing = max(0, self.builds_failing - 1)
        self.servers[server.id] = server
        for network in networks:
            self.add_port(network, server.id, list(groups))
        return server

    @route("PUT", "/compute/v2.1/servers/{id}")
    def update_server(self, call: Call, id: str) -> Reply:
        server = self._there(id)
        server.name = call.document["server"].get("name", server.name)
        return Reply(document={"server": self._shown(call, server)})

    @route("DELETE", "/compute/v2.1/servers/{id}")
    def delete_server(self, call: Call, id: str) -> Reply:
        server = self._there(id)
        server.deleted = self.ticks if server.deleted is None else server.deleted
        return Reply(status=204)

    @route("POST", "/compute/v2.1/servers/{id}/action")
    def act(self, call: Call, id: str) -> Reply:
        server = self._there(id)
        ((action, arguments),) = call.document.items()
        if action in ("addSecurityGroup", "removeSecurityGroup"):
            return self._regroup(server, arguments["name"], add=action.startswith("add"))
        status = self._condition(server)[0]
        wanted = {"os-start": ("SHUTOFF", "ACTIVE"), "os-stop": ("ACTIVE", "SHUTOFF"), "reboot": ("ACTIVE", "ACTIVE")}
        if action not in wanted:
            raise Refused(400, f"There is no such action: {action}")
        before, after = wanted[action]
        if status != before or server.deleted is not None:
            raise Refused(409, f"Cannot '{action.removeprefix('os-')}' instance {id} while it is in vm_state {status}")
        server.status = after
        return Reply(status=202)

    def _regroup(self, server: Server, name: str, *, add: bool) -> Reply:
        """The group is that of all ports of the server (compute API reference, "Add Security Group To A Server")."""
        try:
            group = self._group(name)
        except Refused as refused:
            raise Refused(404 if refused.status == 400 else refused.status, refused.message) from refused
        if not add and group not in server.groups:
            raise Refused(404, f"Security group {group} not associated with the instance {server.id}")
        kept = [known for known in server.groups if known != group]
        server.groups = [*kept, group] if add else kept
        for port in self.ports.values():
            if port["device_id"] == server.id:
                port["security_groups"] = list(server.groups)
        return Reply(status=202)

    @route("GET", "/compute/v2.1/servers/{id}/metadata")
    def get_metadata(self, call: Call, id: str) -> Reply:
        return Reply(document={"metadata": self._there(id).metadata})

    @route("PUT", "/compute/v2.1/servers/{id}/metadata")
    def replace_metadata(self, call: Call, id: str) -> Reply:
        self._there(id).metadata = dict(call.document["metadata"])
        return Reply(document={"metadata": self._there(id).metadata})

    @route("POST", "/compute/v2.1/servers/{id}/metadata")
    def update_metadata(self, call: Call, id: str) -> Reply:
        self._there(id).metadata.update(call.document["metadata"])
        return Reply(document={"metadata": self._there(id).metadata})

    @route("GET", "/compute/v2.1/servers/{id}/os-interface")
    def list_interfaces(self, call: Call, id: str) -> Reply:
        found = [
            {
                "port_id": port["id"],
                "net_id": port["network_id"],
                "mac_addr": port["mac_address"],
                "port_state": "ACTIVE",
                "fixed_ips": port["fixed_ips"],
            }
            for port in self.ports.values()
            if port["device_id"] == self._there(id).id
        ]
        return Reply(document={"interfaceAttachments": found})

    @route("GET", "/compute/v2.1/servers/{id}/os-security-groups")
    def list_server_groups(self, call: Call, id: str) -> Reply:
        groups = [self.groups[group] for group in self._there(id).groups if group in self.groups]
        return Reply(document={"security_groups": [{**group, "rules": []} for group in groups]})


def _address(ip: str, port: Document, kind: str) -> Document:
    return {
        "version": 6 if ":" in ip else 4,
        "addr": ip,
        "OS-EXT-IPS:type": kind,
        "OS-EXT-IPS-MAC:mac_addr": port["mac_address"],
    }
