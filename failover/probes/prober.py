"""Runs a round of probes and turns whatever happens into samples."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain, zip_longest
from typing import TypeVar

from failover.core.budget import STARTS_PER_S
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
from failover.probes.addresses import checked
from failover.probes.connection import Place
from failover.probes.loop import Planned, Round, Talk
from failover.probes.trouble import Finding, Trouble, quoted

T = TypeVar("T")
Ask = Callable[[Target, Place, float], Talk[Finding]]
AskControl = Callable[[Control, frozenset[str]], Talk[str]]

CONCURRENCY = 4096


class Prober:
    """Implements `ports.Probe` with real connections, all on the thread that calls.

    `concurrency`: how many may be open at once, fewer where the limit of open files asks for it. Targets that hang for
    `timeout_s` each take `targets / concurrency * timeout_s` in all; sites take turns, so one dead site does not keep
    the others from being asked. `starts_per_s`: starts are spread evenly, unless the round is too short for that.
    `allowed`: link-local and metadata addresses that may be asked all the same. `now`: a sample's `at` is when its
    probe began.

    After a round `late_s_max` is how late its latest start was, and `held_s` how long this process was held up in all.
    """

    def __init__(
        self,
        *,
        now: Callable[[], Instant],
        concurrency: int = CONCURRENCY,
        starts_per_s: float = STARTS_PER_S,
        vantage: str = "here",
        allowed: frozenset[str] = frozenset(),
    ) -> None:
        if concurrency < 1:
            raise ValueError(f"concurrency is {concurrency}, at least 1 is needed")
        self._now = now
        self._concurrency = concurrency
        self._starts_per_s = starts_per_s
        self._vantage = vantage
        self._allowed = allowed
        self.late_s_max = 0.0
        self.held_s = 0.0

    def run(self, targets: Sequence[Target], deadline_s: float) -> tuple[Sample, ...]:
        """See `ports.Probe.run`."""
        until_s = time.monotonic() + deadline_s
        order = by_turns(targets)
        try:
            asks = {kind: _ask_for(kind) for kind in dict.fromkeys(target.check.kind for target in targets)}
            planned = [self._planned(targets[i], asks[targets[i].check.kind]) for i in order]
            round: Round[Sample] = self._round(planned, until_s)
            answers = dict(zip(order, round.run(), strict=True))
        except OSError as error:  # no file descriptor, not even for the first
            return tuple(self._unknown(target, f"cannot probe: {error.strerror}") for target in targets)
        self.late_s_max, self.held_s = round.late_s_max, round.held_s
        unfinished = f"not finished when the round ended (up to {round.concurrency} at once)"
        return tuple(answers[i] or self._unknown(target, unfinished) for i, target in enumerate(targets))

    def controls(self, controls: Sequence[Control], deadline_s: float) -> tuple[ControlSample, ...]:
        """See `ports.Probe.controls`."""
        until_s = time.monotonic() + deadline_s
        unfinished = "not finished when the round ended"
        try:
            asks = {kind: _ask_for_control(kind) for kind in dict.fromkeys(control.kind for control in controls)}
            planned = [Planned(partial(self._control, c, asks[c.kind]), c.timeout_s) for c in controls]
            answers = self._round(planned, until_s).run()
        except OSError as error:
            answers, unfinished = [None] * len(controls), f"cannot probe: {error.strerror}"
        pairs = zip(controls, answers, strict=True)
        return tuple(answer or _control(control, ok=False, detail=unfinished) for control, answer in pairs)

    def _planned(self, target: Target, ask: Ask) -> Planned[Sample]:
        return Planned(partial(self._sample, target, ask), target.check.timeout_s)

    def _round(self, planned: Sequence[Planned[T]], until_s: float) -> Round[T]:
        return Round(planned, until_s=until_s, concurrency=self._concurrency, starts_per_s=self._starts_per_s)

    def _sample(self, target: Target, ask: Ask) -> Talk[Sample]:
        at = self._now()
        check = target.check
        began_s = time.monotonic()
        try:
            place = Place(checked(target.address, self._allowed), check.port, check.timeout_s)
            finding = yield from ask(target, place, at.utc_s)
        except Trouble as trouble:
            finding = Finding(failure=trouble.failure, detail=trouble.detail)
        except Exception as error:  # noqa: BLE001 - whatever happens to one target is a sample
            finding = Finding(failure=Failure.LOCAL, detail=f"the probe broke: {_said(error)}")
        return Sample(
            site=target.site,
            check=check.name,
            address=target.address,
            at=at,
            outcome=_outcome(finding.failure),
            failure=finding.failure,
            latency_ms=None if finding.failure is Failure.LOCAL else (time.monotonic() - began_s) * 1000.0,
            detail=finding.detail,
            vantage=self._vantage,
            tls_days_left=finding.tls_days_left,
            warning=finding.warning,
        )

    def _unknown(self, target: Target, detail: str) -> Sample:
        return Sample(
            site=target.site,
            check=target.check.name,
            address=target.address,
            at=self._now(),
            outcome=Outcome.UNKNOWN,
            failure=Failure.LOCAL,
            detail=detail,
            vantage=self._vantage,
        )

    def _control(self, control: Control, ask: AskControl) -> Talk[ControlSample]:
        try:
            return _control(control, ok=True, detail=(yield from ask(control, self._allowed)))
        except Trouble as trouble:
            return _control(control, ok=False, detail=trouble.detail)
        except Exception as error:  # noqa: BLE001 - whatever happens to one control is a sample
            return _control(control, ok=False, detail=f"the probe broke: {_said(error)}")


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


def _control(control: Control, *, ok: bool, detail: str) -> ControlSample:
    return ControlSample(target=control.target, provider=control.provider, ok=ok, detail=detail)


def _said(error: Exception) -> str:
    return f"{type(error).__name__} {quoted(str(error))}"


def _ask_for(kind: CheckKind) -> Ask:
    """What it needs is imported here, once, so that a service with TCP checks loads no HTTP and no TLS."""
    if kind in (CheckKind.TCP, CheckKind.TLS):
        return tcp.ask
    if kind is CheckKind.DNS:
        from failover.probes import dns

        return dns.ask
    if kind is CheckKind.COMMAND:
        from failover.probes import command

        return command.ask
    from failover.probes import http

    return http.ask


def _ask_for_control(kind: ControlKind) -> AskControl:
    from failover.probes import controls

    return controls.ask_for(kind)
