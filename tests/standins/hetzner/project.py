"""A project of Hetzner Cloud: its moods, its actions, its lists, and what is for sale."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tests.standins.base import Pace, Refused, StandIn, route
from tests.standins.hetzner.catalog import LOCATIONS, images, selected, server_types
from tests.standins.wire import Call, Reply

CODES = {401: "unauthorized", 403: "forbidden", 404: "not_found", 429: "rate_limit_exceeded", 500: "server_error"}
PER_PAGE, PER_PAGE_MAX = 25, 50
RATE_PER_HOUR = 3600
_AT_ONCE = Pace(addressed=0)

Document = dict[str, Any]


@dataclass(slots=True, kw_only=True)
class Action:
    id: int
    command: str
    started: int
    lasts: int
    resources: list[Document]
    done: Callable[[], None] | None = None


@dataclass(slots=True, kw_only=True)
class Machine:
    id: int
    name: str
    made: int
    type: Document
    image: Document
    location: Document
    v4: str | None
    v6: str | None
    labels: dict[str, str] = field(default_factory=dict)
    firewalls: set[int] = field(default_factory=set)
    ssh_keys: list[int] = field(default_factory=list)
    user_data: str = ""
    status: str | None = None
    """None: it is as young as its age says."""
    protected: bool = False


@dataclass(slots=True, kw_only=True)
class Wall:
    id: int
    name: str
    made: int
    labels: dict[str, str]
    rules: list[Document]
    applied: list[Document] = field(default_factory=list)


class Project(StandIn):
    """One project. `token_readonly` holds tokens that may only read; `delete_ticks`: how long a deletion lasts;
    `actions_failing`: commands that end in an error, without their effect.
    """

    def __init__(self, *, pace: Pace = _AT_ONCE, **options: Any) -> None:
        super().__init__(pace=pace, **options)
        self.token_readonly: set[str] = set()
        self.delete_ticks = 1
        self.actions_failing: set[str] = set()
        self.servers: dict[int, Machine] = {}
        self.firewalls: dict[int, Wall] = {}
        self.ssh_keys: dict[int, Document] = {}
        self.actions: dict[int, Action] = {}
        self.types = server_types()
        self.images = images()
        self._last_id = 10_000

    # ------------------------------------------------------------------------------------------ the base

    def refusal(self, status: int, message: str, code: str = "") -> Reply:
        code = code or CODES.get(status, "invalid_input")
        return Reply(status=status, document={"error": {"code": code, "message": message, "details": None}})

    def unauthorized(self) -> Reply:
        return self.refusal(401, "unable to authenticate")

    def throttled(self, retry_after_s: int) -> Reply:
        reply = super().throttled(retry_after_s)
        document = {"error": {"code": "rate_limit_exceeded", "message": f"limit of {RATE_PER_HOUR} requests per hour"}}
        return replace(reply, document=document)

    def admitted(self, call: Call) -> bool:
        token = call.header("Authorization").partition(" ")[2]
        return token in self.token_readonly or super().admitted(call)

    def checked(self, call: Call) -> None:
        self._advance()
        token = call.header("Authorization").partition(" ")[2]
        if token in self.token_readonly and call.method != "GET":
            raise Refused(401, "only GET requests are allowed for this token", "token_readonly")

    def conforming(self, call: Call, reply: Reply) -> Reply:
        left = max(0, RATE_PER_HOUR - len(self.requests)) if reply.status != 429 else 0
        told = {
            "RateLimit-Limit": str(RATE_PER_HOUR),
            "RateLimit-Remaining": str(left),
            "RateLimit-Reset": "1767225600",
        }
        return replace(reply, headers={**told, "X-Correlation-Id": f"{self.ticks:016x}", **reply.headers})

    def node_ids(self) -> tuple[str, ...]:
        self._advance()
        return tuple(str(id) for id in self.servers)

    def halt(self, id: str) -> None:
        self._advance(everything=True)
        if int(id) in self.servers:
            self.servers[int(id)].status = "off"

    def empty(self) -> None:
        for all in (self.servers, self.firewalls, self.ssh_keys, self.actions):
            all.clear()

    # ------------------------------------------------------------------------------------------ time

    def _id(self) -> int:
        self._last_id += 1
        return self._last_id

    def _advance(self, *, everything: bool = False) -> None:
        """What has been long enough under way takes effect."""
        for action in list(self.actions.values()):
            if action.done is not None and (everything or self._status(action) == "success"):
                done, action.done = action.done, None
                done()

    def _status(self, action: Action) -> str:
        if self.ticks < action.started + action.lasts:
            return "running"
        return "error" if action.command in self.actions_failing else "success"

    def _act(
        self, command: str, resources: Iterable[tuple[str, int]], lasts: int, done: Callable[[], None] | None = None
    ) -> Document:
        found = [{"id": id, "type": type} for type, id in resources]
        action = Action(id=self._id(), command=command, started=self.ticks, lasts=lasts, resources=found, done=done)
        self.actions[action.id] = action
        return self._shown_action(action)

    def _shown_action(self, action: Action) -> Document:
        status = self._status(action)
        running = status == "running"
        return {
            "id": action.id,
            "command": action.command,
            "status": status,
            "progress": 0 if running else 100,
            "started": self.instant(action.started),
            "finished": None if running else self.instant(action.started + action.lasts),
            "resources": action.resources,
            "error": {"code": "action_failed", "message": "Action failed"} if status == "error" else None,
        }

    def _locked(self, id: int) -> bool:
        mine = {"id": id, "type": "server"}
        return any(mine in a.resources and self._status(a) == "running" for a in self.actions.values())

    # ------------------------------------------------------------------------------------------ lists

    def _page(self, call: Call, key: str, items: Sequence[Document]) -> Reply:
        size = int(call.asked("per_page", str(PER_PAGE)))
        if not 1 <= size <= PER_PAGE_MAX:
            raise Refused(422, "invalid input in field 'per_page'", "invalid_input")
        page = self.page_of(call)
        found, last = self.sliced(items, page, size)
        meta = {
            "page": page,
            "per_page": min(size, self.page_max or size),
            "previous_page": page - 1 if page > 1 else None,
            "next_page": page + 1 if page < last else None,
            "last_page": last,
            "total_entries": len(items),
        }
        return Reply(document={key: found, "meta": {"pagination": meta}})

    def _picked(self, call: Call, items: Iterable[Document], *fields: str) -> list[Document]:
        """Those that all of the query's filters let through; a filter may be given several times."""
        asked = {name: {v for n, v in call.query if n == name} for name in ("name", *fields)}
        selector = call.asked("label_selector")
        try:
            return [
                item
                for item in items
                if all(item[name] in values for name, values in asked.items() if values)
                and selected(selector, item.get("labels", {}))
            ]
        except ValueError as error:
            raise Refused(422, "invalid input in field 'label_selector'", "invalid_input") from error

    # ------------------------------------------------------------------------------------------ what is for sale

    @route("GET", "/v1/locations")
    def list_locations(self, call: Call) -> Reply:
        return self._page(call, "locations", self._picked(call, LOCATIONS))

    @route("GET", "/v1/locations/{id}")
    def get_location(self, call: Call, id: str) -> Reply:
        return Reply(document={"location": of(LOCATIONS, id, "location")})

    @route("GET", "/v1/server_types")
    def list_server_types(self, call: Call) -> Reply:
        return self._page(call, "server_types", self._picked(call, self.types))

    @route("GET", "/v1/server_types/{id}")
    def get_server_type(self, call: Call, id: str) -> Reply:
        return Reply(document={"server_type": of(self.types, id, "server type")})

    @route("GET", "/v1/images")
    def list_images(self, call: Call) -> Reply:
        found = self._picked(call, self.images, "type", "status", "architecture")
        shown = [i for i in found if i["deprecated"] is None or call.asked("include_deprecated") == "true"]
        return self._page(call, "images", shown)

    @route("GET", "/v1/images/{id}")
    def get_image(self, call: Call, id: str) -> Reply:
        return Reply(document={"image": of(self.images, id, "image")})

    # ------------------------------------------------------------------------------------------ actions

    @route("GET", "/v1/actions")
    def list_actions(self, call: Call) -> Reply:
        asked = [int(value) for name, value in call.query if name == "id"]
        if not asked:
            raise Refused(410, "this API functionality was removed", "deprecated_api_endpoint")
        return self._page(call, "actions", [self._shown_action(self.actions[id]) for id in asked if id in self.actions])

    @route("GET", "/v1/actions/{id}")
    def get_action(self, call: Call, id: str) -> Reply:
        if (action := self.actions.get(int(id))) is None:
            raise Refused(404, f"action with ID '{id}' not found")
        return Reply(document={"action": self._shown_action(action)})


def invalid(name: str) -> Refused:
    return Refused(422, f"invalid input in field '{name}'", "invalid_input")


def of(items: Sequence[Document], id: str | int, what: str, status: int = 404) -> Document:
    """By id or name. Raises Refused: not_found where it was asked for, invalid_input where it was only referred to."""
    for item in items:
        if str(id) in (str(item["id"]), item["name"]):
            return item
    raise Refused(status, f"{what} '{id}' not found")
