"""An account asked with two credentials at once: when both are refused, it is no rotation of one of them."""

import contextlib
import threading
import time
from dataclasses import replace

from failover.core.model import AccountReport, Node, NodeSpec
from failover.core.reading import ServiceReading
from failover.core.rights import Right
from failover.errors import FailoverError
from failover.ports import Account

CREDENTIAL = "second"


class Seconded:
    """The account as the first credential sees it; what the second one sees stands beside it as evidence.

    `deadline_s` bounds how long the second is waited for: what it does not say in time is missing.
    """

    def __init__(self, first: Account, second: Account, *, deadline_s: float) -> None:
        self._first = first
        self._second = second
        self._deadline_s = deadline_s

    def state(self) -> AccountReport:
        """See `ports.Account`."""
        found: list[ServiceReading] = []
        until = time.monotonic() + self._deadline_s
        thread = threading.Thread(target=self._ask, args=(found,), daemon=True)
        thread.start()
        report = self._first.state()
        thread.join(max(0.0, until - time.monotonic()))
        told = () if thread.is_alive() else tuple(found)
        return replace(report, signals=(*report.signals, *(replace(s, credential=CREDENTIAL) for s in told)))

    def _ask(self, found: list[ServiceReading]) -> None:
        with contextlib.suppress(FailoverError):  # a secret that cannot be read here: then there is one credential
            found.extend(self._second.state().signals)

    def nodes(self, service: str, site: str) -> tuple[Node, ...]:
        """See `ports.Account`."""
        return self._first.nodes(service, site)

    def rights(self, spec: NodeSpec) -> tuple[Right, ...]:
        """See `ports.Account`. Those of the first."""
        return self._first.rights(spec)
