"""The shape of `dns.hosts`: one model per kind.

To add a kind, write its model with a `kind` of its own, add it to `Host` and to `SHIPPED`. Its fields reach the wiring
under the same names (`HostConfig.options`). Kinds of other packages need no model: what their entries say is handed on.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from failover.config.checks import Tls
from failover.config.findings import listed, suggestion
from failover.config.providers import OTHER, AwsCredentials, Token
from failover.config.shapes import (
    Domain,
    DurationAboveZero,
    EdgeUrl,
    Filled,
    HeaderName,
    HostPort,
    Model,
    RecordName,
    SecretReference,
    SiteHeader,
    Url,
    Word,
    wrong,
)

API_KINDS = ("digitalocean", "linode", "vultr", "gandi")
SHIPPED = ("local", "rfc2136", "route53", "powerdns", "cloudflare", *API_KINDS, "octodns")
USUAL_GRADES = {
    "local": 1,
    "rfc2136": 1,
    "route53": 1,
    "cloudflare": 2,
    "powerdns": 3,
    "octodns": 3,
    **dict.fromkeys(API_KINDS, 3),
}
"""Fencing grades of the shipped kinds; what a host says itself counts, but it must be asked for that."""
PLUGINS = "failover.dns"
"""The group of entry points by which other packages add kinds."""


class Tsig(Model):
    """The key that signs updates."""

    name: Domain
    algorithm: Literal["hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512"] = "hmac-sha256"
    secret: SecretReference


class LocalHost(Model):
    """An authoritative name server on this machine."""

    kind: Literal["local"]


class Rfc2136Host(Model):
    """A name server that takes dynamic updates (RFC 2136)."""

    kind: Literal["rfc2136"]
    server: HostPort = Field(description="takes the updates, address:port")
    servers: list[HostPort] | None = Field(
        default=None, min_length=1, description="all servers that answer with authority; default: server"
    )
    tsig: Tsig | None = None


class Route53Host(Model):
    """Public hosted zones of Amazon Route 53."""

    kind: Literal["route53"]
    zone_ids: dict[Domain, Word] = Field(
        default={}, description="the hosted zone's id, by zone, where the account has several of one name"
    )
    servers: list[HostPort] | None = Field(
        default=None, min_length=1, description="its name servers; default: those of the zone's delegation set"
    )
    endpoint: Url | None = Field(default=None, description="another address of its API: a test")
    credentials: AwsCredentials = AwsCredentials()


class PowerDnsHost(Model):
    """A PowerDNS authoritative server, by its HTTP API."""

    kind: Literal["powerdns"]
    endpoint: Url = Field(description="where its web server listens, such as https://ns1.example.net:8081")
    servers: list[HostPort] = Field(min_length=1, description="all servers that answer with authority")
    server_id: Word = Field(default="localhost", description="what the API calls the server")
    ca_file: Filled | None = Field(
        default=None, description="what to trust at `endpoint`; default: what this machine does"
    )
    credentials: Token = Field(description="`token` is the API key")


def _class_path(value: str) -> str:
    if "." not in value or not all(part.isidentifier() for part in value.split(".")):
        raise ValueError("must be PACKAGE.CLASS, such as octodns_powerdns.PowerDnsProvider")
    return value


class OctodnsHost(Model):
    """Any DNS host that octoDNS has a provider for."""

    kind: Literal["octodns"]
    provider: Annotated[str, AfterValidator(_class_path)] = Field(
        alias="class", description="octoDNS's provider class, such as octodns_powerdns.PowerDnsProvider"
    )
    options: dict[Filled, Any] = Field(default={}, description="what its constructor takes, as octoDNS documents it")
    credentials: dict[Filled, SecretReference] = Field(default={}, description="of these options those that are secret")
    servers: list[HostPort] = Field(min_length=1, description="all servers that answer with authority")
    converges: DurationAboveZero = Field(
        default="60s", validate_default=True, description="how long its servers may differ after a change"
    )
    ttl_min: int = Field(default=1, ge=1, le=86400, description="the shortest TTL that it takes, in seconds")

    @model_validator(mode="after")
    def _check(self) -> "OctodnsHost":
        if "id" in (self.options.keys() | self.credentials.keys()):
            raise wrong("options", "cannot hold `id`, which failover gives")
        return self


class WithToken(Model):
    """What every DNS host says whose API takes a token."""

    credentials: Token
    servers: list[HostPort] | None = Field(
        default=None, min_length=1, description="all servers that answer with authority; default: the provider's own"
    )
    endpoint: Url | None = Field(default=None, description="another address of its API: a test")
    ca_file: Filled | None = Field(
        default=None, description="what to trust at `endpoint`; default: what this machine does"
    )


class ApiHost(WithToken):
    """A DNS host that takes a token and nothing else."""

    kind: Literal["digitalocean", "linode", "vultr", "gandi"]


EDGE_S = 300.0
"""Changes of proxied records "take place within five minutes or less" (Cloudflare's documents: Proxied DNS records)."""


class Edge(Model):
    """The question that shows which site a host's own servers pass requests on to."""

    url: EdgeUrl = Field(description="asked through the edge for each proxied name, which {name} stands for")
    header: HeaderName = Field(default="X-Failover-Site", description="of the answer: it names the site")
    expect: SiteHeader = Field(default="{site}", validate_default=True, description="what the header must say")
    timeout: DurationAboveZero = Field(default="4s", validate_default=True)
    tls: Tls | None = None

    @model_validator(mode="after")
    def _check(self) -> "Edge":
        if self.tls is not None and self.url.scheme != "https":
            raise wrong("tls", "has no meaning without https")
        return self


class CloudflareHost(WithToken):
    """Cloudflare."""

    kind: Literal["cloudflare"]
    plan: Literal["free", "pro", "business", "enterprise"] = Field(
        default="free", description="of the zones: how many changes are one transaction, and how short a TTL may be"
    )
    proxied: list[RecordName] = Field(default=[], description="records that stand behind Cloudflare's edge")
    edge: Edge | None = Field(default=None, description="how it is seen which site the edge passes requests on to")

    @model_validator(mode="after")
    def _check(self) -> "CloudflareHost":
        if self.proxied and self.edge is None:
            why = "name servers answer Cloudflare's addresses, so a change is proven by a request through its edge"
            raise wrong("proxied", f"needs `edge` beside it: {why}")
        if self.edge is not None and not self.proxied:
            raise wrong("edge", "has a meaning for `proxied` names only")
        return self


def _installed(kind: str) -> str:
    from importlib.metadata import entry_points  # slow, and few need it

    others = tuple(sorted(entry_points(group=PLUGINS).names))
    if kind in others:
        return kind
    known = (*SHIPPED, *others)
    raise ValueError(f"must be one of {listed(known)}{suggestion(kind, known)}")


class OtherHost(Model):
    """A DNS host of a kind that another package adds. Its factory gets the other keys, references resolved."""

    model_config = ConfigDict(extra="allow")

    kind: Annotated[str, AfterValidator(_installed)]


def _kind(value: object) -> str:
    """The tag of the model; a model of several kinds has one of them as its tag."""
    kind = value.get("kind") if isinstance(value, dict) else None
    if kind in API_KINDS:
        return API_KINDS[0]
    return kind if isinstance(kind, str) and kind in SHIPPED else OTHER


Host = Annotated[
    Annotated[LocalHost, Tag("local")]
    | Annotated[Rfc2136Host, Tag("rfc2136")]
    | Annotated[Route53Host, Tag("route53")]
    | Annotated[PowerDnsHost, Tag("powerdns")]
    | Annotated[OctodnsHost, Tag("octodns")]
    | Annotated[CloudflareHost, Tag("cloudflare")]
    | Annotated[ApiHost, Tag(API_KINDS[0])]
    | Annotated[OtherHost, Tag(OTHER)],
    Discriminator(_kind),
]
