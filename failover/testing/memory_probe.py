"""A probe without a network, for simulations and for tests of what uses one."""

from collections.abc import Callable, Sequence

from failover.core.model import Control, ControlSample, Failure, Instant, Outcome, Sample, Target
from failover.probes.addresses import checked
from failover.probes.trouble import Trouble

Answer = tuple[Outcome, Failure | None, str]
_TIMEOUTS = (Failure.CONNECT_TIMEOUT, Failure.READ_TIMEOUT)


def _well(_target: Target) -> Answer:
    return Outcome.PASS, None, "well"


def _answers(_control: Control) -> bool:
    return True


class MemoryProbe:
    """Implements `ports.Probe`: `targets` says how a target answers, `controls` whether a control does.

    A timeout takes the check's whole `timeout_s`, so within a shorter deadline it is UNKNOWN, as with real probes.
    """

    def __init__(
        self,
        *,
        now: Callable[[], Instant],
        targets: Callable[[Target], Answer] = _well,
        controls: Callable[[Control], bool] = _answers,
        vantage: str = "here",
    ) -> None:
        self._now = now
        self._targets = targets
        self._controls = controls
        self._vantage = vantage

    def run(self, targets: Sequence[Target], deadline_s: float) -> tuple[Sample, ...]:
        """See `ports.Probe.run`."""
        return tuple(self._sample(target, deadline_s) for target in targets)

    def controls(self, controls: Sequence[Control], deadline_s: float) -> tuple[ControlSample, ...]:
        """See `ports.Probe.controls`."""
        return tuple(self._control(control, deadline_s) for control in controls)

    def _sample(self, target: Target, deadline_s: float) -> Sample:
        outcome, failure, detail = self._answer(target, deadline_s)
        return Sample(
            site=target.site,
            check=target.check.name,
            address=target.address,
            at=self._now(),
            outcome=outcome,
            failure=failure,
            latency_ms=None if outcome is Outcome.UNKNOWN else 0.0,
            detail=detail,
            vantage=self._vantage,
        )

    def _answer(self, target: Target, deadline_s: float) -> Answer:
        try:
            checked(target.address)
        except Trouble as trouble:
            return Outcome.UNKNOWN, Failure.LOCAL, trouble.detail
        answer = self._targets(target)
        hangs = answer[1] in _TIMEOUTS and deadline_s < target.check.timeout_s
        if deadline_s <= 0 or hangs:
            return Outcome.UNKNOWN, Failure.LOCAL, "not finished when the round ended"
        return answer

    def _control(self, control: Control, deadline_s: float) -> ControlSample:
        ok = deadline_s > 0 and self._controls(control)
        return ControlSample(
            target=control.target, provider=control.provider, ok=ok, detail="answers" if ok else "does not answer"
        )
