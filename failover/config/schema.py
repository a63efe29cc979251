"""The shape of `failover.yaml`, as pydantic models.

Providers stand in `providers`, DNS hosts in `hosts`, checks in `checks`, announced times in `windows`.
What refers to something else is checked in `references`.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError, model_validator

from failover.config import units
from failover.config.checks import Check
from failover.config.hosts import Host
from failover.config.providers import Provider
from failover.config.shapes import (
    Argv,
    CommandLine,
    Domain,
    Duration,
    DurationAboveZero,
    Filled,
    Gibibytes,
    HostPort,
    Label,
    LiteralAddress,
    Mebibytes,
    Model,
    Port,
    RecordName,
    RecordTypes,
    ReleaseUrl,
    SecretReference,
    SshKey,
    Url,
    Variable,
    Word,
    one_of,
    wrong,
)
from failover.config.windows import Maintenance

# ---------------------------------------------------------------------------------------------- where it runs


class Runner(Model):
    """How often a check runs, and where: never at a provider that is guarded against."""

    every: DurationAboveZero = Field(default="60s", validate_default=True)
    rounds: int = Field(
        default=1, ge=1, le=60, description="how many rounds one check makes, spread over `every` (cron: 60s)"
    )
    provider: Label | None = None
    ping: Url | None = Field(
        default=None, description="a dead man's switch: asked for …/start before a check and …/EXIT STATUS after it"
    )
    call_timeout: DurationAboveZero = Field(
        default="5s", validate_default=True, description="for each call to a provider or DNS host within a check"
    )
    node_timeout: DurationAboveZero | None = Field(
        default=None, description="until a new node must serve; default: 2m, at providers elsewhere 5m"
    )
    allow_addresses: list[LiteralAddress] = Field(
        default=[], description="link-local or metadata addresses that may be probed all the same"
    )


class Site(Model):
    """One place where the service can run: managed at a provider, or given by its addresses or targets."""

    provider: Label | None = None
    region: Word | None = None
    standby: Literal["hot", "warm", "cold"] = Field(
        default="hot", description="hot: full count serving; warm: warm_count serving; cold: only checked"
    )
    addresses: dict[Label, Annotated[list[LiteralAddress], Field(min_length=1)]] | None = Field(
        default=None, min_length=1, description="by group of nodes, when somebody else provisions the site"
    )
    targets: dict[RecordName, Domain] | None = Field(
        default=None,
        min_length=1,
        description="by record the host name of a load balancer, when somebody else provisions the site",
    )

    @property
    def given(self) -> bool:
        return self.addresses is not None or self.targets is not None

    @model_validator(mode="after")
    def _check(self) -> "Site":
        if not self.given and self.provider is None:
            raise ValueError("needs a provider, or addresses if somebody else provisions it")
        if self.given and self.standby != "hot":
            raise wrong("standby", "must be hot where addresses or targets are given")
        return self


class Release(Model):
    """What runs on the nodes."""

    path: Filled = Field(description="the directory that is sent to the nodes, relative to this file")
    url: ReleaseUrl | None = Field(
        default=None, description="a tar.gz of that directory, for providers without a depot; {release} is its digest"
    )
    run: CommandLine = Field(description="the command that serves it; no shell runs it")
    env: dict[Variable, str] = Field(default={})
    secrets: dict[Variable, SecretReference] = Field(default={})


class NodeGroup(Model):
    """Nodes of one kind: how many, and what each needs."""

    count: int = Field(ge=1, le=1000)
    warm_count: int = Field(default=1, ge=1, le=1000, description="how many serve at a warm site")
    cpus: int = Field(default=1, ge=1, le=1024)
    memory: Mebibytes = Field(default="512MiB", validate_default=True)
    disk: Gibibytes = Field(default="1GiB", validate_default=True)
    image: Word = "debian-12"
    ports: list[Port] = Field(default=[])
    ssh_keys: list[SshKey] = Field(default=[], description="public keys, as they stand in authorized_keys")
    user_data: Filled | None = Field(
        default=None, description="a template for cloud-init, relative to this file; default: the shipped one"
    )

    @model_validator(mode="after")
    def _check(self) -> "NodeGroup":
        if "warm_count" in self.model_fields_set and self.warm_count > self.count:
            raise wrong("warm_count", f"is more than count ({self.count})")
        return self


# ---------------------------------------------------------------------------------------------- dns


class Record(Model):
    """A name that follows the active site."""

    type: RecordTypes = Field(description="A, AAAA, or both: [A, AAAA]")
    nodes: Label = Field(description="the group whose addresses it holds")


class Registry(Model):
    """Who is asked about domains by `failover doctor dns`; default: the registries that IANA's list names."""

    url: Url | None = Field(default=None, description="one RDAP service for all domains")
    bootstrap: Filled | None = Field(default=None, description="a file of the form of IANA's list (RFC 9224)")

    @model_validator(mode="after")
    def _check(self) -> "Registry":
        if self.url is not None and self.bootstrap is not None:
            raise wrong("bootstrap", "has no meaning beside url, which answers for all domains")
        return self


class Dns(Model):
    """The names that follow the active site, and where they are hosted."""

    zones: list[Domain] = Field(min_length=1)
    ttl: int = Field(default=60, ge=1, le=86400, description="seconds")
    ttl_steady: int | None = Field(
        default=None, ge=1, le=86400, description="seconds, in quiet times; lowered to ttl ahead of a cutover"
    )
    resolvers: list[Annotated[str, AfterValidator(lambda value: units.host_port(value, 53))]] = Field(
        default=[], description="caching resolvers that are asked after a change whether the world sees it"
    )
    roots: list[Annotated[str, AfterValidator(lambda value: units.host_port(value, 53))]] = Field(
        default=[], description="name servers at which looking up targets begins; default: the public root servers"
    )
    lost_after: DurationAboveZero = Field(
        default="30s", validate_default=True, description="a host that has not taken a change by then becomes a debt"
    )
    hosts: dict[Label, Host] = Field(min_length=1)
    records: dict[RecordName, Record] = Field(min_length=1)
    registry: Registry = Registry()

    @model_validator(mode="after")
    def _check(self) -> "Dns":
        if self.ttl_steady is not None and self.ttl_steady < self.ttl:
            raise wrong("ttl_steady", f"is shorter than ttl ({self.ttl})")
        return self


# ---------------------------------------------------------------------------------------------- watching


class Control(Model):
    """An unrelated target that shows our own isolation."""

    tcp: HostPort | None = None
    http: Url | None = None
    dns: Annotated[str, AfterValidator(lambda value: units.host_port(value, 53))] | None = None
    local: Label | None = Field(default=None, description="a control of the local cloud")
    name: Domain | None = Field(default=None, description="for dns: the name to ask for")
    provider: Label
    timeout: DurationAboveZero = Field(default="2s", validate_default=True)

    @model_validator(mode="after")
    def _check(self) -> "Control":
        kind = one_of(self, ("tcp", "http", "dns", "local"))
        if kind == "dns" and self.name is None:
            raise wrong("dns", "needs `name` beside it: what to ask for")
        if kind != "dns" and self.name is not None:
            raise wrong("name", "has a meaning for a dns control only")
        return self


class Vantage(Model):
    """A place that watches. The one without `agent` is the controller itself."""

    provider: Label = Field(description="where it stands: it has no vote on sites of that provider")
    agent: Url | None = Field(default=None, description="where its `failover vantage serve` is asked")
    key: SecretReference | None = Field(default=None, description="signs questions and answers; both sides hold it")
    ca_file: Filled | None = Field(default=None, description="trusts the agent's certificate; default: the system's")

    @model_validator(mode="after")
    def _check(self) -> "Vantage":
        if self.agent is not None and self.key is None:
            raise wrong("agent", "needs `key` beside it: what its answers are signed with")
        if self.agent is None and self.key is not None:
            raise wrong("key", "has a meaning with `agent` only")
        if self.ca_file is not None and (self.agent is None or not self.agent.startswith("https:")):
            raise wrong("ca_file", "has a meaning with an https `agent` only")
        return self


class Quorum(Model):
    """Who must agree before anything moves."""

    single: Literal["accept"] | None = Field(
        default=None, description="accept: one vantage may act alone, and the owner takes the risk"
    )
    vantages: dict[Label, Vantage] = Field(default={})
    need: int = Field(default=1, ge=1, description="so many vantages at different providers must find a site down")


# ---------------------------------------------------------------------------------------------- acting


class Reaction(Model):
    """What happens on a verdict, once it has stood for `confirm`."""

    action: Literal["cutover", "ask", "page", "hold"] | None = None
    confirm: Duration | None = None


class Policy(Model):
    """What may happen without a person, and how soon."""

    account_closed: Reaction = Reaction()
    provider_down: Reaction = Reaction()
    resources_gone: Reaction = Reaction()
    app_down: Reaction = Reaction()
    unexplained_down: Reaction = Reaction()
    cooldown: Duration | None = None
    daily_limit: int | None = Field(default=None, ge=1, le=1000)
    failback: Literal["manual"] = "manual"
    all_down: Literal["hold"] = "hold"
    min_grade: int | None = Field(default=None, ge=1, le=3)
    retry_after: Duration | None = None
    ask_expires: DurationAboveZero | None = None
    unknown_page_after: Duration | None = None
    tilt: Duration | None = None
    flap_limit: int | None = Field(default=None, ge=2, le=1000, description="changes between UP and DOWN")
    flap_window: DurationAboveZero | None = Field(default=None, description="within which flap_limit counts")


class Notify(Model):
    """One place to tell."""

    command: Argv | None = None
    webhook: Url | None = None
    secret: SecretReference | None = Field(default=None, description="signs the body of the webhook")

    @model_validator(mode="after")
    def _check(self) -> "Notify":
        if one_of(self, ("command", "webhook")) == "command" and self.secret is not None:
            raise wrong("secret", "has a meaning for a webhook only")
        return self


class Hooks(Model):
    """The user's own commands around a cutover."""

    before: list[Argv] = Field(default=[], description="may veto by exiting with another code than 0")
    after: list[Argv] = Field(default=[])
    abort: list[Argv] = Field(default=[], description="run when a cutover is unwound")
    timeout: DurationAboveZero = Field(default="30s", validate_default=True)


class Local(Model):
    """The embedded cloud."""

    root: Filled = ".failover/local"


def _sqlite(value: str) -> str:
    """The only store that this version knows."""
    if not value.startswith("sqlite:") or len(value) == len("sqlite:") or "\0" in value:
        raise ValueError("must be sqlite:PATH; this version knows no other store")
    return value


class File(Model):
    """One service, as it should be: where it runs, how it is watched, and what may happen."""

    version: Literal[1]
    service: Label
    runner: Runner = Field(default_factory=Runner)
    providers: dict[Label, Provider] = Field(default={})
    sites: dict[Label, Site] = Field(min_length=1, description="in order of preference")
    release: Release | None = None
    nodes: dict[Label, NodeGroup] = Field(default={})
    dns: Dns
    checks: dict[Label, Check] = Field(min_length=1)
    controls: list[Control] = Field(default=[])
    quorum: Quorum | None = None
    policy: Policy = Policy()
    maintenance: list[Maintenance] = Field(default=[], description="announced times in which nothing moves by itself")
    state: Annotated[str, AfterValidator(_sqlite)] = "sqlite:.failover/state.db"
    notify: list[Notify] = Field(default=[])
    hooks: Hooks = Field(default_factory=Hooks)
    local: Local = Local()


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the file."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **File.model_json_schema()}


def validate(data: object) -> "tuple[File | None, list[Any]]":
    """The file, or what is wrong with it: pydantic's error details (`type`, `loc`, `ctx`, `input`, `msg`)."""
    try:
        return File.model_validate(data), []
    except ValidationError as error:
        return None, [*error.errors(include_url=False)]
