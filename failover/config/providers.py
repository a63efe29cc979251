"""The shape of `providers`: one model per kind, and what every kind with an API may say.

To add a kind, write its model with a `kind` of its own, add it to `Provider` and to `SHIPPED`. Kinds of other packages
need no model: what their entries say is handed on.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from failover.config.findings import listed, suggestion
from failover.config.shapes import Filled, Model, SecretReference, Url, Word, wrong

TOKEN_KINDS = ("digitalocean", "linode", "vultr", "hetzner")
SHIPPED = ("local", "aws", *TOKEN_KINDS, "openstack")
PLUGINS = "failover.clouds"
"""The group of entry points by which other packages add kinds."""
OTHER, ONE, ROLES, TOKEN_KIND = "[other]", "[one]", "[roles]", "[token]"
"""Marks that pydantic puts into places; no key of a config looks like them."""

# ---------------------------------------------------------------------------------------------- credentials


class AwsCredentials(Model):
    """A profile of the AWS configuration, or keys, or neither: then what AWS's own tools would use here."""

    profile: Filled | None = None
    access_key: SecretReference | None = None
    secret_key: SecretReference | None = None
    session_token: SecretReference | None = None
    assume_role: Filled | None = Field(default=None, description="the ARN of a role that is taken on with the rest")
    external_id: Filled | None = Field(default=None, description="what that role may ask for")

    @model_validator(mode="after")
    def _check(self) -> "AwsCredentials":
        if (self.access_key is None) != (self.secret_key is None):
            raise ValueError("needs access_key and secret_key together")
        if self.profile is not None and self.access_key is not None:
            raise wrong("profile", "has no meaning beside access_key")
        if self.session_token is not None and self.access_key is None:
            raise wrong("session_token", "has a meaning beside access_key only")
        if self.external_id is not None and self.assume_role is None:
            raise wrong("external_id", "has a meaning beside assume_role only")
        return self


class Token(Model):
    """An API token."""

    token: SecretReference


class Password(Model):
    """A user of the identity service."""

    username: SecretReference
    password: SecretReference


_SECOND = "issued independently, only reads: tells a closed account from a replaced credential"


class AwsRoles(Model):
    """One credential for watching, which only reads, and one for mirroring."""

    watch: AwsCredentials
    mirror: AwsCredentials
    second: AwsCredentials | None = Field(default=None, description=_SECOND)


class TokenRoles(Model):
    """One token for watching, which only reads, and one for mirroring."""

    watch: Token
    mirror: Token
    second: Token | None = Field(default=None, description=_SECOND)


class PasswordRoles(Model):
    """One user for watching, which only reads, and one for mirroring."""

    watch: Password
    mirror: Password
    second: Password | None = Field(default=None, description=_SECOND)


def _by_role(value: object) -> str:
    return ROLES if isinstance(value, dict) and not {"watch", "mirror", "second"}.isdisjoint(value) else ONE


# ---------------------------------------------------------------------------------------------- kinds


class Depot(Model):
    """Where nodes fetch the release and their environment: an S3-compatible bucket, best at the same provider."""

    bucket: Filled
    endpoint: Url | None = Field(default=None, description="its S3 address; default, for aws only: AWS's own")
    region: Word | None = Field(default=None, description="default: the site's")
    access_key: SecretReference | None = Field(default=None, description="default, for aws only: its credentials")
    secret_key: SecretReference | None = None

    @model_validator(mode="after")
    def _check(self) -> "Depot":
        if (self.access_key is None) != (self.secret_key is None):
            raise ValueError("needs access_key and secret_key together")
        return self


class LocalProvider(Model):
    """A cloud on this machine."""

    kind: Literal["local"]
    nodes_max: int = Field(default=20, ge=1, le=1000, description="quota: how many nodes the account may have")


class Remote(Model):
    """What every provider with an API may say."""

    endpoint: Url | None = Field(default=None, description="another address of its API: a private cloud, a test")
    images: Filled | None = Field(default=None, description="a file with more image names, beside the shipped ones")
    depot: Depot | None = None


class ForeignDepot(Remote):
    """A provider whose credentials do not open a bucket."""

    ca_file: Filled | None = Field(
        default=None, description="what to trust at `endpoint`; default: what this machine does"
    )

    @model_validator(mode="after")
    def _check(self) -> "ForeignDepot":
        depot = self.depot
        if depot is not None and (depot.endpoint is None or depot.access_key is None):
            raise wrong("depot", "needs endpoint, access_key and secret_key")
        return self


class AwsProvider(Remote):
    """Amazon EC2."""

    kind: Literal["aws"]
    subnets: list[Word] = Field(default=[], description="where nodes stand; default: the region's default ones")
    credentials: Annotated[
        Annotated[AwsCredentials, Tag(ONE)] | Annotated[AwsRoles, Tag(ROLES)], Discriminator(_by_role)
    ] = AwsCredentials()


class TokenProvider(ForeignDepot):
    """A provider whose API takes a token."""

    kind: Literal["digitalocean", "linode", "vultr", "hetzner"]
    credentials: Annotated[Annotated[Token, Tag(ONE)] | Annotated[TokenRoles, Tag(ROLES)], Discriminator(_by_role)]


class OpenStackProvider(ForeignDepot):
    """An OpenStack cloud, OVH's among them."""

    kind: Literal["openstack"]
    auth_url: Url = Field(description="its identity service, such as https://auth.example.net/v3")
    project: Filled
    domain: Filled = Field(default="Default", description="of the user and the project")
    network: Filled | None = Field(default=None, description="the network that nodes get; default: the only public one")
    credentials: Annotated[
        Annotated[Password, Tag(ONE)] | Annotated[PasswordRoles, Tag(ROLES)], Discriminator(_by_role)
    ]


def installed_kinds() -> tuple[str, ...]:
    """Kinds that other packages add."""
    from importlib.metadata import entry_points  # slow, and few need it

    return tuple(sorted(entry_points(group=PLUGINS).names))


def _installed(kind: str) -> str:
    others = installed_kinds()
    if kind in others:
        return kind
    known = (*SHIPPED, *others)
    raise ValueError(f"must be one of {listed(known)}{suggestion(kind, known)}")


class OtherProvider(Model):
    """A provider of a kind that another package adds. Its factory gets the other keys, references resolved."""

    model_config = ConfigDict(extra="allow")

    kind: Annotated[str, AfterValidator(_installed)]


def _kind(value: object) -> str:
    kind = value.get("kind") if isinstance(value, dict) else None
    if kind in TOKEN_KINDS:
        return TOKEN_KIND
    return kind if isinstance(kind, str) and kind in SHIPPED else OTHER


Provider = Annotated[
    Annotated[LocalProvider, Tag("local")]
    | Annotated[AwsProvider, Tag("aws")]
    | Annotated[TokenProvider, Tag(TOKEN_KIND)]
    | Annotated[OpenStackProvider, Tag("openstack")]
    | Annotated[OtherProvider, Tag(OTHER)],
    Discriminator(_kind),
]
