"""TCP: does the address accept a connection."""

from failover.core.model import Target
from failover.probes.connection import Limit, connect
from failover.probes.trouble import Finding, place


def ask(target: Target, limit: Limit, now_utc_s: float) -> Finding:  # noqa: ARG001 - all kinds are asked alike
    """Connects and closes. Raises Trouble."""
    connect(target.address, target.check.port, limit).close()
    return Finding(detail=f"{place(target.address, target.check.port)} accepts connections")
