"""The long tail of DNS hosts: any provider class of octoDNS. Grade 3: read, compare, write, read again.

octoDNS works in a child process that is killed at the deadline (`octodns_process`, `octodns_worker`).
"""

import importlib.util
from collections.abc import Mapping, Sequence

import msgspec

from failover import errors
from failover.core.rights import Act, Right, lacking
from failover.core.rrsets import Changes, RRset, normal_name
from failover.core.survey import MadeUp
from failover.dns.compare import require_limits
from failover.dns.octodns_process import CHILDREN
from failover.dns.octodns_words import Reply, Request, Set
from failover.dns.transaction import OPERATION, check_transaction
from failover.errors import ConfigError, FailoverError, TimedOut, Unreadable
from failover.net.decode import decode
from failover.net.secret import redact
from failover.ports import HostTraits

_READ = "read DNS"


class OctodnsHost:
    """`provider`: a class such as `octodns_powerdns.PowerDnsProvider`; `options` for its constructor.

    `servers`: its name servers (`address:port`), for octoDNS does not know them. A call that is not done within
    `deadline_s` is killed, and its outcome is unknown. `converges_s`: how long an older change that was under way may
    still come through, and how long its servers may differ.
    """

    def __init__(
        self,
        *,
        name: str,
        provider: str,
        options: Mapping[str, object],
        servers: tuple[str, ...],
        deadline_s: float = 30.0,
        timeout_s: float | None = None,
        converges_s: float = 60.0,
        ttl_s_min: int = 1,
    ) -> None:
        """`timeout_s` is not used: every provider has its own. Raises ConfigError when octoDNS is not installed."""
        del timeout_s
        if importlib.util.find_spec("octodns") is None:
            raise ConfigError("find octoDNS", name, "it is not installed", "pip install 'failover[octodns]'")
        self.name = name
        self._provider = provider
        self._options = dict(options)
        self._deadline_s = deadline_s
        self._traits = HostTraits(grade=3, servers=servers, converges_s=converges_s, ttl_s_min=ttl_s_min)

    def traits(self) -> HostTraits:
        """Grade 3, whatever the host could do: most providers make one request for each set, and none compares."""
        return self._traits

    def read(self, zone: str, names: Sequence[tuple[str, str]]) -> tuple[RRset, ...]:
        """As the port says. The whole zone is read: octoDNS knows no less."""
        asked = list(dict.fromkeys((normal_name(name), type.upper()) for name, type in names))
        reply = self._ask(Request("read", self._provider, self._options, normal_name(zone), names=asked), _READ)
        return tuple(one.rrset() for one in reply.sets)

    def made_up(self, zone: str, names: Sequence[str]) -> tuple[MadeUp, ...]:
        """As the port says: what octoDNS calls ALIAS, and records with geo or dynamic rules."""
        asked = [(normal_name(name), "A") for name in dict.fromkeys(names)]
        request = Request("made_up", self._provider, self._options, normal_name(zone), names=asked)
        reply = self._ask(request, "look for aliases")
        return tuple(MadeUp(name=odd.name, kind=odd.kind, target=odd.target) for odd in reply.odd)

    def apply(self, zone: str, changes: Changes, *, expect: RRset | None, fence: RRset | None) -> None:
        """As the port says, but with a gap between comparing and writing: whoever is in it too may win."""
        check_transaction(zone, changes, expect, fence)
        require_limits(zone, changes, self._traits)
        request = Request(
            "apply",
            self._provider,
            self._options,
            normal_name(zone),
            put=[Set.of(rrset) for rrset in changes.put],
            remove=[(normal_name(name), type.upper()) for name, type in changes.remove],
            expect=Set.of(expect) if expect is not None else None,
            fence=Set.of(fence) if fence is not None else None,
        )
        try:
            reply = self._reply(request, OPERATION)
        except Unreadable as error:  # it has ended in the midst of its work
            raise TimedOut(OPERATION, self.name, f"{error.cause}; it may be done all the same", error.hint) from error
        if reply.error:
            raise self._error(reply, OPERATION)

    def rights(self, zone: str, names: Sequence[tuple[str, str]]) -> tuple[Right, ...]:
        """As the port says. octoDNS's providers have no way to try a change, and none to ask for it."""
        del zone, names
        return lacking((Act.CHANGE,), "octoDNS has no way to ask for it")

    def _ask(self, request: Request, operation: str) -> Reply:
        reply = self._reply(request, operation)
        if reply.error:
            raise self._error(reply, operation)
        return reply

    def _reply(self, request: Request, operation: str) -> Reply:
        """What the process says, its errors too. Raises TimedOut, and Unreadable where it says nothing."""
        answer = CHILDREN.ask(msgspec.json.encode(request), self._deadline_s, operation, self.name)
        try:
            return decode(answer, Reply)
        except msgspec.DecodeError as error:
            raise Unreadable(operation, self.name, f"octoDNS's process says what makes no sense: {error}") from error

    def _error(self, reply: Reply, operation: str) -> FailoverError:
        kind: type[FailoverError] = getattr(errors, reply.error, Unreadable)
        return kind(operation, self.name, redact(reply.cause), redact(reply.hint))
