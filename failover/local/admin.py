"""Orders of the operator to a running daemon."""

import http.client
import json
from collections.abc import Mapping
from contextlib import closing

from failover.errors import AdapterError, Rejected, TimedOut, Unreachable, UsageError
from failover.local import tokens
from failover.local.registry import Place, running
from failover.local.tokens import Role

TIMEOUT_S = 30.0


def order(place: Place, what: str, **fields: object) -> None:
    """Have the daemon close, reopen, warn, fail or recover.

    Raises Unreachable (it does not run), TimedOut, UsageError or Rejected (it says no).
    """
    operation = f"local {what}"
    record = running(place.directory)
    if record is None:
        raise Unreachable(operation, place.name, f"the {place} is not running", f"failover local start {place.name}")
    if record.admin_port is None:
        raise UsageError(operation, place.name, f"a {place.kind.label} takes no such order", "stop it, or start it")
    token = tokens.read(place.directory, Role.OPERATOR)
    try:
        status, answer = _post(record.address, record.admin_port, what, token, fields)
    except TimeoutError as error:
        raise TimedOut(operation, place.name, f"no answer within {TIMEOUT_S:g} s") from error
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(operation, place.name, f"{error}", f"read {place.log_path}") from error
    if status >= 400:
        raise _refused(status, answer, operation, place)


def _post(address: str, port: int, what: str, token: str, fields: Mapping[str, object]) -> tuple[int, bytes]:
    with closing(http.client.HTTPConnection(address, port, timeout=TIMEOUT_S)) as connection:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        connection.request("POST", f"/operator/{what}", json.dumps(fields), headers)
        response = connection.getresponse()
        return response.status, response.read()


def _refused(status: int, answer: bytes, operation: str, place: Place) -> AdapterError | UsageError:
    try:
        message = str(json.loads(answer)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        message = f"status {status}"
    return (UsageError if status == 400 else Rejected)(operation, place.name, message)
