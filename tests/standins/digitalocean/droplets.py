"""DigitalOcean: droplets and what can be done with them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.standins.base import Refused, addresses, route
from tests.standins.digitalocean.account import AccountPart
from tests.standins.digitalocean.catalog import REGIONS, SIZES
from tests.standins.wire import Call, Reply

USER_DATA_BYTES_MAX = 64 * 1024
NAMES_MAX = 10
TAG = re.compile(r"[a-zA-Z0-9_\-:]{1,255}")
VPC = "760e09ef-dc84-11e8-981e-3cfdfeaae000"


@dataclass(slots=True, kw_only=True)
class Droplet:
    id: int
    name: str
    region: str
    size: str
    image: str
    made: int
    v4: str
    v4_private: str
    v6: str
    tags: list[str]
    keys: list[int] = field(default_factory=list)
    user_data: str = ""
    off: bool = False
    busy_until: int = 0
    deleted: int | None = None
    """The tick of its deletion: it is shown as before, but locked, a little longer."""


@dataclass(slots=True, kw_only=True)
class Action:
    id: int
    type: str
    droplet: int
    region: str
    started: int
    done: int


class DropletsPart(AccountPart):
    """Droplets and their actions."""

    def __init__(self, **options: Any) -> None:
        self.droplets: dict[int, Droplet] = {}
        self.actions: dict[int, Action] = {}
        self.tags: set[str] = set()
        self.deaf_to_deletes = 0
        """So many requests to delete are answered as ever, and nothing comes of them."""
        self._free_private = addresses("10.114.0.0/16")
        super().__init__(**options)

    # ------------------------------------------------------------------------------------------ droplets

    @route("GET", "/v2/droplets")
    def list_droplets(self, call: Call) -> Reply:
        tag, name = call.asked("tag_name"), call.asked("name")
        found = [
            self._shown(droplet)
            for droplet in self.droplets.values()
            if self._listed(droplet) and (not tag or tag in droplet.tags) and (not name or name == droplet.name)
        ]
        return self._page(call, "droplets", [] if call.asked("type") == "gpus" else found)

    @route("POST", "/v2/droplets")
    def create_droplets(self, call: Call) -> Reply:
        wish = call.document
        names = wish.get("names", [wish.get("name")])
        self._creatable(wish, names)
        self.tags |= set(wish.get("tags") or ())
        made = [self._made(name, **self._options(wish)) for name in names]
        actions = [self._begun(droplet, "create", self.pace.running) for droplet in made]
        links = {"actions": [{"id": a.id, "rel": "create", "href": f"{self.url}/v2/actions/{a.id}"} for a in actions]}
        shown = [self._shown(droplet) for droplet in made]
        return self._reply(
            {"droplets": shown, "links": links} if "names" in wish else {"droplet": shown[0], "links": links}, 202
        )

    @route("DELETE", "/v2/droplets")
    def delete_tagged(self, call: Call) -> Reply:
        for droplet in [d for d in self.droplets.values() if call.asked("tag_name") in d.tags and d.deleted is None]:
            self._deleted(droplet)
        return self._nothing()

    @route("GET", "/v2/droplets/{id}")
    def get_droplet(self, call: Call, id: str) -> Reply:
        return self._reply({"droplet": self._shown(self._droplet(id))})

    @route("DELETE", "/v2/droplets/{id}")
    def delete_droplet(self, call: Call, id: str) -> Reply:
        """Answered before it is carried out: the droplet is shown as `active` until it is gone, for about ten seconds
        (digitalocean/terraform-provider-digitalocean, pull request 284), and may even stay (issue 283 there).
        """
        droplet = self._droplet(id)
        if droplet.deleted is not None:
            raise Refused(422, "Droplet already has a pending event.")
        if self.deaf_to_deletes:
            self.deaf_to_deletes -= 1
        else:
            self._deleted(droplet)
        return self._nothing()

    def _creatable(self, wish: dict[str, Any], names: Sequence[str]) -> None:
        """What the document says in words only."""
        size = SIZES.get(wish["size"])
        if size is None or not size["available"]:
            raise Refused(422, "You specified an invalid size for Droplet creation.")
        image, region = self._image(wish["image"]), wish.get("region", "fra1")
        if region not in REGIONS or not REGIONS[region]["available"]:
            raise Refused(422, "You specified an invalid region for Droplet creation.")
        if region not in size["regions"]:
            raise Refused(422, "Size is not available in this region.")
        if size["disk"] < image["min_disk_size"]:
            raise Refused(422, "You specified a size with a disk that is too small for the image.")
        if bad := [tag for tag in wish.get("tags") or () if not TAG.fullmatch(tag)]:
            raise Refused(422, f"Tag contains invalid characters: {bad[0]}")
        if len(wish.get("user_data", "").encode()) > USER_DATA_BYTES_MAX:
            raise Refused(422, "User data cannot exceed 64 KiB.")
        if not 1 <= len(names) <= NAMES_MAX:
            raise Refused(422, "Between 1 and 10 Droplets can be created at a time.")
        if len(self.node_ids()) + len(names) > self.nodes_max:  # reported by many, in these words
            raise Refused(422, "creating this/these droplet(s) will exceed your droplet limit")

    def _options(self, wish: dict[str, Any]) -> dict[str, Any]:
        return {
            "region": wish.get("region", "fra1"),
            "size": wish["size"],
            "image": self._image(wish["image"])["slug"],
            "ipv6": wish.get("ipv6", False),
            "tags": sorted(set(wish.get("tags") or ())),
            "keys": [self._key(key, 422)["id"] for key in wish.get("ssh_keys", ())],
            "user_data": wish.get("user_data", ""),
        }

    def _made(self, name: str, *, ipv6: bool = False, tags: Sequence[str] = (), **more: Any) -> Droplet:
        droplet = Droplet(
            id=self._number(),
            name=name,
            made=self.ticks,
            v4=next(self.free_v4),
            v4_private=next(self._free_private),
            v6=next(self.free_v6) if ipv6 else "",
            tags=list(tags),
            **more,
        )
        self.droplets[droplet.id] = droplet
        return droplet

    def _droplet(self, id: str) -> Droplet:
        droplet = self.droplets.get(int(id))
        if droplet is None or self._gone(droplet):
            raise Refused(404, "The resource you were accessing could not be found.")
        return droplet

    def _deleted(self, droplet: Droplet) -> None:
        self._unlocked(droplet)
        droplet.deleted = self.ticks

    def _listed(self, droplet: Droplet) -> bool:
        return not self._gone(droplet) and self.ticks >= droplet.made + self.pace.listed

    def _gone(self, droplet: Droplet) -> bool:
        return droplet.deleted is not None and self.ticks >= droplet.deleted + self.pace.gone

    def _status(self, droplet: Droplet) -> str:
        if self.ticks < droplet.made + self.pace.running:
            return "new"
        return "off" if droplet.off else "active"

    def _shown(self, droplet: Droplet) -> dict[str, Any]:
        size = SIZES[droplet.size]
        return {
            "id": droplet.id,
            "name": droplet.name,
            "memory": size["memory"],
            "vcpus": size["vcpus"],
            "disk": size["disk"],
            "locked": self._busy(droplet) or droplet.deleted is not None,
            "status": self._status(droplet),
            "kernel": None,
            "created_at": self.instant(droplet.made),
            "features": ["droplet_agent", "private_networking", *(["ipv6"] if droplet.v6 else [])],
            "backup_ids": [],
            "next_backup_window": None,
            "snapshot_ids": [],
            "image": self._image(droplet.image),
            "volume_ids": [],
            "size": size,
            "size_slug": droplet.size,
            "networks": self._networks(droplet),
            "region": self._region(droplet.region),
            "tags": droplet.tags,
            "vpc_uuid": VPC,
        }

    def _networks(self, droplet: Droplet) -> dict[str, Any]:
        """None at all at first; then the private address stands before the public one."""
        if self.ticks < droplet.made + self.pace.addressed:
            return {"v4": [], "v6": []}
        private = {"ip_address": droplet.v4_private, "netmask": "255.255.0.0", "gateway": "", "type": "private"}
        public = {"ip_address": droplet.v4, "netmask": "255.254.0.0", "gateway": "198.18.0.1", "type": "public"}
        v6 = {"ip_address": droplet.v6, "netmask": 64, "gateway": "2001:db8::1", "type": "public"}
        return {"v4": [private, public], "v6": [v6] if droplet.v6 else []}

    # ------------------------------------------------------------------------------------------ actions

    @route("GET", "/v2/actions/{id}")
    def get_action(self, call: Call, id: str) -> Reply:
        return self._reply({"action": self._action(self._known_action(id))})

    @route("GET", "/v2/droplets/{droplet}/actions")
    def list_droplet_actions(self, call: Call, droplet: str) -> Reply:
        ours = [self._action(a) for a in self.actions.values() if a.droplet == self._droplet(droplet).id]
        return self._page(call, "actions", ours[::-1])

    @route("GET", "/v2/droplets/{droplet}/actions/{id}")
    def get_droplet_action(self, call: Call, droplet: str, id: str) -> Reply:
        return self._reply({"action": self._action(self._known_action(id))})

    @route("POST", "/v2/droplets/{id}/actions")
    def act_on_droplet(self, call: Call, id: str) -> Reply:
        droplet, type = self._droplet(id), call.document["type"]
        self._unlocked(droplet)
        match type:
            case "power_on":
                droplet.off = False
            case "power_off" | "shutdown":
                droplet.off = True
            case "rename":
                droplet.name = call.document["name"]
            case "enable_ipv6":
                droplet.v6 = droplet.v6 or next(self.free_v6)
            case "reboot" | "power_cycle":
                pass
            case _:
                raise AssertionError(f"the action {type} is in the document, but this stand-in has no answer")
        return self._reply({"action": self._action(self._begun(droplet, type, 1))}, 201)

    def _begun(self, droplet: Droplet, type: str, ticks: int) -> Action:
        action = Action(
            id=self._number(),
            type=type,
            droplet=droplet.id,
            region=droplet.region,
            started=self.ticks,
            done=self.ticks + ticks,
        )
        self.actions[action.id] = action
        droplet.busy_until = action.done
        return action

    def _known_action(self, id: str) -> Action:
        if (action := self.actions.get(int(id))) is None:
            raise Refused(404, "The resource you were accessing could not be found.")
        return action

    def _busy(self, droplet: Droplet) -> bool:
        return self.ticks < droplet.busy_until

    def _unlocked(self, droplet: Droplet) -> None:
        """One event at a time, deletion included (hashicorp/packer issue 1814 has the words)."""
        if self._busy(droplet):
            raise Refused(422, "Droplet already has a pending event.")

    def _action(self, action: Action) -> dict[str, Any]:
        done = self.ticks >= action.done
        return {
            "id": action.id,
            "status": "completed" if done else "in-progress",
            "type": action.type,
            "started_at": self.instant(action.started),
            "completed_at": self.instant(action.done) if done else None,
            "resource_id": action.droplet,
            "resource_type": "droplet",
            "region": self._region(action.region),
            "region_slug": action.region,
        }
