"""Other vantages: those that a controller asks, and the one that answers."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from failover.config.model import AgentConfig, Config
from failover.core.budget import AGENT_S
from failover.core.model import Ballot, Instant, Target
from failover.errors import SecretError, UsageError
from failover.net.secret import SecretRef
from failover.ports import Agent

if TYPE_CHECKING:
    from ssl import SSLContext

    from failover.probes.agent import AgentServer


def agents_of(config: Config, now: Callable[[], Instant]) -> dict[str, Agent]:
    """By name: what asks each other vantage. Their modules load, and their keys are read, with the first question."""
    return {name: _LazyAgent(config.service.name, agent, now) for name, agent in config.agents.items()}


class _LazyAgent:
    def __init__(self, service: str, agent: AgentConfig, now: Callable[[], Instant]) -> None:
        self._service, self._agent, self._now = service, agent, now

    def look(self, targets: Sequence[Target], deadline_s: float) -> Ballot:
        """See `ports.Agent.look`."""
        from failover.probes.remote import RemoteVantage

        agent: Agent = RemoteVantage(
            service=self._service,
            name=self._agent.name,
            url=self._agent.url,
            key=lambda: key_of(self._agent.key),
            now=self._now,
            way_s=AGENT_S,
            ca_file=self._agent.ca_file,
        )
        return agent.look(targets, deadline_s)


def key_of(reference: SecretRef) -> str:
    """The key of a vantage. Raises SecretError when it is too short to be one."""
    from failover.probes.ballots import KEY_LENGTH_MIN

    key = reference.resolve()
    if len(key) < KEY_LENGTH_MIN:
        hint = "make one by `openssl rand -hex 32`"
        raise SecretError("read secret", str(reference), f"it has fewer than {KEY_LENGTH_MIN} characters", hint)
    return key


def agent_of(config: Config, name: str) -> AgentConfig:
    """What the config says of the vantage. Raises UsageError when it has none of that name that is asked."""
    agent = config.agents.get(name)
    if agent is None:
        known = ", ".join(config.agents) or "none"
        raise UsageError("serve as", name, f"the config has no vantage of that name with an `agent` (it has: {known})")
    return agent


def serving(config: Config, name: str, address: tuple[str, int], tls: "SSLContext | None") -> "AgentServer":
    """The agent of that name, listening. Raises UsageError, SecretError."""
    from failover.engine.runtime import RealRuntime
    from failover.probes.agent import AgentServer, VantageAgent
    from failover.probes.prober import Prober

    agent = agent_of(config, name)
    probe = Prober(now=RealRuntime().now, vantage=name, allowed=config.allow_addresses)
    answering = VantageAgent(service=config.service, vantage=name, key=key_of(agent.key), probe=probe)
    try:
        return AgentServer(address, answering, tls=tls)
    except OSError as error:
        where = f"{address[0]} port {address[1]}"
        raise UsageError("listen at", where, error.strerror or str(error), "give another --listen") from error


def tls_of(certificate: Path, private_key: Path) -> "SSLContext":
    """Raises UsageError for files that cannot be used."""
    from failover.probes.agent import tls_context

    try:
        return tls_context(certificate, private_key)
    except OSError as error:
        raise UsageError("read certificate", str(certificate), error.strerror or str(error)) from error
