"""Asks what each credential may write, all at once and to deadlines. Changes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from failover.core.cutover import ALIAS
from failover.core.doctor_rights import CUT_OVER, DEPOT, MIRROR, SECOND, WATCH
from failover.core.mirror import node_spec
from failover.core.model import NodeSpec, Release, Service, Site
from failover.core.preflight_content import keys_of
from failover.core.rights import NODES, Act, Credential, Granted, Right, lacking
from failover.core.world import State
from failover.engine.context import Context
from failover.engine.outcome import problem_of
from failover.ports import Account, Call, Depot, Dns, Done

RIGHTS_S = 20.0
"""For one credential, all of its tries together."""

Key = tuple[str, str]
"""Site and role (or DEPOT), or a DNS host and CUT_OVER."""


_ACTS = {DEPOT: (Act.STORE,), CUT_OVER: (Act.CHANGE,)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What the config says of them."""

    known: Mapping[Key, Credential] = field(default_factory=dict)

    def of(self, key: Key) -> Credential:
        return self.known.get(key, Credential(role=key[1], place=key[0], reference="its credential"))


UNNAMED = Credentials()


def right_calls(
    context: Context, mirror: Context, seconds: Mapping[str, Account], state: State | None
) -> dict[Key, Call]:
    """One for each credential: of managed sites by role, and of DNS hosts."""
    service, found = context.service, {}
    for site in service.sites if service.groups else ():
        if site.given:
            continue
        wish = _wish(service, site, state)
        for role, account in ((WATCH, context.accounts[site.name]), (SECOND, seconds.get(site.name))):
            if account is not None:
                found[site.name, role] = _call(f"{role} rights of {site.name}", partial(_writes, account, wish))
        writes = partial(_writes, mirror.compute[site.name], wish)
        found[site.name, MIRROR] = _call(f"{MIRROR} rights of {site.name}", writes)
        found[site.name, DEPOT] = _call(f"{DEPOT} rights of {site.name}", partial(_stores, mirror.depots[site.name]))
    for host in service.hosts:
        changes = partial(_changes, context.hosts[host], service)
        found[host, CUT_OVER] = _call(f"rights at {host}", changes)
    return found


def rights_found(credentials: Credentials, done: Mapping[Key, Done]) -> dict[Key, Granted]:
    """What was not answered is unproven, with its problem."""
    return {key: Granted(credential=credentials.of(key), rights=_rights(key, end)) for key, end in done.items()}


def _rights(key: Key, done: Done) -> tuple[Right, ...]:
    if isinstance(done.value, tuple):
        return done.value
    return lacking(_ACTS.get(key[1], NODES), problem_of(done) or "it did not tell")


def _call(what: str, do: partial[tuple[Right, ...]]) -> Call:
    return Call(what=what, do=do, deadline_s=RIGHTS_S)


def _wish(service: Service, site: Site, state: State | None) -> NodeSpec:
    """A node of the first group, as one that is created for it; it never is."""
    release = Release(digest=(state.release if state is not None else None) or "", command="")
    return node_spec(service, site, service.groups[0], 0, release, "")


def _writes(account: Account, wish: NodeSpec) -> tuple[Right, ...]:
    return account.rights(wish)


def _stores(depot: Depot) -> tuple[Right, ...]:
    store = depot.may_put()
    return () if store is None else (store,)


def _changes(host: Dns, service: Service) -> tuple[Right, ...]:
    """In all zones. A host that cannot tell names apart tells of the zone."""
    found: list[Right] = []
    for zone in service.zones:
        rights = host.rights(zone, _names(service, zone))
        found += [right if right.object else replace(right, object=zone) for right in rights]
    return tuple(found)


def _names(service: Service, zone: str) -> Sequence[tuple[str, str]]:
    """Ours, the fence among them, and as CNAMEs those that are one at some site."""
    aliased = {name for site in service.sites for name in site.targets or ()}
    aliases = [(record.name, ALIAS) for record in service.records if record.zone == zone and record.name in aliased]
    return tuple(dict.fromkeys((*keys_of(service, zone), *aliases)))
