"""Where `apply` made what stands at each site, against where the config would look for it now.

Nodes are found by asking the provider and region of their site. A site that left the config, or was sent to another
place, leaves nodes behind that nobody finds again: they serve nobody, and cost.
"""

from dataclasses import dataclass

from failover.core.model import Service, Site
from failover.core.world import State


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftBehind:
    """A site that the config does not name as one of ours any more, while things of ours stand there.

    `place`: its provider and region; "" where an earlier version did not write that down. `nodes`: on record there.
    """

    site: str
    place: str
    nodes: int


def place_of(site: Site) -> str:
    """`ovh GRA11`: the provider's name in the config, and the region."""
    return " ".join(filter(None, (site.provider, site.region)))


def places(service: Service, state: State) -> dict[str, str]:
    """By site where its things stand, once `apply` goes on: what is on record, and the config's for the others."""
    fresh = {s.name: place_of(s) for s in service.sites if not s.given}
    return {**fresh, **{name: place for name, place in state.places.items() if name in state.archives}}


def moved(site: Site, state: State) -> str | None:
    """Why nothing may be done at the site: its nodes stand elsewhere. None: they do not, or that is not on record."""
    before, now = state.places.get(site.name, ""), place_of(site)
    if site.name not in state.archives or before in ("", now):
        return None
    says = (
        f"what stands there was made at {before}, and the config says {now}; another place is another site: "
        "give that one a name of its own"
    )
    if state.active_site == site.name:
        return says
    return f"{says}; if nothing stands there: `failover destroy --site {site.name} --forget`"


def left_behind(service: Service, state: State) -> tuple[LeftBehind, ...]:
    """Sites that left the config, or are given now, and still have something of ours."""
    ours = {s.name for s in service.sites if not s.given}
    return tuple(
        LeftBehind(site=name, place=state.places.get(name, ""), nodes=len(state.inventory.get(name, ())))
        for name in sorted(state.archives.keys() - ours)
    )


def told(left: LeftBehind) -> str:
    at = f" (it was at {left.place})" if left.place else ""
    return f"the config has it no more as a site of ours{at}; nodes on record there: {left.nodes}"


def remedy(left: LeftBehind) -> str:
    again = f"failover destroy --site {left.site}"
    return f"put it back and `{again}`; if nothing stands there any more: `{again} --forget`"


def unnamed(service: Service, state: State) -> str | None:
    """The site where the service runs, if the config does not name it. (A plan whose target is not named unwinds.)"""
    known = {s.name for s in service.sites}
    return state.active_site if state.active_site not in known else None
