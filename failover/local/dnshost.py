"""The daemon of one DNS host: an authoritative name server, and a port for the operator's orders."""

from failover.local import tokens
from failover.local.daemon import Context, Endpoint, bind_stable
from failover.local.nameserver import NameServer
from failover.local.server import ADDRESS, ApiServer, Refusal, Reply, Request
from failover.local.tokens import Role

FAULTS = ("drop", "servfail", "refuse", "refuse-updates", "lag")
"""Answers nothing, SERVFAIL, REFUSED, REFUSED to updates only; takes updates but serves them late."""
LAG_S_DEFAULT = 5.0


class DnsService:
    """Hosts the name server of this directory."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._token = tokens.read(context.directory, Role.OPERATOR)
        self._names: NameServer | None = None
        self._admin: ApiServer | None = None

    def start(self) -> Endpoint:
        bind_stable(self._context.port_before, self._bind)
        self._admin = ApiServer(self._handle, None)
        port = self._names.port if self._names else 0
        return Endpoint(address=ADDRESS, port=port, admin_port=self._admin.port)

    def _bind(self, port: int) -> None:
        names = NameServer(self._context.directory, ADDRESS, port)
        names.start()
        self._names = names

    def stop(self) -> None:
        for part in (self._admin, self._names):
            if part is not None:
                part.stop()

    def _handle(self, request: Request) -> Reply:
        if not request.carries(self._token):
            raise Refusal(401, "unauthorized", "the operator's token is needed")
        order = request.json()
        match (request.method, *request.path):
            case ("POST", "operator", "fail"):
                self._context.loop.call(lambda: self._fail(order))
            case ("POST", "operator", "recover"):
                self._context.loop.call(self._recover)
            case _:
                raise Refusal(404, "not_found", "there is no such order")
        return Reply(document={})

    def _fail(self, order: dict[str, object]) -> None:
        mode, lag_s = order.get("mode"), order.get("lag_s") or LAG_S_DEFAULT
        if mode not in FAULTS or not isinstance(mode, str) or not isinstance(lag_s, int | float):
            raise Refusal(400, "invalid_request", f"a DNS host can fail by {', '.join(FAULTS)}")
        self._set_fault(mode, float(lag_s))
        self._context.tell_fault(mode)

    def _recover(self) -> None:
        self._set_fault("none", 0.0)
        self._context.tell_fault(None)

    def _set_fault(self, mode: str, lag_s: float) -> None:
        if self._names is not None:
            self._names.set_fault(mode, lag_s)
