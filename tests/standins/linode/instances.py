"""Linode: instances ("Linodes")."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.standins.base import Mood, Refused, addresses, route
from tests.standins.linode.account import AccountPart, check_keys
from tests.standins.linode.catalog import IMAGES, REGIONS, SOLD_OUT, TYPES
from tests.standins.wire import Call, Reply

LABEL = re.compile(r"(?!.*(--|__|\.\.))[a-zA-Z0-9][a-zA-Z0-9_.-]*[a-zA-Z0-9]")
LABEL_LENGTH = (3, 64)
USER_DATA_BYTES_MAX = 16384
PASSWORD_LENGTH = (11, 128)


@dataclass(slots=True, kw_only=True)
class Linode:
    id: int
    label: str
    region: str
    type: str
    image: str | None
    tags: list[str]
    made: int
    v4: str
    v6: str
    private: str | None = None
    user_data: bytes = b""
    keys: tuple[str, ...] = ()
    off: bool = False
    interface: int | None = None
    """The id of its public interface, where interfaces are things of their own."""
    deleted: int | None = None
    """The tick of its deletion: lists may show it a little longer."""


class InstancesPart(AccountPart):
    """Linodes. An address is there as soon as `pace.addressed` says."""

    def __init__(self, **options: Any) -> None:
        self.linodes: dict[int, Linode] = {}
        self._free_private = addresses("192.168.128.0/17")
        super().__init__(**options)

    # ------------------------------------------------------------------------------------------ reading

    @route("GET", "/v4/linode/instances")
    def list_linodes(self, call: Call) -> Reply:
        listed = [self._shown(linode) for linode in self.linodes.values() if self._listed(linode)]
        return self._page(call, "linodes", listed)

    @route("GET", "/v4/linode/instances/{id}")
    def get_linode(self, call: Call, id: str) -> Reply:
        return self._reply(self._shown(self._linode(id)))

    @route("GET", "/v4/linode/instances/{id}/ips")
    def get_linode_addresses(self, call: Call, id: str) -> Reply:
        linode = self._linode(id)
        there = self._addressed(linode)
        public = [self._address(linode, linode.v4, "ipv4", public=True)] if there else []
        private = [self._address(linode, linode.private, "ipv4", public=False)] if linode.private and there else []
        v4 = {"public": public, "private": private, "shared": [], "reserved": [], "vpc": []}
        slaac = self._address(linode, linode.v6, "ipv6", public=True) if there else None
        local = self._address(linode, f"fe80::{linode.id:x}", "ipv6", public=False)
        return self._reply({"ipv4": v4, "ipv6": {"slaac": slaac, "link_local": local, "global": []}})

    def _address(self, linode: Linode, address: str, type: str, *, public: bool) -> dict[str, Any]:
        six = type == "ipv6"
        return {
            "address": address,
            "gateway": "fe80::1" if six else f"{address.rpartition('.')[0]}.1" if public else None,
            "subnet_mask": "ffff:ffff:ffff:ffff::" if six else "255.255.255.0" if public else "255.255.128.0",
            "prefix": 64 if six else 24 if public else 17,
            "type": type,
            "public": public,
            "rdns": None,
            "linode_id": linode.id,
            "region": linode.region,
            "vpc_nat_1_1": None,
        }

    # ------------------------------------------------------------------------------------------ making

    @route("POST", "/v4/linode/instances")
    def create_linode(self, call: Call) -> Reply:
        wish = call.document
        id = self._number()
        wish = {"label": f"linode{id}", **{key: value for key, value in wish.items() if value is not None}}
        self._creatable(wish)
        linode = Linode(
            id=id,
            label=wish["label"],
            region=wish["region"],
            type=wish["type"],
            image=wish.get("image"),
            tags=self._checked_tags(wish.get("tags", [])),
            made=self.ticks,
            v4=next(self.free_v4),
            v6=next(self.free_v6),
            private=next(self._free_private) if wish.get("private_ip") else None,
            user_data=_user_data(wish),
            keys=tuple(wish.get("authorized_keys", ())),
            off=not wish.get("booted", "image" in wish),
            interface=self._number() if self._generation(wish) == "linode" else None,
        )
        self.linodes[id] = linode
        self.attached(linode, wish)
        return self._reply(self._shown(linode))

    def attached(self, linode: Linode, wish: Mapping[str, Any]) -> None:
        """A firewall is named in the wish."""

    def _generation(self, wish: Mapping[str, Any]) -> str:
        """As the reference has it under `interface_generation`; the words of the refusals are ours."""
        usual = "linode" if self.new_interfaces.startswith("linode") else "legacy_config"
        asked: str = wish.get("interface_generation", usual)
        if asked != usual and self.new_interfaces.endswith("_only"):
            raise Refused(400, f"The account allows {self.new_interfaces}", "interface_generation")
        return asked

    def _check_interfaces(self, wish: Mapping[str, Any]) -> None:
        """`firewall_id` "is for Linodes using VLAN and legacy configuration interfaces only" (reference)."""
        if self._generation(wish) == "legacy_config":
            if "network_helper" in wish or any("public" in one for one in wish.get("interfaces", ())):
                raise Refused(400, "Only for Linodes with Linode interfaces", "interfaces")
            return
        if "firewall_id" in wish:
            raise Refused(400, "Only for Linodes with legacy config interfaces", "firewall_id")
        kinds = [kind for one in wish.get("interfaces", ()) for kind in ("public", "vpc", "vlan") if one.get(kind)]
        if wish.get("interfaces") and kinds != ["public"]:
            raise Refused(400, "this stand-in knows Linodes with one public interface", "interfaces")

    @route("GET", "/v4/linode/instances/{id}/interfaces")
    def list_interfaces(self, call: Call, id: str) -> Reply:
        linode = self._linode(id)
        if linode.interface is None:
            raise Refused(400, "The Linode has legacy config interfaces")
        public = {
            "ipv4": {"addresses": [{"address": linode.v4, "primary": True}], "shared": []},
            "ipv6": {"slaac": [{"address": linode.v6, "prefix": 64}], "ranges": [], "shared": []},
        }
        shown = {
            "id": linode.interface,
            "mac_address": "22:00:AB:CD:EF:01",
            "version": 1,
            "default_route": {"ipv4": True, "ipv6": True},
            "public": public,
            "vpc": None,
            "vlan": None,
            "created": self.instant(linode.made),
            "updated": self.instant(linode.made),
        }
        return self._reply({"interfaces": [shown]})

    def _creatable(self, wish: Mapping[str, Any]) -> None:
        self._wanted(wish, "type", "region")
        self._check_interfaces(wish)
        if wish["region"] not in REGIONS:
            raise Refused(400, "region is not valid", "region")
        if wish["type"] not in TYPES or (wish["region"], wish["type"]) in SOLD_OUT:
            raise Refused(400, "A valid plan type by that ID was not found", "type")
        self._check_label(wish["label"])
        if "image" in wish:
            self._check_image(wish)
        if "metadata" in wish:
            self._check_metadata(wish)
        if len(self.node_ids()) >= self.nodes_max:  # Linode's own guides have the words
            raise Refused(400, "Account Limit reached. Please open a support ticket.")

    def _check_label(self, label: str, ours: int | None = None) -> None:
        if not LABEL_LENGTH[0] <= len(label) <= LABEL_LENGTH[1]:
            raise Refused(400, "Length must be 3-64 characters", "label")
        if not LABEL.fullmatch(label):
            raise Refused(400, "Must only use ASCII letters, numbers, underscores, periods, and dashes", "label")
        if any(known.label == label and known.id != ours for known in self._existing()):
            raise Refused(400, "Label must be unique among your linodes", "label")

    def _check_image(self, wish: Mapping[str, Any]) -> None:
        if wish["image"] not in IMAGES:
            raise Refused(400, "image is not valid", "image")
        if not any(wish.get(name) for name in ("root_pass", "authorized_keys", "authorized_users")):
            raise Refused(400, "root_pass is required", "root_pass")
        if "root_pass" in wish:
            low, high = PASSWORD_LENGTH
            if not low <= len(wish["root_pass"]) <= high or wish["root_pass"].isalpha():
                raise Refused(400, "Password does not meet strength requirement", "root_pass")
        check_keys(wish.get("authorized_keys", []), "authorized_keys")

    def _check_metadata(self, wish: Mapping[str, Any]) -> None:
        """The document: a compatible image (`cloud-init`) and a compatible region (`Metadata`), and a limited size."""
        if "cloud-init" not in IMAGES[wish["image"]]["capabilities"]:
            raise Refused(400, "The selected image does not support cloud-init", "metadata.user_data")
        if "Metadata" not in REGIONS[wish["region"]]["capabilities"]:
            raise Refused(400, "The selected region does not support Metadata", "metadata.user_data")
        if len(_user_data(wish)) > USER_DATA_BYTES_MAX:
            raise Refused(400, "User data must not exceed 16 KB", "metadata.user_data")

    # ------------------------------------------------------------------------------------------ changing

    @route("PUT", "/v4/linode/instances/{id}")
    def update_linode(self, call: Call, id: str) -> Reply:
        linode, wish = self._linode(id), call.document
        if "label" in wish:
            self._check_label(wish["label"], linode.id)
        if "tags" in wish:
            linode.tags = self._checked_tags(wish["tags"])
        linode.label = wish.get("label", linode.label)
        return self._reply(self._shown(linode))

    @route("DELETE", "/v4/linode/instances/{id}")
    def delete_linode(self, call: Call, id: str) -> Reply:
        self._linode(id).deleted = self.ticks
        return self._reply({})

    @route("POST", "/v4/linode/instances/{id}/boot")
    def boot_linode(self, call: Call, id: str) -> Reply:
        return self._switched(id, off=False)

    @route("POST", "/v4/linode/instances/{id}/shutdown")
    def shut_down_linode(self, call: Call, id: str) -> Reply:
        return self._switched(id, off=True)

    @route("POST", "/v4/linode/instances/{id}/reboot")
    def reboot_linode(self, call: Call, id: str) -> Reply:
        return self._switched(id, off=False)

    def _switched(self, id: str, *, off: bool) -> Reply:
        linode = self._linode(id)
        if self.ticks < linode.made + self.pace.running:
            raise Refused(400, "Linode busy.")
        linode.off = off
        return self._reply({})

    # ------------------------------------------------------------------------------------------ what is there

    def _existing(self) -> list[Linode]:
        return [linode for linode in self.linodes.values() if linode.deleted is None]

    def _linode(self, id: str) -> Linode:
        linode: Linode = self._one(self.linodes, self._id(id))
        if linode.deleted is not None:
            raise Refused(404, "Not found")
        return linode

    def _listed(self, linode: Linode) -> bool:
        if linode.deleted is not None and self.ticks >= linode.deleted + self.pace.gone:
            return False
        return self.ticks >= linode.made + self.pace.listed

    def _addressed(self, linode: Linode) -> bool:
        return self.ticks >= linode.made + self.pace.addressed

    def _status(self, linode: Linode) -> str:
        if self.mood is Mood.CLOSED:
            return "billing_suspension"
        if linode.deleted is not None:
            return "deleting"
        if self.ticks < linode.made + self.pace.running:
            return "booting" if self._addressed(linode) else "provisioning"
        return "offline" if linode.off else "running"

    def _shown(self, linode: Linode) -> dict[str, Any]:
        type, there = TYPES[linode.type], self._addressed(linode)
        private = [linode.private] if linode.private else []
        return {
            "id": linode.id,
            "label": linode.label,
            "group": "",
            "status": self._status(linode),
            "created": self.instant(linode.made),
            "updated": self.instant(linode.made),
            "type": linode.type,
            "ipv4": [linode.v4, *private] if there else [],
            "ipv6": f"{linode.v6}/128" if there else None,
            "image": linode.image,
            "region": linode.region,
            "site_type": "core",
            "specs": {**{name: type[name] for name in ("disk", "memory", "vcpus", "gpus", "transfer")}},
            "alerts": {"cpu": 90, "network_in": 10, "network_out": 10, "transfer_quota": 80, "io": 10000},
            "backups": {
                "enabled": False,
                "available": False,
                "schedule": {"day": None, "window": None},
                "last_successful": None,
            },
            "hypervisor": "kvm",
            "watchdog_enabled": True,
            "tags": linode.tags,
            "host_uuid": "3a3ddd59d9a78bb8de041391075df44de62bfec8",
            "has_user_data": bool(linode.user_data),
            "placement_group": None,
            "disk_encryption": "enabled",
            "interface_generation": "legacy_config" if linode.interface is None else "linode",
            "lke_cluster_id": None,
        }


def _user_data(wish: Mapping[str, Any]) -> bytes:
    try:
        return base64.b64decode((wish.get("metadata") or {}).get("user_data") or "", validate=True)
    except ValueError as error:
        raise Refused(400, "Must be Base64", "metadata.user_data") from error
