"""Rights → findings: which right is needed by which role, and what it means when it is missing.

    role       right                        it is missing                       it is there
    --------   --------------------------   ---------------------------------   -----------------------------------
    watch      any                          as it should be                     WARNING: least privilege
    mirror     create, open, store          FATAL; at a hot site and at the     fine
                                            active one a WARNING: a cutover
                                            asks their providers for nothing
    mirror     remove                       WARNING: no cutover needs it        fine
    cut over   change records, each host    FATAL: the world would be told      fine
                                            two different addresses for good

What could not be proven is a note, whatever the role: no proof is no lack.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from failover.core.findings import Finding, fatal, fine, note, warning
from failover.core.model import Site
from failover.core.rights import Act, Granted, May, Right

AREA = "rights"
WATCH, MIRROR, SECOND, DEPOT, CUT_OVER = "watch", "mirror", "second", "depot", "cut_over"
"""A depot is a part of mirroring, which may have a credential of its own."""
Tell = Callable[[str, str, str, str], Finding]


def mirror_rights(site: Site, granted: Mapping[str, Granted]) -> list[Finding]:
    """Of the credentials that create, remove and store. Whether the site is hot or active is weighed by the caller."""
    found = {role: granted[role] for role in (MIRROR, DEPOT) if role in granted}
    if MIRROR in found and DEPOT in found and found[DEPOT].rights:
        kept = tuple(right for right in found[MIRROR].rights if right.act is not Act.STORE)
        found[MIRROR] = replace(found[MIRROR], rights=kept)
    return [finding for one in found.values() for finding in _writing(f"{site.name} ({MIRROR})", one)]


def _writing(subject: str, granted: Granted) -> list[Finding]:
    found = []
    for tell, acts in ((fatal, set(Act) - {Act.DESTROY}), (warning, {Act.DESTROY})):
        missing = _those(granted, May.REFUSED, acts)
        found += [_refused(tell, subject, granted, says, rights) for says, rights in _by_reason(missing)]
    return [*found, *_rest(subject, granted)]


def watch_rights(site: Site, granted: Mapping[str, Granted]) -> list[Finding]:
    """Of the credentials that should only read."""
    return [f for role in (WATCH, SECOND) if role in granted for f in _reading(site, role, granted[role])]


def host_rights(host: str, granted: Granted | None) -> list[Finding]:
    """Of the credential that changes records.

    FATAL also when another host could be changed: an outage passes and its debt is settled, a missing right stays.
    """
    if granted is None:
        return []
    missing = _by_reason(_those(granted, May.REFUSED))
    return [*(_refused(fatal, host, granted, says, rights) for says, rights in missing), *_rest(host, granted)]


def _reading(site: Site, role: str, granted: Granted) -> list[Finding]:
    subject, who = f"{site.name} ({role})", granted.credential.reference
    more = _those(granted, May.ALLOWED)
    if more:
        says = f"{who} should only read, and may also {_acts(more)}"
        return [warning(AREA, subject, says, _remedy(granted, "give this role a credential of its own"))]
    less, doubts = _those(granted, May.REFUSED), _those(granted, May.UNPROVEN)
    says = f"{who} may not {_acts(replace(right, object='') for right in less)}" if doubts else f"{who} may only read"
    found = [fine(AREA, subject, says)] if less else []
    return [*found, *(_unproven(subject, f"may not {_acts(acts)}", granted, why) for why, acts in _by_reason(doubts))]


def _rest(subject: str, granted: Granted) -> list[Finding]:
    """What may be done, and what is not proven."""
    found = []
    good = _those(granted, May.ALLOWED)
    if good:
        found.append(fine(AREA, subject, f"{granted.credential.reference} may {_acts(good)}"))
    for says, rights in _by_reason(_those(granted, May.UNPROVEN)):
        found.append(_unproven(subject, f"may {_acts(rights)}", granted, says))
    return found


def _refused(tell: Tell, subject: str, granted: Granted, why: str, rights: list[Right]) -> Finding:
    who = granted.credential
    says = f"{who.reference} may not {_acts(rights)} at {who.place}: {why}"
    return tell(AREA, subject, says, _remedy(granted, "grant it the right"))


def _unproven(subject: str, what: str, granted: Granted, why: str) -> Finding:
    return note(AREA, subject, f"not proven that {granted.credential.reference} {what}: {why}")


def _remedy(granted: Granted, do: str) -> str:
    policy = granted.credential.policy
    return f"{do}: templates/policies/{policy} has what `{granted.credential.role}` needs" if policy else do


def _those(granted: Granted, may: May, acts: Iterable[Act] = Act) -> list[Right]:
    wanted = set(acts)
    return [right for right in granted.rights if right.may is may and right.act in wanted]


def _by_reason(rights: Iterable[Right]) -> list[tuple[str, list[Right]]]:
    found: dict[str, list[Right]] = {}
    for right in rights:
        found.setdefault(right.says, []).append(right)
    return list(found.items())


def _acts(rights: Iterable[Right]) -> str:
    """`create nodes, change records (www.example.org A, example.org A)`"""
    found: dict[str, list[str]] = {}
    for right in rights:
        found.setdefault(right.act.value, []).extend([right.object] if right.object else [])
    return ", ".join(f"{act} ({', '.join(of)})" if of else act for act, of in found.items())
