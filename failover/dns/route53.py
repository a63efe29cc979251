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

from failover.core.reading import Transport
from failover.core.rrsets import Changes, RRset, normal_name
from failover.dns.compare import Key, Records, removed, require, require_limits, standing
from failover.dns.records import to_texts
from failover.dns.route53_text import plain_name, quoted_name, quoted_text, unquoted_text
from failover.dns.transaction import OPERATION, check_transaction
from failover.errors import AdapterError, Conflict, NotFound, Rejected, TimedOut, Unreadable
from failover.net.answers import answer_behind
from failover.net.aws import PAGES_MAX, Asking, AwsClients, AwsCredentials
from failover.net.calls import Deadline, repeat
from failover.ports import HostTraits

REGION = "us-east-1"
"""Route 53 is one service for the whole partition; its requests are signed for this region."""
RECORDS_MAX, CHARACTERS_MAX = 1000, 32_000
"""Values in one batch, those that go included, and their length together."""
_READ, _FIND = "read DNS", "find hosted zone"
_PAGE = 300
"""Sets on one page of a list."""
_PLAIN = {"Name", "Type", "TTL", "ResourceRecords"}
"""What a set of ours has. Anything else in one makes it an alias, or part of a routing policy."""
_STEERING = "let the names be CNAMEs to one steering name, and move that"

_LIMITS = HostTraits(grade=1, servers=(), atomic_changes=RECORDS_MAX // 2 - 1, ttl_s_max=2**31 - 1)

Found = Mapping[Key, Sequence[Mapping[str, Any]]]
"""Sets as the API lists them, by normal name and type: several where they have a routing policy."""


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
        """The servers are asked for once, and are those of each zone's delegation set. Raises AdapterError.

        `atomic_changes`: of sets with one value each, all of them replaced, and the fence with them.
        """
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
                _require_plain(found, key, _READ)
        return standing(_records(found), names)

    def _look(self, zone: str, names: Sequence[tuple[str, str]], asking: Asking) -> Found:
        """Every set of these names, perhaps with others: by the whole list where that takes fewer questions."""
        wanted = sorted({normal_name(name) for name, _ in names})
        try:
            known = self._zone(zone, asking)
            if known.pages <= len(wanted):
                return _sound(_by_key(self._listed(known.id, None, asking)), zone)
            return _by_key(raw for name in wanted for raw in self._listed(known.id, name, asking))
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
            for raw in answer["ResourceRecordSets"]:
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
        """
        check_transaction(zone, changes, expect, fence)
        require_limits(zone, changes, _LIMITS)
        asking = self._asking(OPERATION, zone)
        fences = tuple(rrset.key for rrset in (expect, fence) if rrset is not None)
        names = (*(rrset.key for rrset in changes.put), *removed(changes), *fences)
        found = self._look(zone, names, asking)
        for key in names:
            _require_plain(found, key, OPERATION)
        require(zone, changes, expect, fence, _records(found))
        batch = _batch(changes, expect, fence, found)
        _require_one_batch(zone, batch)
        self._change(zone, batch, names, found, asking)

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
        try:
            answer = self._clients.asked(
                "route53.ChangeResourceRecordSets",
                lambda: self._clients.route53().change_resource_record_sets(HostedZoneId=id, ChangeBatch=changes),
                OPERATION,
                zone,
            )
        except AdapterError as error:
            if _may_be_done(error):
                cause = f"{error.cause}; it may be done all the same"
                raise TimedOut(OPERATION, zone, cause) from error
            raise
        if "ChangeInfo" not in answer:
            raise TimedOut(OPERATION, zone, "an answer without ChangeInfo; it may be done all the same")


_NEXT = ("NextRecordName", "NextRecordType", "NextRecordIdentifier")


def _may_be_done(error: AdapterError) -> bool:
    answer = answer_behind(error)
    if answer is None:
        return True
    if answer.transport is not Transport.ANSWERED:
        return answer.transport in (Transport.TIMEOUT, Transport.RESET)
    return answer.html or (answer.status or 0) >= 500


def _is_private(found: Mapping[str, Any]) -> bool:
    return bool(found.get("Config", {}).get("PrivateZone"))


# ------------------------------------------------------------------------------------ sets as the API lists them


def _key(raw: Mapping[str, Any]) -> Key:
    return (plain_name(raw["Name"]), raw["Type"])


def _by_key(listed: Iterator[Mapping[str, Any]]) -> Found:
    found: dict[Key, list[Mapping[str, Any]]] = {}
    for raw in listed:
        found.setdefault(_key(raw), []).append(raw)
    return found


def _sound(found: Found, zone: str) -> Found:
    """Every zone has an SOA: a list without one is not the zone."""
    if (normal_name(zone), "SOA") not in found:
        raise Unreadable(_READ, zone, "the list of the zone has no SOA", "try again")
    return found


def _require_plain(found: Found, key: Key, operation: str) -> None:
    for raw in found.get(key, ()):
        if set(raw) - _PLAIN:
            kind = "is an alias" if "AliasTarget" in raw else "has a routing policy or a health check"
            hint = "failover does not touch it: remove it, or take another name"
            raise Rejected(operation, f"{key[0]} {key[1]}", f"it {kind}", hint)


def _records(found: Found) -> Records:
    """By key. An alias or a routing policy stands there too: nothing has room beside or instead of it."""
    return {key: _rrset(raw[0]) for key, raw in found.items()}


def _rrset(raw: Mapping[str, Any]) -> RRset:
    name, type = _key(raw)
    if set(raw) - _PLAIN:
        return RRset(name=name, type="ALIAS", ttl_s=0, values=frozenset({"(not of our kind)"}))
    values = [str(record["Value"]) for record in raw["ResourceRecords"]]
    texts = map(unquoted_text, values) if type == "TXT" else values
    try:
        return RRset(name=name, type=type, ttl_s=raw["TTL"], values=frozenset(texts))
    except ValueError as error:
        raise Unreadable(_READ, f"{name} {type}", str(error)) from error


# ------------------------------------------------------------------------------------ a batch


def _batch(changes: Changes, expect: RRset | None, fence: RRset | None, found: Found) -> list[Mapping[str, Any]]:
    """What goes, exactly as it stands there, then what comes. Sets that stay as they are do not appear."""
    records = _records(found)
    puts = [rrset for rrset in (*changes.put, *(() if fence is None else (fence,))) if records.get(rrset.key) != rrset]
    gone = [*removed(changes), *(rrset.key for rrset in puts)]
    if expect is not None and expect.key not in gone:
        gone.append(expect.key)
    deletes = [{"Action": "DELETE", "ResourceRecordSet": raw} for key in gone for raw in found.get(key, ())]
    return [*deletes, *({"Action": "CREATE", "ResourceRecordSet": _raw(rrset)} for rrset in puts)]


def _raw(rrset: RRset) -> dict[str, Any]:
    values = [quoted_text(value) for value in sorted(rrset.values)] if rrset.type == "TXT" else to_texts(rrset)
    records = [{"Value": value} for value in values]
    return {"Name": quoted_name(rrset.name), "Type": rrset.type, "TTL": rrset.ttl_s, "ResourceRecords": records}


def _require_one_batch(zone: str, batch: Sequence[Mapping[str, Any]]) -> None:
    values = [record["Value"] for change in batch for record in change["ResourceRecordSet"]["ResourceRecords"]]
    characters = sum(map(len, values))
    if len(values) > RECORDS_MAX or characters > CHARACTERS_MAX:
        cause = f"{len(values)} values of {characters} characters; one batch takes {RECORDS_MAX} of {CHARACTERS_MAX}"
        raise Rejected(OPERATION, zone, cause, _STEERING)
