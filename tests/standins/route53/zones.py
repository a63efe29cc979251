"""Hosted zones with the rules of Route 53's change batches. Nothing here knows of HTTP or of our adapter.

Sources, of AWS: API_ChangeResourceRecordSets and API_ListResourceRecordSets (API Reference), DomainNameFormat,
ResourceRecordTypes, DNSLimitations (Developer Guide). The sentences of errors are those that users report.
"""

import ipaddress
import re
from dataclasses import dataclass, field

RECORDS_MAX, CHARACTERS_MAX, VALUE_MAX = 1000, 32_000, 4000
TTL_MAX = 2**31 - 1
ACTIONS = ("CREATE", "DELETE", "UPSERT")
TYPES = ("SOA", "A", "TXT", "NS", "CNAME", "MX", "NAPTR", "PTR", "SRV", "SPF", "AAAA", "CAA", "DS", "TLSA", "SSHFP")
_PLAIN_CHARACTER = re.compile(r"[a-z0-9_.-]")
_ESCAPED = re.compile(r"\\([0-3][0-7]{2})")
_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"(?:\s+"(?:[^"\\]|\\.)*")*')
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
_CHARACTER = re.compile(r"\\[0-3][0-7]{2}|\\.|[^\\]")

Key = tuple[str, str]


class Invalid(Exception):
    """A batch or a request that Route 53 does not take. `code` is the name of its error."""

    def __init__(self, message: str, code: str = "InvalidChangeBatch") -> None:
        super().__init__(message)
        self.message = message
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordSet:
    """A set as it was given. `extras`: routing policy, health check and the like, by element name."""

    name: str
    type: str
    ttl: int | None = None
    values: tuple[str, ...] = ()
    alias: tuple[tuple[str, str], ...] = ()
    extras: tuple[tuple[str, str], ...] = ()

    @property
    def identifier(self) -> str:
        return dict(self.extras).get("SetIdentifier", "")

    @property
    def place(self) -> tuple[str, str, str]:
        return (self.name, self.type, self.identifier)

    def equals(self, other: "RecordSet") -> bool:
        """All of it; only the order of values does not count."""
        return (self.ttl, sorted(self.values), sorted(self.alias), sorted(self.extras)) == (
            other.ttl,
            sorted(other.values),
            sorted(other.alias),
            sorted(other.extras),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    action: str
    set: RecordSet


@dataclass(slots=True, kw_only=True)
class Zone:
    id: str
    name: str
    private: bool = False
    servers: tuple[str, ...] = ()
    sets: dict[tuple[str, str, str], RecordSet] = field(default_factory=dict)

    def __post_init__(self) -> None:
        soa = f"{self.servers[0]}. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400"
        servers = tuple(f"{server}." for server in self.servers)
        for first in (
            RecordSet(name=self.name, type="NS", ttl=172800, values=servers),
            RecordSet(name=self.name, type="SOA", ttl=900, values=(soa,)),
        ):
            self.sets[first.place] = first

    def listed(self) -> list[RecordSet]:
        """In the order of the API: by name with the labels reversed, then by type."""
        return sorted(self.sets.values(), key=lambda found: order(*found.place))

    def change(self, changes: list[Change]) -> None:
        """All of the batch or nothing. Raises Invalid."""
        _check_size(changes)
        after = dict(self.sets)
        problems: list[str] = []
        seen: set[tuple[str, str, str, str]] = set()
        for change in changes:
            try:
                self._check(change.set)
                one = (*change.set.place, "DELETE" if change.action == "DELETE" else "")
                if one in seen:
                    raise Invalid(
                        "The request contains an invalid set of changes for a resource record set "
                        f"'{change.set.type} {change.set.name}'"
                    )
                seen.add(one)
                _carry_out(change, after)
            except Invalid as error:
                if error.code != "InvalidChangeBatch":
                    raise
                problems.append(error.message)
        problems += _conflicts(after, {change.set.name for change in changes}, self.name)
        if not any(found.type == "NS" and found.name == self.name for found in after.values()):
            problems.append("A HostedZone must contain at least one NS record for the zone itself.")
        if problems:
            raise Invalid(f"[{', '.join(problems)}]")
        self.sets = after

    def _check(self, found: RecordSet) -> None:
        if found.name != self.name and not found.name.endswith(f".{self.name}"):
            raise Invalid(f"RRSet with DNS name {found.name} is not permitted in zone {self.name}")
        if found.type not in TYPES:
            raise Invalid(f"Invalid type {found.type}", "InvalidInput")
        if bool(found.alias) == (found.ttl is not None and bool(found.values)):
            raise Invalid(
                "Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or "
                f"TrafficPolicyInstanceId], but found none in Change with [Name={found.name}, Type={found.type}]",
                "InvalidInput",
            )
        if found.ttl is not None and not 0 <= found.ttl <= TTL_MAX:
            raise Invalid(f"Invalid TTL {found.ttl}", "InvalidInput")
        for value in found.values:
            _check_value(found, value)


def _check_size(changes: list[Change]) -> None:
    """UPSERT counts twice. A request beyond either limit is refused as a whole."""
    if not changes:
        raise Invalid("The batch has no changes", "InvalidInput")
    values = [v for change in changes for v in change.set.values for _ in range(2 if change.action == "UPSERT" else 1)]
    if len(values) > RECORDS_MAX:
        raise Invalid(f"Number of records limit of {RECORDS_MAX} exceeded.")
    if sum(map(len, values)) > CHARACTERS_MAX:
        raise Invalid(f"Number of characters limit of {CHARACTERS_MAX} exceeded.")


def _carry_out(change: Change, sets: dict[tuple[str, str, str], RecordSet]) -> None:
    found, here = change.set, sets.get(change.set.place)
    what = f"resource record set [name='{found.name}', type='{found.type}'"
    what += f", set identifier='{found.identifier}']" if found.identifier else "]"
    if change.action == "CREATE" and here is not None:
        raise Invalid(f"Tried to create {what} but it already exists")
    if change.action == "DELETE":
        if here is None:
            raise Invalid(f"Tried to delete {what} but it was not found")
        if not here.equals(found):
            raise Invalid(f"Tried to delete {what} but the values provided do not match the current values")
        del sets[found.place]
        return
    sets[found.place] = found


def _conflicts(sets: dict[tuple[str, str, str], RecordSet], names: set[str], zone: str) -> list[str]:
    """What cannot stand together, at the names that the batch touches."""
    problems = []
    for name in sorted(names):
        here = [found for found in sets.values() if found.name == name]
        types = {found.type for found in here}
        if "CNAME" in types and name == zone:
            problems.append(f"RRSet of type CNAME with DNS name {name} is not permitted at apex in zone {zone}")
        elif "CNAME" in types and len(types) > 1:
            problems.append(
                f"RRSet of type CNAME with DNS name {name} is not permitted as it conflicts with other records with "
                f"the same DNS name in zone {zone}"
            )
        for type in sorted(types):
            identifiers = [found.identifier for found in here if found.type == type]
            if len(identifiers) > 1 and "" in identifiers:
                problems.append(f"RRSet with DNS name {name}, type {type}, SetIdentifier null cannot be created as a "
                                "non multivalue answer rrset exists with the same name and type.")  # fmt: skip
    return problems


def _check_value(found: RecordSet, value: str) -> None:
    if len(value) > VALUE_MAX:
        raise Invalid(f"Invalid Resource Record: value of {found.name} is longer than {VALUE_MAX}")
    if list(found.values).count(value) > 1:
        raise Invalid(f"Duplicate Resource Record: '{value}'")
    if found.type == "CNAME" and len(found.values) > 1:
        raise Invalid(f"RRSet of type CNAME with DNS name {found.name} may hold one value only")
    if found.type in ("A", "AAAA"):
        try:
            good = ipaddress.ip_address(value).version == (4 if found.type == "A" else 6)
        except ValueError:
            good = False
        if not good:
            raise Invalid(
                f"Invalid Resource Record: 'FATAL problem: ARRDATAIllegalIPv4Address encountered with '{value}''"
            )
    if found.type == "TXT":
        _check_text(value)


def _check_text(value: str) -> None:
    if not _STRINGS.fullmatch(value):
        raise Invalid(
            "Invalid Resource Record: 'FATAL problem: InvalidCharacterString (Value should be enclosed in quotation "
            f"marks) encountered with '{value}''"
        )
    if not value.isascii() or not value.isprintable():
        raise Invalid("Invalid Resource Record: 'FATAL problem: characters beyond ASCII need octal codes'")
    if any(len(_CHARACTER.findall(string)) > 255 for string in _STRING.findall(value)):
        raise Invalid(f"Invalid Resource Record: 'FATAL problem: CharacterStringTooLong encountered with '{value}''")


def kept(name: str) -> str:
    """As names are kept: lower case, other characters as octal codes, with the last dot."""
    plain = _ESCAPED.sub(lambda found: chr(int(found[1], 8)), name).lower().rstrip(".")
    return "".join(c if _PLAIN_CHARACTER.fullmatch(c) else f"\\{ord(c):03o}" for c in plain) + "."


def order(name: str, type: str = "", identifier: str = "") -> tuple[str, str, str]:
    labels = name.rstrip(".").split(".")
    return ("".join(f"{label}." for label in reversed(labels)), type, identifier)
