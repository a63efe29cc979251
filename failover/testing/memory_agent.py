"""Another vantage without a network, for simulations and for tests of what asks one."""

from collections.abc import Callable, Sequence

from failover.core.model import Ballot, Check, Control, Target
from failover.errors import Conflict
from failover.ports import Probe
from failover.probes.ballots import differing, digests_of


class MemoryAgent:
    """Implements `ports.Agent` over a probe of its own; `reach` may raise an AdapterError: then it is not heard."""

    def __init__(
        self,
        *,
        name: str,
        probe: Probe,
        checks: Sequence[Check],
        controls: Sequence[Control],
        reach: Callable[[], None] = lambda: None,
    ) -> None:
        self._name, self._probe = name, probe
        self._controls, self._reach = tuple(controls), reach
        self._checks = {check.name: check for check in checks}

    def look(self, targets: Sequence[Target], deadline_s: float) -> Ballot:
        """See `ports.Agent.look`."""
        self._reach()
        differs = differing(self._checks, digests_of(target.check for target in targets))
        if differs:
            raise Conflict("ask vantage", self._name, f"it has not the same checks: {', '.join(differs)}")
        return Ballot(
            vantage=self._name,
            samples=self._probe.run(targets, deadline_s),
            controls=self._probe.controls(self._controls, deadline_s),
        )
