"""A depot that is an address on the web: the user uploads each release there, and nodes fetch it."""

from base64 import b64encode
from http import HTTPStatus

import urllib3
from urllib3.exceptions import HTTPError, MaxRetryError, ReadTimeoutError

from failover.core.rights import Right
from failover.errors import Rejected, Throttled, TimedOut, Unreachable, Unreadable

PLACEHOLDER = "{release}"
_REDIRECTS_ONLY = urllib3.Retry(total=None, connect=0, read=0, other=0, status=0, redirect=5)
_ABSENT = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE, HTTPStatus.FORBIDDEN)
"""403: what many an object store answers for what is not there, when one may not list."""


class UrlDepot:
    """`ports.Depot` for a service without secrets. `{release}` in `url` is the digest's hexadecimal part.

    Whether an archive is there is asked; what is in it each node verifies for itself. `deadline_s` bounds a question.
    """

    def __init__(self, url: str, deadline_s: float = 10.0) -> None:
        self._url = url
        self._deadline_s = deadline_s

    def put(self, digest: str, archive: bytes) -> None:
        """See `ports.Depot`. Raises Rejected when it is not there: only the user can upload it."""
        del archive
        if not self.has(digest):
            hint = "upload a tar.gz of the release's directory there, then apply again"
            raise Rejected("store release", self.link(digest, 0.0), "it is not there", hint)

    def has(self, digest: str) -> bool:
        """See `ports.Depot`."""
        url, what = self.link(digest, 0.0), "look for release"
        with urllib3.PoolManager(retries=_REDIRECTS_ONLY) as pool:
            try:
                answer = pool.request("HEAD", url, timeout=self._deadline_s)
            except HTTPError as error:
                reason = error.reason if isinstance(error, MaxRetryError) else error
                kind = TimedOut if isinstance(reason, ReadTimeoutError) else Unreachable
                raise kind(what, url, str(reason)) from error
        if answer.status == HTTPStatus.OK:
            return True
        if answer.status in _ABSENT:
            return False
        if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
            raise Throttled(what, url, "too many requests")
        raise Unreadable(what, url, f"it answers {answer.status}")

    def list(self) -> frozenset[str]:
        """See `ports.Depot`. Nothing of ours is there: we put nothing."""
        return frozenset()

    def remove(self, digest: str) -> None:
        """See `ports.Depot`. Nothing to do: what the user uploaded is the user's."""

    def link(self, digest: str, expires_s: float) -> str:  # noqa: ARG002
        """See `ports.Depot`. It does not expire."""
        return self._url.replace(PLACEHOLDER, digest.partition(":")[2])

    def may_put(self) -> Right | None:
        """See `ports.Depot`. Nothing is ever stored: only the user uploads."""
        return None

    def hand_over(self, name: str, contents: bytes, expires_s: float) -> str:  # noqa: ARG002
        """See `ports.Depot`. The link holds the contents itself, so they must not be secret."""
        return f"data:;base64,{b64encode(contents).decode()}"
