"""Sites, what runs at them, and how it gets there: what the parts of a config say about one another."""

import ipaddress

from failover.config.book import Book
from failover.config.findings import Loc, quoted, suggestion
from failover.core.addresses import never_asked

_RESERVED = ("PORT", "HOME", "PATH", "LANG")
REGIONAL = ("aws", "digitalocean", "linode", "vultr", "hetzner", "openstack")
"""Kinds whose sites name a region, and whose nodes fetch the release themselves."""


def check(book: Book) -> None:
    """Say what does not fit."""
    _check_sites(book)
    _check_addresses(book)
    _check_askable(book)
    _check_release(book)
    _check_delivery(book)


def _check_sites(book: Book) -> None:
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


def _check_askable(book: Book) -> None:
    """Whether an address may be probed at all."""
    allowed = {str(address).strip().lower() for address in book.items("runner", "allow_addresses")}
    for loc, address in book.addresses():
        reason = never_asked(ipaddress.ip_address(address))
        if reason is not None and address not in allowed:
            book.say(f"{reason} and is never asked, unless it stands in `allow_addresses` of `runner`", *loc)


def _check_addresses(book: Book) -> None:
    first: dict[str, Loc] = {}
    for loc, address in book.addresses():
        seen = first.setdefault(address, loc)
        if seen[1] != loc[1] or (seen != loc and seen[3] == loc[3]):
            where = f"at site {quoted(str(seen[1]))}" if seen[1] != loc[1] else "in this list"
            book.say(f"{address} stands twice; first {where}", *loc)


def _check_release(book: Book) -> None:
    secrets = book.names("release", "secrets")
    for where in ("env", "secrets"):
        for name in book.names("release", where):
            if name in _RESERVED or name.startswith("FAILOVER_"):
                book.say("this variable is set by failover itself", "release", where, name, key=True)
    for name in book.names("release", "env"):
        if name in secrets:
            book.say("this variable stands in `secrets` too", "release", "env", name, key=True)


def _check_delivery(book: Book) -> None:
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
