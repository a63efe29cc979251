"""Linode: its manners, the account, keys, regions, types, images and tags."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tests.standins.base import Mood, Refused, StandIn, route
from tests.standins.linode.catalog import CAPABILITIES, IMAGES, REGIONS, SOLD_OUT, TYPES
from tests.standins.linode.filters import filtered
from tests.standins.wire import Call, Reply

PAGE_SIZE = 100
PAGE_SIZE_MIN, PAGE_SIZE_MAX = 25, 500
FILTERABLE: Mapping[str, frozenset[str]] = {
    "regions": frozenset(("country", "label", "id", "capabilities")),
    "types": frozenset(("label", "class", "disk", "memory", "vcpus", "gpus", "transfer", "network_out")),
    "images": frozenset(("deprecated", "is_public", "label", "size", "status", "type", "vendor")),
    "keys": frozenset(("label", "created")),
    "tags": frozenset(("label",)),
    "linodes": frozenset(("label", "region", "image", "group", "tags", "id", "ipv4")),
    "firewalls": frozenset(("id", "label", "created", "updated", "tags")),
    "devices": frozenset(("id", "created", "updated")),
    "notifications": frozenset(),
    "domains": frozenset(("group", "domain", "tags")),
    "records": frozenset(("type", "name", "target", "tag")),
}


class AccountPart(StandIn):
    """What every part needs, and what hardly changes."""

    closed_message = "Unauthorized"
    open_when_closed = r"^GET /v4/(account|linode/instances)"
    """A suspended Linode is shown as `billing_suspension` (the document's changelog, 4.167.0): so it can be read."""

    def __init__(self, **options: Any) -> None:
        self.keys: dict[int, dict[str, Any]] = {}
        self.tags: set[str] = set()
        self.grants: dict[str, Any] | None = None
        """What the tokens' user was granted; None: it is not restricted."""
        self.new_interfaces = "legacy_config_default_but_linode_allowed"
        """The setting `interfaces_for_new_linodes` of the account."""
        self._next = 1000
        super().__init__(**options)

    # ------------------------------------------------------------------------------------------ the provider's manners

    def refusal(self, status: int, message: str, code: str = "") -> Reply:
        """`code` is the field that the error is about."""
        error = {"field": code, "reason": message} if code else {"reason": message}
        return Reply(status=status, document={"errors": [error]}, headers={"X-Spec-Version": "4.173.0"})

    def unauthorized(self) -> Reply:
        return self.refusal(401, "Invalid Token")

    def throttled(self, retry_after_s: int) -> Reply:
        reply = self.refusal(429, "Too many requests")
        limits = {"X-RateLimit-Limit": "800", "X-RateLimit-Remaining": "0", "Retry-After": str(retry_after_s)}
        return replace(reply, headers={**reply.headers, **limits})

    def checked(self, call: Call) -> None:
        self._allowed(call)
        if call.method in ("POST", "PUT"):
            if call.body and call.header("content-type").partition(";")[0] != "application/json":
                raise Refused(400, "Content-Type must be application/json")
            if not isinstance(call.document, dict):
                raise Refused(400, "Invalid JSON")

    def _allowed(self, call: Call) -> None:
        """Scopes by the document's `security`; the refusal's words are those that users report."""
        held, kind = self.scopes_of(call), _kind(call.path)
        if held is None or kind is None:
            return
        enough = {f"{kind}:read_write", *((f"{kind}:read_only",) if call.method == "GET" else ())}
        if not enough & held:
            raise Refused(401, "Your OAuth token is not authorized to use this endpoint.")

    def conforming(self, call: Call, reply: Reply) -> Reply:
        """Every answer tells what the token may (reference, "Response headers")."""
        held = self.scopes_of(call)
        told = "*" if held is None else " ".join(sorted(held))
        return replace(reply, headers={**reply.headers, "X-OAuth-Scopes": told})

    def instant(self, tick: int) -> str:
        """In UTC, without saying so."""
        return super().instant(tick).removesuffix("Z")

    def _reply(self, document: Any) -> Reply:
        return Reply(document=document, headers={"X-Spec-Version": "4.173.0"})

    def _page(self, call: Call, kind: str, items: Sequence[dict[str, Any]]) -> Reply:
        low = min(PAGE_SIZE_MIN, self.page_max or PAGE_SIZE_MIN)
        size = self._number_asked(call, "page_size", PAGE_SIZE, low, PAGE_SIZE_MAX)
        page = self._number_asked(call, "page", 1, 1, 2**64)
        wish = json.loads(call.header("x-filter") or "{}")
        found = filtered(list(items), wish, FILTERABLE[kind])
        part, pages = self.sliced(found, page, size)
        if page > pages:
            raise Refused(404, "Not found")
        return self._reply({"data": part, "page": page, "pages": pages, "results": len(found)})

    def _number_asked(self, call: Call, name: str, usual: int, low: int, high: int) -> int:
        text = call.asked(name, str(usual))
        if not text.isdecimal() or not low <= int(text) <= high:
            raise Refused(400, f"Must be {low}-{high}", name)
        return int(text)

    def _wanted(self, document: Mapping[str, Any], *names: str) -> None:
        for name in names:
            if not document.get(name):
                raise Refused(400, f"{name} is required", name)

    def _number(self) -> int:
        self._next += 1
        return self._next

    # ------------------------------------------------------------------------------------------ account

    @route("GET", "/v4/account")
    def get_account(self, call: Call) -> Reply:
        account = {
            "active_promotions": [],
            "active_since": "2018-01-01T00:01:01",
            "address_1": "1 Example Street",
            "address_2": "",
            "balance": 200 if self.mood is Mood.CLOSED else 0,
            "balance_uninvoiced": 12,
            "billing_source": "akamai",
            "capabilities": CAPABILITIES,
            "city": "Exampleville",
            "company": "Example",
            "country": "DE",
            "credit_card": {"expiry": "11/2030", "last_four": "1111"},
            "email": "owner@example.org",
            "euuid": "E1AF5EEC-526F-487D-B317EBEB34C87D71",
            "first_name": "An",
            "last_name": "Owner",
            "phone": "",
            "state": "",
            "tax_id": "",
            "zip": "00000",
        }
        return self._reply(account)

    @route("GET", "/v4/account/settings")
    def get_settings(self, call: Call) -> Reply:
        settings = {
            "backups_enabled": False,
            "interfaces_for_new_linodes": self.new_interfaces,
            "longview_subscription": None,
            "maintenance_policy": "linode/migrate",
            "managed": False,
            "network_helper": False,
            "object_storage": "disabled",
        }
        return self._reply(settings)

    @route("GET", "/v4/account/notifications")
    def list_notifications(self, call: Call) -> Reply:
        """Not filterable, not paged by a client's wish."""
        notification = {
            "body": None,
            "entity": {"id": 0, "label": "Account", "type": "account", "url": "/v4/account"},
            "label": "You have an overdue invoice!",
            "message": self.reason,
            "severity": "critical",
            "type": "payment_due",
            "until": None,
            "when": None,
        }
        return self._page(call, "notifications", [] if self.mood is Mood.ACTIVE else [notification])

    @route("GET", "/v4/profile")
    def get_profile(self, call: Call) -> Reply:
        """Every token may read it, whatever its scopes."""
        profile = {
            "username": "an-owner",
            "uid": 1234,
            "email": "owner@example.org",
            "timezone": "GMT",
            "email_notifications": True,
            "ip_whitelist_enabled": False,
            "lish_auth_method": "keys_only",
            "authorized_keys": None,
            "two_factor_auth": True,
            "restricted": self.grants is not None,
            "authentication_type": "password",
            "verified_phone_number": None,
            "referrals": {"code": "", "url": "", "total": 0, "completed": 0, "pending": 0, "credit": 0.0},
        }
        return self._reply(profile)

    @route("GET", "/v4/profile/grants")
    def get_grants(self, call: Call) -> Reply:
        """Nothing for who is not restricted."""
        return Reply(status=204) if self.grants is None else self._reply(self.grants)

    # ------------------------------------------------------------------------------------------ catalogue

    @route("GET", "/v4/regions")
    def list_regions(self, call: Call) -> Reply:
        return self._page(call, "regions", list(REGIONS.values()))

    @route("GET", "/v4/regions/{id}")
    def get_region(self, call: Call, id: str) -> Reply:
        return self._reply(self._one(REGIONS, id))

    @route("GET", "/v4/regions/{id}/availability")
    def get_availability(self, call: Call, id: str) -> Reply:
        self._one(REGIONS, id)
        return self._reply([{"region": id, "plan": type, "available": (id, type) not in SOLD_OUT} for type in TYPES])

    @route("GET", "/v4/linode/types")
    def list_types(self, call: Call) -> Reply:
        return self._page(call, "types", list(TYPES.values()))

    @route("GET", "/v4/linode/types/{id}")
    def get_type(self, call: Call, id: str) -> Reply:
        return self._reply(self._one(TYPES, id))

    @route("GET", "/v4/images")
    def list_images(self, call: Call) -> Reply:
        return self._page(call, "images", list(IMAGES.values()))

    @route("GET", "/v4/images/{maker}/{name}")
    def get_image(self, call: Call, maker: str, name: str) -> Reply:
        return self._reply(self._one(IMAGES, f"{maker}/{name}"))

    def _one(self, known: Mapping[Any, Any], id: Any) -> Any:
        if id not in known:
            raise Refused(404, "Not found")
        return known[id]

    def _id(self, text: str) -> int:
        if not text.isdecimal():
            raise Refused(404, "Not found")
        return int(text)

    # ------------------------------------------------------------------------------------------ keys

    @route("GET", "/v4/profile/sshkeys")
    def list_keys(self, call: Call) -> Reply:
        return self._page(call, "keys", list(self.keys.values()))

    @route("POST", "/v4/profile/sshkeys")
    def create_key(self, call: Call) -> Reply:
        wish = call.document
        self._wanted(wish, "label", "ssh_key")
        check_keys([wish["ssh_key"]], "ssh_key")
        created = self.instant(self.ticks)
        key = {"id": self._number(), "label": wish["label"], "ssh_key": wish["ssh_key"], "created": created}
        self.keys[key["id"]] = key
        return self._reply(key)

    @route("GET", "/v4/profile/sshkeys/{id}")
    def get_key(self, call: Call, id: str) -> Reply:
        return self._reply(self._one(self.keys, self._id(id)))

    @route("DELETE", "/v4/profile/sshkeys/{id}")
    def delete_key(self, call: Call, id: str) -> Reply:
        del self.keys[self._one(self.keys, self._id(id))["id"]]
        return self._reply({})

    # ------------------------------------------------------------------------------------------ tags

    @route("GET", "/v4/tags")
    def list_tags(self, call: Call) -> Reply:
        return self._page(call, "tags", [{"label": label} for label in sorted(self.tags)])

    def _checked_tags(self, tags: Sequence[str]) -> list[str]:
        """They come into being by being used (linode/terraform-provider-linode issue 32 has the words)."""
        for at, tag in enumerate(tags):
            if not isinstance(tag, str) or not 3 <= len(tag) <= 50:
                raise Refused(400, f"Tag '{tag}' must be between 3 and 50 characters", f"tags[{at}]")
        self.tags |= set(tags)
        return sorted(set(tags))


def _kind(path: str) -> str | None:
    """What a token must be allowed for the path; None: every token may."""
    kinds = {"linode": "linodes", "networking": "firewall", "domains": "domains", "account": "account"}
    part = path.split("/")[2]
    if path.startswith("/v4/linode/types") or part not in kinds:
        return None
    return kinds[part]


def check_keys(keys: Any, field: str) -> None:
    if not isinstance(keys, list):
        raise Refused(400, "Must be a list", field)
    for at, key in enumerate(keys):
        words = key.split() if isinstance(key, str) else []
        if len(words) < 2 or not words[0].startswith(("ssh-", "ecdsa-", "sk-")) or "\n" in key.strip():
            raise Refused(400, f"SSH Key {at + 1} is invalid", field)
