"""Making targets, and asking one."""

from collections.abc import Sequence
from typing import Any

from failover.core.model import Check, CheckKind, Sample, Target
from failover.probes.prober import Prober
from tests.probes.servers import Server

RELEASE = "sha256:" + "a" * 64


def target(
    port: int, *, address: str = "127.0.0.1", site: str = "aurora", releases: Sequence[str] = (), **check: Any
) -> Target:
    """A target whose check has these settings; HTTP unless told otherwise."""
    settings = {"name": "web", "kind": CheckKind.HTTP, "group": "web", "port": port, **check}
    return Target(site=site, address=address, check=Check(**settings), releases=tuple(releases))


def ask(prober: Prober, wanted: Target, deadline_s: float = 30.0) -> Sample:
    (sample,) = prober.run([wanted], deadline_s)
    return sample


def ask_server(prober: Prober, server: Server, **check: Any) -> Sample:
    return ask(prober, target(server.port, address=server.address, **check))
