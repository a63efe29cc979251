"""One answer → signal, in the order of the table; several → one report."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.core.codes import CODES, SENTENCES, STATES, THROTTLING
from failover.core.reading import (
    AMBIGUOUS,
    EXPLICIT,
    REFUSALS,
    Answer,
    Reading,
    ServiceReading,
    Signal,
    Transport,
    classify,
    reading_of,
    report_of,
    service_reading,
)

EVERY_CODE = {code for table in (*CODES.values(), *STATES.values()) for code in table} | THROTTLING


def aws(code: str = "", status: int | None = 400, operation: str = "ec2.DescribeInstances", **rest: object) -> Answer:
    return Answer(provider="aws", operation=operation, status=status, code=code, **rest)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------ the order of the table


@pytest.mark.parametrize("transport", [t for t in Transport if t is not Transport.ANSWERED])
def test_1_no_answer_says_nothing_whatever_else_is_claimed(transport: Transport) -> None:
    assert classify(aws("Blocked", transport=transport)) is Signal.TRANSPORT


def test_2_a_fine_answer_tells_the_state_or_nothing() -> None:
    assert classify(aws(status=200)) is Signal.OK
    assert classify(aws("ACTIVE", 200)) is Signal.ACTIVE
    assert classify(aws("SUSPENDED", 200)) is Signal.ACCOUNT_BLOCKED
    assert classify(aws("HIBERNATING", 200)) is Signal.UNKNOWN
    assert classify(aws("Blocked", 200)) is Signal.UNKNOWN, "a refusal's code is no state"
    assert classify(Answer(provider="acme", operation="x", status=200, code="locked")) is Signal.UNKNOWN


def test_3_throttling_comes_before_5xx() -> None:
    assert classify(aws("RequestLimitExceeded", 503)) is Signal.THROTTLED
    assert classify(aws("", 429)) is Signal.THROTTLED


@pytest.mark.parametrize("status", [500, 502, 503, 504, 507, 599])
def test_4_an_outage_is_no_word_about_the_account(status: int) -> None:
    assert classify(aws("Blocked", status)) is Signal.OUTAGE


def test_5_a_captive_portal_and_a_missing_feature_are_no_outage() -> None:
    assert classify(aws("", 511)) is Signal.NETWORK_SUSPECT
    assert classify(aws("NotImplemented", 501)) is Signal.REQUEST_BUG


def test_6_the_code_decides_not_the_status() -> None:
    for status in (400, 401, 403, 404, 409):
        assert classify(aws("Blocked", status)) is Signal.ACCOUNT_BLOCKED
        assert classify(aws("AccessDenied", status)) is Signal.PERMISSION
        assert classify(aws("OptInRequired", status)) is Signal.ACCOUNT_SUSPECT


def test_7_a_refused_role_may_be_a_suspended_account() -> None:
    for operation in ("sts.AssumeRole", "sts.AssumeRoleWithWebIdentity"):
        assert classify(aws("AccessDenied", 403, operation)) is Signal.AUTH_AMBIGUOUS


def test_8_a_paid_plan_is_a_feature_elsewhere_it_is_the_account() -> None:
    assert classify(aws("SubscriptionRequiredException", 400, "health.DescribeEvents")) is Signal.FEATURE_MISSING
    assert classify(aws("SubscriptionRequiredException", 400, "apprunner.CreateService")) is Signal.ACCOUNT_SUSPECT


def test_9_a_suspended_api_key_is_not_a_suspended_project() -> None:
    def said(message: str) -> Signal:
        return classify(
            Answer(provider="google", operation="x", status=403, code="CONSUMER_SUSPENDED", message=message)
        )

    assert said("suspended (consumer projects/123)") is Signal.ACCOUNT_BLOCKED
    assert said("suspended (consumer api_key:AIza)") is Signal.AUTH_AMBIGUOUS


@pytest.mark.parametrize(
    ("provider", "status", "message", "expected"),
    [
        ("linode", 400, "This Linode has been suspended. Please open a ticket.", Signal.ACCOUNT_BLOCKED),
        ("linode", 403, "This Linode has been suspended", Signal.AUTH_AMBIGUOUS),
        ("vultr", 403, "Your IP (192.0.2.1) is not authorized to use this API key", Signal.PERMISSION),
        ("ovh", 460, "", Signal.RESOURCE_BLOCKED),
        ("openstack", 404, "Unable to validate token because project 1 is disabled", Signal.ACCOUNT_BLOCKED),
        ("openstack", 401, "Unable to validate token because project 1 is disabled", Signal.AUTH_AMBIGUOUS),
        ("openstack", 403, "Quota exceeded for cores: Requested 4, but already used 8 of 10", Signal.REQUEST_BUG),
        ("digitalocean", 403, "You do not have access for the attempted action.", Signal.AUTH_AMBIGUOUS),
    ],
)
def test_10_sentences_where_there_are_no_codes(provider: str, status: int, message: str, expected: Signal) -> None:
    assert classify(Answer(provider=provider, operation="x", status=status, message=message)) is expected


@pytest.mark.parametrize("provider", ["digitalocean", "linode", "vultr", "openstack", "aws"])
def test_11_a_web_page_is_somebody_in_between(provider: str) -> None:
    for status in (302, 403, 407):
        page = Answer(provider=provider, operation="x", status=status, html=True)
        assert classify(page) is Signal.NETWORK_SUSPECT
    assert classify(Answer(provider=provider, operation="x", status=401, html=True)) is Signal.AUTH_AMBIGUOUS
    assert classify(Answer(provider=provider, operation="x", status=404, html=True)) is Signal.REQUEST_BUG


def test_12_aws_always_names_a_code_but_for_head() -> None:
    assert classify(aws("", 403)) is Signal.NETWORK_SUSPECT
    assert classify(aws("", 403, "s3.HeadBucket")) is Signal.AUTH_AMBIGUOUS
    assert classify(Answer(provider="gandi", operation="x", status=403)) is Signal.AUTH_AMBIGUOUS


def test_13_the_rest() -> None:
    assert classify(aws("Whatever", 400)) is Signal.REQUEST_BUG
    assert classify(aws("Whatever", 302)) is Signal.UNKNOWN
    assert classify(aws("Whatever", 101)) is Signal.UNKNOWN
    assert classify(aws("Whatever", None)) is Signal.UNKNOWN


@given(
    provider=st.sampled_from([*STATES, *CODES, *SENTENCES, "acme"]),
    status=st.one_of(st.none(), st.integers(100, 599)),
    code=st.text(string.ascii_letters + string.digits + "._- ", max_size=20).filter(lambda c: c not in EVERY_CODE),
    html=st.booleans(),
    transport=st.sampled_from(Transport),
)
def test_14_what_is_not_listed_never_says_closed(
    provider: str, status: int | None, code: str, html: bool, transport: Transport
) -> None:
    """S16: an unlisted refusal, timeout, throttle, 404 or empty answer is no evidence of closing."""
    found = Answer(provider=provider, operation="x", transport=transport, status=status, code=code, html=html)
    assert classify(found) not in EXPLICIT
    assert reading_of(classify(found)) is not Reading.CLOSED


def test_15_every_signal_has_a_reading() -> None:
    by_reading = {reading: {s for s in Signal if reading_of(s) is reading} for reading in Reading}
    assert by_reading[Reading.CLOSED] == EXPLICIT
    assert by_reading[Reading.REFUSED] == REFUSALS
    assert by_reading[Reading.WARNED] == {Signal.WARNED}
    assert by_reading[Reading.ACTIVE] == {Signal.ACTIVE, Signal.OK}
    assert by_reading[Reading.NONE] == set()
    assert AMBIGUOUS < REFUSALS


# ------------------------------------------------------------------------------------ one service's reading


def test_16_the_body_is_kept_only_where_the_tables_could_learn() -> None:
    unknown = aws("SomethingNew", 403, "s3.ListBuckets", body="<Error>…</Error>", message="words")
    reading = service_reading(unknown, region="eu-west-1", credential="second")
    assert (reading.service, reading.region, reading.credential) == ("s3", "eu-west-1", "second")
    assert (reading.status, reading.code, reading.message) == (403, "SomethingNew", "words")
    assert reading.raw == "<Error>…</Error>"
    assert service_reading(aws("AccessDenied", 403, body="<Error/>")).raw == ""
    assert service_reading(aws("InvalidClientTokenId", 403, body="<Error/>")).raw == "", "ambiguous, but known"
    assert service_reading(aws("", 502, body="<html>")).raw == ""
    assert service_reading(aws("SomethingNew", 400, body="suspended?")).raw == "suspended?"


# ------------------------------------------------------------------------------------ many readings, one report


def report(*signals: Signal, **by_credential: Signal) -> tuple[Reading, str]:
    readings = [ServiceReading(service=f"s{n}", signal=s, code=f"c{n}") for n, s in enumerate(signals)]
    readings += [ServiceReading(service="x", signal=s, credential=c, code=c) for c, s in by_credential.items()]
    found = report_of(readings)
    assert found.signals == tuple(readings)
    return found.reading, found.code


@pytest.mark.parametrize(
    ("signals", "expected"),
    [
        ((Signal.OK, Signal.ACCOUNT_BLOCKED), (Reading.CLOSED, "c1")),
        ((Signal.ACTIVE, Signal.OK, Signal.BILLING_BLOCKED), (Reading.CLOSED, "c2")),
        ((Signal.OK, Signal.WARNED), (Reading.WARNED, "c1")),
        ((Signal.AUTH_AMBIGUOUS, Signal.AUTH_AMBIGUOUS, Signal.ACTIVE), (Reading.ACTIVE, "c2")),
        ((Signal.OK, Signal.OK), (Reading.ACTIVE, "c0")),
        ((Signal.OK, Signal.PERMISSION, Signal.FEATURE_MISSING), (Reading.ACTIVE, "c0")),
        ((Signal.OK, Signal.OK, Signal.AUTH_AMBIGUOUS), (Reading.ACTIVE, "c0")),
        ((Signal.OK, Signal.AUTH_AMBIGUOUS), (Reading.ACTIVE, "c0")),
        ((Signal.OK, Signal.ACCOUNT_SUSPECT, Signal.AUTH_AMBIGUOUS), (Reading.REFUSED, "c1")),
        ((Signal.AUTH_AMBIGUOUS, Signal.TRANSPORT), (Reading.REFUSED, "c0")),
        ((Signal.TRANSPORT, Signal.PERMISSION), (Reading.REFUSED, "c1")),
        ((Signal.TRANSPORT, Signal.OUTAGE), (Reading.UNCLEAR, "c0")),
        ((Signal.THROTTLED,), (Reading.UNCLEAR, "c0")),
        ((Signal.UNKNOWN, Signal.CLOCK_SELF), (Reading.UNCLEAR, "c0")),
    ],
)
def test_17_the_report_of_several_services(signals: tuple[Signal, ...], expected: tuple[Reading, str]) -> None:
    assert report(*signals) == expected


def test_18_a_second_credential_is_evidence_never_the_report() -> None:
    assert report(Signal.OK, second=Signal.AUTH_AMBIGUOUS) == (Reading.ACTIVE, "c0")
    assert report_of([]).reading is Reading.UNCLEAR
    assert report(second=Signal.ACTIVE)[0] is Reading.UNCLEAR


def test_19_the_throttling_codes_of_botocore_are_all_known() -> None:
    standard = pytest.importorskip("botocore.retries.standard")
    assert set(standard.ThrottledRetryableChecker._THROTTLED_ERROR_CODES) <= THROTTLING
