"""boto3 as every AWS adapter uses it: one store of service models, own timeouts, no repetitions of botocore's own.

Clients may be shared between threads. What a client raises becomes an `Answer` and one of our errors in `asked`.
"""

import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
import botocore.loaders
import botocore.session
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from failover import __version__
from failover.core.reading import Answer
from failover.errors import Unreadable
from failover.net.answers import error_of, from_botocore
from failover.net.aws_http import bound, within
from failover.net.calls import Deadline, repeat
from failover.net.secret import remember

if TYPE_CHECKING:
    from mypy_boto3_account import AccountClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_route53 import Route53Client
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_service_quotas import ServiceQuotasClient
    from mypy_boto3_sts import STSClient

PAGES_MAX = 1000
_LOADER = botocore.loaders.create_loader()
"""Service models are read from disk once, whatever the number of sessions."""
_SESSION_NAME = "failover"
_RAISED = (ClientError, BotoCoreError, ResponseParserError)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsCredentials:
    """Who asks. Without any, what AWS's own tools would use: environment, shared files, the machine's role.

    `assume_role` is the ARN of a role that is taken on with the rest; `external_id` is what that role may ask for.
    """

    profile: str | None = None
    access_key: str | None = None
    secret_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    assume_role: str | None = None
    external_id: str | None = None


class AwsClients:
    """The clients of one account and region, each made when it is first asked for.

    `endpoint` stands in for every service's own address (a private cloud, a test server). `timeout_s` bounds each wait
    for the network, and the reading of an answer where no deadline is given. `provider` is what answers are attributed
    to: S3 is spoken by others as well.
    """

    def __init__(
        self,
        credentials: AwsCredentials,
        *,
        region: str,
        endpoint: str | None = None,
        timeout_s: float = 5.0,
        provider: str = "aws",
    ) -> None:
        self.region = region
        self.endpoint = endpoint
        self.provider = provider
        self._credentials = credentials
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._session: boto3.Session | None = None
        self._clients: dict[tuple[str, str], Any] = {}
        self.close = weakref.finalize(self, _close, self._clients)
        """Ends every connection; happens by itself with the last reference."""

    def ec2(self, region: str | None = None) -> "EC2Client":
        client: EC2Client = self._client("ec2", region)
        return client

    def s3(self) -> "S3Client":
        client: S3Client = self._client("s3")
        return client

    def sts(self) -> "STSClient":
        client: STSClient = self._client("sts")
        return client

    def account(self) -> "AccountClient":
        """The Account Management API is one for all regions of a partition."""
        client: AccountClient = self._client("account")
        return client

    def quotas(self) -> "ServiceQuotasClient":
        client: ServiceQuotasClient = self._client("service-quotas")
        return client

    def route53(self) -> "Route53Client":
        client: Route53Client = self._client("route53")
        return client

    def answer(self, error: Exception, operation: str) -> Answer:
        """What one of these clients raised. `operation`: `service.Operation`."""
        if isinstance(error, ClientError) and error.operation_name == "AssumeRole":
            operation = "sts.AssumeRole"  # on the way to the operation, by the credentials
        return from_botocore(error, self.provider, operation)

    def asked(
        self,
        operation: str,
        do: Callable[[], T],
        what: str,
        object: str = "",
        hint: str = "",
        *,
        deadline: Deadline | None = None,
    ) -> T:
        """`do()`, one attempt. `operation`: `service.Operation`; `what` and `object` in our own words.

        Answers are read until the `deadline`. Raises the AdapterError for whatever the client raised.
        """
        try:
            with within(deadline):
                return do()
        except _RAISED as error:
            failure = error_of(self.answer(error, operation), what, object, hint)
            raise failure from failure.__cause__

    def _client(self, service: str, region: str | None = None) -> Any:
        place = (service, region or self.region)
        with self._lock:  # neither sessions nor the making of clients are safe for threads
            if place not in self._clients:
                self._session = self._session or _session(
                    self._credentials, self.region, self._config("sts"), self.endpoint
                )
                client = self._session.client(  # type: ignore[call-overload] # the name is a variable
                    service, region_name=place[1], endpoint_url=self.endpoint, config=self._config(service)
                )
                self._clients[place] = bound(client)
            return self._clients[place]

    def _config(self, service: str) -> Config:
        config = Config(
            connect_timeout=self._timeout_s,
            read_timeout=self._timeout_s,
            retries={"mode": "standard", "total_max_attempts": 1},
            user_agent_extra=f"failover/{__version__}",
            max_pool_connections=16,
        )
        if service != "s3":
            return config
        # Others that speak S3 know neither checksums in trailers nor, always, names of buckets as host names. Unless
        # told so explicitly, botocore presigns for the global host name: it depends on one region, does not know the
        # newer ones at all, and answers for a new bucket with a redirect to a host that the signature is not for.
        own = self.endpoint is not None
        return config.merge(
            Config(
                signature_version="s3v4",
                s3={
                    "addressing_style": "path" if own else "virtual",
                    "us_east_1_regional_endpoint": "regional",
                },
                request_checksum_calculation="when_required" if own else "when_supported",
                response_checksum_validation="when_required" if own else "when_supported",
            )
        )


def _close(clients: Mapping[tuple[str, str], Any]) -> None:
    for client in clients.values():
        client.close()


def _session(credentials: AwsCredentials, region: str, config: Config, endpoint: str | None) -> boto3.Session:
    """Raises botocore's ProfileNotFound and the like: an answer of this machine, read where calls are made."""
    core = botocore.session.Session(profile=credentials.profile)
    core.register_component("data_loader", _LOADER)
    if credentials.access_key and credentials.secret_key:
        for value in (credentials.secret_key, credentials.session_token):
            if value:
                remember(value)
        core.set_credentials(credentials.access_key, credentials.secret_key, credentials.session_token)
    if credentials.assume_role:
        options = {"region_name": region, "endpoint_url": endpoint, "config": config}
        core = _assuming(core, credentials, credentials.assume_role, options)
    return boto3.Session(botocore_session=core)


def _assuming(
    source: botocore.session.Session, credentials: AwsCredentials, role: str, options: Mapping[str, Any]
) -> botocore.session.Session:
    """A session that takes on the role when it is first used, and again before each hour ends. `options`: for STS."""
    extra = {"RoleSessionName": _SESSION_NAME}
    if credentials.external_id:
        extra["ExternalId"] = credentials.external_id

    def create(service: str, **theirs: Any) -> Any:
        return bound(source.create_client(service, **{**theirs, **options}))

    fetcher = AssumeRoleCredentialFetcher(create, source.get_credentials(), role, extra_args=extra)
    session = botocore.session.Session()
    session.register_component("data_loader", _LOADER)
    session.register_component("credential_provider", CredentialResolver([_Assumed(fetcher.fetch_credentials)]))
    return session


class _Assumed(CredentialProvider):
    """A provider of credentials in botocore's sense."""

    METHOD = "assume-role"
    CANONICAL_NAME = None

    def __init__(self, fetch: Callable[[], Any]) -> None:
        self._fetch = fetch

    def load(self) -> DeferredRefreshableCredentials:
        return DeferredRefreshableCredentials(self._fetch, self.METHOD)


# ------------------------------------------------------------------------------------ whole lists


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """The questions of one operation of ours, `what` on `object`, within one deadline for all of them."""

    clients: AwsClients
    deadline: Deadline
    what: str
    object: str = ""

    def once(self, operation: str, do: Callable[[], Mapping[str, Any]], key: str) -> Mapping[str, Any]:
        """The answer to `service.Operation`. For reads and calls that are safe to repeat: they are, while time is left.

        It must hold `key`: a web page parses as an answer without anything in it. Raises AdapterError.
        """

        def attempt() -> Mapping[str, Any]:
            self.deadline.bound_s(1.0, self.what, self.object)
            answer = self.clients.asked(operation, do, self.what, self.object, deadline=self.deadline)
            if key not in answer:
                raise Unreadable(self.what, self.object, f"an answer of {operation} without {key}")
            return answer

        return repeat(attempt, self.deadline)

    def pages(
        self, operation: str, page: Callable[..., Mapping[str, Any]], key: str, **options: Any
    ) -> Iterator[Mapping[str, Any]]:
        """Every item under `key` of every page, by `NextToken`. The whole list, or an AdapterError in its midst."""
        seen: set[str] = set()
        for _ in range(PAGES_MAX):
            answer = self.once(operation, lambda: page(**options), key)
            yield from answer[key]
            following = answer.get("NextToken")
            if not following:
                return
            if following in seen:
                break
            seen.add(following)
            options["NextToken"] = following
        raise Unreadable(self.what, self.object, f"the list of {operation} has no end")
