"""What Linode and Vultr tell of the credential that asks: alike for nodes and for records."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from failover.errors import AdapterError, Unreadable
from failover.net.libcloud import Api, Ask

_EVERYTHING = "*"


class _Profile(msgspec.Struct):
    restricted: bool


class Grant(msgspec.Struct):
    """What a restricted user may do with one thing. `permissions`: read_only, read_write; null: nothing."""

    id: int
    label: str
    permissions: str | None


class Grants(msgspec.Struct):
    """What a restricted user may do. `all_of` are the rights that are about no single thing: `add_linodes`, …

    A document without one of them tells nothing, which is not the same as nothing granted.
    """

    all_of: dict[str, object] = msgspec.field(name="global")
    linode: list[Grant]
    domain: list[Grant]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinodeToken:
    """`scopes`: of the token. `grants`: of its user where that one is restricted; `problem`: why they are not known."""

    scopes: frozenset[str]
    grants: Grants | None = None
    problem: str = ""

    def lacks(self, kind: str) -> str:
        """Why the token may not write this kind of thing, whoever its user is; "" if it may."""
        if {_EVERYTHING, f"{kind}:*", f"{kind}:read_write"} & self.scopes:
            return ""
        return f"it needs the scope {kind}:read_write, and has {', '.join(sorted(self.scopes)) or 'none'}"


def linode_token(api: Api) -> LinodeToken:
    """The scopes stand in a header of every answer; every token may read the profile. Raises AdapterError.

    Source: https://techdocs.akamai.com/linode-api/reference/response-headers (X-OAuth-Scopes), get-profile
    (`restricted`), get-profile-grants
    """
    profile = api.get(Ask(name="profile.get", path="/v4/profile"), _Profile)
    headers: Mapping[str, str] = api.line.answer.headers if api.line.answer is not None else {}
    said = headers.get("X-OAuth-Scopes")
    if said is None:
        raise Unreadable(api.operation, api.object, "an answer without X-OAuth-Scopes")
    scopes = frozenset(filter(None, re.split(r"[\s,]+", said)))
    if not profile.restricted:
        return LinodeToken(scopes=scopes)
    try:
        grants = api.get(Ask(name="profile.grants", path="/v4/profile/grants"), Grants)
    except AdapterError as error:
        return LinodeToken(scopes=scopes, problem=f"its user is restricted, and to what is not told ({error.cause})")
    return LinodeToken(scopes=scopes, grants=grants)


class _Acls(msgspec.Struct):
    acls: list[str]


class _Account(msgspec.Struct):
    account: _Acls


def vultr_permissions(api: Api) -> frozenset[str]:
    """Of the user whose key this is. Raises AdapterError: some users may not read the account.

    Source: https://www.vultr.com/api/#operation/get-account (`acls`)
    """
    found = frozenset(api.get(Ask(name="account.get", path="/v2/account"), _Account).account.acls)
    if not found:
        raise Unreadable(api.operation, api.object, "an account without `acls`")
    return found
