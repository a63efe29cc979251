"""Notifications: one program, or one HTTP request."""

import hashlib
import hmac
import http.client
import threading
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import failover
from failover.errors import (
    AccessRefused,
    AdapterError,
    NotFound,
    Rejected,
    Throttled,
    TimedOut,
    Unreachable,
    Unreadable,
)
from failover.hooks.documents import notice_document
from failover.hooks.process import run_program
from failover.hooks.request import Request
from failover.ports import Notice

OPERATION = "send notice"


class CommandNotifier:
    """Implements `ports.Notifier` with a program, run in `directory` without a shell.

    It gets the notice on standard input (`documents.notice_document`), and in the environment FAILOVER_EVENT,
    FAILOVER_SERVICE, FAILOVER_SEVERITY, FAILOVER_TITLE, FAILOVER_ACTIVE_SITE (empty when unknown) and FAILOVER_EPOCH.
    """

    def __init__(self, command: Sequence[str], timeout_s: float, directory: Path | None = None) -> None:
        self._command = tuple(command)
        self._timeout_s = timeout_s
        self._directory = directory

    def send(self, notice: Notice) -> None:
        """See `ports.Notifier.send`.

        Raises Unreachable (it cannot be started), Rejected (its exit code is not 0), TimedOut (it was killed).
        """
        finished = run_program(
            self._command,
            operation=OPERATION,
            document=notice_document(notice),
            environment=_environment(notice),
            timeout_s=self._timeout_s,
            directory=self._directory,
        )
        if finished.exit_code != 0:
            raise Rejected(OPERATION, self._command[0], finished.cause)


def _environment(notice: Notice) -> dict[str, str]:
    return {
        "FAILOVER_EVENT": notice.event,
        "FAILOVER_SERVICE": notice.service,
        "FAILOVER_SEVERITY": notice.severity,
        "FAILOVER_TITLE": notice.title,
        "FAILOVER_ACTIVE_SITE": notice.active_site or "",
        "FAILOVER_EPOCH": str(notice.epoch),
    }


class WebhookNotifier:
    """Implements `ports.Notifier` with one POST of the notice as JSON (`documents.notice_document`).

    With a `secret` the request carries `X-Failover-Signature: sha256=<hex>`, the HMAC-SHA256 (RFC 2104) of the exact
    body under the secret. The body's `at` is signed with it: a receiver refuses old ones, so that a recorded notice
    cannot be sent again. No redirects, no proxies. The URL may be a secret: errors show its scheme and host only.
    """

    def __init__(self, url: str, secret: str | None, timeout_s: float) -> None:
        self._url = urlsplit(url)
        if self._url.scheme not in ("http", "https") or not self._url.hostname:
            raise Rejected(OPERATION, "webhook", "its URL is not an http or https URL", "use https://host/path")
        self._place = f"{self._url.scheme}://{self._url.netloc.rpartition('@')[2]}"
        self._secret = secret
        self._timeout_s = timeout_s

    def __repr__(self) -> str:
        return f"WebhookNotifier({self._place})"

    def send(self, notice: Notice) -> None:
        """See `ports.Notifier.send`. Any 2xx is success; the deadline holds for everything together.

        Raises TimedOut, Unreachable (no answer, 5xx), Unreadable (not HTTP), AccessRefused (401, 403), NotFound (404,
        410), Throttled (429), Rejected (any other status, also a redirect).
        """
        body = notice_document(notice)
        post = Request("POST", self._url, body, self._headers(body), self._timeout_s)
        # Neither the resolver nor a server that sends one byte a second is bounded by a socket's timeout.
        thread = threading.Thread(target=post.run, name="webhook", daemon=True)
        thread.start()
        thread.join(self._timeout_s)
        if thread.is_alive():
            post.abandon()
            raise TimedOut(OPERATION, self._place, f"no answer within {self._timeout_s:g} s")
        if post.error is not None:
            raise _translated(post.error, self._place, self._timeout_s)
        _judge(post.status, post.retry_after, self._place)

    def _headers(self, body: bytes) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"failover/{failover.__version__}",
            "Connection": "close",
        }
        if self._secret is not None:
            headers["X-Failover-Signature"] = signature(self._secret, body)
        return headers


def signature(secret: str, body: bytes) -> str:
    """The value of X-Failover-Signature; compare it with `hmac.compare_digest`."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _translated(error: Exception, place: str, timeout_s: float) -> AdapterError:
    if isinstance(error, TimeoutError):
        return TimedOut(OPERATION, place, f"no answer within {timeout_s:g} s")
    if isinstance(error, OSError):
        return Unreachable(OPERATION, place, error.strerror or type(error).__name__)
    if isinstance(error, http.client.HTTPException):
        return Unreadable(OPERATION, place, f"its answer is not HTTP ({type(error).__name__})")
    return Rejected(OPERATION, place, f"the request cannot be sent ({type(error).__name__})")


def _judge(status: int, retry_after: str | None, place: str) -> None:
    if 200 <= status <= 299:
        return
    cause = f"status {status}"
    if status in (401, 403):
        raise AccessRefused(OPERATION, place, cause, "check the webhook's URL and secret")
    if status in (404, 410):
        raise NotFound(OPERATION, place, cause, "check the webhook's URL")
    if status == 429:
        seconds = float(retry_after) if retry_after and retry_after.isdecimal() else None
        raise Throttled(OPERATION, place, cause, retry_after_s=seconds)
    if 500 <= status <= 599:
        raise Unreachable(OPERATION, place, cause)
    note = " (redirects are not followed)" if 300 <= status <= 399 else ""
    raise Rejected(OPERATION, place, cause + note)
