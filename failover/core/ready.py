"""Could this site take over now? Facts of one round → Readiness with reasons."""

from dataclasses import dataclass

from failover.core.health import HealthState, serving_needed
from failover.core.model import AccountReport, Node, NodeState, Quota, Reading, Service, Site, Standby
from failover.core.world import Readiness

_ACCOUNT_NO = {
    Reading.CLOSED: "its account is closed",
    Reading.WARNED: "its provider warns about the account",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """What a standby needs besides its nodes. None: not known. `problem` says why it could not be read."""

    quota: Quota | None = None
    images: frozenset[str] | None = None
    archive: bool | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What one round found out about a site."""

    report: AccountReport
    data_plane: HealthState
    addresses: tuple[str, ...]
    """All that the site should serve at."""
    passing: tuple[str, ...]
    """Those that passed every check in this round."""
    nodes: tuple[Node, ...] | None = None
    """The provider's complete list; None: could not be read."""
    failing: tuple[str, ...] = ()
    """Checks that did not pass in this round."""
    stock: Stock = Stock()
    details: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    """Of checks that passed."""
    counted: str = ""
    """How the vantages have voted, as a sentence."""


def readiness(
    service: Service, site: Site, facts: Facts, releases: tuple[str, ...], *, fresh: bool = False
) -> Readiness:
    """`fresh` takes this round's answers for health (a person asks); otherwise the streak must have risen to UP."""
    problems = _account_problems(site, facts)
    if site.given or site.standby is not Standby.COLD:
        problems += _serving_problems(service, facts, fresh=fresh)
        problems += _release_problems(facts, releases)
    if not site.given and site.standby is not Standby.HOT:
        problems += _stock_problems(service, facts)
    return Readiness(ready=not problems, reasons=tuple(problems))


def _account_problems(site: Site, facts: Facts) -> list[str]:
    reading = facts.report.reading
    if reading in _ACCOUNT_NO:
        return [_ACCOUNT_NO[reading]]
    if not site.given and site.standby is not Standby.HOT and reading is not Reading.ACTIVE:
        return ["its API does not answer as it should, and a warm or cold site needs it"]
    return []


def _serving_problems(service: Service, facts: Facts, *, fresh: bool) -> list[str]:
    if not service.checks:
        return ["the config has no check that could prove it"]
    if not facts.addresses:
        return ["it has no address to check"]
    why = f": {'; '.join(facts.details)}" if facts.details else ""
    if len(facts.passing) < serving_needed(len(facts.addresses)):
        return [f"{len(facts.passing)} of {len(facts.addresses)} addresses serve{why}"]
    if facts.failing:
        return [f"check {', '.join(facts.failing)} does not pass{why}"]
    if not fresh and facts.data_plane is not HealthState.UP:
        return [f"its checks have not been good for long enough{why}"]
    return []


def _release_problems(facts: Facts, releases: tuple[str, ...]) -> list[str]:
    """Nodes that the provider lists with another release than the accepted ones."""
    if not releases or facts.nodes is None:
        return []
    return [
        f"{node.name} holds another release ({short(node.release)}, wanted {short(releases[0])})"
        for node in facts.nodes
        if node.release is not None and node.release not in releases and node.state is NodeState.RUNNING
    ]


def _stock_problems(service: Service, facts: Facts) -> list[str]:
    stock = facts.stock
    if stock.problem is not None:
        return [f"its stock could not be read: {stock.problem}"]
    if stock.quota is None or stock.images is None or stock.archive is None:
        return ["whether its quota, images and release archive suffice is not known"]
    problems = []
    if not stock.archive:
        problems.append("the release archive is not in its depot, or is damaged")
    missing = {g.image for g in service.groups} - stock.images
    problems += [f"image {image} does not exist there" for image in sorted(missing)]
    if stock.quota.nodes_max is not None:
        more = sum(g.count for g in service.groups) - len(facts.nodes or ())
        free = stock.quota.nodes_max - stock.quota.nodes_used
        if more > free:
            problems.append(f"{more} more nodes are needed, the quota leaves {max(0, free)}")
    return problems


def short(digest: str | None) -> str:
    """The first 12 characters of a digest, for people."""
    return "unknown" if digest is None else digest.removeprefix("sha256:")[:12]
