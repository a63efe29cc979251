"""keystone: tokens that expire, a catalog, and a project that can be disabled. Errors in each service's own shape."""

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from tests.standins.base import Pace, Refused, StandIn, route
from tests.standins.wire import Call, Reply

REGION, OTHER_REGION = "GRA11", "BHS5"
PROJECT, DOMAIN, USER = "p1", "Default", "operator"
PROJECT_ID, USER_ID = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"
NEEDED = "The request you have made requires authentication."
_TITLES = {
    400: ("badRequest", "Bad Request"),
    401: ("unauthorized", "Unauthorized"),
    403: ("forbidden", "Forbidden"),
    404: ("itemNotFound", "Not Found"),
    409: ("conflictingRequest", "Conflict"),
    413: ("overLimit", "Request Entity Too Large"),
    429: ("overLimit", "Too Many Requests"),
    500: ("computeFault", "Internal Server Error"),
}
_SLOW = Pace(addressed=3)

Document = dict[str, Any]


@dataclass(slots=True, kw_only=True)
class Token:
    """`project`: whether it is scoped to the project; otherwise it is unscoped."""

    expires_s: float
    project: bool
    role: str = "member"


class Identity(StandIn):
    """The cloud's sign-in. The base's token is the user's password here.

    `token_s`: how long new tokens last. `cached_ticks`: for so many ticks after the project was disabled a service
    still believes its cache (`compute`, `network`, `image`), each for itself.
    """

    def __init__(self, *, pace: Pace = _SLOW, **options: Any) -> None:
        super().__init__(pace=pace, **options)
        self.token_s = 3600.0
        self.cached_ticks = {"compute": 0, "network": 0, "image": 0}
        self.application_credentials: dict[str, str] = {}
        """Secrets by id."""
        self._issued: dict[str, Token] = {}
        self._closed_at = 0
        self._last_id = 0

    @property
    def auth_url(self) -> str:
        return f"{self.url}/identity/v3"

    def expire(self) -> None:
        """Every token that was given out is too old now."""
        with self._lock:
            for token in self._issued.values():
                token.expires_s = 0.0

    def new_id(self) -> str:
        self._last_id += 1
        return f"{self._last_id:08x}-0000-4000-8000-{self._last_id:012x}"

    # ------------------------------------------------------------------------------------------ the base

    def refusal(self, status: int, message: str, code: str = "") -> Reply:
        error: Document = {"code": status, "title": _TITLES.get(status, ("", "Error"))[1], "message": message}
        return Reply(status=status, document={"error": error | ({"type": code} if code else {})})

    def unauthorized(self) -> Reply:
        reply = self.refusal(401, NEEDED)
        return replace(reply, headers={"WWW-Authenticate": f'Keystone uri="{self.url}/identity"'})

    def conforming(self, call: Call, reply: Reply) -> Reply:
        """Refusals as the service words them. What a catalog or a version document says needs no reshaping."""
        if reply.status < 400 or reply.status == 401 or reply.raw is not None:
            return reply
        error = reply.document["error"]
        service = call.path.split("/")[1]
        if service == "compute":
            name = _TITLES.get(reply.status, ("computeFault", ""))[0]
            return replace(reply, document={name: {"code": reply.status, "message": error["message"]}})
        if service == "network":
            kind = error.get("type") or "HTTP" + error["title"].replace(" ", "")
            return replace(reply, document={"NeutronError": {"type": kind, "message": error["message"], "detail": ""}})
        if service == "image":
            page = f"<html><head><title>{reply.status} {error['title']}</title></head><body>{error['message']}</body>"
            return Reply(status=reply.status, raw=f"{page}</html>".encode(), type="text/html", headers=reply.headers)
        return reply

    def admitted(self, call: Call) -> bool:
        if call.path.rstrip("/").count("/") < 3 or (call.method, call.path) == ("POST", "/identity/v3/auth/tokens"):
            return True  # documents of versions, and the sign-in itself
        return self._valid(call.header("X-Auth-Token"))

    def permit(self, call: Call, rule: str) -> None:
        """The service's policy, by its defaults: `reader` may not write. Raises Refused."""
        if self._issued[call.header("X-Auth-Token")].role == "reader":
            raise Refused(403, f"Policy doesn't allow {rule} to be performed.")

    def _valid(self, token: str) -> bool:
        found = self._issued.get(token)
        return found is not None and time.time() < found.expires_s

    def close(self, reason: str) -> None:
        with self._lock:
            super().close(reason)
            self._closed_at = self.ticks

    def closed(self, call: Call) -> Reply | None:
        """A disabled project: its tokens are no good any more, as soon as a service asks; keystone alone says why."""
        service = call.path.split("/")[1]
        if self.admitted(call) and not call.header("X-Auth-Token"):
            return None  # the sign-in looks at the project itself
        if self.ticks - self._closed_at <= self.cached_ticks.get(service, 0):
            return None
        about = call.header("X-Subject-Token") if call.path == "/identity/v3/auth/tokens" else ""
        if about in self._issued and self._issued[about].project and call.method in ("GET", "HEAD"):
            return self.refusal(404, f"Unable to validate token because project {PROJECT_ID} is disabled.")
        return self.unauthorized() if self._issued[call.header("X-Auth-Token")].project else None

    def emptied(self, document: Document) -> Document:
        """Without its items; the links to further pages are true."""
        return {k: [] if isinstance(v, list) and not k.endswith("_links") else v for k, v in document.items()}

    # ------------------------------------------------------------------------------------------ versions

    @route("GET", "/identity")
    @route("GET", "/identity/")
    def identity_versions(self, call: Call) -> Reply:
        return Reply(status=300, document={"versions": {"values": [self._identity_version()]}})

    @route("GET", "/identity/v3")
    @route("GET", "/identity/v3/")
    def identity_version(self, call: Call) -> Reply:
        return Reply(document={"version": self._identity_version()})

    def _identity_version(self) -> Document:
        link = {"rel": "self", "href": f"{self.auth_url}/"}
        return {
            "id": "v3.14",
            "status": "stable",
            "updated": "2020-04-07T00:00:00Z",
            "links": [link],
            "media-types": [],
        }

    # ------------------------------------------------------------------------------------------ tokens

    @route("POST", "/identity/v3/auth/tokens")
    def create_token(self, call: Call) -> Reply:
        auth = call.document.get("auth") or {}
        identity = auth.get("identity") or {}
        bound = self._signed_in(identity)
        scoped = bound or self._scope(auth.get("scope"))
        if scoped and self.mood == "closed":
            raise Refused(401, NEEDED)
        token = f"gAAAAA{self.new_id()}"
        role = next(iter(self.scopes.get(_password(identity), ("member",))))
        self._issued[token] = Token(expires_s=time.time() + self.token_s, project=scoped, role=role)
        document = self._shown_token(token, identity["methods"])
        return Reply(status=201, document=document, headers={"X-Subject-Token": token})

    def _signed_in(self, identity: Document) -> bool:
        """Whether the credential, which is good, is bound to the project. Raises Refused, always in the same words."""
        methods = identity.get("methods") or []
        if methods == ["password"]:
            user = identity["password"]["user"]
            if "id" not in user and "domain" not in user:
                raise Refused(400, "Expecting to find domain in user.")
            if self._named(user) and user["password"] in self.tokens:
                return False
        elif methods == ["application_credential"]:
            given = identity["application_credential"]
            if self.application_credentials.get(given.get("id", "")) == given.get("secret", None):
                return True
        elif methods == ["token"] and self._valid(identity["token"]["id"]):
            return False
        raise Refused(401, NEEDED)

    def _named(self, user: Document) -> bool:
        if "id" in user:
            return bool(user["id"] == USER_ID)
        return bool(user.get("name") == USER and self._default(user["domain"]))

    def _default(self, domain: Document) -> bool:
        return domain.get("name") == DOMAIN or domain.get("id") == DOMAIN.lower()

    def _scope(self, scope: Document | str | None) -> bool:
        """Whether the project is asked for. Raises Refused for another project."""
        if not isinstance(scope, dict):
            return False
        project = scope.get("project") or {}
        if "id" in project and project["id"] == PROJECT_ID:
            return True
        if "id" not in project and "domain" not in project:
            raise Refused(400, "Expecting to find domain in project.")
        if project.get("name") == PROJECT and self._default(project["domain"]):
            return True
        raise Refused(401, NEEDED)

    def _shown_token(self, token: str, methods: list[str]) -> Document:
        found = self._issued[token]
        domain = {"id": DOMAIN.lower(), "name": DOMAIN}
        shown: Document = {
            "methods": methods,
            "user": {"id": USER_ID, "name": USER, "domain": domain, "password_expires_at": None},
            "audit_ids": [token[-22:]],
            "expires_at": _utc(found.expires_s),
            "issued_at": _utc(found.expires_s - self.token_s),
        }
        if found.project:
            shown |= {
                "project": {"id": PROJECT_ID, "name": PROJECT, "domain": domain},
                "is_domain": False,
                "roles": [{"id": "9fe2ff9ee4384b1894a90878d3e92bab", "name": found.role}],
                "catalog": self._catalog(),
            }
        return {"token": shown}

    def _catalog(self) -> list[Document]:
        places = {"compute": "compute/v2.1", "image": "image", "network": "network", "identity": "identity"}
        return [
            {
                "id": f"{type}-service",
                "type": type,
                "name": {"compute": "nova", "image": "glance", "network": "neutron", "identity": "keystone"}[type],
                "endpoints": [
                    {
                        "id": f"{type}-{region}-{interface}",
                        "interface": interface,
                        "region": region,
                        "region_id": region,
                        "url": f"{root}/{path}",
                    }
                    for region, root in ((OTHER_REGION, f"{self.url}/elsewhere"), (REGION, self.url))
                    for interface in ("internal", "public")
                ],
            }
            for type, path in places.items()
        ]

    @route("GET", "/identity/v3/auth/tokens")
    @route("HEAD", "/identity/v3/auth/tokens")
    def show_token(self, call: Call) -> Reply:
        subject = call.header("X-Subject-Token")
        if not self._valid(subject):
            raise Refused(404, "This is not a recognized Fernet token")
        return Reply(document=self._shown_token(subject, ["password"]), headers={"X-Subject-Token": subject})

    @route("DELETE", "/identity/v3/auth/tokens")
    def revoke_token(self, call: Call) -> Reply:
        self._issued.pop(call.header("X-Subject-Token"), None)
        return Reply(status=204)

    @route("GET", "/identity/v3/auth/catalog")
    def show_catalog(self, call: Call) -> Reply:
        scoped = self._issued[call.header("X-Auth-Token")].project
        return Reply(document={"catalog": self._catalog() if scoped else [], "links": {}})

    @route("GET", "/identity/v3/auth/projects")
    def list_projects(self, call: Call) -> Reply:
        there = {"id": PROJECT_ID, "name": PROJECT, "domain_id": DOMAIN.lower(), "enabled": True, "is_domain": False}
        return Reply(document={"projects": [] if self.mood == "closed" else [there], "links": {}})


def _password(identity: Document) -> str:
    return str(identity.get("password", {}).get("user", {}).get("password", ""))


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(max(0.0, seconds), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
