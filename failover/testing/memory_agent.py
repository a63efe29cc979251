"""Another vantage without a network, for simulations and for tests of what asks one."""

from collections.abc import Callable, Sequence

from failover.core.model import Ballot, Check, Control, Failure, Instant, Outcome, Sample, Target
from failover.ports import Probe


class MemoryAgent:
    """Implements `ports.Agent` over a probe of its own; `reach` may raise an AdapterError: then it is not heard."""

    def __init__(
        self,
        *,
        name: str,
        now: Callable[[], Instant],
        probe: Probe,
        checks: Sequence[Check],
        controls: Sequence[Control],
        reach: Callable[[], None] = lambda: None,
    ) -> None:
        self._name, self._now, self._probe = name, now, probe
        self._controls, self._reach = tuple(controls), reach
        self._known = {check.name for check in checks}

    def look(self, targets: Sequence[Target], deadline_s: float) -> Ballot:
        """See `ports.Agent.look`."""
        self._reach()
        known = [target for target in targets if target.check.name in self._known]
        found = iter(self._probe.run(known, deadline_s))
        samples = [next(found) if t.check.name in self._known else self._strange(t) for t in targets]
        return Ballot(
            vantage=self._name,
            samples=tuple(samples),
            controls=self._probe.controls(self._controls, deadline_s),
        )

    def _strange(self, target: Target) -> Sample:
        return Sample(
            site=target.site,
            check=target.check.name,
            address=target.address,
            at=self._now(),
            outcome=Outcome.UNKNOWN,
            failure=Failure.LOCAL,
            detail="this vantage has no check of that name",
            vantage=self._name,
        )
