"""Vultr: instances."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.standins.base import Mood, Refused, addresses, route
from tests.standins.vultr.account import AccountPart
from tests.standins.vultr.catalog import PLANS, REGIONS, SYSTEMS
from tests.standins.wire import Call, Reply

FILTERS = ("label", "tag", "main_ip", "region", "firewall_group_id", "hostname")
SOURCES = ("os_id", "iso_id", "snapshot_id", "app_id", "image_id")
USER_DATA_BYTES_MAX = 64 * 1024
PENDING = "0.0.0.0"
"""What stands where an address is to come."""


@dataclass(slots=True, kw_only=True)
class Instance:
    id: str
    label: str
    hostname: str
    region: str
    plan: str
    system: int
    tags: list[str]
    made: int
    v4: str
    v6: str
    internal: str
    user_data: str = ""
    """In Base64, as it came."""
    keys: tuple[str, ...] = ()
    firewall: str = ""
    off: bool = False
    deleted: int | None = None
    """The tick of its deletion: lists may show it a little longer."""


class InstancesPart(AccountPart):
    """Labels need not be unique. The main address is 0.0.0.0 until `pace.addressed`."""

    def __init__(self, **options: Any) -> None:
        self.instances: dict[str, Instance] = {}
        self._free_internal = addresses("10.99.0.0/16")
        super().__init__(**options)

    # ------------------------------------------------------------------------------------------ reading

    @route("GET", "/v2/instances")
    def list_instances(self, call: Call) -> Reply:
        asked = {name: call.asked(name) for name in FILTERS if call.asked(name)}
        shown = [self._shown(instance) for instance in self.instances.values() if self._listed(instance)]
        return self._page(call, "instances", [instance for instance in shown if _fits(instance, asked)])

    @route("GET", "/v2/instances/{id}")
    def get_instance(self, call: Call, id: str) -> Reply:
        return Reply(document={"instance": self._shown(self._instance(id))})

    @route("GET", "/v2/instances/{id}/ipv4")
    def list_v4(self, call: Call, id: str) -> Reply:
        instance = self._instance(id)
        address = {
            "ip": instance.v4,
            "netmask": "255.255.254.0",
            "gateway": "198.18.0.1",
            "type": "main_ip",
            "reverse": "",
            "mac_address": "",
        }
        return self._page(call, "ipv4s", [address] if self._addressed(instance) else [])

    @route("GET", "/v2/instances/{id}/ipv6")
    def list_v6(self, call: Call, id: str) -> Reply:
        instance = self._instance(id)
        address = {"ip": instance.v6, "network": "2001:db8::", "network_size": 64, "type": "main_ip"}
        return self._page(call, "ipv6s", [address] if instance.v6 and self._addressed(instance) else [])

    @route("GET", "/v2/instances/{id}/user-data")
    def get_user_data(self, call: Call, id: str) -> Reply:
        return Reply(document={"user_data": {"data": self._instance(id).user_data}})

    # ------------------------------------------------------------------------------------------ making

    @route("POST", "/v2/instances")
    def create_instance(self, call: Call) -> Reply:
        wish = dict(call.document)
        if str(wish.get("os_id", "")).isdecimal():
            wish["os_id"] = int(wish["os_id"])  # clients in wide use send it as text, against the reference
        self._creatable(wish)
        tags = wish.get("tags", [wish["tag"]] if wish.get("tag") else [])
        instance = Instance(
            id=self._uuid(),
            label=wish.get("label", ""),
            hostname=wish.get("hostname", "vultr"),
            region=wish["region"],
            plan=wish["plan"],
            system=wish["os_id"],
            tags=list(tags),
            made=self.ticks,
            v4=next(self.free_v4),
            v6=next(self.free_v6) if wish.get("enable_ipv6") else "",
            internal=next(self._free_internal),
            user_data=wish.get("user_data", ""),
            keys=tuple(wish.get("sshkey_id", ())),
            firewall=wish.get("firewall_group_id", ""),
        )
        self.instances[instance.id] = instance
        shown = {**self._shown(instance), "default_password": "v5{Fkvb#2ycPGwHs"}
        return Reply(status=202, document={"instance": shown})

    def _creatable(self, wish: Mapping[str, Any]) -> None:
        self._wanted(wish, "region", "plan")
        if wish["region"] not in REGIONS:
            raise Refused(400, "Invalid region.")
        if wish["plan"] not in PLANS:
            raise Refused(400, "Invalid plan.")
        if wish["region"] not in PLANS[wish["plan"]]["locations"]:
            raise Refused(400, "Plan is not available in the selected region.")
        if [name for name in SOURCES if wish.get(name)] != ["os_id"]:
            raise Refused(400, "One of os_id, iso_id, snapshot_id, app_id or image_id is required")
        if wish["os_id"] not in SYSTEMS:
            raise Refused(400, "Invalid operating system.")
        if unknown := set(wish.get("sshkey_id", ())) - self.keys.keys():
            raise Refused(400, f"Invalid SSH key: {min(unknown)}")
        self._check_changes(wish)
        if len(self.node_ids()) >= self.nodes_max:
            raise Refused(400, "You have reached the maximum number of active virtual machines for this account.")

    def _check_changes(self, wish: Mapping[str, Any]) -> None:
        """What may be set at once and later."""
        tags = wish.get("tags", [])
        if not isinstance(tags, list) or not all(isinstance(tag, str) and tag for tag in tags):
            raise Refused(400, "tags must be a list of strings")
        try:
            user_data = base64.b64decode(wish.get("user_data", ""), validate=True)
        except ValueError as error:
            raise Refused(400, "user_data must be base64 encoded") from error
        if len(user_data) > USER_DATA_BYTES_MAX:
            raise Refused(400, "user_data is too long")

    # ------------------------------------------------------------------------------------------ changing

    @route("PATCH", "/v2/instances/{id}")
    def update_instance(self, call: Call, id: str) -> Reply:
        instance, wish = self._instance(id), call.document
        self._check_changes(wish)
        instance.label = wish.get("label", instance.label)
        instance.tags = wish.get("tags", instance.tags)
        instance.user_data = wish.get("user_data", instance.user_data)
        instance.firewall = wish.get("firewall_group_id", instance.firewall)
        if wish.get("enable_ipv6") and not instance.v6:
            instance.v6 = next(self.free_v6)
        return Reply(status=202, document={"instance": self._shown(instance)})

    @route("DELETE", "/v2/instances/{id}")
    def delete_instance(self, call: Call, id: str) -> Reply:
        instance = self._instance(id)
        self._unlocked(instance, "destroy server: Unable to remove VM")
        instance.deleted = self.ticks
        return Reply(status=204)

    @route("POST", "/v2/instances/{id}/start")
    def start_instance(self, call: Call, id: str) -> Reply:
        return self._switched([id], off=False)

    @route("POST", "/v2/instances/{id}/reboot")
    def reboot_instance(self, call: Call, id: str) -> Reply:
        return self._switched([id], off=False)

    @route("POST", "/v2/instances/{id}/halt")
    def halt_instance(self, call: Call, id: str) -> Reply:
        return self._switched([id], off=True)

    @route("POST", "/v2/instances/start")
    def start_instances(self, call: Call) -> Reply:
        return self._switched(call.document.get("instance_ids", []), off=False)

    @route("POST", "/v2/instances/halt")
    def halt_instances(self, call: Call) -> Reply:
        return self._switched(call.document.get("instance_ids", []), off=True)

    def _switched(self, ids: list[str], *, off: bool) -> Reply:
        for instance in [self._instance(id) for id in ids]:
            self._unlocked(instance, "start server")
            instance.off = off
        return Reply(status=204)

    def _unlocked(self, instance: Instance, what: str) -> None:
        """A server that is being made is refused with 500 (vultr/ansible-collection-vultr, issue 113, and
        dstackai/dstack, pull request 2132, have the words).
        """
        if not self._addressed(instance):
            raise Refused(500, f"Unable to {what}: This subscription is not currently active")
        if self.ticks < instance.made + self.pace.running:
            raise Refused(500, f"Unable to {what}: Server is currently locked")

    # ------------------------------------------------------------------------------------------ what is there

    def _instance(self, id: str) -> Instance:
        instance: Instance = self._one(self.instances, id, "instance-id")
        if instance.deleted is not None:
            raise Refused(404, "Invalid instance-id.")
        return instance

    def _listed(self, instance: Instance) -> bool:
        if instance.deleted is not None and self.ticks >= instance.deleted + self.pace.gone:
            return False
        return self.ticks >= instance.made + self.pace.listed

    def _addressed(self, instance: Instance) -> bool:
        return self.ticks >= instance.made + self.pace.addressed

    def _states(self, instance: Instance) -> dict[str, str]:
        """`status` is about the subscription, `power_status` about the machine, `server_status` about its making."""
        ready = self.ticks >= instance.made + self.pace.running
        there = self._addressed(instance)
        status = "suspended" if self.mood is Mood.CLOSED else "active" if there else "pending"
        power = "running" if there and not instance.off else "stopped"
        return {
            "status": status,
            "power_status": power,
            "server_status": "ok" if ready else "installingbooting" if there else "none",
        }

    def _shown(self, instance: Instance) -> dict[str, Any]:
        plan, there = PLANS[instance.plan], self._addressed(instance)
        v6 = instance.v6 if there else ""
        return {
            "id": instance.id,
            "os": SYSTEMS[instance.system]["name"],
            "ram": plan["ram"],
            "disk": plan["disk"],
            "main_ip": instance.v4 if there else PENDING,
            "vcpu_count": plan["vcpu_count"],
            "region": instance.region,
            "plan": instance.plan,
            "date_created": self.instant(instance.made),
            **self._states(instance),
            "allowed_bandwidth": plan["bandwidth"],
            "netmask_v4": "255.255.254.0" if there else "",
            "gateway_v4": "198.18.0.1" if there else PENDING,
            "v6_network": "2001:db8::" if v6 else "",
            "v6_main_ip": v6,
            "v6_network_size": 64 if v6 else 0,
            "v6_networks": [{"network": "2001:db8::", "main_ip": v6, "network_size": 64}] if v6 else [],
            "hostname": instance.hostname,
            "label": instance.label,
            "tag": instance.tags[0] if instance.tags else "",
            "tags": instance.tags,
            "internal_ip": instance.internal if there else "",
            "kvm": "",
            "os_id": instance.system,
            "app_id": 0,
            "image_id": "",
            "firewall_group_id": instance.firewall,
            "features": ["ipv6"] if instance.v6 else [],
            "user_scheme": "root",
        }


def _fits(instance: Mapping[str, Any], asked: Mapping[str, str]) -> bool:
    """`tag` is any of the tags."""
    tests: Mapping[str, Callable[[str], bool]] = {"tag": lambda wanted: wanted in instance["tags"]}
    return all(
        tests.get(name, lambda wanted, name=name: instance[name] == wanted)(value) for name, value in asked.items()
    )
