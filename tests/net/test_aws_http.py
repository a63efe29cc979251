"""Answers of AWS that never end: each client of ours is done with them in time, and says that there was no answer."""

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from failover.clouds.bucket import Bucket
from failover.dns.route53 import Route53
from failover.errors import TimedOut, Unreachable
from failover.net.aws import AwsClients, AwsCredentials
from failover.net.calls import Deadline
from tests.net.test_http import Script

KEYS = AwsCredentials(access_key="AKIATESTEDTESTED1234", secret_key="a-secret-of-tests")
ROLE = AwsCredentials(
    access_key="AKIATESTEDTESTED1234", secret_key="a-secret-of-tests", assume_role="arn:aws:iam::123456789012:role/gb"
)
IDENTITY = (
    b"<GetCallerIdentityResponse><GetCallerIdentityResult><Account>123456789012</Account></GetCallerIdentityResult>"
    b"</GetCallerIdentityResponse>"
)
DIGEST = "sha256:" + "0" * 64


@pytest.fixture
def script() -> Iterator[Script]:
    with closing(Script()) as script:
        yield script


@pytest.fixture
def clients(script: Script) -> Iterator[Callable[..., AwsClients]]:
    made: list[AwsClients] = []

    def make(credentials: AwsCredentials = KEYS, timeout_s: float = 60.0) -> AwsClients:
        url = f"http://127.0.0.1:{script.port}"
        made.append(AwsClients(credentials, region="us-east-1", endpoint=url, timeout_s=timeout_s))
        return made[-1]

    yield make
    for each in made:
        each.close()


def whole(body: bytes, *, chunked: bool = False) -> bytes:
    if chunked:
        pieces = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in (body[:40], body[40:], b""))
        return b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n" + pieces
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def identity(clients: AwsClients, deadline: Deadline | None) -> str:
    ask = clients.sts().get_caller_identity
    return clients.asked("sts.GetCallerIdentity", ask, "ask who we are", deadline=deadline)["Account"]


@pytest.mark.parametrize("chunked", [False, True])
def test_a_whole_answer_is_read_whole(script: Script, clients: Callable[..., AwsClients], chunked: bool) -> None:
    script.answers = [whole(IDENTITY, chunked=chunked)]
    assert identity(clients(), Deadline(60.0)) == "123456789012"


@pytest.mark.parametrize("credentials", [KEYS, ROLE], ids=["own keys", "a role, at STS"])
def test_an_answer_that_drips_ends_at_the_deadline(
    script: Script, clients: Callable[..., AwsClients], credentials: AwsCredentials
) -> None:
    script.answers = [script.drip]
    with pytest.raises(TimedOut):
        identity(clients(credentials), Deadline(0.3))


def test_without_a_deadline_it_ends_with_the_read_time_out(script: Script, clients: Callable[..., AwsClients]) -> None:
    script.answers = [script.drip]
    with pytest.raises(TimedOut):
        identity(clients(timeout_s=0.3), None)


def test_an_answer_that_breaks_off_is_no_answer(script: Script, clients: Callable[..., AwsClients]) -> None:
    script.answers = [whole(IDENTITY, chunked=True)[:-30]]
    with pytest.raises(Unreachable):
        identity(clients(), Deadline(60.0))


def test_route53_keeps_its_deadline(script: Script) -> None:
    script.answers = [script.drip]
    url = f"http://127.0.0.1:{script.port}"
    host = Route53(name="r53", zones=("example.org",), credentials=KEYS, endpoint=url, timeout_s=60.0, deadline_s=0.3)
    with pytest.raises(TimedOut):
        host.read("example.org", [("www.example.org", "A")])
    assert len(script.requests) == 1, "no time is left for another"


def test_an_object_that_drips_ends_at_the_deadline(script: Script, clients: Callable[..., AwsClients]) -> None:
    script.answers = [script.drip]
    depot = Bucket(bucket="releases", region="us-east-1", deadline_s=0.3, clients=clients())
    with pytest.raises(TimedOut):
        depot.has(DIGEST)
    depot.close()
