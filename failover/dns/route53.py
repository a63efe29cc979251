"""Public hosted zones of Amazon Route 53. Grade 1.

A batch of changes is one transaction, and a DELETE in it must name exactly what stands there. So every set is replaced
by DELETE and CREATE, never by UPSERT, and the epoch TXT guards the addresses.
Source: https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from failover.core.rights import Act, Right, right_of, worst
from failover.core.rrsets import Changes, RRset, normal_name
from failover.core.survey import MadeUp
from failover.dns.compare import removed, require, require_limits, standing
from failover.dns.rights import Key, narrowed
from failover.dns.route53_names import plain_name, quoted_name
from failover.dns.route53_sets import (
    CHARACTERS_MAX,
    RECORDS_MAX,
    Found,
    batch_that_fails,
    batches_of,
    by_key,
    keys_in,
    made_up_of,
    place_of,
    records_of,
    require_plain,
    whole,
)
from failover.dns.transaction import OPERATION, Parts, check_transaction, sending
from failover.errors import Conflict, NotFound, Rejected, TimedOut, Unreadable
from failover.net.answers import from_parts
from failover.net.aws import PAGES_MAX, Asking, AwsClients, AwsCredentials
from failover.net.calls import Deadline, repeat
from failover.ports import HostTraits

REGION = "us-east-1"
"""Route 53 is one service for the whole partition; its requests are signed for this region."""
_READ, _FIND = "read DNS", "find hosted zone"
_PAGE = 300
"""Sets on one page of a list."""

_LIMITS = HostTraits(
    grade=1,
    servers=(),
    atomic_changes=RECORDS_MAX // 2,
    atomic_characters=CHARACTERS_MAX // 2,
    ttl_s_max=2**31 - 1,
)
"""Of what comes; what goes counts as well, so it may be as much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Zone:
    id: str
    pages: int
    """How many it took to list the whole zone when it was looked up."""


class Route53:
    """The hosted zones of one account.

    `zones` are those whose name servers `traits` names, unless `servers` does. `zone_ids`, by zone, where the account
    has several public zones of one name. `timeout_s` bounds each wait for the network, `deadline_s` a whole call. Reads
    are repeated within it; a change only when Route 53 says that it did not begin with it.
    """

    def __init__(
        self,
        *,
        name: str,
        zones: Sequence[str],
        credentials: AwsCredentials,
        zone_ids: Mapping[str, str] | None = None,
        servers: tuple[str, ...] = (),
        endpoint: str | None = None,
        timeout_s: float = 3.0,
        deadline_s: float = 10.0,
    ) -> None:
        self.name = name
        self._zones = tuple(normal_name(zone) for zone in zones)
        self._zone_ids = {normal_name(zone): id for zone, id in (zone_ids or {}).items()}
        self._servers = servers
        self._deadline_s = deadline_s
        self._clients = AwsClients(credentials, region=REGION, endpoint=endpoint, timeout_s=timeout_s)
        self._lock = threading.Lock()
        self._known: dict[str, _Zone] = {}
        self._delegations: dict[str, tuple[str, ...]] = {}

    # ------------------------------------------------------------------------------------------ traits

    def traits(self) -> HostTraits:
        """The servers are asked for once, and are those of each zone's delegation set. Raises AdapterError."""
        by_zone = {} if self._servers else self._delegated()
        servers = self._servers or tuple(dict.fromkeys(s for servers in by_zone.values() for s in servers))
        return replace(_LIMITS, servers=servers, servers_by_zone=by_zone)

    def _delegated(self) -> dict[str, tuple[str, ...]]:
        asking = self._asking("find name servers")
        for zone in self._zones:
            if zone not in self._delegations:
                id = self._zone(zone, asking).id
                servers = self._hosted(id, asking).get("DelegationSet", {}).get("NameServers", ())
                self._delegations[zone] = tuple(f"{normal_name(server)}:53" for server in servers)
        return dict(self._delegations)

    # ------------------------------------------------------------------------------------------ zones

    def _asking(self, what: str, object: str = "") -> Asking:
        return Asking(clients=self._clients, deadline=Deadline(self._deadline_s), what=what, object=object)

    def _zone(self, zone: str, asking: Asking) -> _Zone:
        """Looked up once. Raises NotFound, and Rejected where it is not clear which zone is meant."""
        name = normal_name(zone)
        with self._lock:
            known = self._known.get(name)
        if known is None:
            found = self._named(name, asking) if name in self._zone_ids else self._searched(name, asking)
            known = _Zone(id=found["Id"], pages=-(-int(found.get("ResourceRecordSetCount", _PAGE)) // _PAGE))
            with self._lock:
                self._known[name] = known
        return known

    def _named(self, zone: str, asking: Asking) -> Mapping[str, Any]:
        """By the id in the config."""
        id = self._zone_ids[zone]
        found: Mapping[str, Any] = self._hosted(id, asking)["HostedZone"]
        if plain_name(found["Name"]) != zone or _is_private(found):
            kind = "private zone" if _is_private(found) else "zone"
            hint = "correct `zone_ids` of this host"
            raise Rejected(_FIND, zone, f"{id} is the {kind} {plain_name(found['Name'])}", hint)
        return found

    def _searched(self, zone: str, asking: Asking) -> Mapping[str, Any]:
        """The only public zone of that name. The list begins there, in the order of names."""
        answer = asking.once(
            "route53.ListHostedZonesByName",
            lambda: self._clients.route53().list_hosted_zones_by_name(DNSName=quoted_name(zone), MaxItems="100"),
            "HostedZones",
        )
        same = [found for found in answer["HostedZones"] if plain_name(found["Name"]) == zone]
        public = [found for found in same if not _is_private(found)]
        if not public:
            cause = "only a private zone has that name" if same else f"{self.name} has no zone of that name"
            raise NotFound(_FIND, zone, cause, "create the hosted zone, or use the credentials of its account")
        if len(public) > 1:
            ids = ", ".join(str(found["Id"]).rpartition("/")[2] for found in public)
            hint = f"name the one that the registrar delegates to: `zone_ids: {{{zone}: …}}`"
            raise Rejected(_FIND, zone, f"{len(public)} public zones have that name: {ids}", hint)
        found: Mapping[str, Any] = public[0]
        return found

    def _hosted(self, id: str, asking: Asking) -> Mapping[str, Any]:
        return asking.once(
            "route53.GetHostedZone", lambda: self._clients.route53().get_hosted_zone(Id=id), "HostedZone"
        )

    def _forget(self, zone: str) -> None:
        """It may have been made anew, under another id."""
        with self._lock:
            self._known.pop(normal_name(zone), None)
        self._delegations.pop(normal_name(zone), None)

    # ------------------------------------------------------------------------------------------ reading

    def read(self, zone: str, names: Sequence[tuple[str, str]]) -> tuple[RRset, ...]:
        """As the port says. Changes that are still on their way to the name servers are in it.

        A reading of several pages may hold sets of before and after one change; `apply` compares exactly.
        Raises Rejected for a name that is an alias, or has a routing policy: no record set can stand for it.
        """
        found = self._look(zone, names, self._asking(_READ, zone))
        for name, type in names:
            for key in ((normal_name(name), type.upper()), (normal_name(name), "CNAME")):
                require_plain(found, key, _READ)
        return standing(records_of(found), names)

    def made_up(self, zone: str, names: Sequence[str]) -> tuple[MadeUp, ...]:
        """As the port says: alias records, and sets with a routing policy or a health check."""
        found = self._look(zone, [(name, "A") for name in names], self._asking("look for aliases", zone))
        return made_up_of(found, names)

    def _look(self, zone: str, names: Sequence[tuple[str, str]], asking: Asking) -> Found:
        """Every set of these names, perhaps with others: by the whole list where that takes fewer questions."""
        wanted = sorted({normal_name(name) for name, _ in names})
        try:
            known = self._zone(zone, asking)
            if known.pages <= len(wanted):
                return whole(by_key(self._listed(known.id, None, asking)), zone)
            return by_key(raw for name in wanted for raw in self._listed(known.id, name, asking))
        except NotFound:
            self._forget(zone)
            raise

    def _listed(self, id: str, name: str | None, asking: Asking) -> Iterator[Mapping[str, Any]]:
        """Every set of that name, or of the whole zone, or an AdapterError in its midst."""
        place: dict[str, Any] = {} if name is None else {"StartRecordName": quoted_name(name), "MaxItems": "100"}
        seen: list[dict[str, Any]] = []
        for _ in range(PAGES_MAX):
            options = {**place, "HostedZoneId": id}
            answer = asking.once(
                "route53.ListResourceRecordSets",
                partial(self._page, options),
                "ResourceRecordSets",
            )
            listed = answer["ResourceRecordSets"]
            if answer.get("IsTruncated") and not listed:
                raise Unreadable(asking.what, asking.object, "an empty page in the midst of a list", "try again")
            for raw in listed:
                if name is not None and plain_name(raw["Name"]) != name:
                    return
                yield raw
            if not answer.get("IsTruncated"):
                return
            seen.append(place)
            place = {f"Start{key[4:]}": answer[key] for key in _NEXT if answer.get(key)}
            if place in seen:
                break
        raise Unreadable(asking.what, asking.object, "the list of the zone has no end")

    def _page(self, options: Mapping[str, Any]) -> Mapping[str, Any]:
        answer: Mapping[str, Any] = self._clients.route53().list_resource_record_sets(**options)
        return answer

    # ------------------------------------------------------------------------------------------ changing

    def apply(self, zone: str, changes: Changes, *, expect: RRset | None, fence: RRset | None) -> None:
        """As the port says, in one batch.

        It names everything that it replaces as it stood a moment ago, so whoever else changed any of it makes the batch
        a Conflict. Aliases and sets with a routing policy are never replaced (Rejected).
        What is too much for one batch goes in several, each of whole names, and each after another look at the fence,
        which the last one replaces. So a change that ends half-way is seen as unfinished, and is taken up again.
        """
        check_transaction(zone, changes, expect, fence)
        require_limits(zone, changes, _LIMITS)
        asking = self._asking(OPERATION, zone)
        place = place_of(expect, fence)
        names = (*(rrset.key for rrset in changes.put), *removed(changes), place)
        found = self._look(zone, names, asking)
        for key in names:
            require_plain(found, key, OPERATION)
        require(zone, changes, expect, fence, records_of(found))
        parts = Parts(zone)
        for number, batch in enumerate(batches_of(zone, changes, expect, fence, found)):
            with parts.next():
                if number:
                    require(zone, Changes(), expect, fence, records_of(self._look(zone, [place], asking)))
                self._change(zone, batch, (*keys_in(batch), place), found, asking)

    def _change(
        self,
        zone: str,
        batch: Sequence[Mapping[str, Any]],
        names: Sequence[tuple[str, str]],
        before: Found,
        asking: Asking,
    ) -> None:
        try:
            repeat(lambda: self._send(zone, batch, asking), asking.deadline)
        except Rejected as error:  # what stands there is not what the batch names, or the batch itself is wrong
            now = self._look(zone, names, asking)
            if {key: now.get(key) for key in names} != {key: before.get(key) for key in names}:
                cause = f"somebody else changed it meanwhile: {error.cause}"
                raise Conflict(OPERATION, zone, cause, "read again") from error
            raise

    def _send(self, zone: str, batch: Sequence[Mapping[str, Any]], asking: Asking) -> None:
        """One attempt. Throttled (PriorRequestNotComplete too) and a refused connection say that nothing was done."""
        id = self._zone(zone, asking).id
        changes: Any = {"Changes": list(batch)}
        asking.deadline.bound_s(1.0, OPERATION, zone)
        with sending(zone):
            answer = self._clients.asked(
                "route53.ChangeResourceRecordSets",
                lambda: self._clients.route53().change_resource_record_sets(HostedZoneId=id, ChangeBatch=changes),
                OPERATION,
                zone,
                deadline=asking.deadline,
            )
        if "ChangeInfo" not in answer:
            raise TimedOut(OPERATION, zone, "an answer without ChangeInfo; it may be done all the same")

    # ------------------------------------------------------------------------------------------ what may be done

    def rights(self, zone: str, names: Sequence[tuple[str, str]]) -> tuple[Right, ...]:
        """As the port says, by a batch that removes what stands nowhere: it fails as a whole, with InvalidChangeBatch.

        Policies may name record names, types and actions (`templates/policies/aws/cut-over.json`): so these are ours.
        Without permission the answer is AccessDenied, whatever the batch holds.
        """
        asking = self._asking("ask rights", zone)
        id = self._zone(zone, asking).id
        return narrowed(names, lambda some: self._right(id, some, asking))

    def _right(self, id: str, names: Sequence[Key], asking: Asking) -> Right:
        starts = range(0, len(names), _TRIED_MAX)
        return worst([self._tried(id, names[start : start + _TRIED_MAX], asking) for start in starts])

    def _tried(self, id: str, names: Sequence[Key], asking: Asking) -> Right:
        operation = "route53.ChangeResourceRecordSets"
        changes: Any = {"Changes": batch_that_fails(names)}
        asking.deadline.bound_s(1.0, asking.what, asking.object)
        try:
            self._clients.route53().change_resource_record_sets(HostedZoneId=id, ChangeBatch=changes)
        except Exception as error:  # noqa: BLE001 - whatever a client raises is an answer here
            answer = self._clients.answer(error, operation)
        else:
            answer = from_parts(self._clients.provider, operation, status=200)
        return right_of(Act.CHANGE, answer, ("InvalidChangeBatch",), needs="route53:ChangeResourceRecordSets")


_TRIED_MAX = RECORDS_MAX // 2
"""Sets in one batch that is only tried."""
_NEXT = ("NextRecordName", "NextRecordType", "NextRecordIdentifier")


def _is_private(found: Mapping[str, Any]) -> bool:
    return bool(found.get("Config", {}).get("PrivateZone"))
