"""What one part of the config says about another: names that must exist, addresses that must fit, and the like.

Works on the plain data, so that these findings stand beside those of the schema. What the schema has refused already
is passed over here.
"""

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from failover.config.document import Document
from failover.config.findings import Finding, Loc, listed, quoted, suggestion
from failover.core.addresses import never_asked
from failover.core.rrsets import epoch_name, normal_name

_RESERVED = ("PORT", "HOME", "PATH", "LANG")
REGIONAL = ("aws", "digitalocean", "linode", "vultr", "hetzner", "openstack")
"""Kinds whose sites name a region, and whose nodes fetch the release themselves."""
WITHOUT_ALIAS = ("digitalocean", "linode", "vultr")
"""Kinds of DNS hosts whose APIs write one record at a time, and let no CNAME stand beside addresses."""
_VERSIONS = {"A": 4, "AAAA": 6}


def check(document: Document) -> list[Finding]:
    """Every finding; [] when all parts fit together."""
    book = _Book(document)
    _check_sites(book)
    _check_addresses(book)
    _check_askable(book)
    _check_release(book)
    _check_delivery(book)
    _check_zones(book)
    _check_records(book)
    _check_targets(book)
    _check_hosts(book)
    _check_checks(book)
    _check_isolation(book)
    _check_maintenance(book)
    _check_quorum(book)
    return book.findings


@dataclass(slots=True)
class _Book:
    document: Document
    findings: list[Finding] = field(default_factory=list)

    def say(self, message: str, *loc: str | int, key: bool = False) -> None:
        self.findings.append(Finding(self.document.place(loc, key=key), message))

    def get(self, *loc: str | int) -> object:
        """What stands there, or None."""
        data = self.document.data
        for part in loc:
            if isinstance(data, dict):
                data = data.get(part)
            elif isinstance(data, list) and isinstance(part, int) and part < len(data):
                data = data[part]
            else:
                return None
        return data

    def names(self, *loc: str | int) -> list[str]:
        """The keys of the mapping there; of anything else none."""
        found = self.get(*loc)
        return list(found) if isinstance(found, dict) else []

    def items(self, *loc: str | int) -> list[object]:
        found = self.get(*loc)
        return found if isinstance(found, list) else []

    def text(self, *loc: str | int) -> str | None:
        found = self.get(*loc)
        return found if isinstance(found, str) else None

    def refers(self, known: Iterable[str], what: str, *loc: str | int) -> str | None:
        """The name at `loc` if it is known; else says so."""
        name, names = self.text(*loc), list(known)
        if name is None or name in names:
            return name
        self.say(f"there is no {what} {quoted(name)}{suggestion(name, names) or '; there is ' + listed(names)}", *loc)
        return None

    def managed(self) -> list[str]:
        return [name for name in self.names("sites") if not self.given(name)]

    def given(self, site: str) -> bool:
        return any(self.get("sites", site, key) is not None for key in ("addresses", "targets"))

    def targets(self, site: str) -> dict[str, str]:
        """What a site's records point to, where they are aliases there; names in normal form."""
        return {
            normal_name(name): str(self.get("sites", site, "targets", name))
            for name in self.names("sites", site, "targets")
        }

    def kind(self, site: str) -> str | None:
        """The kind of a managed site's provider."""
        return self.text("providers", self.text("sites", site, "provider") or "", "kind")

    def groups(self) -> list[str]:
        """Groups of nodes. When every site is given, and no nodes are described, those that addresses are given for,
        and where there are targets those of the records."""
        names = self.names("nodes")
        if names or self.managed():
            return names
        found = [group for site in self.names("sites") for group in self.names("sites", site, "addresses")]
        if any(self.targets(site) for site in self.names("sites")):
            found += [g for r in self.names("dns", "records") if (g := self.text("dns", "records", r, "nodes"))]
        return list(dict.fromkeys(found))

    def published(self) -> list[tuple[str, str]]:
        """Records and their groups, where the group exists."""
        groups = self.groups()
        pairs = [(record, self.text("dns", "records", record, "nodes")) for record in self.names("dns", "records")]
        return [(record, group) for record, group in pairs if group is not None and group in groups]


# ---------------------------------------------------------------------------------------------- sites


def _check_sites(book: _Book) -> None:
    managed, groups = book.managed(), book.groups()
    for site in managed:
        book.refers(book.names("providers"), "provider", "sites", site, "provider")
    if managed and "release" not in book.names():
        book.say(f"`release` is missing: site {quoted(managed[0])} is managed", "sites", managed[0], key=True)
    if managed and not groups:
        book.say(f"`nodes` is missing: site {quoted(managed[0])} is managed", "sites", managed[0], key=True)
    for site in managed:
        if book.kind(site) in REGIONAL and book.get("sites", site, "region") is None:
            book.say(f"`region` is missing: {book.kind(site)} has several", "sites", site, key=True)
    for site in book.names("sites"):
        for group in book.names("sites", site, "addresses"):
            if group not in groups:
                message = f"there is no group of nodes {quoted(group)}{suggestion(group, groups)}"
                book.say(message, "sites", site, "addresses", group, key=True)


def _addresses(book: _Book) -> Iterator[tuple[Loc, str]]:
    """Every given address that is one, in normal form."""
    for site in book.names("sites"):
        for group in book.names("sites", site, "addresses"):
            for at, text in enumerate(book.items("sites", site, "addresses", group)):
                try:
                    yield ("sites", site, "addresses", group, at), str(ipaddress.ip_address(str(text).strip()))
                except ValueError:
                    continue


def _check_askable(book: _Book) -> None:
    """Whether an address may be probed at all."""
    allowed = {str(address).strip().lower() for address in book.items("runner", "allow_addresses")}
    for loc, address in _addresses(book):
        reason = never_asked(ipaddress.ip_address(address))
        if reason is not None and address not in allowed:
            book.say(f"{reason} and is never asked, unless it stands in `allow_addresses` of `runner`", *loc)


def _check_addresses(book: _Book) -> None:
    first: dict[str, Loc] = {}
    for loc, address in _addresses(book):
        seen = first.setdefault(address, loc)
        if seen[1] != loc[1] or (seen != loc and seen[3] == loc[3]):
            where = f"at site {quoted(str(seen[1]))}" if seen[1] != loc[1] else "in this list"
            book.say(f"{address} stands twice; first {where}", *loc)


def _check_release(book: _Book) -> None:
    secrets = book.names("release", "secrets")
    for where in ("env", "secrets"):
        for name in book.names("release", where):
            if name in _RESERVED or name.startswith("FAILOVER_"):
                book.say("this variable is set by failover itself", "release", where, name, key=True)
    for name in book.names("release", "env"):
        if name in secrets:
            book.say("this variable stands in `secrets` too", "release", "env", name, key=True)


def _check_delivery(book: _Book) -> None:
    """Whether nodes elsewhere can fetch the release, and the secrets with it."""
    told: set[str] = set()
    for site in book.managed():
        provider = book.text("sites", site, "provider") or ""
        if book.kind(site) not in REGIONAL or provider in told:
            continue
        told.add(provider)
        if book.get("providers", provider, "depot") is not None:
            continue
        if book.get("release", "url") is None and "release" in book.names():
            message = "`depot` is missing (or `url` in `release`): nodes there fetch the release from it"
            book.say(message, "providers", provider, key=True)
        elif book.names("release", "secrets"):
            message = "`depot` is missing: the secrets of `release` reach nodes through it only"
            book.say(message, "providers", provider, key=True)


# ---------------------------------------------------------------------------------------------- dns


def _check_zones(book: _Book) -> None:
    seen: set[str] = set()
    for at, zone in enumerate(book.items("dns", "zones")):
        name = normal_name(str(zone))
        if name in seen:
            book.say(f"zone {quoted(name)} stands twice", "dns", "zones", at)
        seen.add(name)
        if len(epoch_name(book.text("service") or "", name)) > 253:
            book.say("is too long: failover keeps a name of its own under it", "dns", "zones", at)


def _check_records(book: _Book) -> None:
    zones = [normal_name(str(zone)) for zone in book.items("dns", "zones")]
    seen: set[str] = set()
    for record in book.names("dns", "records"):
        name = normal_name(record)
        if name in seen:
            book.say(f"{quoted(name)} stands twice", "dns", "records", record, key=True)
        seen.add(name)
        if zones and zone_of(name, zones) is None:
            hint = f"add its zone to `zones` (there is {listed(zones)})"
            book.say(f"{quoted(name)} lies in none of the zones; {hint}", "dns", "records", record, key=True)
        book.refers(book.groups(), "group of nodes", "dns", "records", record, "nodes")
    for record, group in book.published():
        _check_fit(book, record, group)
    _check_families(book)


def zone_of(name: str, zones: Iterable[str]) -> str | None:
    """The zone that a name lies in: of several the longest. All in normal form."""
    fitting = [zone for zone in zones if name == zone or name.endswith("." + zone)]
    return max(fitting, key=len, default=None)


def _types(book: _Book, record: str) -> list[str]:
    """The types of a record that are known ones."""
    found = book.get("dns", "records", record, "type")
    return [
        type for type in (found if isinstance(found, list) else [found]) if isinstance(type, str) and type in _VERSIONS
    ]


def _check_fit(book: _Book, record: str, group: str) -> None:
    """Whether every site can fill the record, for each of its types."""
    name, versions = quoted(normal_name(record)), [_VERSIONS[type] for type in _types(book, record)]
    for site in book.names("sites"):
        if site in book.managed():
            if book.kind(site) == "local" and 6 in versions:
                book.say("nodes of the local cloud have IPv4 addresses only", "dns", "records", record, "type")
            continue
        if normal_name(record) in book.targets(site):
            continue
        if group not in book.names("sites", site, "addresses"):
            message = f"has no addresses for group {quoted(group)}, which {name} publishes"
            here = ("addresses",) if book.get("sites", site, "addresses") is not None else ()
            book.say(f"{quoted(site)} {message}", "sites", site, *here, key=True)
            continue
        there = {ipaddress.ip_address(text).version for loc, text in _addresses(book) if loc[1:4:2] == (site, group)}
        for version in versions if len(versions) > 1 else ():
            if there and version not in there:
                message = f"has no IPv{version} address, which {name} publishes"
                book.say(message, "sites", site, "addresses", group)


def _check_families(book: _Book) -> None:
    """Whether every given address can stand in a record of its group."""
    groups: dict[str, list[str]] = {}
    for record, group in book.published():
        groups.setdefault(group, []).append(record)
    for loc, address in _addresses(book):
        records = groups.get(str(loc[3]), [])
        types = {type for record in records for type in _types(book, record)}
        if types and ipaddress.ip_address(address).version not in {_VERSIONS[type] for type in types}:
            book.say(f"does not fit {quoted(normal_name(records[0]))}, whose type is {listed(sorted(types))}", *loc)


def _check_targets(book: _Book) -> None:
    """Whether an alias can stand where a site wants one (RFC 1034, section 3.6.2)."""
    records = [normal_name(record) for record in book.names("dns", "records")]
    zones = [normal_name(str(zone)) for zone in book.items("dns", "zones")]
    for site in book.names("sites"):
        for name in book.names("sites", site, "targets"):
            record, loc = normal_name(name), ("sites", site, "targets", name)
            if record not in records:
                message = f"there is no record {quoted(record)}{suggestion(record, records)}"
                book.say(message, *loc, key=True)
            elif record in zones:
                message = f"{quoted(record)} is the zone itself, where no CNAME can stand; give addresses"
                book.say(f"{message}, or publish www and redirect to it", *loc, key=True)
            if normal_name(book.text(*loc) or "") in records:
                book.say("is a record of this config: it would point in a circle", *loc)


def _check_hosts(book: _Book) -> None:
    seen: dict[str, str] = {}
    for host in book.names("dns", "hosts"):
        for key, place in _places(book, host):
            first = seen.setdefault(place, host)
            if first != host:
                book.say(f"host {quoted(first)} is the same server", "dns", "hosts", host, key)
                break
        zones = [normal_name(str(zone)) for zone in book.items("dns", "zones")]
        for zone in book.names("dns", "hosts", host, "zone_ids"):
            if normal_name(zone) not in zones:
                message = f"there is no zone {quoted(zone)} in `zones`{suggestion(normal_name(zone), zones)}"
                book.say(message, "dns", "hosts", host, "zone_ids", zone, key=True)
    aliased = next((site for site in book.names("sites") if book.targets(site)), None)
    for host in book.names("dns", "hosts") if aliased is not None else ():
        kind = book.text("dns", "hosts", host, "kind")
        if kind in WITHOUT_ALIAS:
            message = f"{kind} cannot turn addresses into an alias without a gap, and site {quoted(str(aliased))}"
            book.say(f"{message} has targets; give it addresses", "dns", "hosts", host, "kind")


def _places(book: _Book, host: str) -> Iterator[tuple[str, str]]:
    """What a host is known by: where it takes changes, and where it answers."""
    for key in ("server", "endpoint"):
        place = book.text("dns", "hosts", host, key)
        if place is not None and book.text("dns", "hosts", host, "kind") != "route53":
            yield key, place
    for server in book.items("dns", "hosts", host, "servers"):
        yield "servers", str(server)


# ---------------------------------------------------------------------------------------------- watching


def _check_checks(book: _Book) -> None:
    groups, watched = book.groups(), set[str]()
    for check in book.names("checks"):
        if "nodes" in book.names("checks", check):
            watched.add(book.refers(groups, "group of nodes", "checks", check, "nodes") or "")
        elif len(groups) > 1:
            book.say(f"`nodes` is missing: there is {listed(groups)}", "checks", check, key=True)
        watched.update(groups if len(groups) == 1 else ())
        _check_headers(book, check)
    for record, group in book.published():
        if group not in watched and book.names("checks"):
            message = f"group {quoted(group)} is published, but no check asks it"
            book.say(message, "dns", "records", record, "nodes")


def _check_headers(book: _Book, check: str) -> None:
    for header in book.names("checks", check, "expect", "header"):
        value = book.text("checks", check, "expect", "header", header) or ""
        if "{release}" in value and "release" not in book.names():
            message = "{release} stands for the digest of `release`, which this config does not have"
            book.say(message, "checks", check, "expect", "header", header)


def _check_maintenance(book: _Book) -> None:
    for at in range(len(book.items("maintenance"))):
        if book.get("maintenance", at, "site") is not None:
            book.refers(book.names("sites"), "site", "maintenance", at, "site")


def _check_isolation(book: _Book) -> None:
    """What must not go down together with what it watches."""
    used = {book.text("sites", site, "provider"): site for site in reversed(book.names("sites"))}
    used.pop(None, None)
    runner = book.text("runner", "provider")
    if runner in used:
        site = quoted(used[runner])
        book.say(f"site {site} is at this provider too: the runner would go down with it", "runner", "provider")
    seen: set[tuple[str, str]] = set()
    for at in range(len(book.items("controls"))):
        targets = {(kind, book.text("controls", at, kind) or "") for kind in ("tcp", "http", "dns", "local")}
        targets = {(kind, target) for kind, target in targets if target}
        if targets & seen:
            book.say("this control stands twice: it would count twice", "controls", at)
        seen |= targets
        provider = book.text("controls", at, "provider")
        if provider in used:
            message = f"site {quoted(used[provider])} is at this provider too: a control must be unrelated"
            book.say(message, "controls", at, "provider")


# ---------------------------------------------------------------------------------------------- quorum


def _check_quorum(book: _Book) -> None:
    names, need = book.names("quorum", "vantages"), book.get("quorum", "need")
    agents = [name for name in names if book.get("quorum", "vantages", name, "agent") is not None]
    if agents:
        _check_controller(book, [name for name in names if name not in agents])
    if not isinstance(need, int) or need < 2:
        return
    if not agents:
        book.say("more than 1 needs vantages that have an `agent`", "quorum", "need")
        return
    if book.get("quorum", "single") is not None:
        book.say(f"`single` contradicts `need: {need}`", "quorum", "single")
    _check_enough(book, names, need)


def _check_controller(book: _Book, without: list[str]) -> None:
    if not without:
        book.say("one vantage must be the controller itself, without `agent`", "quorum", "vantages", key=True)
    for name in without[1:]:
        message = f"`agent` is missing; without one goes the controller's own vantage only, which is {without[0]}"
        book.say(message, "quorum", "vantages", name, key=True)


def _check_enough(book: _Book, vantages: list[str], need: int) -> None:
    """Whichever provider fails: vantages at so many others must be left. Two at one provider count once."""
    stands = {p for name in vantages if (p := book.text("quorum", "vantages", name, "provider")) is not None}
    guarded = {book.text("sites", site, "provider") for site in book.names("sites")}
    for provider in sorted({p for p in guarded if p is not None} & stands) or [""]:
        left = stands - {provider}
        if len(left) < need:
            besides = f" besides {provider}, which is guarded" if provider else ""
            book.say(f"{need} cannot be reached: vantages stand at {len(left)} providers{besides}", "quorum", "need")
            return
