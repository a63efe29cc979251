"""Another vantage, asked over HTTP: implements `ports.Agent`."""

import secrets
from collections.abc import Callable, Sequence

from failover.core.model import Ballot, ControlSample, Instant, Sample, Target
from failover.errors import AdapterError, Conflict, Unreadable
from failover.net.http import ApiClient
from failover.probes import ballots

LOOK = "/v1/look"


class RemoteVantage:
    """The agent that `failover vantage serve` runs at `url` (`https://…`, or `http://…` through a tunnel).

    `key` is the secret that both share, `ca_file` trusts a certificate of one's own, `way_s` is the time that an answer
    may be on its way.
    """

    def __init__(
        self,
        *,
        service: str,
        name: str,
        url: str,
        key: Callable[[], str],
        now: Callable[[], Instant],
        way_s: float,
        ca_file: str | None = None,
    ) -> None:
        self._service, self._name, self._url = service, name, url
        self._key, self._now, self._way_s, self._ca_file = key, now, way_s, ca_file

    def look(self, targets: Sequence[Target], deadline_s: float) -> Ballot:
        """See `ports.Agent.look`."""
        question = ballots.Question(
            schema_version=ballots.SCHEMA_VERSION,
            service=self._service,
            vantage=self._name,
            nonce=secrets.token_hex(16),
            deadline_s=deadline_s,
            targets=tuple(
                ballots.Asked(site=t.site, address=t.address, check=t.check.name, releases=t.releases) for t in targets
            ),
            checks=ballots.digests_of(t.check for t in targets),
        )
        reply = self._answer(question)
        return Ballot(
            vantage=self._name,
            samples=self._samples(targets, reply),
            controls=tuple(
                ControlSample(target=c.target, provider=c.provider, ok=c.ok, detail=c.detail) for c in reply.controls
            ),
        )

    def _answer(self, question: ballots.Question) -> ballots.Reply:
        key = self._key()
        total_s = question.deadline_s + self._way_s
        client = ApiClient(base=self._url, token=None, timeout_s=total_s, deadline_s=total_s, ca_file=self._ca_file)
        sealed = ballots.seal(key, ballots.QUESTION, question)
        document = {"body": sealed.body, "signature": sealed.signature}
        envelope = client.post(LOOK, document, ballots.Envelope, "ask vantage", self._name)
        try:
            reply = ballots.unseal(key, ballots.ANSWER, envelope, ballots.Reply)
        except ValueError as error:
            raise self._odd(str(error)) from error
        same = ("schema_version", "service", "vantage", "nonce")
        for name in same:
            if getattr(reply, name) != getattr(question, name):
                raise self._odd(f"its answer is to another question: {name} {getattr(reply, name)!r}")
        if reply.differs:
            cause = f"its config has not the same checks as this one: {', '.join(reply.differs)}"
            raise Conflict("ask vantage", self._name, cause, "copy this config there, and start the vantage again")
        if len(reply.samples) != len(question.targets):
            raise self._odd(f"{len(reply.samples)} samples for {len(question.targets)} targets")
        return reply

    def _odd(self, cause: str) -> AdapterError:
        return Unreadable(
            "ask vantage", self._name, cause, f"is it the right agent, with the right key, at {self._url}?"
        )

    def _samples(self, targets: Sequence[Target], reply: ballots.Reply) -> tuple[Sample, ...]:
        now = self._now()
        return tuple(
            Sample(
                site=target.site,
                check=target.check.name,
                address=target.address,
                at=now,
                outcome=said.outcome,
                failure=said.failure,
                latency_ms=said.latency_ms,
                detail=said.detail,
                vantage=self._name,
                tls_days_left=said.tls_days_left,
            )
            for target, said in zip(targets, reply.samples, strict=True)
        )
