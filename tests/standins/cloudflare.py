"""A stand-in for Cloudflare (API v4): zones and DNS records, written from its API reference and its guides.

    batch       "executed in a single database transaction", in the order deletes, patches, puts, posts; 200 changes on
                the free plan, 3,500 on others; one bad change and none is made
    ttl         1 (automatic), else 60 to 86400, from 30 on the enterprise plan; proxied records are always automatic
    uniqueness  81058 an identical record, 81053 and 81054 a CNAME beside addresses, 81044 no such record (as users
                report them, with status 400 but for a single record that is asked for)

The order in which the records are found is that of their creation. The words of a closed account are made up.
"""

import copy
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.standins.base import Refused, route
from tests.standins.nodeless import Nodeless
from tests.standins.wire import Call, Reply

BASE = "/client/v4"
BATCH_MAX = {"free": 200, "pro": 3500, "business": 3500, "enterprise": 3500}
PROXIABLE = ("A", "AAAA", "CNAME")
WITH_CONTENT = ("A", "AAAA", "CNAME", "MX", "NS", "TXT", "PTR", "OPENPGPKEY")
Records = dict[str, dict[str, Any]]


@dataclass(slots=True, kw_only=True)
class Zone:
    id: str
    name: str
    status: str = "active"
    records: Records = field(default_factory=dict)


class Cloudflare(Nodeless):
    """`zones` are the account's contents, for tests to look at; `plan` is that of all zones."""

    closed_message = "Authentication error"

    def __init__(self, *, plan: str = "free", **options: Any) -> None:
        self.zones: dict[str, Zone] = {}
        self.plan = plan
        self._next = 0
        super().__init__(**options)

    def zone(self, name: str) -> Zone:
        """A new zone."""
        zone = Zone(id=self._id(), name=name)
        self.zones[zone.id] = zone
        return zone

    def empty(self) -> None:
        self.zones.clear()

    # ------------------------------------------------------------------------------------------ the provider's manners

    def refusal(self, status: int, message: str, code: str = "") -> Reply:
        error = {
            "code": int(code or {401: 10000, 403: 10000, 404: 7003, 429: 971}.get(status, 1000)),
            "message": message,
        }
        return Reply(status=status, document={"success": False, "errors": [error], "messages": [], "result": None})

    def unauthorized(self) -> Reply:
        return self.refusal(403, "Invalid access token", "9109")

    def checked(self, call: Call) -> None:
        """Permissions as tokens have them: `DNS:Read`, `DNS:Edit`, `Zone:Read`."""
        held = self.scopes_of(call)
        if held is not None and call.method != "GET" and "DNS:Edit" not in held:
            raise Refused(403, "Authentication error", "10000")

    def missing(self, call: Call) -> Reply:
        return self.refusal(404, "No route for that URI", "7000")

    def emptied(self, document: dict[str, Any]) -> dict[str, Any]:
        return {**document, "result": []}

    def _reply(self, result: Any, **more: Any) -> Reply:
        return Reply(document={"success": True, "errors": [], "messages": [], "result": result, **more})

    def _page(self, call: Call, items: Sequence[Any], per_page: int, per_page_max: int) -> Reply:
        asked, page = call.asked("per_page", str(per_page)), self.page_of(call)
        if not asked.isdecimal() or not 1 <= int(asked) <= per_page_max:
            raise Refused(400, "Invalid per_page", "1004")
        part, pages = self.sliced(items, page, int(asked))
        info = {"page": page, "per_page": int(asked), "count": len(part), "total_count": len(items)}
        return self._reply(part, result_info={**info, "total_pages": pages if items else 0})

    def _id(self) -> str:
        """Their order says nothing about age."""
        self._next += 1
        return f"{self._next * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128:032x}"

    # ------------------------------------------------------------------------------------------ zones

    @route("GET", f"{BASE}/zones")
    def list_zones(self, call: Call) -> Reply:
        found = [zone for zone in self.zones.values() if call.asked("name", zone.name) == zone.name]
        return self._page(call, [self._zone_shown(zone) for zone in found], 20, 50)

    @route("GET", BASE + "/zones/{zone}")
    def get_zone(self, call: Call, zone: str) -> Reply:
        return self._reply(self._zone_shown(self._zone(zone)))

    def _zone(self, id: str) -> Zone:
        if id not in self.zones:
            raise Refused(404, "Could not route to /zones, perhaps your object identifier is invalid?", "7003")
        return self.zones[id]

    def _zone_shown(self, zone: Zone) -> dict[str, Any]:
        return {
            "id": zone.id,
            "name": zone.name,
            "status": zone.status,
            "paused": False,
            "type": "full",
            "development_mode": 0,
            "name_servers": ["kai.ns.cloudflare.com", "uma.ns.cloudflare.com"],
            "original_name_servers": ["ns1.example.net"],
            "original_registrar": None,
            "original_dnshost": None,
            "created_on": self.instant(0),
            "modified_on": self.instant(0),
            "activated_on": self.instant(0),
            "account": {"id": "a" * 32, "name": "Example"},
            "owner": {"id": "b" * 32, "type": "user", "name": None},
            "meta": {"step": 4, "page_rule_quota": 3, "phishing_detected": False},
            "permissions": ["#dns_records:edit", "#dns_records:read", "#zone:read"],
            "plan": {"id": "c" * 32, "name": self.plan, "price": 0, "legacy_id": self.plan},
        }

    # ------------------------------------------------------------------------------------------ records

    @route("GET", BASE + "/zones/{zone}/dns_records")
    def list_records(self, call: Call, zone: str) -> Reply:
        found = [
            record
            for record in self._zone(zone).records.values()
            if call.asked("name.exact", record["name"]) == record["name"]
            and call.asked("type", record["type"]) == record["type"]
        ]
        return self._page(call, found, 100, 5_000_000)

    @route("POST", BASE + "/zones/{zone}/dns_records")
    def create_record(self, call: Call, zone: str) -> Reply:
        return self._reply(self._transaction(self._zone(zone), {"posts": [call.document]})["posts"][0])

    @route("GET", BASE + "/zones/{zone}/dns_records/{record}")
    def get_record(self, call: Call, zone: str, record: str) -> Reply:
        if record not in self._zone(zone).records:
            raise Refused(404, "Record does not exist.", "81044")
        return self._reply(self._zone(zone).records[record])

    @route("PATCH", BASE + "/zones/{zone}/dns_records/{record}")
    def patch_record(self, call: Call, zone: str, record: str) -> Reply:
        return self._reply(
            self._transaction(self._zone(zone), {"patches": [{**call.document, "id": record}]})["patches"][0]
        )

    @route("PUT", BASE + "/zones/{zone}/dns_records/{record}")
    def put_record(self, call: Call, zone: str, record: str) -> Reply:
        return self._reply(self._transaction(self._zone(zone), {"puts": [{**call.document, "id": record}]})["puts"][0])

    @route("DELETE", BASE + "/zones/{zone}/dns_records/{record}")
    def delete_record(self, call: Call, zone: str, record: str) -> Reply:
        self._transaction(self._zone(zone), {"deletes": [{"id": record}]})
        return self._reply({"id": record})

    @route("POST", BASE + "/zones/{zone}/dns_records/batch")
    def batch_records(self, call: Call, zone: str) -> Reply:
        changes = sum(len(part) for part in call.document.values())
        if changes > BATCH_MAX[self.plan]:
            raise Refused(400, f"The batch has {changes} changes, the plan allows {BATCH_MAX[self.plan]}", "1004")
        return self._reply(self._transaction(self._zone(zone), call.document))

    def _transaction(self, zone: Zone, wish: dict[str, Any]) -> dict[str, Any]:
        """All of it, or Refused and nothing."""
        records = copy.deepcopy(zone.records)
        done: dict[str, list[dict[str, Any]]] = {"deletes": [], "patches": [], "puts": [], "posts": []}
        for change in wish.get("deletes") or ():
            done["deletes"].append(records.pop(_known(records, change["id"])["id"]))
        for change in wish.get("patches") or ():
            done["patches"].append(self._put(zone, records, {**_known(records, change["id"]), **change}))
        for change in wish.get("puts") or ():
            known = _known(records, change["id"])
            done["puts"].append(
                self._put(zone, records, {"id": known["id"], "created_on": known["created_on"], **change})
            )
        for change in wish.get("posts") or ():
            now = self.instant(self.ticks)
            done["posts"].append(self._put(zone, records, {**change, "id": self._id(), "created_on": now}))
        zone.records = records
        return done

    def _put(self, zone: Zone, records: Records, wish: dict[str, Any]) -> dict[str, Any]:
        type, ttl = wish["type"], wish.get("ttl", 1)
        proxied = bool(wish.get("proxied", False))
        low = 30 if self.plan == "enterprise" else 60
        if ttl != 1 and not low <= ttl <= 86400:
            raise Refused(400, f"Invalid TTL. Must be between {low} and 86,400 seconds, or 1 for Automatic.", "9021")
        if proxied and type not in PROXIABLE:
            raise Refused(400, "This record type cannot be proxied.", "9004")
        record = {
            "id": wish["id"],
            "name": _whole(wish["name"], zone.name),
            "type": type,
            "content": _content(type, wish),
            "proxiable": type in PROXIABLE,
            "proxied": proxied,
            "ttl": 1 if proxied else ttl,
            "settings": {},
            "meta": {},
            "comment": wish.get("comment"),
            "tags": wish.get("tags", []),
            "created_on": wish["created_on"],
            "modified_on": self.instant(self.ticks),
        }
        if "priority" in wish:
            record["priority"] = wish["priority"]
        _check_alone(records, record)
        records[record["id"]] = record
        return record


def _known(records: Records, id: str) -> dict[str, Any]:
    if id not in records:
        raise Refused(400, "Record does not exist.", "81044")
    return records[id]


def _whole(name: str, zone: str) -> str:
    lower = name.rstrip(".").lower()
    if lower == "@":
        return zone
    return lower if lower == zone or lower.endswith(f".{zone}") else f"{lower}.{zone}"


def _content(type: str, wish: dict[str, Any]) -> str:
    content = wish.get("content", "")
    if type not in WITH_CONTENT:
        raise Refused(400, "this stand-in does not know the type", "1004")
    if type in ("A", "AAAA"):
        try:
            return str((ipaddress.IPv4Address if type == "A" else ipaddress.IPv6Address)(content))
        except ValueError as error:
            raise Refused(400, f"Content for {type} record must be a valid address.", "9005") from error
    if not content:
        raise Refused(400, "DNS record content is required", "9000")
    return str(content).rstrip(".") if type in ("CNAME", "MX", "NS") else str(content)


def _check_alone(records: Records, record: dict[str, Any]) -> None:
    for other in records.values():
        if other["id"] == record["id"] or other["name"] != record["name"]:
            continue
        if (other["type"], other["content"]) == (record["type"], record["content"]):
            raise Refused(400, "An identical record already exists.", "81058")
        if record["type"] == "CNAME":
            raise Refused(400, "An A, AAAA, or CNAME record with that host already exists.", "81053")
        if other["type"] == "CNAME":
            raise Refused(400, "A CNAME record with that host already exists.", "81054")
