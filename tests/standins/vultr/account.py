"""Vultr: its manners, the account, keys, regions, plans and operating systems."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from tests.standins.base import Refused, StandIn, route
from tests.standins.vultr.catalog import PLANS, REGIONS, SYSTEMS
from tests.standins.wire import Call, Reply

PER_PAGE = 100
PER_PAGE_MAX = 500
PUBLIC = ("/v2/regions", "/v2/plans", "/v2/os", "/v2/plans-metal", "/v2/applications")
"""Lists that can be read without a key."""


ALL_PERMISSIONS = (
    "abuse", "alerts", "billing", "dns", "firewall", "loadbalancer", "manage_users", "objstore", "provisioning",
    "subscriptions", "subscriptions_view", "support", "upgrade",
)  # fmt: skip
"""Of the root user (the reference's list of `acls`)."""


class AccountPart(StandIn):
    """What every part needs, and what hardly changes."""

    closed_message = "Unauthorized"

    def __init__(self, **options: Any) -> None:
        self.keys: dict[str, dict[str, Any]] = {}
        self.allowed_addresses: set[str] | None = None
        """The API's access list; None: every address may use the key. An empty one refuses this machine."""
        self._next = 0
        super().__init__(**options)

    # ------------------------------------------------------------------------------------------ the provider's manners

    def refusal(self, status: int, message: str, code: str = "") -> Reply:
        return Reply(status=status, document={"error": message, "status": status})

    def unauthorized(self) -> Reply:
        return self.refusal(401, "Invalid API token.")

    def admitted(self, call: Call) -> bool:
        """A key that is given is looked at everywhere."""
        return (call.path in PUBLIC and not call.header("authorization")) or super().admitted(call)

    def checked(self, call: Call) -> None:
        if self.allowed_addresses == set() and call.path not in PUBLIC:
            raise Refused(403, "Your IP (127.0.0.1) is not authorized to use this API key")
        held, needed = self.scopes_of(call), _permission(call)
        if held is not None and needed is not None and needed not in held:
            raise Refused(403, "Unauthorized")
        if call.method in ("POST", "PATCH", "PUT") and not isinstance(call.document, dict):
            raise Refused(400, "Invalid JSON")

    def missing(self, call: Call) -> Reply:
        return self.refusal(404, "Invalid API endpoint.")

    def instant(self, tick: int) -> str:
        return super().instant(tick).replace("Z", "+00:00")

    def page_of(self, call: Call) -> int:
        return _page_of(call.asked("cursor"))

    def _page(self, call: Call, name: str, items: Sequence[Any]) -> Reply:
        """One page; a cursor leads to the next one."""
        text = call.asked("per_page", str(PER_PAGE))
        if not text.isdecimal() or not 1 <= int(text) <= PER_PAGE_MAX:
            raise Refused(400, "per_page must be between 1 and 500")
        page = self.page_of(call)
        part, pages = self.sliced(items, page, int(text))
        links = {
            "next": _cursor("next", page + 1) if page < pages else "",
            "prev": _cursor("prev", page - 1) if page > 1 else "",
        }
        return Reply(document={name: part, "meta": {"total": len(items), "links": links}})

    def _one(self, known: Mapping[Any, Any], id: Any, what: str) -> Any:
        if id not in known:
            raise Refused(404, f"Invalid {what}.")
        return known[id]

    def _wanted(self, document: Mapping[str, Any], *names: str) -> None:
        for name in names:
            if document.get(name) in (None, ""):
                raise Refused(400, f"{name} is required")

    def _uuid(self) -> str:
        """Their order says nothing about age."""
        self._next += 1
        return str(UUID(int=(self._next * 0x9E3779B97F4A7C15F39CC0605CEDC835) % 2**128, version=4))

    # ------------------------------------------------------------------------------------------ account

    @route("GET", "/v2/account")
    def get_account(self, call: Call) -> Reply:
        account = {
            "name": "An Owner",
            "email": "owner@example.org",
            "acls": sorted(self.scopes_of(call) or ALL_PERMISSIONS),
            "balance": -100.55,
            "pending_charges": 57.03,
            "last_payment_date": "2025-10-10T01:56:20+00:00",
            "last_payment_amount": -1.25,
        }
        return Reply(document={"account": account})

    @route("GET", "/v2/regions")
    def list_regions(self, call: Call) -> Reply:
        return self._page(call, "regions", list(REGIONS.values()))

    @route("GET", "/v2/regions/{id}/availability")
    def get_availability(self, call: Call, id: str) -> Reply:
        self._one(REGIONS, id, "region")
        return Reply(document={"available_plans": [p["id"] for p in PLANS.values() if id in p["locations"]]})

    @route("GET", "/v2/plans")
    def list_plans(self, call: Call) -> Reply:
        kind = call.asked("type", "all")
        return self._page(call, "plans", [plan for plan in PLANS.values() if kind in ("all", plan["type"])])

    @route("GET", "/v2/plans-metal")
    def list_metal_plans(self, call: Call) -> Reply:
        return self._page(call, "plans_metal", [])

    @route("GET", "/v2/bare-metals")
    def list_metals(self, call: Call) -> Reply:
        return self._page(call, "bare_metals", [])

    @route("GET", "/v2/os")
    def list_systems(self, call: Call) -> Reply:
        return self._page(call, "os", list(SYSTEMS.values()))

    # ------------------------------------------------------------------------------------------ keys

    @route("GET", "/v2/ssh-keys")
    def list_keys(self, call: Call) -> Reply:
        return self._page(call, "ssh_keys", list(self.keys.values()))

    @route("POST", "/v2/ssh-keys")
    def create_key(self, call: Call) -> Reply:
        wish = call.document
        self._wanted(wish, "name", "ssh_key")
        if not wish["ssh_key"].startswith(("ssh-", "ecdsa-")):
            raise Refused(400, "Invalid SSH key.")
        id = self._uuid()
        self.keys[id] = {
            "id": id,
            "date_created": self.instant(self.ticks),
            "name": wish["name"],
            "ssh_key": wish["ssh_key"],
        }
        return Reply(status=201, document={"ssh_key": self.keys[id]})

    @route("GET", "/v2/ssh-keys/{id}")
    def get_key(self, call: Call, id: str) -> Reply:
        return Reply(document={"ssh_key": self._one(self.keys, id, "ssh-key")})

    @route("DELETE", "/v2/ssh-keys/{id}")
    def delete_key(self, call: Call, id: str) -> Reply:
        del self.keys[self._one(self.keys, id, "ssh-key")["id"]]
        return Reply(status=204)


def _permission(call: Call) -> str | None:
    """What the user must be allowed: a reading of the permissions' names, for the reference has no table of them."""
    part = call.path.split("/")[2]
    if part == "domains":
        return "dns"
    if part == "firewalls":
        return "firewall" if call.method != "GET" else None
    if part != "instances":
        return None
    if call.method == "GET":
        return "subscriptions_view"
    return "provisioning" if (call.method, call.path) == ("POST", "/v2/instances") else "subscriptions"


def _cursor(way: str, page: int) -> str:
    return base64.b64encode(f"{way}__{page}".encode()).decode()


def _page_of(cursor: str) -> int:
    if not cursor:
        return 1
    try:
        return int(base64.b64decode(cursor, validate=True).decode().partition("__")[2])
    except ValueError as error:
        raise Refused(400, "Invalid cursor.") from error
