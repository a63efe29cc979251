"""A gateway before a real PowerDNS, where a test can let things go wrong: the faults of every stand-in."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import replace

from tests.servers.pdns import Pdns
from tests.standins.nodeless import Nodeless
from tests.standins.wire import Call, Reply


class Front(Nodeless):
    """Hands every request on as it is."""

    def __init__(self, server: Pdns) -> None:
        super().__init__()
        self._behind = server
        self.after_change: Callable[[], None] | None = None
        """Called once, when the next change is carried out and nobody knows of it yet."""
        self.forbidden: frozenset[str] = frozenset()
        """Methods that get 403 here, whatever the key."""

    def admitted(self, call: Call) -> bool:
        return True  # PowerDNS looks at the key itself

    def missing(self, call: Call) -> Reply:
        if call.method in self.forbidden:
            return self.refusal(403, "this way is for reading")
        headers = {name: call.header(name) for name in ("X-API-Key", "Content-Type") if call.header(name)}
        request = urllib.request.Request(
            f"{self._behind.api}{call.target}", method=call.method, headers=headers, data=call.body or None
        )
        try:
            return self._handed_on(call, request)
        except urllib.error.HTTPError as error:
            with error:
                return Reply(status=error.code, raw=error.read(), type=error.headers.get("Content-Type", ""))

    def _handed_on(self, call: Call, request: urllib.request.Request) -> Reply:
        with urllib.request.urlopen(request, timeout=30) as answer:
            told = {name: value for name, value in answer.getheaders() if name.startswith("X-Pdns")}
            reply = Reply(status=answer.status, raw=answer.read(), headers=told)
        if call.method == "PATCH" and self.after_change is not None:
            then, self.after_change = self.after_change, None
            then()
        return reply

    def refusal(self, status: int, message: str, code: str = "") -> Reply:
        return Reply(status=status, document={"error": message})

    def unauthorized(self) -> Reply:
        return Reply(status=401, raw=b"Unauthorized", type="text/plain")

    def _answer(self, call: Call) -> Reply:
        """Lists as documents, so that they can be emptied."""
        reply = super()._answer(call)
        if call.method == "GET" and reply.status == 200 and reply.raw is not None:
            return replace(reply, raw=None, document=json.loads(reply.raw))
        return reply
