"""DigitalOcean, Linode, Vultr and Gandi as DNS hosts: one class for all, and a dialect for each. Grade 3.

    digitalocean   '@' for the zone's own name; pages; a TXT without backslashes
    linode         '' for it; zones by number; `ttl_sec`, of which creating keeps nothing; a fixed list of TTLs
    vultr          '' for it; cursors; a TXT in quotes, without quotes inside; no change of type
    gandi          '@' for it; whole sets; TTLs from 300 s

None of them compares before it writes, and all but Gandi write one record at a time. So a change is: read everything,
compare the epoch, write the addresses, read again, compare the epoch again, write the epoch last, read again. A change
that ends on the way leaves the old epoch, by which everybody sees that it is not finished; the same change again writes
only what is missing. Each dialect's module, `failover.dns.libcloud_…`, has the function `host`.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from failover.core.rights import Right
from failover.core.rrsets import Changes, RRset, normal_name
from failover.core.survey import MadeUp
from failover.dns.compare import require_limits, require_room
from failover.dns.entries import (
    Delete,
    DeleteSet,
    Entry,
    Step,
    Update,
    made_up_of,
    require_fence,
    require_plain,
    retyped,
    sets_of,
    stands,
    touched,
)
from failover.dns.libcloud_dialect import Dialect, Zone, refuse_types
from failover.dns.transaction import OPERATION, Parts, check_transaction, reading_again, sending
from failover.errors import Conflict, NotFound, Rejected
from failover.net.calls import PerThread
from failover.net.libcloud import Api
from failover.ports import HostTraits

_READ = "read DNS"
POLL_S = 0.2
"""Between two readings of a list that does not show yet what was written."""


class LibcloudDns:
    """`ports.Dns`. May be used by several threads.

    `zones` are those whose name servers make up the traits, `servers` (each `address:port`) takes their place.
    `deadline_s` bounds each call in all, `timeout_s` each wait for the network.
    """

    def __init__(
        self,
        dialect: Dialect,
        *,
        name: str,
        zones: Sequence[str] = (),
        servers: Sequence[str] = (),
        timeout_s: float = 3.0,
        deadline_s: float = 10.0,
        poll_s: float = POLL_S,
    ) -> None:
        self.name = name
        self._dialect = dialect
        self._zones = tuple(normal_name(zone) for zone in zones)
        self._known: dict[str, Zone] = {}
        self._by_zone: dict[str, tuple[str, ...]] = {}
        self._servers = tuple(servers)
        self._deadline_s = deadline_s
        self._poll_s = poll_s
        self._apis = PerThread(lambda: dialect.api(timeout_s), lambda api: api.line.close())

    def close(self) -> None:
        """End every connection."""
        self._apis.close()

    # ------------------------------------------------------------------------------------------ what stands there

    def traits(self) -> HostTraits:
        """See `ports.Dns`. The API is asked for the name servers where they are not the same for every zone."""
        traits = self._dialect.traits
        if self._servers or traits.servers:
            return replace(traits, servers=self._servers or traits.servers)
        for zone in self._zones:
            if zone not in self._by_zone:
                with self._asking("find name servers", zone) as api:
                    self._by_zone[zone] = self._dialect.servers(api, self._zone(api, zone))
        servers = dict.fromkeys(server for found in self._by_zone.values() for server in found)
        return replace(traits, servers=tuple(servers), servers_by_zone=dict(self._by_zone))

    def read(self, zone: str, names: Sequence[tuple[str, str]]) -> tuple[RRset, ...]:
        """See `ports.Dns`."""
        with self._asking(_READ, zone) as api:
            entries = self._dialect.entries(api, self._zone(api, zone))
        require_plain(entries, (name for name, _ in names), _READ)
        return sets_of(entries, names)

    def made_up(self, zone: str, names: Sequence[str]) -> tuple[MadeUp, ...]:
        """See `ports.Dns`. Gandi alone has such a type."""
        with self._asking("look for aliases", zone) as api:
            entries = self._dialect.entries(api, self._zone(api, zone))
        return made_up_of(entries, names)

    def rights(self, zone: str, names: Sequence[tuple[str, str]]) -> tuple[Right, ...]:
        """See `ports.Dns`. None of these hosts can restrict to names: what holds for one holds for all."""
        with self._asking("ask rights", zone) as api:
            place = next((name for name, type in names if type == "TXT"), names[0][0])
            return self._dialect.rights(api, self._zone(api, zone), normal_name(place))

    # ------------------------------------------------------------------------------------------ changing

    def apply(self, zone: str, changes: Changes, *, expect: RRset | None, fence: RRset | None) -> None:
        """See `ports.Dns`; not one transaction. The addresses stand before the epoch does.

        Rejected also for a change between CNAME and addresses where the host would have neither for a moment. A
        Conflict with somebody who writes at the same time may come when sets have been written already: the epoch then
        tells whose they should be.
        """
        check_transaction(zone, changes, expect, fence)
        require_limits(zone, changes, self._dialect.traits)
        self._check_types(zone, changes)
        wanted = replace(changes, put=tuple(self._dialect.fitted(rrset) for rrset in changes.put))
        new = None if fence is None else self._dialect.fitted(fence)
        place = _place(expect, fence)
        with self._asking(OPERATION, zone) as api:
            here = self._zone(api, zone)
            entries = self._dialect.entries(api, here)
            require_fence(zone, entries, place, (expect,))
            require_plain(entries, touched(changes), OPERATION)
            require_room(zone, changes, (entry.key for entry in entries))
            parts = Parts(zone)
            entries = self._brought_about(api, here, entries, wanted, place, (expect,), parts)
            last = Changes(put=(new,)) if new is not None else Changes(remove=(place,))
            entries = self._brought_about(api, here, entries, last, place, (expect, new), parts)
        if not stands(wanted, entries):
            raise Conflict(OPERATION, zone, "somebody else has changed the records at the same time", "read again")

    def _check_types(self, zone: str, changes: Changes) -> None:
        types = self._dialect.traits.types
        refuse_types(zone, self._dialect.kind, changes, types)
        moved = retyped(changes)
        if moved and "CNAME" not in types:
            cause = (
                f"{self._dialect.kind} cannot turn {', '.join(sorted(moved))} from CNAME into addresses without a gap"
            )
            raise Rejected(OPERATION, zone, cause, "remove the CNAME by hand")

    def _brought_about(
        self,
        api: Api,
        zone: Zone,
        entries: tuple[Entry, ...],
        changes: Changes,
        place: tuple[str, str],
        fences: Sequence[RRset | None],
        parts: Parts,
    ) -> tuple[Entry, ...]:
        """Write what is missing and read again until nothing is; returns the last reading.

        Before each write one of `fences` must stand at `place`. No write is sent twice: a list that does not show it
        yet is waited for, a TTL that the host has rounded is let be. Raises Conflict, and TimedOut at the deadline.
        """
        sent: set[Step] = set()
        while missing := self._dialect.steps(changes, entries):
            require_fence(zone.name, entries, place, fences)
            fresh = [step for step in missing if step not in sent]
            if not fresh and stands(changes, entries):
                break
            for step in fresh:
                with parts.next():
                    self._send(api, zone, step)
            if not fresh:
                api.deadline.wait(self._poll_s, OPERATION, zone.name)
            sent.update(fresh)
            with reading_again(zone.name):
                entries = self._dialect.entries(api, zone)
        require_fence(zone.name, entries, place, fences)
        return entries

    def _send(self, api: Api, zone: Zone, step: Step) -> None:
        try:
            with sending(zone.name):
                self._dialect.send(api, zone, step)
        except NotFound as error:
            if isinstance(step, Update):
                cause = f"{step.entry.name} {step.entry.type} was removed meanwhile"
                raise Conflict(OPERATION, zone.name, cause, "read again") from error
            if not isinstance(step, Delete | DeleteSet):
                raise

    @contextmanager
    def _asking(self, operation: str, object: str) -> Iterator[Api]:
        """A connection for this thread alone, with the deadline of the operation."""
        with self._apis.lent() as api:
            api.begin(operation, f"{object} at {self.name}", self._deadline_s)
            try:
                yield api
            except NotFound:  # it may have been made anew, under another id
                self._known.pop(normal_name(object), None)
                raise

    def _zone(self, api: Api, name: str) -> Zone:
        """What the API knows it by, which some have to be asked for."""
        name = normal_name(name)
        if name not in self._known:
            self._known[name] = self._dialect.zone(api, name)
        return self._known[name]


def _place(expect: RRset | None, fence: RRset | None) -> tuple[str, str]:
    """Where the fence stands."""
    rrset = expect or fence
    assert rrset is not None  # noqa: S101 - check_transaction wants one of them
    return rrset.key


def factory(dialect: Callable[..., Dialect]) -> Callable[..., LibcloudDns]:
    """A host of this dialect, from the words of a config."""

    def host(
        *,
        name: str,
        token: str,
        endpoint: str | None = None,
        ca_file: str | None = None,
        zones: Sequence[str] = (),
        servers: Sequence[str] = (),
        timeout_s: float = 3.0,
        deadline_s: float = 10.0,
    ) -> LibcloudDns:
        """`endpoint`: another address of the API; `ca_file`: what to trust there."""
        place = {"endpoint": endpoint} if endpoint else {}
        return LibcloudDns(
            dialect(token=token, ca_file=ca_file, **place),
            name=name,
            zones=zones,
            servers=servers,
            timeout_s=timeout_s,
            deadline_s=deadline_s,
        )

    return host
