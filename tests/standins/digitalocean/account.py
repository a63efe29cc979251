"""DigitalOcean: its manners, the account, keys, regions, sizes and images."""

import base64
import hashlib
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from tests.standins.base import Mood, Refused, StandIn, route
from tests.standins.digitalocean.catalog import IMAGES, REGIONS, SIZES
from tests.standins.openapi import NotAllowed, load
from tests.standins.wire import Call, Reply

DOCUMENT = "digitalocean-openapi.json"
SUFFIXES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    415: "unsupported_media_type",
    422: "unprocessable_entity",
    429: "too_many_requests",
    500: "server_error",
}
MOODS = {Mood.ACTIVE: "active", Mood.WARNED: "warning", Mood.CLOSED: "locked"}


class AccountPart(StandIn):
    """What every part needs, and what hardly changes."""

    open_when_closed = r"^GET /v2/account$"

    def __init__(self, **options: Any) -> None:
        self.document = load(DOCUMENT)
        self.keys: dict[int, dict[str, Any]] = {}
        self.undeclared: set[str] = set()
        """What clients sent that the document does not speak of: `POST /v2/droplets ?per_page`."""
        self.refusals: list[str] = []
        """What the document did not allow."""
        self._next = 3164444
        super().__init__(**options)

    # ------------------------------------------------------------------------------------------ the provider's manners

    def refusal(self, status: int, message: str, code: str = "") -> Reply:
        document = {"id": code or SUFFIXES.get(status, "server_error"), "message": message}
        return Reply(status=status, document=document, headers=self._rate_headers())

    def unauthorized(self) -> Reply:
        return self.refusal(401, "Unable to authenticate you.")

    def checked(self, call: Call) -> None:
        """The scopes first: "each endpoint below specifies which scope is required to access it"."""
        held = self.scopes_of(call)
        try:
            if held is not None and (missing := self.document.scopes(call) - held):
                raise Refused(403, f"You are missing the required permission {min(missing)}", "forbidden")
            self.document.allow(call)
        except NotAllowed as error:
            self.refusals.append(f"{call.method} {call.target}: {error.problem}")
            raise Refused(error.status, error.problem) from error
        self.undeclared |= {f"{call.method} {call.path} {name}" for name in self.document.undeclared(call)}

    def conforming(self, call: Call, reply: Reply) -> Reply:
        if self.document.describes(call):
            self.document.conform(call, reply)
        return reply

    def missing(self, call: Call) -> Reply:
        raise AssertionError("is in the document, but this stand-in has no answer")

    def _rate_headers(self) -> dict[str, str]:
        left = max(0, 5000 - self.ticks)
        return {"ratelimit-limit": "5000", "ratelimit-remaining": str(left), "ratelimit-reset": "1893456000"}

    def _reply(self, document: Any, status: int = 200) -> Reply:
        return Reply(status=status, document=document, headers=self._rate_headers())

    def _nothing(self) -> Reply:
        return Reply(status=204, headers=self._rate_headers())

    def _page(self, call: Call, name: str, items: Sequence[Any]) -> Reply:
        """One page, with the links that the document describes."""
        page, per_page = int(call.asked("page", "1")), int(call.asked("per_page", "20"))
        part, pages = self.sliced(items, page, per_page)
        links: dict[str, str] = {}
        if page > 1:
            links |= {"first": self._link(call, 1), "prev": self._link(call, page - 1)}
        if page < pages:
            links |= {"next": self._link(call, page + 1), "last": self._link(call, pages)}
        pages_of = {"pages": links} if links else {}
        return self._reply({name: part, "links": pages_of, "meta": {"total": len(items)}})

    def _link(self, call: Call, page: int) -> str:
        return f"{self.url}{call.path}?{urlencode({**dict(call.query), 'page': page})}"

    def _number(self) -> int:
        self._next += 1
        return self._next

    # ------------------------------------------------------------------------------------------ account

    @route("GET", "/v2/account")
    def get_account(self, call: Call) -> Reply:
        account = {
            "droplet_limit": self.nodes_max,
            "floating_ip_limit": 3,
            "email": "owner@example.org",
            "name": "Owner",
            "uuid": "b6fr89dbf6d9156cace5f3c78dc9851d957381ef",
            "email_verified": True,
            "status": MOODS[self.mood],
            "status_message": self.reason,
            "team": {"uuid": "5df3e3004a17e242b7c20ca6c9fc25b701a47ece", "name": "My Team"},
        }
        return self._reply({"account": account})

    @route("GET", "/v2/regions")
    def list_regions(self, call: Call) -> Reply:
        return self._page(call, "regions", [self._region(slug) for slug in REGIONS])

    @route("GET", "/v2/sizes")
    def list_sizes(self, call: Call) -> Reply:
        return self._page(call, "sizes", list(SIZES.values()))

    @route("GET", "/v2/images")
    def list_images(self, call: Call) -> Reply:
        ours = call.asked("private") != "true" and call.asked("type") != "application" and not call.asked("tag_name")
        return self._page(call, "images", list(IMAGES.values()) if ours else [])

    @route("GET", "/v2/images/{image}")
    def get_image(self, call: Call, image: str) -> Reply:
        return self._reply({"image": self._image(image, status=404)})

    def _region(self, slug: str) -> dict[str, Any]:
        return {**REGIONS[slug], "sizes": [name for name, size in SIZES.items() if slug in size["regions"]]}

    def _image(self, image: object, status: int = 422) -> dict[str, Any]:
        """By slug or id."""
        for known in IMAGES.values():
            if str(image) in (known["slug"], str(known["id"])):
                return known
        raise Refused(status, "You specified an invalid image for Droplet creation.")

    # ------------------------------------------------------------------------------------------ keys

    @route("GET", "/v2/account/keys")
    def list_keys(self, call: Call) -> Reply:
        return self._page(call, "ssh_keys", list(self.keys.values()))

    @route("POST", "/v2/account/keys")
    def create_key(self, call: Call) -> Reply:
        """A key may be there once (reported: "SSH Key is already in use on your account")."""
        document = call.document
        print_of = _fingerprint(document["public_key"])
        if any(key["fingerprint"] == print_of for key in self.keys.values()):
            raise Refused(422, "SSH Key is already in use on your account")
        key = {"id": self._number(), "fingerprint": print_of, **document}
        self.keys[key["id"]] = key
        return self._reply({"ssh_key": key}, 201)

    @route("GET", "/v2/account/keys/{key}")
    def get_key(self, call: Call, key: str) -> Reply:
        return self._reply({"ssh_key": self._key(key)})

    @route("DELETE", "/v2/account/keys/{key}")
    def delete_key(self, call: Call, key: str) -> Reply:
        del self.keys[self._key(key)["id"]]
        return self._nothing()

    def _key(self, wanted: object, status: int = 404) -> dict[str, Any]:
        """By id or fingerprint."""
        for key in self.keys.values():
            if str(wanted) in (str(key["id"]), key["fingerprint"]):
                return key
        raise Refused(status, f"{wanted} are invalid key identifiers for Droplet creation.")


def _fingerprint(public_key: str) -> str:
    """Of an OpenSSH public key: MD5, as the document shows it."""
    try:
        blob = base64.b64decode(public_key.split()[1], validate=True)
    except (IndexError, ValueError) as error:
        raise Refused(422, "Key invalid, key should be of the format `type key [comment]`") from error
    digest = hashlib.md5(blob).hexdigest()
    return ":".join(digest[at : at + 2] for at in range(0, 32, 2))
