"""The plain data of a config, taken as it comes: what the checks of references read, and where they write."""

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from failover.config.document import Document
from failover.config.findings import Finding, Loc, listed, quoted, suggestion
from failover.core.rrsets import normal_name


@dataclass(slots=True)
class Book:
    """A config as it was written, and what was found about it. What is missing reads as None or empty."""

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

    def addresses(self, *sites: str) -> Iterator[tuple[Loc, str]]:
        """Every given address that is one (of these sites, else of all), in normal form.

        It stands at `("sites", site, "addresses", group, at)`.
        """
        for site in sites or self.names("sites"):
            for group in self.names("sites", site, "addresses"):
                for at, text in enumerate(self.items("sites", site, "addresses", group)):
                    try:
                        yield ("sites", site, "addresses", group, at), str(ipaddress.ip_address(str(text).strip()))
                    except ValueError:
                        continue
