"""DigitalOcean: tags, and firewalls that follow them."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from tests.standins.base import Refused, route
from tests.standins.digitalocean.droplets import Droplet, DropletsPart
from tests.standins.wire import Call, Reply

EVERYBODY = {"addresses": ["0.0.0.0/0", "::/0"]}
PORTS = re.compile(r"all|0|\d{1,5}(-\d{1,5})?")


@dataclass(slots=True, kw_only=True)
class Firewall:
    id: str
    made: int
    rules: dict[str, Any]


class FirewallsPart(DropletsPart):
    """Tags and firewalls."""

    def __init__(self, **options: Any) -> None:
        self.firewalls: dict[str, Firewall] = {}
        super().__init__(**options)

    def conforming(self, call: Call, reply: Reply) -> Reply:
        """A bad request for a tag has a shape of its own (the document's `tags_bad_request`)."""
        if (call.path, reply.status) == ("/v2/tags", 400):
            message = reply.document["message"]
            reply = replace(reply, document={"error": message, "messages": None, "root_causes": [message]})
        return super().conforming(call, reply)

    # ------------------------------------------------------------------------------------------ tags

    @route("GET", "/v2/tags")
    def list_tags(self, call: Call) -> Reply:
        return self._page(call, "tags", [self._tag(name) for name in sorted(self.tags)])

    @route("POST", "/v2/tags")
    def create_tag(self, call: Call) -> Reply:
        name = call.document.get("name")
        if not name:
            raise Refused(422, "name is missing")
        self.tags.add(name)
        return self._reply({"tag": self._tag(name)}, 201)

    @route("GET", "/v2/tags/{name}")
    def get_tag(self, call: Call, name: str) -> Reply:
        return self._reply({"tag": self._tag(self._tagged(name))})

    @route("DELETE", "/v2/tags/{name}")
    def delete_tag(self, call: Call, name: str) -> Reply:
        """The tag is taken off everything that has it."""
        self.tags.discard(self._tagged(name))
        for tags in self._tag_lists():
            tags[:] = [tag for tag in tags if tag != name]
        return self._nothing()

    @route("POST", "/v2/tags/{name}/resources")
    def tag_resources(self, call: Call, name: str) -> Reply:
        for droplet in self._named_droplets(call):
            droplet.tags = sorted({*droplet.tags, self._tagged(name)})
        return self._nothing()

    @route("DELETE", "/v2/tags/{name}/resources")
    def untag_resources(self, call: Call, name: str) -> Reply:
        for droplet in self._named_droplets(call):
            droplet.tags = [tag for tag in droplet.tags if tag != self._tagged(name)]
        return self._nothing()

    def _tagged(self, name: str) -> str:
        if name not in self.tags:
            raise Refused(404, "The resource you requested could not be found.")
        return name

    def _tag_lists(self) -> list[list[str]]:
        firewalls: list[list[str]] = [firewall.rules["tags"] for firewall in self.firewalls.values()]
        return [droplet.tags for droplet in self.droplets.values()] + firewalls

    def _named_droplets(self, call: Call) -> list[Droplet]:
        resources = call.document["resources"]
        return [self._droplet(one["resource_id"]) for one in resources if one["resource_type"] == "droplet"]

    def _tag(self, name: str) -> dict[str, Any]:
        count = sum(name in droplet.tags for droplet in self.droplets.values() if not self._gone(droplet))
        none = {"count": 0}
        return {
            "name": name,
            "resources": {"count": count, "droplets": {"count": count}, "images": none, "volumes": none},
        }

    # ------------------------------------------------------------------------------------------ firewalls

    @route("GET", "/v2/firewalls")
    def list_firewalls(self, call: Call) -> Reply:
        return self._page(call, "firewalls", [self._wall(firewall) for firewall in self.firewalls.values()])

    @route("POST", "/v2/firewalls")
    def create_firewall(self, call: Call) -> Reply:
        rules = self._rules(call.document)
        if any(firewall.rules["name"] == rules["name"] for firewall in self.firewalls.values()):
            raise Refused(409, "duplicate name")  # harmony-one/harmony-ops issue 390
        firewall = Firewall(id=str(UUID(int=self._number(), version=4)), made=self.ticks, rules=rules)
        self.firewalls[firewall.id] = firewall
        return self._reply({"firewall": self._wall(firewall)}, 202)

    @route("GET", "/v2/droplets/{id}/firewalls")
    def list_droplet_firewalls(self, call: Call, id: str) -> Reply:
        droplet = self._droplet(id)
        return self._page(call, "firewalls", [self._wall(w) for w in self.firewalls.values() if _covers(w, droplet)])

    @route("GET", "/v2/firewalls/{id}")
    def get_firewall(self, call: Call, id: str) -> Reply:
        return self._reply({"firewall": self._wall(self._firewall(id))})

    @route("PUT", "/v2/firewalls/{id}")
    def update_firewall(self, call: Call, id: str) -> Reply:
        """What is not given is reset to its default, as the document says."""
        firewall = self._firewall(id)
        firewall.rules, firewall.made = self._rules(call.document), self.ticks
        return self._reply({"firewall": self._wall(firewall)})

    @route("DELETE", "/v2/firewalls/{id}")
    def delete_firewall(self, call: Call, id: str) -> Reply:
        del self.firewalls[self._firewall(id).id]
        return self._nothing()

    @route("POST", "/v2/firewalls/{id}/tags")
    def add_firewall_tags(self, call: Call, id: str) -> Reply:
        rules = self._firewall(id).rules
        rules["tags"] = sorted({*rules["tags"], *self._existing(call.document["tags"])})
        return self._nothing()

    @route("DELETE", "/v2/firewalls/{id}/tags")
    def remove_firewall_tags(self, call: Call, id: str) -> Reply:
        rules = self._firewall(id).rules
        rules["tags"] = [tag for tag in rules["tags"] if tag not in call.document["tags"]]
        return self._nothing()

    @route("POST", "/v2/firewalls/{id}/droplets")
    def add_firewall_droplets(self, call: Call, id: str) -> Reply:
        rules = self._firewall(id).rules
        rules["droplet_ids"] = sorted({*rules["droplet_ids"], *call.document["droplet_ids"]})
        return self._nothing()

    @route("DELETE", "/v2/firewalls/{id}/droplets")
    def remove_firewall_droplets(self, call: Call, id: str) -> Reply:
        rules = self._firewall(id).rules
        rules["droplet_ids"] = [one for one in rules["droplet_ids"] if one not in call.document["droplet_ids"]]
        return self._nothing()

    @route("POST", "/v2/firewalls/{id}/rules")
    def add_firewall_rules(self, call: Call, id: str) -> Reply:
        rules = self._firewall(id).rules
        for side in ("inbound_rules", "outbound_rules"):
            new = [_checked_rule(rule) for rule in call.document.get(side) or ()]
            rules[side] = [*rules[side], *(rule for rule in new if rule not in rules[side])]
        return self._nothing()

    @route("DELETE", "/v2/firewalls/{id}/rules")
    def remove_firewall_rules(self, call: Call, id: str) -> Reply:
        rules = self._firewall(id).rules
        for side in ("inbound_rules", "outbound_rules"):
            rules[side] = [rule for rule in rules[side] if rule not in (call.document.get(side) or ())]
        return self._nothing()

    def walls(self) -> Mapping[str, frozenset[int]]:
        return {
            wall.rules["name"]: frozenset(
                int(rule["ports"]) for rule in wall.rules["inbound_rules"] if rule["sources"] == EVERYBODY
            )
            for wall in self.firewalls.values()
        }

    def set_wall(self, name: str, ports: Collection[int]) -> None:
        rules = [{"protocol": "tcp", "ports": str(port), "sources": EVERYBODY} for port in ports]
        with self._lock:
            wall = next((wall for wall in self.firewalls.values() if wall.rules["name"] == name), None)
            if wall is None:
                id = str(UUID(int=self._number(), version=4))
                wall = self.firewalls[id] = Firewall(id=id, made=self.ticks, rules=self._rules({"name": name}))
            wall.rules["inbound_rules"] = rules

    def _deleted(self, droplet: Droplet) -> None:
        super()._deleted(droplet)
        for firewall in self.firewalls.values():
            firewall.rules["droplet_ids"] = [id for id in firewall.rules["droplet_ids"] if id != droplet.id]

    def _firewall(self, id: str) -> Firewall:
        if (firewall := self.firewalls.get(id)) is None:
            raise Refused(404, "The resource you requested could not be found.")
        return firewall

    def _rules(self, wish: dict[str, Any]) -> dict[str, Any]:
        return {
            "name": wish["name"],
            "droplet_ids": list(wish.get("droplet_ids") or ()),
            "tags": sorted(self._existing(wish.get("tags") or ())),
            "inbound_rules": [_checked_rule(rule) for rule in wish.get("inbound_rules") or ()],
            "outbound_rules": [_checked_rule(rule) for rule in wish.get("outbound_rules") or ()],
        }

    def _existing(self, tags: Sequence[str]) -> Sequence[str]:
        """Tags must exist before a firewall can refer to them (the document's `existing_tags_array`)."""
        if unknown := set(tags) - self.tags:
            raise Refused(422, f"tag {min(unknown)} does not exist")
        return tags

    def _wall(self, firewall: Firewall) -> dict[str, Any]:
        settled = self.ticks > firewall.made + 1
        pending = [] if settled else [d.id for d in self.droplets.values() if _covers(firewall, d)]
        return {
            "id": firewall.id,
            "status": "succeeded" if settled else "waiting",
            "created_at": self.instant(firewall.made),
            "pending_changes": [{"droplet_id": id, "removing": False, "status": "waiting"} for id in pending],
            **firewall.rules,
        }


def _covers(firewall: Firewall, droplet: Droplet) -> bool:
    rules = firewall.rules
    return droplet.id in rules["droplet_ids"] or bool(set(rules["tags"]) & set(droplet.tags))


def _checked_rule(rule: dict[str, Any]) -> dict[str, Any]:
    if not PORTS.fullmatch(rule["ports"]):
        raise Refused(422, "invalid ports")
    return rule
