"""A provider's clock: the Date header of any answer (RFC 9110, section 6.6.1). No credential is sent."""

from email.utils import parsedate_to_datetime

import urllib3
from urllib3.exceptions import HTTPError

from failover.errors import Unreachable, Unreadable


def utc_of(url: str, *, timeout_s: float) -> float:
    """What the server's clock shows, in seconds of UTC; its grain is one second.

    Raises Unreachable when it does not answer, Unreadable when it does not tell the time.
    """
    pool = urllib3.PoolManager(retries=False)
    try:
        answer = pool.request("HEAD", url, timeout=timeout_s, redirect=False)
    except HTTPError as error:
        raise Unreachable("ask the time", url, type(error).__name__) from error
    finally:
        pool.clear()
    try:
        return parsedate_to_datetime(answer.headers.get("Date", "")).timestamp()
    except ValueError as error:
        raise Unreadable("ask the time", url, "its answer has no Date") from error
