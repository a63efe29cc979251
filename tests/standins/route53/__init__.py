"""Route 53's API as AWS documents it, strict where moto is lax: batches are all or nothing, CREATE needs an empty
place, DELETE the exact current set. Accepted by boto3 first (test_route53.py).

Source: https://docs.aws.amazon.com/Route53/latest/APIReference/API_Operations_Amazon_Route_53.html
"""

import itertools
import re
import threading
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any
from xml.sax.saxutils import escape

from tests.standins.base import Fault, _Planned, route
from tests.standins.nodeless import Nodeless
from tests.standins.route53.zones import ACTIONS, Change, Invalid, RecordSet, Zone, kept, order
from tests.standins.wire import Call, Reply

NAMESPACE = "https://route53.amazonaws.com/doc/2013-04-01/"
API = "/2013-04-01"
_SCOPE = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/]+)/\d+/us-east-1/route53/aws4_request,")
_N = f"{{{NAMESPACE}}}"
_LISTS = re.compile(rb"<(ResourceRecordSets|HostedZones)>.*</\1>", re.DOTALL)
_EXTRAS = (
    "SetIdentifier", "Weight", "Region", "Failover", "MultiValueAnswer", "HealthCheckId", "TrafficPolicyInstanceId",
)  # fmt: skip


class Route53(Nodeless):
    """One account. `pending`: how many requests long a change is PENDING. `busy`: how many changes from now on find an
    earlier one still under way."""

    def __init__(self, *, token: str = "AKIASTANDIN", pending: int = 2, **options: Any) -> None:
        super().__init__(token=token, **options)
        self.pending = pending
        self.busy = 0
        self.before_change: Callable[[], None] | None = None
        """Called once, when the next change has arrived and is not looked at yet."""
        self.zones: dict[str, Zone] = {}
        self._changes: dict[str, int] = {}
        self._numbers = itertools.count(1)

    # ------------------------------------------------------------------------------------------ what a test plays

    def add_zone(self, name: str, *, private: bool = False) -> Zone:
        """A hosted zone with a delegation set of its own."""
        with self._lock:
            number = next(self._numbers)
            servers = tuple(f"ns-{number}.awsdns-0{n}.{top}" for n, top in enumerate(("com", "net", "org", "co.uk"), 1))
            zone = Zone(id=f"Z{number:013d}", name=kept(name), private=private, servers=servers)
            self.zones[zone.id] = zone
            return zone

    def put(self, zone: Zone, *sets: RecordSet) -> None:
        """What somebody else has there."""
        with self._lock:
            zone.change([Change(action="UPSERT", set=replace(each, name=kept(each.name))) for each in sets])

    # ------------------------------------------------------------------------------------------ answers

    @route("POST", f"{API}/hostedzone")
    def create_zone(self, call: Call) -> Reply:
        root = ET.fromstring(call.body)
        name = root.findtext(f"{_N}Name", "")
        if not name or not root.findtext(f"{_N}CallerReference"):
            raise Invalid("Name and CallerReference are needed", "InvalidInput")
        private = root.findtext(f"{_N}HostedZoneConfig/{_N}PrivateZone") == "true"
        zone = self.add_zone(name, private=private)
        text = _zone(zone) + self._change_info() + _delegation(zone)
        return _answer("CreateHostedZoneResponse", text, status=201)

    @route("GET", f"{API}/hostedzone/{{id}}")
    def get_zone(self, call: Call, id: str) -> Reply:
        zone = self._zone(id)
        return _answer("GetHostedZoneResponse", _zone(zone) + ("" if zone.private else _delegation(zone)))

    @route("GET", f"{API}/hostedzonesbyname")
    def zones_by_name(self, call: Call) -> Reply:
        start = order(kept(call.asked("dnsname"))) if call.asked("dnsname") else ("",)
        found = sorted(self.zones.values(), key=lambda zone: (order(zone.name), zone.id))
        found = [zone for zone in found if order(zone.name) >= start and zone.id >= call.asked("hostedzoneid")]
        size = self._size(call, 100)
        text = f"<HostedZones>{''.join(map(_zone, found[:size]))}</HostedZones>"
        text += _flag("IsTruncated", len(found) > size)
        if len(found) > size:
            text += (
                f"<NextDNSName>{found[size].name}</NextDNSName><NextHostedZoneId>{found[size].id}</NextHostedZoneId>"
            )
        return _answer("ListHostedZonesByNameResponse", text + f"<MaxItems>{size}</MaxItems>")

    @route("GET", f"{API}/hostedzone/{{id}}/rrset")
    def list_sets(self, call: Call, id: str) -> Reply:
        zone = self._zone(id)
        if call.asked("type") and not call.asked("name"):
            raise Invalid("Type without name", "InvalidInput")
        start = ("", "", "")
        if call.asked("name"):
            start = order(kept(call.asked("name")), call.asked("type"), call.asked("identifier"))
        found = [each for each in zone.listed() if order(*each.place) >= start]
        size = self._size(call, 300)
        text = f"<ResourceRecordSets>{''.join(map(_set, found[:size]))}</ResourceRecordSets>"
        text += _flag("IsTruncated", len(found) > size)
        if len(found) > size:
            following = found[size]
            text += f"<NextRecordName>{escape(following.name)}</NextRecordName>"
            text += f"<NextRecordType>{following.type}</NextRecordType>"
            if following.identifier:
                text += f"<NextRecordIdentifier>{escape(following.identifier)}</NextRecordIdentifier>"
        return _answer("ListResourceRecordSetsResponse", text + f"<MaxItems>{size}</MaxItems>")

    @route("POST", f"{API}/hostedzone/{{id}}/rrset/")
    def change_sets(self, call: Call, id: str) -> Reply:
        zone = self._zone(id)
        self._permit(call, zone, _changes(call.body))
        if self.busy:
            self.busy -= 1
            message = "The request was rejected because Route 53 was still processing a prior request."
            raise Invalid(message, "PriorRequestNotComplete")
        zone.change(_changes(call.body))
        return _answer("ChangeResourceRecordSetsResponse", self._change_info())

    @route("GET", f"{API}/change/{{id}}")
    def get_change(self, call: Call, id: str) -> Reply:
        if id not in self._changes:
            raise Invalid(f"Could not find resource with ID: {id}", "NoSuchChange")
        return _answer("GetChangeResponse", self._told(id))

    def _zone(self, id: str) -> Zone:
        if id not in self.zones:
            raise Invalid(f"No hosted zone found with ID: {id}", "NoSuchHostedZone")
        return self.zones[id]

    def _permit(self, call: Call, zone: Zone, changes: list[Change]) -> None:
        """`scopes` of an access key are the names that its policy lets it change, without the last dot. Permission
        comes before everything else (Service Authorization Reference: condition keys of ChangeResourceRecordSets)."""
        found = _SCOPE.match(call.header("Authorization"))
        held = self.scopes.get(found[1]) if found is not None else None
        if held is not None and not {change.set.name.rstrip(".") for change in changes} <= held:
            what = f"route53:ChangeResourceRecordSets on resource: arn:aws:route53:::hostedzone/{zone.id}"
            raise Invalid(f"User: arn:aws:iam::1:user/u is not authorized to perform: {what}", "AccessDenied")

    def _size(self, call: Call, most: int) -> int:
        asked = call.asked("maxitems", str(most))
        if not asked.isdecimal() or int(asked) < 1:
            raise Invalid(f"Invalid maxitems {asked}", "InvalidInput")
        return min(int(asked), most, self.page_max or most)

    def _change_info(self) -> str:
        id = f"C{next(self._numbers):013d}"
        self._changes[id] = self.ticks
        return self._told(id)

    def _told(self, id: str) -> str:
        status = "INSYNC" if self.ticks - self._changes[id] > self.pending else "PENDING"
        at = self.instant(self._changes[id])
        return f"<ChangeInfo><Id>/change/{id}</Id><Status>{status}</Status><SubmittedAt>{at}</SubmittedAt></ChangeInfo>"

    # ------------------------------------------------------------------------------------------ what AWS says

    def _handled(self, call: Call) -> Reply:
        try:
            return super()._handled(call)
        except Invalid as invalid:
            status = 404 if invalid.code.startswith("NoSuch") else 403 if invalid.code == "AccessDenied" else 400
            return self.refusal(status, invalid.message, invalid.code)
        except ET.ParseError as error:
            return self.refusal(400, f"1 validation error detected: {error}", "InvalidInput")

    def refusal(self, status: int, message: str, code: str = "") -> Reply:
        kind = "Sender" if status < 500 else "Receiver"
        error = f"<Type>{kind}</Type><Code>{code or 'InternalFailure'}</Code><Message>{escape(message)}</Message>"
        return _answer("ErrorResponse", f"<Error>{error}</Error><RequestId>0-0-0</RequestId>", status=status)

    def throttled(self, retry_after_s: int) -> Reply:
        """AWS's own is a 400 without Retry-After."""
        return self.refusal(400, "Rate exceeded", "Throttling")

    def unauthorized(self) -> Reply:
        return self.refusal(403, "The security token included in the request is invalid.", "InvalidClientTokenId")

    def admitted(self, call: Call) -> bool:
        found = _SCOPE.match(call.header("Authorization"))
        return found is not None and found[1] in self.tokens

    def _respond(self, call: Call) -> Reply | None:
        if call.method == "POST" and call.path.endswith("/rrset/") and self.before_change is not None:
            first, self.before_change = self.before_change, None
            first()
        return super()._respond(call)

    def _spoilt(self, call: Call, planned: _Planned, released: threading.Event) -> Reply | None:
        if planned.kind is not Fault.EMPTY:
            return super()._spoilt(call, planned, released)
        reply = self._answer(call)
        return replace(reply, raw=_LISTS.sub(rb"<\1></\1>", reply.body))

    def page_of(self, call: Call) -> int:
        return 2 if call.asked("type") else 1

    def missing(self, call: Call) -> Reply:
        return self.refusal(404, "Not found", "UnknownOperationException")

    def empty(self) -> None:
        self.zones.clear()


def _answer(root: str, text: str, *, status: int = 200) -> Reply:
    whole = f'<?xml version="1.0"?>\n<{root} xmlns="{NAMESPACE}">{text}</{root}>'
    return Reply(status=status, raw=whole.encode(), type="text/xml")


def _flag(name: str, holds: bool) -> str:
    return f"<{name}>{str(holds).lower()}</{name}>"


def _zone(zone: Zone) -> str:
    config = f"<Config>{_flag('PrivateZone', zone.private)}</Config>"
    return (
        f"<HostedZone><Id>/hostedzone/{zone.id}</Id><Name>{escape(zone.name)}</Name><CallerReference>{zone.id}"
        f"</CallerReference>{config}<ResourceRecordSetCount>{len(zone.sets)}</ResourceRecordSetCount></HostedZone>"
    )


def _delegation(zone: Zone) -> str:
    servers = "".join(f"<NameServer>{server}</NameServer>" for server in zone.servers)
    return f"<DelegationSet><NameServers>{servers}</NameServers></DelegationSet>"


def _set(found: RecordSet) -> str:
    def elements(pairs: Iterable[tuple[str, str]]) -> str:
        return "".join(f"<{name}>{escape(value)}</{name}>" for name, value in pairs)

    records = "".join(f"<ResourceRecord><Value>{escape(value)}</Value></ResourceRecord>" for value in found.values)
    parts = [f"<Name>{escape(found.name)}</Name><Type>{found.type}</Type>", elements(found.extras)]
    if found.alias:
        parts.append(f"<AliasTarget>{elements(found.alias)}</AliasTarget>")
    else:
        parts.append(f"<TTL>{found.ttl}</TTL><ResourceRecords>{records}</ResourceRecords>")
    return f"<ResourceRecordSet>{''.join(parts)}</ResourceRecordSet>"


def _changes(body: bytes) -> list[Change]:
    root = ET.fromstring(body)
    return [_change(element) for element in root.iterfind(f"{_N}ChangeBatch/{_N}Changes/{_N}Change")]


def _change(element: ET.Element) -> Change:
    action = element.findtext(f"{_N}Action", "")
    found = element.find(f"{_N}ResourceRecordSet")
    if action not in ACTIONS or found is None:
        raise Invalid(f"Invalid action {action}", "InvalidInput")
    ttl = found.findtext(f"{_N}TTL")
    alias = found.find(f"{_N}AliasTarget")
    record_set = RecordSet(
        name=kept(found.findtext(f"{_N}Name", "")),
        type=found.findtext(f"{_N}Type", ""),
        ttl=None if ttl is None else int(ttl),
        values=tuple(e.text or "" for e in found.iterfind(f"{_N}ResourceRecords/{_N}ResourceRecord/{_N}Value")),
        alias=() if alias is None else tuple((e.tag.removeprefix(_N), e.text or "") for e in alias),
        extras=tuple((name, text) for name in _EXTRAS if (text := found.findtext(f"{_N}{name}")) is not None),
    )
    return Change(action=action, set=record_set)
