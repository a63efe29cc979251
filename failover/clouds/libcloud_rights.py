"""What a credential may do at the providers behind libcloud, found out without any effect.

digitalocean   requests that cannot be carried out: a body without what it needs, an id that nothing has
linode         the token's scopes, which every answer tells, and the grants of a restricted user
vultr          the permissions of the key's user, which the account tells
openstack      a server of a flavor that does not exist: nova asks its policy before it looks for one
"""

from dataclasses import dataclass

from failover.core.rights import (
    NODES,
    Act,
    Right,
    allowed,
    by_scope,
    lacking,
    refused,
    right_of,
    unproven,
    worst,
)
from failover.errors import AccessRefused
from failover.net.granted import Grants, LinodeToken, linode_token, vultr_permissions
from failover.net.libcloud import Api, Ask

ID_OF_NOTHING = 2**53 - 1
UUID_OF_NOTHING = "00000000-0000-4000-8000-000000000000"

# ------------------------------------------------------------------------------------ DigitalOcean


@dataclass(frozen=True, slots=True, kw_only=True)
class _Try:
    act: Act
    scope: str
    ask: Ask


_DIGITALOCEAN = (
    _Try(
        act=Act.CREATE,
        scope="droplet:create",
        ask=Ask(name="droplets.create", method="POST", path="/v2/droplets", body={}),
    ),
    _Try(
        act=Act.CREATE,
        scope="droplet:update",
        ask=Ask(
            name="droplets.power_on",
            method="POST",
            path=f"/v2/droplets/{ID_OF_NOTHING}/actions",
            body={"type": "power_on"},
        ),
    ),
    _Try(
        act=Act.DESTROY,
        scope="droplet:delete",
        ask=Ask(name="droplets.delete", method="DELETE", path=f"/v2/droplets/{ID_OF_NOTHING}"),
    ),
    _Try(act=Act.OPEN, scope="tag:create", ask=Ask(name="tags.create", method="POST", path="/v2/tags", body={})),
    _Try(
        act=Act.OPEN,
        scope="firewall:create",
        ask=Ask(name="firewalls.create", method="POST", path="/v2/firewalls", body={}),
    ),
    _Try(
        act=Act.OPEN,
        scope="firewall:update",
        ask=Ask(name="firewalls.update", method="PUT", path=f"/v2/firewalls/{UUID_OF_NOTHING}", body={}),
    ),
)
_LET_IN = (400, 404, 422)
"""What an endpoint says that was reached. Its document: the scope of an endpoint "is required to access it"."""


def digitalocean(api: Api) -> tuple[Right, ...]:
    """Source: the OpenAPI document, "How to Authenticate with OAuth", and the `security` of each operation."""
    tried = [right_of(one.act, api.tried(one.ask), _LET_IN, needs=one.scope) for one in _DIGITALOCEAN]
    return tuple(worst([right for right in tried if right.act is act]) for act in NODES)


# ------------------------------------------------------------------------------------ Linode


def linode(api: Api, ours: frozenset[str]) -> tuple[Right, ...]:
    """`ours`: the ids of our Linodes, which a restricted user must have been granted one by one."""
    token = linode_token(api)
    kinds = {Act.CREATE: "linodes", Act.DESTROY: "linodes", Act.OPEN: "firewall"}
    return tuple(_by_token(act, kind, token, ours) for act, kind in kinds.items())


def _by_token(act: Act, kind: str, token: LinodeToken, ours: frozenset[str]) -> Right:
    if says := token.lacks(kind):
        return refused(act, says)
    if token.problem:
        return unproven(act, token.problem)
    return _granted(act, token.grants, ours)


def _granted(act: Act, grants: Grants | None, ours: frozenset[str]) -> Right:
    """Whoever makes a thing may do all with it; what others made has to be granted."""
    if grants is None:
        return allowed(act)
    needs = "add_firewalls" if act is Act.OPEN else "add_linodes"
    if grants.all_of.get(needs) is not True:
        return refused(act, f"its user is restricted, and lacks {needs}")
    held = {str(grant.id) for grant in grants.linode if grant.permissions == "read_write"}
    if act is Act.DESTROY and not ours <= held:
        return refused(act, f"its user is restricted, and may not write Linode {', '.join(sorted(ours - held))}")
    return allowed(act)


# ------------------------------------------------------------------------------------ Vultr


def vultr(api: Api) -> tuple[Right, ...]:
    try:
        held = vultr_permissions(api)
    except AccessRefused as error:
        return lacking(NODES, f"its user may not read the account, which would tell ({error.cause})")
    needs = {Act.CREATE: ("provisioning", "subscriptions"), Act.DESTROY: ("subscriptions",), Act.OPEN: ("firewall",)}
    return tuple(worst([by_scope(act, need, held) for need in wanted]) for act, wanted in needs.items())


# ------------------------------------------------------------------------------------ OpenStack

_NO_POLICY = "OpenStack looks for the thing before it asks its policy; the default policy gives all to one role"


def openstack(api: Api, name: str, service: str) -> tuple[Right, ...]:
    """nova checks the form of a request, then `os_compute_api:servers:create`, then flavor and image. So the form must
    be right: it is that of every real wish, in microversion 2.1.

    Source: https://docs.openstack.org/api-ref/compute/#create-server (400, 403); nova/api/openstack/compute/servers.py
    """
    server = {"name": name, "flavorRef": UUID_OF_NOTHING, "imageRef": UUID_OF_NOTHING}
    ask = Ask(name="compute.servers.create", method="POST", path="/servers", body={"server": server}, service=service)
    create = right_of(Act.CREATE, api.tried(ask), (400,), needs="a role that may create servers, such as `member`")
    return (create, *lacking((Act.DESTROY, Act.OPEN), _NO_POLICY))
