"""Why a probe did not pass, in one exact sentence."""

from dataclasses import dataclass

from failover.core.model import Failure

QUOTED_CHARS_MAX = 80


class Trouble(Exception):
    """A probe did not pass. Stays inside this package: what comes out is a sample.

    `failure` LOCAL says that the probe could not run, which is no evidence about the target.
    """

    def __init__(self, failure: Failure, detail: str) -> None:
        super().__init__(detail)
        self.failure = failure
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one probe found. `failure` None: it passed."""

    failure: Failure | None = None
    detail: str = ""
    tls_days_left: int | None = None
    warning: bool = False


def quoted(value: str) -> str:
    """What a stranger sent, fit for a log line: cut, and without control or non-ASCII characters."""
    kept = value[:QUOTED_CHARS_MAX].encode("unicode_escape").decode("ascii")
    return f"'{kept}…'" if len(value) > QUOTED_CHARS_MAX else f"'{kept}'"


def place(address: str, port: int) -> str:
    """`10.0.0.1:8080`, `[::1]:8080`."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
