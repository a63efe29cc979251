"""How `failover doctor` calls each credential: by its role, and by where the config says that it stands."""

from collections.abc import Iterator, Mapping

from failover.cli.wiring_clouds import LOCAL, MIRROR, SECOND, WATCH
from failover.config.model import Config, ProviderConfig
from failover.core.doctor_rights import CUT_OVER, DEPOT
from failover.core.rights import Credential
from failover.engine.doctor_rights import Credentials
from failover.net.secret import SecretRef

_PARTS = {"assume_role": "role", "profile": "profile", "token": "", "access_key": "", "username": "", "name": "key"}
"""What tells one credential from another, the most telling first, and the word before it where it may be text."""
_POLICIES = {
    "aws": {WATCH: "aws/watch.json", SECOND: "aws/watch.json", MIRROR: "aws/mirror.json"},
    "route53": {CUT_OVER: "aws/cut-over.json"},
    "rfc2136": {CUT_OVER: "bind.conf"},
    "powerdns": {CUT_OVER: "powerdns.lua"},
}
_OWN_FILE = ("digitalocean", "linode", "vultr", "hetzner", "openstack", "cloudflare", "gandi")
"""Kinds whose file has every role."""


def credentials_of(config: Config) -> Credentials:
    """By managed site and role, and by DNS host. Nothing is resolved."""
    return Credentials(known=dict(_known(config)))


def _known(config: Config) -> Iterator[tuple[tuple[str, str], Credential]]:
    for site in config.service.sites:
        if site.given:
            continue
        provider = config.providers[site.provider or ""]
        for role in (WATCH, MIRROR, SECOND):
            yield (site.name, role), _credential(role, provider.name, provider.kind, _held(provider, role))
        keys = provider.depot.access_key if provider.depot is not None else None
        reference = _held(provider, MIRROR) if keys is None else str(keys)
        yield (site.name, DEPOT), _credential(MIRROR, provider.name, provider.kind, reference)
    for host in config.hosts.values():
        used = host.options.get("credentials") or host.options.get("tsig")
        reference = _reference(used, host.kind) if isinstance(used, Mapping) else "its key"
        yield (host.name, CUT_OVER), _credential(CUT_OVER, host.name, host.kind, reference)


def _credential(role: str, place: str, kind: str, reference: str) -> Credential:
    policy = f"{kind}.yaml" if kind in _OWN_FILE else _POLICIES.get(kind, {}).get(role, "")
    return Credential(role=WATCH if role == SECOND else role, place=place, reference=reference, policy=policy)


def _held(provider: ProviderConfig, role: str) -> str:
    if provider.kind == LOCAL:
        return f"the token to {role}"
    return _reference(provider.credentials.get(role, {}), provider.kind)


def _reference(said: Mapping[str, object], kind: str) -> str:
    """`profile gb-read`, `env DIGITALOCEAN_TOKEN`: references as they are, names as they are said, no value."""
    for part, word in _PARTS.items():
        found = said.get(part)
        if isinstance(found, SecretRef):
            return str(found)
        if isinstance(found, str) and word:
            return f"{word} {found}"
    default = kind in ("aws", "route53") and not any(said.values())
    return "the default credential of AWS's tools" if default else "its credential"
