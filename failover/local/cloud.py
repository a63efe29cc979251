"""The daemon of one cloud: its HTTP API for customers, and the operator's orders on the same port.

    GET    /v1/account               {"status", "reason", "quota": {"nodes_max", "nodes_used"}}
    GET    /v1/images                {"images": [name]}
    GET    /v1/sizes                 {"sizes": [{"name", "cpus", "memory_mib", "disk_gib", "price_per_hour"}]}
    GET    /v1/nodes                 {"nodes": [node], "next": cursor or null}; ?service= ?site= ?limit= ?after=
    POST   /v1/nodes                 a node as wished for; the same wish again gives the same node
    GET    /v1/nodes/ID              one node
    DELETE /v1/nodes/ID              404 when there is none
    GET    /v1/archives              {"archives": [digest]}
    PUT    /v1/archives/DIGEST       the body is the archive
    GET    /v1/archives/DIGEST       {"digest", "intact"}; 404 when there is none
    DELETE /v1/archives/DIGEST       also when there is none
    POST   /operator/close, reopen, warn, fail, recover

Errors are `{"error": {"code", "message"}}`. Every request carries `Authorization: Bearer TOKEN`.
"""

import secrets
import shutil
import signal
from collections.abc import Callable

from failover.errors import FailoverError
from failover.local import tokens
from failover.local.account import Account
from failover.local.daemon import Context, Endpoint
from failover.local.depot import checked_digest
from failover.local.ledger import NodeRecord
from failover.local.nodes import lay_out
from failover.local.server import ADDRESS, BODY_BYTES_MAX, ApiServer, Refusal, Reply, Request
from failover.local.tokens import Role
from failover.local.wish import IMAGES, SIZES, Wish, parse
from failover.net.archive import unpack

FAULTS = ("drop", "api", "refuse", "error")
"""Drops API connections and freezes nodes; drops API connections only; answers 401; answers 502 with HTML."""
PAGE_DEFAULT = 50
PAGE_MAX = 200
_BROKEN = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


class CloudService:
    """Serves the API in its own threads; every change is made by the loop."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._loop = context.loop
        self._tokens = {role: tokens.read(context.directory, role) for role in Role}
        self._account = Account(context.directory)
        self._fault: str | None = None
        self._api: ApiServer | None = None

    def start(self) -> Endpoint:
        signal.signal(signal.SIGCHLD, lambda *_: self._loop.post(self._account.reap))
        self._account.start()
        self._api = ApiServer(self._handle, self._context.port_before)
        return Endpoint(address=ADDRESS, port=self._api.port, admin_port=self._api.port)

    def stop(self) -> None:
        if self._api is not None:
            self._api.stop()
        self._account.stop()

    # ------------------------------------------------------------------------------------------ who may ask

    def _handle(self, request: Request) -> Reply | None:
        if request.path[0] == "operator":
            if not request.carries(self._tokens[Role.OPERATOR]):
                raise Refusal(401, "unauthorized", "the operator's token is needed")
            return self._order(request)
        if self._fault in ("drop", "api"):
            return None
        if self._fault == "error":
            return Reply(status=502, html=_BROKEN)
        self._check_access(request)
        try:
            return self._answer(request)
        except (Refusal, OSError) as error:
            self._account.check_open()  # closing takes away what a request is just using: it hears why
            if isinstance(error, Refusal):
                raise
            raise Refusal(507, "storage_failed", str(error)) from error

    def _check_access(self, request: Request) -> None:
        mirror = request.carries(self._tokens[Role.MIRROR])
        if self._fault == "refuse" or not (mirror or request.carries(self._tokens[Role.WATCH])):
            raise Refusal(401, "unauthorized", "this token is not known")
        self._account.check_open()
        if request.method != "GET" and not mirror:
            raise Refusal(403, "forbidden", "this token may only read")

    # ------------------------------------------------------------------------------------------ customers

    def _answer(self, request: Request) -> Reply:
        match (request.method, *request.path):
            case ("GET", "v1", "account"):
                return self._get_account()
            case ("GET", "v1", "images"):
                return Reply(document={"images": list(IMAGES)})
            case ("GET", "v1", "sizes"):
                return Reply(document={"sizes": list(SIZES)})
            case ("GET", "v1", "nodes"):
                return self._list_nodes(request.query)
            case ("POST", "v1", "nodes"):
                return Reply(document=self._show(self._create(parse(request.json()))))
            case ("GET", "v1", "nodes", id):
                return self._get_node(id)
            case ("DELETE", "v1", "nodes", id):
                self._loop.call(lambda: self._account.destroy(id))
                return Reply(document={})
            case (_, "v1", "archives", *_):
                return self._archives(request)
            case _:
                raise Refusal(404, "not_found", "there is no such path")

    def _get_account(self) -> Reply:
        ledger = self._account.ledger
        quota = {"nodes_max": ledger.nodes_max, "nodes_used": len(ledger.nodes)}
        return Reply(document={"status": ledger.status.value, "reason": ledger.reason, "quota": quota})

    def _list_nodes(self, query: dict[str, str]) -> Reply:
        try:
            limit = int(query.get("limit", PAGE_DEFAULT))
            after_s = float(query.get("after", "-inf"))
        except ValueError as error:
            raise Refusal(400, "invalid_request", f"limit or after: {error}") from error
        wanted = {f"failover-{key}": query[key] for key in ("service", "site") if key in query}
        left = [
            node
            for node in self._account.ledger.nodes
            if node.created_at_s > after_s and all(node.labels.get(k) == v for k, v in wanted.items())
        ]
        page = left[: max(1, min(limit, PAGE_MAX))]
        more = repr(page[-1].created_at_s) if len(left) > len(page) else None
        return Reply(document={"nodes": [self._show(node) for node in page], "next": more})

    def _get_node(self, id: str) -> Reply:
        node = self._account.ledger.node(id)
        if node is None:
            raise Refusal(404, "node_not_found", f"there is no node {id}")
        return Reply(document=self._show(node))

    def _show(self, node: NodeRecord) -> dict[str, object]:
        running, pending = node.running, node.wanted and node.identity is None
        return {
            "id": node.id,
            "name": node.name,
            "labels": dict(node.labels),
            "image": node.image,
            "cpus": node.cpus,
            "memory_mib": node.memory_mib,
            "disk_gib": node.disk_gib,
            "state": "running" if running else "pending" if pending else "stopped",
            "address": node.address,
            "ports": list(node.ports),
            "pid": node.identity.pid if running and node.identity else None,
            "created_at_s": node.created_at_s,
            "last_exit": node.last_exit,
            "release": self._account.digests.of(self._account.nodes_path / node.id / "release"),
        }

    def _create(self, wish: Wish) -> NodeRecord:
        """The slow part, unpacking, happens in the request's own thread; the loop then decides again."""
        found = self._account.existing(wish)
        if found is not None:
            return self._loop.call(lambda: self._account.run(found.id))
        archive = self._account.archives.get(wish.release)
        if archive is None:
            raise Refusal(404, "archive_not_found", f"no intact archive {wish.release}; put it first")
        prepared = self._account.nodes_path / f".new-{secrets.token_hex(8)}"
        try:
            unpack(archive, lay_out(prepared, wish.environment), wish.release)
            return self._loop.call(lambda: self._account.create(wish, prepared))
        except FailoverError as error:
            raise Refusal(507, "storage_failed", str(error)) from error
        finally:
            shutil.rmtree(prepared, ignore_errors=True)

    def _archives(self, request: Request) -> Reply:
        store = self._account.archives
        match (request.method, *request.path[2:]):
            case ("GET",):
                return Reply(document={"archives": store.list()})
            case ("PUT", digest):
                store.put(checked_digest(digest), request.body(BODY_BYTES_MAX), self._commit)
            case ("DELETE", digest):
                checked_digest(digest)
                self._commit(lambda: store.remove(digest))
            case ("GET", digest):
                if checked_digest(digest) not in store.list():
                    raise Refusal(404, "archive_not_found", f"no archive {digest}")
                return Reply(document={"digest": digest, "intact": store.get(digest) is not None})
            case _:
                raise Refusal(404, "not_found", "there is no such path")
        return Reply(document={})

    def _commit(self, change: Callable[[], None]) -> None:
        self._loop.call(lambda: self._account.commit(change))

    # ------------------------------------------------------------------------------------------ the operator

    def _order(self, request: Request) -> Reply:
        order = request.json()
        reason = str(order.get("reason", ""))
        match (request.method, *request.path):
            case ("POST", "operator", "close"):
                self._loop.call(lambda: self._account.close(reason))
            case ("POST", "operator", "reopen"):
                self._loop.call(self._account.reopen)
            case ("POST", "operator", "warn"):
                self._loop.call(lambda: self._account.warn(reason))
            case ("POST", "operator", "fail"):
                self._loop.call(lambda: self._fail(order.get("mode")))
            case ("POST", "operator", "recover"):
                self._loop.call(lambda: self._set_fault(None))
            case _:
                raise Refusal(404, "not_found", "there is no such order")
        return Reply(document={})

    def _fail(self, mode: object) -> None:
        if mode not in FAULTS or not isinstance(mode, str):
            raise Refusal(400, "invalid_request", f"a cloud can fail by {', '.join(FAULTS)}")
        self._set_fault(mode)

    def _set_fault(self, mode: str | None) -> None:
        self._fault = mode
        (self._account.freeze if mode == "drop" else self._account.thaw)()
        self._context.tell_fault(mode)
