"""The config as plain values, checked and complete. What stands here is ready for wiring; nothing is resolved yet."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from failover.core.model import Service
from failover.net.secret import SecretRef


@dataclass(frozen=True, slots=True, kw_only=True)
class DepotConfig:
    """An S3-compatible bucket. Without keys the provider's own credentials open it."""

    bucket: str
    endpoint: str | None = None
    region: str | None = None
    access_key: SecretRef | None = None
    secret_key: SecretRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderConfig:
    """One account at one provider.

    `credentials` by role (`watch`, `mirror`, perhaps `second`): names as in the file, values that are text or
    references. `options` by kind: local → `nodes_max` (int); openstack → `auth_url`, `project`, `domain`, `network` (or
    None); a kind of another package → all that the file says, with references as SecretRef.
    """

    name: str
    kind: str
    credentials: Mapping[str, Mapping[str, str | SecretRef]] = field(default_factory=dict)
    endpoint: str | None = None
    ca_file: str | None = None
    images: Path | None = None
    depot: DepotConfig | None = None
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostConfig:
    """One DNS host. `options`: the fields of its model in `config.hosts`, under the same names, with lists as tuples
    and references as SecretRef; of a kind of another package all that the file says."""

    name: str
    kind: str
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryConfig:
    """Who is asked about domains: one RDAP service, or those of a list; neither: the registries of IANA's list."""

    url: str | None = None
    bootstrap: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseConfig:
    """What runs on the nodes: the directory, the command, its environment, and secrets by variable name.

    `url`: where the packed directory lies for providers without a depot; `{release}` in it is the digest's hex part.
    """

    path: Path
    command: str
    url: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: Mapping[str, SecretRef] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentConfig:
    """Another vantage: where it is asked, and the key that it shares with the controller."""

    name: str
    url: str
    key: SecretRef
    ca_file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyConfig:
    """One place to tell: a command, or a webhook whose body is signed when there is a secret."""

    command: tuple[str, ...] | None = None
    webhook: str | None = field(default=None, repr=False)
    """Webhook addresses often carry a token: never rendered."""
    secret: SecretRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HooksConfig:
    """The user's own commands around a cutover; a before-hook may veto."""

    before: tuple[tuple[str, ...], ...] = ()
    after: tuple[tuple[str, ...], ...] = ()
    abort: tuple[tuple[str, ...], ...] = ()
    timeout_s: float = 30.0

    @property
    def before_s(self) -> float:
        """How long before-hooks may hold up a cutover."""
        return self.timeout_s if self.before else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything that one file says.

    `path` is the file as it was named. All other paths are absolute: relative ones stand against the file's directory.
    `service.release` is None; its digest is filled in by whoever packs `release`. A control of the local cloud has the
    target `local:NAME`, whose address is only known at run time. `boot_digest` of a group is filled in by whoever reads
    the template of its user-data.
    """

    path: Path
    service: Service
    providers: Mapping[str, ProviderConfig]
    hosts: Mapping[str, HostConfig]
    """In the order of the config, as `service.hosts`."""
    release: ReleaseConfig | None
    state_path: Path
    user_data: Mapping[str, Path]
    """By group its own template for cloud-init; the others use the shipped one."""
    local_root: Path
    allow_addresses: frozenset[str] = frozenset()
    """Link-local and metadata addresses that may be probed all the same."""
    notify: tuple[NotifyConfig, ...] = ()
    hooks: HooksConfig = HooksConfig()
    roots: tuple[str, ...] = ()
    """Where looking up a target's name begins (`ip:port`); (): the public root servers."""
    registry: RegistryConfig = RegistryConfig()
    ping: str | None = field(default=None, repr=False)
    """The dead man's switch; its address is its key: never rendered."""
    agents: Mapping[str, AgentConfig] = field(default_factory=dict)
    """By name: the vantages besides the controller's own."""

    @property
    def local_controls(self) -> tuple[str, ...]:
        """Names of the controls that the local cloud offers."""
        return tuple(
            control.target.removeprefix(LOCAL_CONTROL)
            for control in self.service.controls
            if control.target.startswith(LOCAL_CONTROL)
        )


LOCAL_CONTROL = "local:"
"""How the target of a local control begins."""
