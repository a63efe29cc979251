"""What libraries raise, by real requests over loopback → Answer → the tree of errors."""

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import NoCredentialsError, ParamValidationError
from hcloud import APIException
from hypothesis import given
from hypothesis import strategies as st

from failover.core.reading import Answer, Reading, Signal, Transport, classify, reading_of
from failover.errors import (
    AccessRefused,
    AdapterError,
    Conflict,
    NotFound,
    QuotaExceeded,
    Rejected,
    Throttled,
    TimedOut,
    Unreachable,
    Unreadable,
)
from failover.net.answers import (
    BODY_LENGTH_MAX,
    MESSAGE_LENGTH_MAX,
    answer_behind,
    error_of,
    from_botocore,
    from_parts,
    from_response,
    may_be_done,
    readable,
    retry_after_s,
    transport_of,
)
from failover.net.secret import remember

PAGE = b'<!DOCTYPE html><html><head><meta charset="utf-8"><title>Sign in</title></head><body><br></body></html>'
PAGE_THAT_IS_XML = b"<html><head><title>Sign in</title></head><body>Sign in to the network</body></html>"


@dataclass
class Site:
    """A server that answers the same thing to everybody."""

    url: str = ""
    status: int = 200
    kind: str = "application/json"
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    def says(self, status: int, body: bytes | object, kind: str = "application/json", **headers: str) -> "Site":
        self.status, self.kind = status, kind
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return self


@pytest.fixture
def site() -> Iterator[Site]:
    found = Site()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(found.status)
            for name, value in {"Content-Type": found.kind, **found.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(found.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(found.body)

        do_GET = do_POST = do_PUT = do_HEAD = answer  # noqa: N815

        def log_message(self, format: str, *args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        found.url = f"http://127.0.0.1:{server.server_port}"
        yield found
        server.shutdown()
        thread.join()


def raised(do: Callable[[], object]) -> Exception:
    try:
        do()
    except Exception as error:  # noqa: BLE001  (whatever the library raises is the point)
        return error
    raise AssertionError("nothing was raised")


def by_boto(url: str, operation: str = "ec2.DescribeInstances") -> Answer:
    """What boto3 makes of it."""
    service = operation.partition(".")[0]
    config = Config(retries={"total_max_attempts": 1, "mode": "standard"}, connect_timeout=2, read_timeout=0.5)
    keys = {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key": "s" * 40}
    client: Any = boto3.client(service, region_name="us-east-1", endpoint_url=url, config=config, **keys)  # type: ignore[call-overload]
    calls: dict[str, Callable[[], object]] = {
        "ec2": lambda: client.describe_instances(),
        "s3": lambda: client.list_objects_v2(Bucket="bucket1"),
        "account": lambda: client.get_account_information(),
    }
    try:
        return from_botocore(raised(calls[service]), "aws", operation)
    finally:
        client.close()


def by_requests(url: str, provider: str = "linode") -> Answer:
    try:
        with requests.get(url, timeout=0.5, allow_redirects=False) as response:
            return from_response(response, None, provider, "nodes.list")
    except requests.RequestException as error:
        return from_response(None, error, provider, "nodes.list")


# ------------------------------------------------------------------------------------ botocore


def ec2_error(code: str, message: str) -> bytes:
    return (
        f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
        "<RequestID>1</RequestID></Response>"
    ).encode()


def test_1_the_code_and_the_status_of_a_refusal(site: Site) -> None:
    site.says(400, ec2_error("Blocked", "This account is currently blocked"), "text/xml")
    answer = by_boto(site.url)
    assert (answer.status, answer.code, answer.message) == (400, "Blocked", "This account is currently blocked")
    assert (answer.service, answer.html) == ("ec2", False)
    assert classify(answer) is Signal.ACCOUNT_BLOCKED


def test_2_xml_where_json_was_expected_is_read_all_the_same(site: Site) -> None:
    """botocore takes the status for the code, and the whole body for the message."""
    site.says(403, ec2_error("InvalidClientTokenId", "The security token is invalid."), "text/html")
    answer = by_boto(site.url, "account.GetAccountInformation")
    assert (answer.code, answer.message) == ("InvalidClientTokenId", "The security token is invalid.")
    assert classify(answer) is Signal.AUTH_AMBIGUOUS


@pytest.mark.parametrize("operation", ["ec2.DescribeInstances", "s3.ListObjectsV2", "account.GetAccountInformation"])
def test_3_a_captive_portal_is_no_refusal(site: Site, operation: str) -> None:
    answer = by_boto(site.says(403, PAGE_THAT_IS_XML, "text/html").url, operation)
    assert (answer.status, answer.code) == (403, "")
    assert classify(answer) is Signal.NETWORK_SUSPECT
    assert reading_of(classify(by_boto(site.says(403, PAGE, "text/html").url, operation))) is Reading.UNCLEAR


def test_4_a_web_page_of_a_broken_gateway_is_an_outage(site: Site) -> None:
    for operation in ("ec2.DescribeInstances", "s3.ListObjectsV2", "account.GetAccountInformation"):
        for page in (PAGE, PAGE_THAT_IS_XML, b""):
            assert classify(by_boto(site.says(502, page, "text/html").url, operation)) is Signal.OUTAGE


def test_5_retry_after_is_kept(site: Site) -> None:
    site.says(503, ec2_error("RequestLimitExceeded", "slower"), "text/xml", Retry_After="7")
    answer = by_boto(site.url)
    assert answer.retry_after_s == 7.0
    error = error_of(answer, "list nodes", "at aws")
    assert isinstance(error, Throttled)
    assert error.retry_after_s == 7.0


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [
        ("7", "", 7.0),
        ("Sun, 22 Nov 2026 10:00:30 GMT", "Sun, 22 Nov 2026 10:00:00 GMT", 30.0),
        ("Sun, 22 Nov 2026 09:59:00 GMT", "Sun, 22 Nov 2026 10:00:00 GMT", 0.0),
        ("Sun, 22 Nov 2026 10:00:30 GMT", "", None),
        ("Sun, 22 Nov 2026 10:00:30 GMT", "Sun, 22 Nov 2026 10:00:00", None),
        ("soon", "Sun, 22 Nov 2026 10:00:00 GMT", None),
        ("-7", "Sun, 22 Nov 2026 10:00:00 GMT", None),
    ],
)
def test_5_retry_after_may_be_a_date_by_the_clock_of_the_server(value: str, date: str, seconds: float | None) -> None:
    assert retry_after_s({"retry-after": value, "date": date}) == seconds


def test_6_what_never_left_is_no_trouble_of_the_network() -> None:
    credentials = from_botocore(NoCredentialsError(), "aws", "sts.GetCallerIdentity")
    assert (credentials.transport, credentials.code) == (Transport.ANSWERED, "NoCredentialsError")
    assert classify(credentials) is Signal.CREDENTIAL_WRONG
    bug = from_botocore(ParamValidationError(report="x"), "aws", "ec2.RunInstances")
    assert classify(bug) is Signal.UNKNOWN


# ------------------------------------------------------------------------------------ no answer at all


Handle = Callable[[socket.socket], None]


def silent(connection: socket.socket) -> None:
    while connection.recv(65536):  # until the client has given up
        pass


def reset(connection: socket.socket) -> None:
    connection.recv(10)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def hung_up(connection: socket.socket) -> None:
    connection.recv(65536)


def no_tls(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


@pytest.fixture
def peer() -> Iterator[Callable[[Handle], str]]:
    """A peer on loopback that does this to each connection; gives `address:port`."""
    listeners: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def start(handle: Handle) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def run() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    handle(connection)

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        return f"127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    for thread in threads:
        thread.join(10)


@pytest.mark.parametrize(
    ("handle", "scheme", "expected", "kind"),
    [
        (silent, "http", Transport.TIMEOUT, TimedOut),
        (reset, "http", Transport.RESET, Unreachable),
        (hung_up, "http", Transport.RESET, Unreachable),
        (no_tls, "https", Transport.TLS, Unreachable),
    ],
    ids=["silent", "reset", "hung up", "no TLS"],
)
@pytest.mark.parametrize("ask", [by_boto, by_requests])
def test_7_how_far_a_request_came(
    peer: Callable[[Handle], str],
    handle: Handle,
    scheme: str,
    expected: Transport,
    kind: type[AdapterError],
    ask: Callable[[str], Answer],
) -> None:
    answer = ask(f"{scheme}://{peer(handle)}")
    assert (answer.transport, answer.status) == (expected, None)
    assert classify(answer) is Signal.TRANSPORT
    assert type(error_of(answer, "list nodes")) is kind


@pytest.mark.parametrize("ask", [by_boto, by_requests])
def test_8_nobody_there(ask: Callable[[str], Answer]) -> None:
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        assert ask(f"http://127.0.0.1:{unused.getsockname()[1]}").transport is Transport.REFUSED
    answer = ask("http://api.nothing.invalid")
    assert answer.transport is Transport.NAME
    error = error_of(answer, "list nodes", "at acme", "is the address right?")
    assert isinstance(error, Unreachable)
    assert "could not be found by name" in str(error)


def test_9_trouble_of_another_kind_is_not_the_networks() -> None:
    assert transport_of(None) is Transport.ANSWERED
    assert transport_of(ValueError("x")) is Transport.ANSWERED
    loop = ValueError("x")
    loop.__context__ = KeyError("y")
    loop.__context__.__context__ = loop
    assert transport_of(loop) is Transport.ANSWERED
    assert classify(from_response(None, None, "linode", "nodes.list")) is Signal.UNKNOWN


# ------------------------------------------------------------------------------------ the bodies of all providers


@pytest.mark.parametrize(
    ("provider", "body", "code", "message"),
    [
        ("digitalocean", {"id": "unauthorized", "message": "Unable to authenticate you."}, "unauthorized", "Unable"),
        ("linode", {"errors": [{"reason": "Invalid Token"}]}, "", "Invalid Token"),
        ("vultr", {"error": "Invalid API token.", "status": 401}, "", "Invalid API token."),
        ("hetzner", {"error": {"code": "unauthorized", "message": "no"}}, "unauthorized", "no"),
        ("local", {"error": {"code": "account_closed", "message": "abuse"}}, "account_closed", "abuse"),
        ("openstack", {"error": {"code": 401, "title": "Unauthorized", "message": "auth"}}, "401", "auth"),
        ("openstack", {"forbidden": {"code": 403, "message": "Quota exceeded"}}, "forbidden", "Quota exceeded"),
        ("openstack", {"NeutronError": {"type": "OverQuota", "message": "too many"}}, "OverQuota", "too many"),
        ("scaleway", {"type": "denied_authentication", "message": "denied"}, "denied_authentication", "denied"),
        ("ovh", {"errorCode": "INVALID_CREDENTIAL", "message": "not valid"}, "INVALID_CREDENTIAL", "not valid"),
        ("ovh", {"class": "Client::Forbidden", "message": "no"}, "Client::Forbidden", "no"),
        ("cloudflare", {"success": False, "errors": [{"code": 9103, "message": "key"}]}, "9103", "key"),
        ("gandi", {"code": 401, "message": "wrong", "object": "HTTPUnauthorized"}, "401", "wrong"),
        ("aws", {"__type": "com.amazon#ThrottlingException", "Message": "slow"}, "ThrottlingException", "slow"),
        (
            "azure",
            {"error": {"code": "ReadOnlyDisabledSubscription", "message": "disabled"}},
            "ReadOnlyDisabledSubscription",
            "disabled",
        ),
        (
            "azure",
            {"error": "invalid_client", "error_description": "AADSTS7000222: expired"},
            "AADSTS7000222",
            "AADSTS7000222: expired",
        ),
        ("azure", {"error": "invalid_grant", "error_description": "no"}, "invalid_grant", "no"),
        (
            "google",
            {
                "error": {
                    "code": 403,
                    "message": "suspended",
                    "details": [
                        {"@type": "x"},
                        {"reason": "CONSUMER_SUSPENDED", "metadata": {"consumer": "projects/123"}},
                    ],
                }
            },
            "CONSUMER_SUSPENDED",
            "suspended (consumer projects/123)",
        ),
        (
            "google",
            {"error": {"code": 403, "message": "slow", "errors": [{"reason": "rateLimitExceeded"}]}},
            "rateLimitExceeded",
            "slow",
        ),
        ("google", {"error": {"message": "m", "details": [{"reason": "IAM_PERMISSION_DENIED"}]}}, "IAM", "m"),
    ],
)
def test_10_every_provider_has_its_own_shape(site: Site, provider: str, body: object, code: str, message: str) -> None:
    answer = by_requests(site.says(403, body).url, provider)
    assert answer.code.startswith(code)
    assert bool(answer.code) == bool(code)
    assert answer.message.startswith(message)
    assert answer.body == readable(json.dumps(body), BODY_LENGTH_MAX)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no",
        b"{}",
        b"[]",
        b"null",
        b'{"error": {}}',
        b'{"errors": []}',
        b'{"errors": [1]}',
        b"\xff\xfe",
        b"{" * 9999,
        b'{"error": {"details": [1], "errors": [1]}}',
        b'{"error": {"details": null}}',
        b'{"message": {"a": 1}}',
    ],
)
def test_11_a_body_without_a_shape_that_we_know_is_ambiguous(site: Site, body: bytes) -> None:
    answer = by_requests(site.says(403, body).url)
    assert (answer.status, answer.code) == (403, "")
    assert classify(answer) is Signal.AUTH_AMBIGUOUS


def test_12_a_web_page_and_a_redirect_are_no_answers(site: Site) -> None:
    answer = by_requests(site.says(403, PAGE, "text/html").url)
    assert answer.html
    assert classify(answer) is Signal.NETWORK_SUSPECT
    error = error_of(answer, "list nodes")
    assert isinstance(error, Unreadable)
    assert str(error) == "list nodes: 403 a web page"
    assert classify(by_requests(site.says(302, b"", "text/html", Location="http://x.invalid").url)) is (
        Signal.NETWORK_SUSPECT
    )
    assert by_requests(site.says(404, PAGE, "text/plain").url).html, "by how it begins"


def test_13_xml_of_s3_by_another_way(site: Site) -> None:
    body = b'<?xml version="1.0"?><Error><Code>NoSuchBucket</Code><Message>none</Message></Error>'
    answer = by_requests(site.says(404, body, "application/xml").url, "aws")
    assert (answer.code, answer.message) == ("NoSuchBucket", "none")
    assert by_requests(site.says(403, b"<Error><Code>X</Code></Error>").url).code == "X"


# ------------------------------------------------------------------------------------ hcloud


def test_14_hcloud_tells_a_code_or_a_status() -> None:
    said = from_response(None, APIException("locked", "it is locked", {}), "hetzner", "servers.create")
    assert (said.status, said.code, said.message) == (None, "locked", "it is locked (locked)")
    assert type(error_of(said, "create node")) is Conflict
    broken = from_response(None, APIException(502, "Bad Gateway", {}), "hetzner", "servers.list")
    assert (broken.status, broken.code) == (502, "")
    assert classify(broken) is Signal.OUTAGE


# ------------------------------------------------------------------------------------ the tree of errors


@pytest.mark.parametrize(
    ("provider", "status", "code", "message", "kind"),
    [
        ("aws", 403, "AccessDenied", "", AccessRefused),
        ("aws", 400, "Blocked", "", AccessRefused),
        ("aws", 400, "ExpiredToken", "", AccessRefused),
        ("aws", 403, "RequestTimeTooSkewed", "", AccessRefused),
        ("linode", 401, "", "Invalid Token", AccessRefused),
        ("aws", 400, "Throttling", "", Throttled),
        ("linode", 429, "", "", Throttled),
        ("aws", 500, "InternalError", "", Unreadable),
        ("aws", 504, "", "", TimedOut),
        ("aws", 408, "", "", TimedOut),
        ("aws", 400, "RequestTimeout", "", Unreachable),
        ("aws", 400, "InvalidInstanceID.NotFound", "", NotFound),
        ("aws", 404, "NoSuchKey", "", NotFound),
        ("digitalocean", 404, "not_found", "", NotFound),
        ("linode", 404, "", "Not found", NotFound),
        ("linode", 410, "", "", NotFound),
        ("aws", 400, "InvalidGroup.Duplicate", "", Conflict),
        ("aws", 400, "DependencyViolation", "", Conflict),
        ("aws", 412, "PreconditionFailed", "", Conflict),
        ("hetzner", None, "uniqueness_error", "", Conflict),
        ("openstack", 409, "conflictingRequest", "", Conflict),
        ("aws", 400, "VcpuLimitExceeded", "", QuotaExceeded),
        ("aws", 400, "InstanceLimitExceeded", "", QuotaExceeded),
        ("aws", 500, "InsufficientInstanceCapacity", "", QuotaExceeded),
        ("hetzner", None, "resource_limit_exceeded", "", QuotaExceeded),
        ("openstack", 403, "forbidden", "Quota exceeded for cores", QuotaExceeded),
        ("linode", 400, "", "Account Limit reached. Please open a support ticket.", QuotaExceeded),
        ("digitalocean", 422, "unprocessable_entity", "creating this will exceed your droplet limit", QuotaExceeded),
        ("aws", 400, "InvalidParameterValue", "", Rejected),
        ("digitalocean", 422, "unprocessable_entity", "size is not available", Rejected),
        ("aws", 301, "PermanentRedirect", "", Rejected),
        ("aws", 200, "", "", Unreadable),
        ("aws", None, "Strange", "", Unreadable),
    ],
)
def test_15_the_error_that_fits(
    provider: str, status: int | None, code: str, message: str, kind: type[AdapterError]
) -> None:
    answer = from_parts(provider, "nodes.create", status=status, code=code, message=message)
    error = error_of(answer, "create node", "web-1", "do something")
    assert type(error) is kind
    assert (error.operation, error.object, error.hint) == ("create node", "web-1", "do something")
    assert answer_behind(error) == answer


@pytest.mark.parametrize(
    ("answer", "may"),
    [
        ({"status": 400}, False),
        ({"status": 429}, False),
        ({"status": 403, "html": True}, True),
        ({"status": 500}, True),
        ({"status": 502, "html": True}, True),
        ({"message": "a good status, and nothing that makes sense"}, True),
        ({"code": "NoCredentialsError"}, False),
        ({"transport": Transport.REFUSED}, False),
        ({"transport": Transport.NAME}, False),
        ({"transport": Transport.TLS}, True),
        ({"transport": Transport.TIMEOUT}, True),
        ({"transport": Transport.RESET}, True),
    ],
)
def test_15b_only_a_plain_no_tells_that_a_write_was_not_carried_out(answer: dict[str, Any], may: bool) -> None:
    assert may_be_done(error_of(from_parts("digitalocean", "records.create", **answer), "change DNS")) is may


def test_15c_what_did_not_go_out_was_not_carried_out() -> None:
    assert not may_be_done(TimedOut("change DNS", "", "not done within 10 s"))


def test_16_a_web_page_is_never_absence_and_never_a_conflict() -> None:
    for status in (400, 404, 409, 410, 412):
        assert type(error_of(from_parts("linode", "x", status=status, html=True), "read")) is Unreadable


def test_17_what_is_told_to_people() -> None:
    def told(**parts: Any) -> str:
        return str(error_of(from_parts("linode", "x", **parts), "create node", "web-1"))

    assert told(status=400, code="bad", message="no size") == "create node web-1: 400 bad: no size"
    assert told(status=403) == "create node web-1: 403"
    assert told() == "create node web-1: linode said no without a word"
    assert told(transport=Transport.TIMEOUT) == "create node web-1: linode did not answer in time"
    assert told(transport=Transport.RESET, message="m").endswith("closed the connection without an answer: m")
    assert answer_behind(ValueError()) is None


# ------------------------------------------------------------------------------------ texts without secrets


def test_18_secrets_do_not_come_through() -> None:
    remember("correct horse battery")
    texts = (
        "key AKIAIOSFODNN7EXAMPLE",
        "token eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0In0.abc-def_ghi",
        "Authorization: Bearer abc.def",
        "signature wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY12345678",
        "<StringToSign>AWS4-HMAC-SHA256 20260101</StringToSign>",
        "it was correct horse battery",
    )
    for text in texts:
        answer = from_parts("aws", "x", status=403, code="C", message=text, body=text)
        assert "[redacted]" in answer.message
        assert "[redacted]" in answer.body
    assert readable("User: arn:aws:iam::123456789012:user/u is not authorized") == (
        "User: arn:aws:iam::123456789012:user/u is not authorized"
    )


def test_19_texts_are_one_line_and_cut() -> None:
    answer = from_parts("aws", "x", status=403, message="a\nb\x1b[31m  c", body="word " * 1000)
    assert answer.message == "a b [31m c"
    assert len(answer.body) == BODY_LENGTH_MAX + 1
    assert len(from_parts("aws", "x", message="x y " * 1000).message) == MESSAGE_LENGTH_MAX + 1


@given(st.text(max_size=400), st.sampled_from([None, 200, 400, 401, 403, 404, 429, 500]))
def test_20_any_body_becomes_an_answer_and_an_error(body: str, status: int | None) -> None:
    class Fixed:
        status_code = status or 0
        headers: Mapping[str, str] = MappingProxyType({"content-type": "text/html"})
        text = body

    answer = from_response(Fixed() if status else None, ValueError(body), "linode", "x")
    assert classify(answer) in Signal
    assert error_of(answer, "read").operation == "read"
    assert "\n" not in answer.message + answer.body


def test_a_refused_connection_is_told_in_few_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/"
    with pytest.raises(requests.ConnectionError) as caught:
        requests.get(address, timeout=5)
    answer = from_response(None, caught.value, "acme", "servers.list")
    assert str(error_of(answer, "list servers")) == "list servers: acme refused the connection: connection refused"
