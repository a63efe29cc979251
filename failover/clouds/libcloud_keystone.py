"""Signing in to OpenStack (keystone v3) for libcloud: a token that all drivers share, and questions about it.

libcloud's own sign-in wants the user's domain by name and the project's by id, here both are by name. It also takes a
token for good whose catalog it could not read.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from libcloud.common.openstack_identity import OpenStackAuthenticationCache, OpenStackIdentity_3_0_Connection

_TOKEN_MARGIN = timedelta(seconds=30)


class Tokens(OpenStackAuthenticationCache):
    """The project's token, shared by all drivers of a cloud."""

    def __init__(self) -> None:
        self._contexts: dict[Any, Any] = {}

    def get(self, key: Any) -> Any:
        return self._contexts.get(key)

    def put(self, key: Any, context: Any) -> None:
        self._contexts[key] = context

    def clear(self, key: Any) -> None:
        self._contexts.pop(key, None)

    def held(self) -> str | None:
        """The token that is still good by its date."""
        for context in tuple(self._contexts.values()):
            if _fresh(context.expiration):
                return str(context.token)
        return None


class SignIn(OpenStackIdentity_3_0_Connection):
    """libcloud's sign-in by password, with the project's domain by name; asked itself, it asks about its token."""

    auth_cache: Tokens

    def _get_auth_data(self) -> dict[str, object]:
        domain = {"name": self.domain_name}
        user = {"name": self.user_id, "domain": domain, "password": self.key}
        return {
            "auth": {
                "identity": {"methods": ["password"], "password": {"user": user}},
                "scope": {"project": {"name": self.tenant_name, "domain": domain}},
            }
        }

    def is_token_valid(self) -> bool:
        return bool(self.auth_token) and bool(self.urls) and _fresh(self.auth_token_expires)

    def add_default_headers(self, headers: dict[str, str]) -> dict[str, str]:
        headers = super().add_default_headers(headers)  # type: ignore[no-untyped-call]
        token = self.auth_cache.held()
        if self.method == "GET" and token is not None:  # the sign-in itself is a POST, and takes no token
            headers.setdefault("X-Auth-Token", token)
            headers.setdefault("X-Subject-Token", token)
        return headers


def _fresh(expires: datetime | None) -> bool:
    now = datetime.now(UTC)  # noqa: TID251 - a token ends by the date that keystone wrote into it
    return expires is not None and now + _TOKEN_MARGIN < expires
