"""The scheduler: runs many probes at once and turns whatever happens into samples."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain, zip_longest

from failover.core.model import (
    CheckKind,
    Control,
    ControlKind,
    ControlSample,
    Failure,
    Instant,
    Outcome,
    Sample,
    Target,
)
from failover.probes import tcp
from failover.probes.connection import Limit
from failover.probes.pool import together
from failover.probes.trouble import Finding, Trouble, quoted

Ask = Callable[[Target, Limit, float], Finding]
AskControl = Callable[[Control, Limit], str]

_OUT_OF_TIME = frozenset({Failure.CONNECT_TIMEOUT, Failure.READ_TIMEOUT})
UNFINISHED = "not finished when the round ended"


class Prober:
    """Implements `ports.Probe` with real connections.

    `concurrency` is the number of questions in flight. Targets that hang for `timeout_s` each take
    `targets / concurrency * timeout_s` in all; sites take turns, so one dead site does not keep the others from being
    asked. `now` must be safe to call from threads; a sample's `at` is when its probe began.
    """

    def __init__(self, *, now: Callable[[], Instant], concurrency: int = 64, vantage: str = "here") -> None:
        if concurrency < 1:
            raise ValueError(f"concurrency is {concurrency}, at least 1 is needed")
        self._now = now
        self._concurrency = concurrency
        self._vantage = vantage

    def run(self, targets: Sequence[Target], deadline_s: float) -> tuple[Sample, ...]:
        """See `ports.Probe.run`."""
        until_s = time.monotonic() + deadline_s
        asks = {kind: _ask_for(kind) for kind in dict.fromkeys(target.check.kind for target in targets)}
        order = by_turns(targets)
        jobs = [partial(self._sample, targets[i], asks[targets[i].check.kind], until_s) for i in order]
        answers = dict(zip(order, together(jobs, until_s=until_s, concurrency=self._concurrency), strict=True))
        return tuple(answers[i] or self._unfinished(target) for i, target in enumerate(targets))

    def controls(self, controls: Sequence[Control], deadline_s: float) -> tuple[ControlSample, ...]:
        """See `ports.Probe.controls`."""
        until_s = time.monotonic() + deadline_s
        asks = {kind: _ask_for_control(kind) for kind in dict.fromkeys(control.kind for control in controls)}
        jobs = [partial(_control_sample, control, asks[control.kind], until_s) for control in controls]
        answers = together(jobs, until_s=until_s, concurrency=self._concurrency)
        pairs = zip(controls, answers, strict=True)
        return tuple(answer or _control(control, ok=False, detail=UNFINISHED) for control, answer in pairs)

    def _sample(self, target: Target, ask: Ask, until_s: float) -> Sample:
        at = self._now()
        limit = Limit(target.check.timeout_s, until_s)
        began_s = time.monotonic()
        try:
            finding = ask(target, limit, at.utc_s)
        except Trouble as trouble:
            finding = Finding(failure=trouble.failure, detail=trouble.detail)
        except Exception as error:  # noqa: BLE001 - whatever happens to one target is a sample
            finding = Finding(failure=Failure.LOCAL, detail=f"the probe broke: {_said(error)}")
        if limit.cut and finding.failure in _OUT_OF_TIME:
            return self._unfinished(target, at)
        return Sample(
            site=target.site,
            check=target.check.name,
            address=target.address,
            at=at,
            outcome=_outcome(finding.failure),
            failure=finding.failure,
            latency_ms=None if finding.failure is Failure.LOCAL else (time.monotonic() - began_s) * 1000.0,
            detail=finding.detail,
            vantage=self._vantage,
            tls_days_left=finding.tls_days_left,
        )

    def _unfinished(self, target: Target, at: Instant | None = None) -> Sample:
        return Sample(
            site=target.site,
            check=target.check.name,
            address=target.address,
            at=at or self._now(),
            outcome=Outcome.UNKNOWN,
            failure=Failure.LOCAL,
            detail=UNFINISHED,
            vantage=self._vantage,
        )


def by_turns(targets: Sequence[Target]) -> list[int]:
    """Indices of the targets, the sites taking turns: a, b, c, a, b, a."""
    sites: dict[str, list[int]] = {}
    for index, target in enumerate(targets):
        sites.setdefault(target.site, []).append(index)
    return [index for index in chain.from_iterable(zip_longest(*sites.values())) if index is not None]


def _outcome(failure: Failure | None) -> Outcome:
    if failure is None:
        return Outcome.PASS
    return Outcome.UNKNOWN if failure is Failure.LOCAL else Outcome.FAIL


def _control_sample(control: Control, ask: AskControl, until_s: float) -> ControlSample:
    try:
        return _control(control, ok=True, detail=ask(control, Limit(control.timeout_s, until_s)))
    except Trouble as trouble:
        return _control(control, ok=False, detail=trouble.detail)
    except Exception as error:  # noqa: BLE001 - whatever happens to one control is a sample
        return _control(control, ok=False, detail=f"the probe broke: {_said(error)}")


def _control(control: Control, *, ok: bool, detail: str) -> ControlSample:
    return ControlSample(target=control.target, provider=control.provider, ok=ok, detail=detail)


def _said(error: Exception) -> str:
    return f"{type(error).__name__} {quoted(str(error))}"


def _ask_for(kind: CheckKind) -> Ask:
    """What it needs is imported here, once, so that a service with TCP checks loads no HTTP and no TLS."""
    if kind is CheckKind.TCP:
        return tcp.ask
    from failover.probes import http

    return http.ask


def _ask_for_control(kind: ControlKind) -> AskControl:
    from failover.probes import controls

    return controls.ask_for(kind)
