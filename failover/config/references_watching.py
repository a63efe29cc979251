"""Checks, controls, vantages and maintenance: what the parts of a config say about one another."""

from failover.config.book import Book
from failover.config.findings import listed, quoted


def check(book: Book) -> None:
    """Say what does not fit."""
    _check_checks(book)
    _check_isolation(book)
    _check_maintenance(book)
    _check_quorum(book)


def _check_checks(book: Book) -> None:
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


def _check_headers(book: Book, check: str) -> None:
    for header in book.names("checks", check, "expect", "header"):
        value = book.text("checks", check, "expect", "header", header) or ""
        if "{release}" in value and "release" not in book.names():
            message = "{release} stands for the digest of `release`, which this config does not have"
            book.say(message, "checks", check, "expect", "header", header)


def _check_maintenance(book: Book) -> None:
    for at in range(len(book.items("maintenance"))):
        if book.get("maintenance", at, "site") is not None:
            book.refers(book.names("sites"), "site", "maintenance", at, "site")


def _check_isolation(book: Book) -> None:
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


def _check_quorum(book: Book) -> None:
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


def _check_controller(book: Book, without: list[str]) -> None:
    if not without:
        book.say("one vantage must be the controller itself, without `agent`", "quorum", "vantages", key=True)
    for name in without[1:]:
        message = f"`agent` is missing; without one goes the controller's own vantage only, which is {without[0]}"
        book.say(message, "quorum", "vantages", name, key=True)


def _check_enough(book: Book, vantages: list[str], need: int) -> None:
    """Whichever provider fails: vantages at so many others must be left. Two at one provider count once."""
    stands = {p for name in vantages if (p := book.text("quorum", "vantages", name, "provider")) is not None}
    guarded = {book.text("sites", site, "provider") for site in book.names("sites")}
    for provider in sorted({p for p in guarded if p is not None} & stands) or [""]:
        left = stands - {provider}
        if len(left) < need:
            besides = f" besides {provider}, which is guarded" if provider else ""
            book.say(f"{need} cannot be reached: vantages stand at {len(left)} providers{besides}", "quorum", "need")
            return
