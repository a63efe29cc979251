"""Servers of Hetzner Cloud: locked while an action runs, gone some time after they are deleted."""

import re
from collections.abc import Iterable
from typing import Any

from tests.standins import base
from tests.standins.base import Refused, route
from tests.standins.hetzner.catalog import LOCATIONS, good_labels, location
from tests.standins.hetzner.project import Document, Machine, invalid, of
from tests.standins.hetzner.walls import Walls, applies
from tests.standins.wire import Call, Reply

USER_DATA_BYTES_MAX = 32 * 1024
_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")


class Servers(Walls):
    """The whole project."""

    def switched_on(self) -> Iterable[base.Machine]:
        there = (s for s in self.servers.values() if s.v4 and s.status in (None, "running", "starting"))
        return [
            base.Machine(id=str(s.id), address=s.v4 or "", user_data=s.user_data, image=s.image["name"]) for s in there
        ]

    def forget(self, id: str) -> None:
        del self.servers[int(id)]

    def foreign(self, name: str) -> str:
        with self._lock:
            return str(self._new(name, self.types[1], self.images[2], LOCATIONS[0], labels={"owner": "somebody"}).id)

    def _new(self, name: str, type: Document, image: Document, place: Document, **more: Any) -> Machine:
        v4, v6 = next(self.free_v4), f"2001:db8:{self._last_id % 65536:x}::/64"
        server = Machine(
            id=self._id(), name=name, made=self.ticks, type=type, image=image, location=place, v4=v4, v6=v6, **more
        )
        self.servers[server.id] = server
        return server

    def _age(self, server: Machine) -> int:
        return self.ticks - server.made

    def _condition(self, server: Machine) -> str:
        if server.status is not None:
            return server.status
        if self._age(server) >= self.pace.running:
            return "running"
        return "initializing" if self._age(server) * 2 < self.pace.running else "starting"

    def _applied(self, server: Machine) -> list[Document]:
        picked = [
            firewall.id
            for firewall in self.firewalls.values()
            if any(applies(resource, server) for resource in firewall.applied)
        ]
        return [{"id": id, "status": "applied"} for id in sorted({*picked, *server.firewalls})]

    def _public_net(self, server: Machine) -> Document:
        there = self._age(server) >= self.pace.addressed
        pointer = [{"ip": server.v6.replace("/64", "1"), "dns_ptr": "server.example"}] if server.v6 else []
        return {
            "ipv4": {"id": server.id * 10, "ip": server.v4, "blocked": False, "dns_ptr": "static.example"}
            if there and server.v4
            else None,
            "ipv6": {"id": server.id * 10 + 1, "ip": server.v6, "blocked": False, "dns_ptr": pointer}
            if there and server.v6
            else None,
            "floating_ips": [],
            "firewalls": self._applied(server),
        }

    def _shown(self, server: Machine) -> Document:
        return {
            "id": server.id,
            "name": server.name,
            "status": self._condition(server),
            "created": self.instant(server.made).replace("Z", "+00:00"),
            "public_net": self._public_net(server),
            "private_net": [],
            "server_type": server.type,
            "location": server.location,
            "datacenter": {
                "id": 4,
                "name": f"{server.location['name']}-dc14",
                "description": "a virtual DC",
                "location": server.location,
                "server_types": {"supported": [], "available": [], "available_for_migration": []},
            },
            "image": server.image,
            "iso": None,
            "rescue_enabled": False,
            "locked": self._locked(server.id),
            "backup_window": None,
            "outgoing_traffic": 0,
            "ingoing_traffic": 0,
            "included_traffic": 21990232555520,
            "protection": {"delete": server.protected, "rebuild": server.protected},
            "labels": server.labels,
            "volumes": [],
            "load_balancers": [],
            "primary_disk_size": server.type["disk"],
            "placement_group": None,
        }

    @route("GET", "/v1/servers")
    def list_servers(self, call: Call) -> Reply:
        seen = [self._shown(s) for s in self.servers.values() if self._age(s) >= self.pace.listed]
        return self._page(call, "servers", self._picked(call, seen, "status"))

    @route("GET", "/v1/servers/{id}")
    def get_server(self, call: Call, id: str) -> Reply:
        return Reply(document={"server": self._shown(self._there(id))})

    def _there(self, id: str) -> Machine:
        server = self.servers.get(int(id)) if id.isdecimal() else None
        if server is None:
            raise Refused(404, f"server with ID '{id}' not found")
        return server

    def _free(self, id: str) -> Machine:
        server = self._there(id)
        if self._locked(server.id):
            raise Refused(423, "server is locked by another action", "locked")
        return server

    @route("POST", "/v1/servers")
    def create_server(self, call: Call) -> Reply:
        wish, place = self._wanted(call.document)
        if any(server.name == wish["name"] for server in self.servers.values()):
            raise Refused(409, "server name is already used", "uniqueness_error")
        if len(self.servers) >= self.nodes_max:
            raise Refused(403, "server limit reached", "resource_limit_exceeded")
        type = of(self.types, wish["server_type"], "server type", 422)
        _sold(type, place["name"])
        server = self._new(
            wish["name"],
            type,
            self._image_for(wish["image"], type),
            place,
            labels=wish.get("labels") or {},
            firewalls={f["firewall"] for f in wish.get("firewalls") or ()},
            ssh_keys=[
                of(tuple(self.ssh_keys.values()), key, "SSH key", 422)["id"] for key in wish.get("ssh_keys") or ()
            ],
            user_data=wish.get("user_data") or "",
            status=None if wish.get("start_after_create", True) else "off",
        )
        net = wish.get("public_net") or {}
        server.v4 = server.v4 if net.get("enable_ipv4", True) else None
        server.v6 = server.v6 if net.get("enable_ipv6", True) else None
        return self._created(server)

    def _created(self, server: Machine) -> Reply:
        about = [("server", server.id), ("image", server.image["id"])]
        document = {
            "server": self._shown(server),
            "action": self._act("create_server", about, max(1, self.pace.running - 1)),
            "next_actions": [self._act("start_server", about[:1], max(1, self.pace.running))],
            "root_password": None if server.ssh_keys else "YItygq1v3GYjjMomLaKc",
        }
        document["server"] = self._shown(server)  # locked by its actions now
        return Reply(status=201, document=document)

    def _wanted(self, wish: Document) -> tuple[Document, Document]:
        """The request, and the location that it asks for. Raises Refused for everything that the reference forbids."""
        for name in ("name", "server_type", "image"):
            if not wish.get(name):
                raise invalid(name)
        if not _HOST_NAME.fullmatch(wish["name"]) or len(wish["name"]) > 253:
            raise invalid("name")
        if len((wish.get("user_data") or "").encode()) > USER_DATA_BYTES_MAX:
            raise invalid("user_data")
        if not good_labels(wish.get("labels") or {}):
            raise invalid("labels")
        if any(f.get("firewall") not in self.firewalls for f in wish.get("firewalls") or ()):
            raise invalid("firewalls")
        try:
            return wish, location(str(wish.get("location") or "fsn1"))
        except KeyError:
            raise invalid("location") from None

    def _image_for(self, name: str | int, type: Document) -> Document:
        """By id, or by name for the architecture of the server type."""
        for image in self.images:
            if str(name) in (image["name"], str(image["id"])) and image["architecture"] == type["architecture"]:
                if image["deprecated"] is not None:
                    break
                return image
        raise invalid("image")

    @route("PUT", "/v1/servers/{id}")
    def update_server(self, call: Call, id: str) -> Reply:
        server, wish = self._there(id), call.document
        if not good_labels(wish.get("labels") or {}):
            raise invalid("labels")
        server.labels = wish.get("labels", server.labels)
        server.name = wish.get("name", server.name)
        return Reply(document={"server": self._shown(server)})

    @route("DELETE", "/v1/servers/{id}")
    def delete_server(self, call: Call, id: str) -> Reply:
        server = self._free(id)
        if server.protected:
            raise Refused(423, "server deletion is protected", "protected")
        if "delete_server" not in self.actions_failing:
            server.status = "deleting"

        def gone() -> None:
            self.servers.pop(server.id, None)

        return Reply(document={"action": self._act("delete_server", [("server", server.id)], self.delete_ticks, gone)})

    def _power(self, id: str, command: str, before: str | None, after: str | None) -> Reply:
        server = self._free(id)
        server.status = before

        def arrived() -> None:
            server.status = after

        return Reply(status=201, document={"action": self._act(command, [("server", server.id)], 1, arrived)})

    def create_action(self, command: str, id: str, lasts: int) -> None:
        """Somebody else begins something at the server, which locks it for so many ticks."""
        with self._lock:
            self._act(command, [("server", int(id))], lasts)

    @route("POST", "/v1/servers/{id}/actions/poweron")
    def power_on(self, call: Call, id: str) -> Reply:
        return self._power(id, "start_server", "starting", "running")

    @route("POST", "/v1/servers/{id}/actions/poweroff")
    def power_off(self, call: Call, id: str) -> Reply:
        return self._power(id, "stop_server", "stopping", "off")

    @route("POST", "/v1/servers/{id}/actions/shutdown")
    def shutdown(self, call: Call, id: str) -> Reply:
        return self._power(id, "shutdown_server", "stopping", "off")

    @route("POST", "/v1/servers/{id}/actions/reboot")
    def reboot(self, call: Call, id: str) -> Reply:
        return self._power(id, "reboot_server", "running", "running")

    @route("POST", "/v1/servers/{id}/actions/change_protection")
    def change_protection(self, call: Call, id: str) -> Reply:
        server = self._free(id)
        server.protected = call.document.get("delete", server.protected)
        return Reply(status=201, document={"action": self._act("change_protection", [("server", server.id)], 0)})


def _sold(type: Document, place: str) -> None:
    for offer in type["locations"]:
        if offer["name"] == place:
            if not offer["available"]:
                raise Refused(412, "server type is currently not available at this location", "resource_unavailable")
            return
    raise Refused(422, "unsupported location for server type", "invalid_input")
