"""Where a provider's depot is, as a config says it. What talks to it loads AWS's library, so it stands elsewhere."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class DepotSettings:
    """Where a provider's depot is. Without `endpoint` it is at AWS; without keys the account's own are used."""

    bucket: str
    region: str | None = None
    endpoint: str | None = None
    access_key: str | None = None
    secret_key: str | None = field(default=None, repr=False)
    prefix: str = "failover"
