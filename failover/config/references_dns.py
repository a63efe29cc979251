"""Zones, records, targets and DNS hosts: what the parts of a config say about one another."""

import ipaddress
from collections.abc import Iterable, Iterator

from failover.config.book import Book
from failover.config.findings import listed, quoted, suggestion
from failover.core.rrsets import epoch_name, normal_name

WITHOUT_ALIAS = ("digitalocean", "linode", "vultr")
"""Kinds of DNS hosts whose APIs write one record at a time, and let no CNAME stand beside addresses."""
_VERSIONS = {"A": 4, "AAAA": 6}


def check(book: Book) -> None:
    """Say what does not fit."""
    _check_zones(book)
    _check_records(book)
    _check_targets(book)
    _check_hosts(book)


def _check_zones(book: Book) -> None:
    seen: set[str] = set()
    for at, zone in enumerate(book.items("dns", "zones")):
        name = normal_name(str(zone))
        if name in seen:
            book.say(f"zone {quoted(name)} stands twice", "dns", "zones", at)
        seen.add(name)
        if len(epoch_name(book.text("service") or "", name)) > 253:
            book.say("is too long: failover keeps a name of its own under it", "dns", "zones", at)


def _check_records(book: Book) -> None:
    zones, groups = [normal_name(str(zone)) for zone in book.items("dns", "zones")], book.groups()
    seen: set[str] = set()
    for record in book.names("dns", "records"):
        name = normal_name(record)
        if name in seen:
            book.say(f"{quoted(name)} stands twice", "dns", "records", record, key=True)
        seen.add(name)
        if zones and zone_of(name, zones) is None:
            hint = f"add its zone to `zones` (there is {listed(zones)})"
            book.say(f"{quoted(name)} lies in none of the zones; {hint}", "dns", "records", record, key=True)
        book.refers(groups, "group of nodes", "dns", "records", record, "nodes")
    for site in book.names("sites"):
        _check_fit(book, site)
    _check_families(book)


def zone_of(name: str, zones: Iterable[str]) -> str | None:
    """The zone that a name lies in: of several the longest. All in normal form."""
    fitting = [zone for zone in zones if name == zone or name.endswith("." + zone)]
    return max(fitting, key=len, default=None)


def _types(book: Book, record: str) -> list[str]:
    """The types of a record that are known ones."""
    found = book.get("dns", "records", record, "type")
    return [
        type for type in (found if isinstance(found, list) else [found]) if isinstance(type, str) and type in _VERSIONS
    ]


def _check_fit(book: Book, site: str) -> None:
    """Whether a site can fill every record, for each of its types."""
    managed, targets = site in book.managed(), book.targets(site)
    groups = {group: _versions(book, site, group) for group in book.names("sites", site, "addresses")}
    for record, group in book.published():
        name, versions = normal_name(record), {_VERSIONS[type] for type in _types(book, record)}
        if managed:
            if 6 in versions and book.kind(site) == "local":
                book.say("nodes of the local cloud have IPv4 addresses only", "dns", "records", record, "type")
        elif group not in groups and name not in targets:
            message = f"has no addresses for group {quoted(group)}, which {quoted(name)} publishes"
            here = ("addresses",) if book.get("sites", site, "addresses") is not None else ()
            book.say(f"{quoted(site)} {message}", "sites", site, *here, key=True)
        elif name not in targets and len(versions) > 1 and groups[group]:
            for version in versions - groups[group]:
                message = f"has no IPv{version} address, which {quoted(name)} publishes"
                book.say(message, "sites", site, "addresses", group)


def _versions(book: Book, site: str, group: str) -> set[int]:
    """Of the addresses that are given for a group there."""
    return {ipaddress.ip_address(text).version for loc, text in book.addresses(site) if loc[3] == group}


def _check_families(book: Book) -> None:
    """Whether every given address can stand in a record of its group."""
    groups: dict[str, list[str]] = {}
    for record, group in book.published():
        groups.setdefault(group, []).append(record)
    known = {group: {type for record in records for type in _types(book, record)} for group, records in groups.items()}
    for loc, address in book.addresses():
        records, types = groups.get(str(loc[3]), []), known.get(str(loc[3]), set())
        if types and ipaddress.ip_address(address).version not in {_VERSIONS[type] for type in types}:
            book.say(f"does not fit {quoted(normal_name(records[0]))}, whose type is {listed(sorted(types))}", *loc)


def _check_targets(book: Book) -> None:
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


def _check_hosts(book: Book) -> None:
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
        _check_proxied(book, host)
    aliased = next((site for site in book.names("sites") if book.targets(site)), None)
    for host in book.names("dns", "hosts") if aliased is not None else ():
        kind = book.text("dns", "hosts", host, "kind")
        if kind in WITHOUT_ALIAS:
            message = f"{kind} cannot turn addresses into an alias without a gap, and site {quoted(str(aliased))}"
            book.say(f"{message} has targets; give it addresses", "dns", "hosts", host, "kind")


def _check_proxied(book: Book, host: str) -> None:
    """Whether names can stand behind the host's edge: no other host may answer for them."""
    records = [normal_name(record) for record in book.names("dns", "records")]
    for at, name in enumerate(map(str, book.items("dns", "hosts", host, "proxied"))):
        loc, record = ("dns", "hosts", host, "proxied", at), normal_name(name)
        if record not in records:
            book.say(f"there is no record {quoted(record)}{suggestion(record, records)}", *loc)
        elif record.startswith("*."):
            book.say("is a wildcard, for which nobody can be asked through the edge: list the names one by one", *loc)
    others = [other for other in book.names("dns", "hosts") if other != host]
    if book.items("dns", "hosts", host, "proxied") and others:
        message = f"host {quoted(others[0])} would answer other addresses: names are proxied where"
        book.say(f"{message} {host} is the only DNS host", "dns", "hosts", host, "proxied", key=True)


def _places(book: Book, host: str) -> Iterator[tuple[str, str]]:
    """What a host is known by: where it takes changes, and where it answers."""
    for key in ("server", "endpoint"):
        place = book.text("dns", "hosts", host, key)
        if place is not None and book.text("dns", "hosts", host, "kind") != "route53":
            yield key, place
    for server in book.items("dns", "hosts", host, "servers"):
        yield "servers", str(server)
