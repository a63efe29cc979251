"""The bucket as a depot, against moto's S3 over HTTP: contents that are what they should be, links that end."""

import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from failover.clouds.bucket import Bucket
from failover.core.reading import Signal, classify
from failover.errors import (
    AccessRefused,
    AdapterError,
    NotFound,
    Rejected,
    Throttled,
    TimedOut,
    Unreachable,
    Unreadable,
)
from failover.net.archive import Packed
from failover.testing.clouds import UNKNOWN_DIGEST, CloudConformance
from tests.standins.moto import REGION, Moto, MotoProcess, query

packed = CloudConformance().packed


@pytest.fixture
def standin(moto_process: MotoProcess) -> Iterator[Moto]:
    with Moto(moto_process) as standin:
        yield standin


def bucket_at(standin: Moto, **options: object) -> Bucket:
    wanted = {
        "bucket": standin.bucket,
        "region": REGION,
        "endpoint": standin.url,
        "access_key": "AKIATESTEDTESTED1234",
        "secret_key": "a-secret-of-tests",
        "page_size": 2,
        "timeout_s": 30.0,
        **options,
    }
    return Bucket(**wanted)  # type: ignore[arg-type]


@pytest.fixture
def bucket(standin: Moto) -> Iterator[Bucket]:
    bucket = bucket_at(standin)
    yield bucket
    bucket.close()


@pytest.fixture
def release(tmp_path: Path) -> Packed:
    return packed(tmp_path, "first")


def key(release: Packed) -> str:
    return f"failover/releases/{release.digest.replace(':', '-')}.tar.gz"


def fetched(url: str) -> bytes:
    """By plain HTTP, as a node fetches it."""
    with urllib.request.urlopen(url, timeout=30) as answer:
        return bytes(answer.read())


# ------------------------------------------------------------------------------------ archives


def test_an_archive_is_stored_listed_and_removed(bucket: Bucket, standin: Moto, release: Packed) -> None:
    assert not bucket.has(release.digest)
    assert bucket.list() == frozenset()
    for _ in range(2):
        bucket.put(release.digest, release.archive)
    assert bucket.has(release.digest)
    assert bucket.list() == {release.digest}
    assert list(standin.objects()) == [key(release)]
    for _ in range(2):
        bucket.remove(release.digest)
    assert not bucket.has(release.digest)
    assert not bucket.has(UNKNOWN_DIGEST)
    assert bucket.list() == frozenset()


def test_an_archive_of_something_else_is_rejected(bucket: Bucket, standin: Moto, release: Packed) -> None:
    for archive in (b"not an archive", b"", release.archive[:-20]):
        with pytest.raises(Rejected):
            bucket.put(release.digest, archive)
    assert standin.objects() == {}


def test_an_intact_archive_is_not_read_again(bucket: Bucket, standin: Moto, release: Packed) -> None:
    bucket.put(release.digest, release.archive)
    before = len(standin.requests)
    assert bucket.has(release.digest)
    (asked,) = standin.requests[before:]
    assert asked.header("Range") == "bytes=0-0"


@pytest.mark.parametrize("contents", [b"not an archive", b""])
def test_an_archive_that_somebody_changed_is_not_there(
    bucket: Bucket, standin: Moto, release: Packed, contents: bytes
) -> None:
    bucket.put(release.digest, release.archive)
    standin.overwrite(key(release), contents)
    assert not bucket.has(release.digest)
    bucket.put(release.digest, release.archive)
    assert bucket.has(release.digest)


def test_an_archive_that_somebody_else_put_there_is_read_to_be_sure(
    bucket: Bucket, standin: Moto, release: Packed
) -> None:
    standin.overwrite(key(release), release.archive)
    assert bucket.has(release.digest)


def test_other_objects_in_the_bucket_are_neither_listed_nor_touched(
    bucket: Bucket, standin: Moto, release: Packed
) -> None:
    others = {
        "photo.png": b"1",
        "failover/notes": b"2",
        "failover/releases/readme": b"3",
        "failover-other/releases/x": b"4",
    }
    for name, contents in others.items():
        standin.overwrite(name, contents)
    bucket.put(release.digest, release.archive)
    assert bucket.list() == {release.digest}
    bucket.remove(release.digest)
    assert standin.objects() == others


def test_the_list_is_whole_over_pages(bucket: Bucket, tmp_path: Path) -> None:
    releases = [packed(tmp_path, text) for text in "abcde"]
    for release in releases:
        bucket.put(release.digest, release.archive)
    assert bucket.list() == {release.digest for release in releases}


def test_a_bucket_without_a_prefix_works_too(standin: Moto, release: Packed) -> None:
    bucket = bucket_at(standin, prefix="")
    bucket.put(release.digest, release.archive)
    assert list(standin.objects()) == [key(release).removeprefix("failover/")]
    assert bucket.list() == {release.digest}
    bucket.close()


# ------------------------------------------------------------------------------------ links


def test_a_node_fetches_the_archive_by_its_link_without_a_credential(bucket: Bucket, release: Packed) -> None:
    bucket.put(release.digest, release.archive)
    assert fetched(bucket.link(release.digest, 60.0)) == release.archive


@pytest.mark.parametrize(("asked_s", "given_s"), [(60.0, 60), (86400.0, 3600), (0.0, 1), (-5.0, 1), (3600.0, 3600)])
def test_a_link_lasts_an_hour_at_most(bucket: Bucket, release: Packed, asked_s: float, given_s: int) -> None:
    for url in (bucket.link(release.digest, asked_s), bucket.hand_over("node-0", b"x=1", asked_s)):
        assert query(url)["X-Amz-Expires"] == str(given_s)
        assert query(url)["X-Amz-Algorithm"] == "AWS4-HMAC-SHA256"
        assert "a-secret-of-tests" not in url


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "ap-east-1"])
@pytest.mark.parametrize(
    ("name", "place"),
    [("gb-release", "gb-release.s3.{}.amazonaws.com/"), ("gb.example.org", "s3.{}.amazonaws.com/gb.example.org/")],
)
def test_links_of_aws_depend_on_no_other_region(region: str, name: str, place: str) -> None:
    """The global host name does not know regions that opened after March 2019, nor at once where a new bucket is."""
    bucket = Bucket(bucket=name, region=region, access_key="AKIATESTEDTESTED1234", secret_key="a-secret-of-tests")
    link = bucket.link(UNKNOWN_DIGEST, 60.0)
    assert link.startswith(f"https://{place.format(region)}failover/")
    assert f"%2F{region}%2Fs3%2F" in link
    bucket.close()


def test_what_is_handed_over_is_private(bucket: Bucket, standin: Moto) -> None:
    url = bucket.hand_over("web-0", b"DB_URL=opensesame\n", 600.0)
    assert fetched(url) == b"DB_URL=opensesame\n"
    assert "opensesame" not in url
    with pytest.raises(urllib.error.HTTPError) as caught:
        fetched(urlsplit(url)._replace(query="").geturl())
    caught.value.close()
    assert caught.value.code == 403
    assert all("x-amz-acl" not in call.headers for call in standin.requests)
    assert bucket.list() == frozenset()


def test_the_same_name_replaces_and_withdrawing_removes(bucket: Bucket, standin: Moto) -> None:
    bucket.hand_over("web-0", b"old", 600.0)
    assert fetched(bucket.hand_over("web-0", b"new", 600.0)) == b"new"
    bucket.hand_over("web-00", b"other", 600.0)
    for _ in range(2):
        bucket.withdraw("web-0")
    assert standin.objects() == {"failover/handover/web-00": b"other"}


def test_everything_can_be_withdrawn_and_nothing_else_goes(bucket: Bucket, standin: Moto, release: Packed) -> None:
    bucket.put(release.digest, release.archive)
    for number in range(5):
        bucket.hand_over(f"web-{number}", b"secret", 600.0)
    for _ in range(2):
        bucket.withdraw_all()
    assert bucket.list() == {release.digest}
    assert len(standin.objects()) == 1


def test_what_nobody_can_fetch_any_more_is_removed_on_the_next_occasion(bucket: Bucket, standin: Moto) -> None:
    for number in range(5):
        bucket.hand_over(f"old-{number}", b"secret", 600.0)
        standin.aged.add(f"failover/handover/old-{number}")
    bucket.hand_over("young", b"secret", 600.0)
    assert set(standin.objects()) == {"failover/handover/young"}
    bucket.hand_over("younger", b"secret", 600.0)
    assert set(standin.objects()) == {"failover/handover/young", "failover/handover/younger"}


def test_a_name_cannot_leave_its_place(bucket: Bucket, standin: Moto) -> None:
    bucket.hand_over("../releases/x", b"1", 60.0)
    assert set(standin.objects()) == {"failover/handover/..%2Freleases%2Fx"}


# ------------------------------------------------------------------------------------ bad days


def test_a_bucket_that_does_not_exist_is_an_error_not_an_empty_one(standin: Moto, release: Packed) -> None:
    bucket = bucket_at(standin, bucket="nobody-has-made-this-one")
    for call in (bucket.list, lambda: bucket.has(release.digest), lambda: bucket.put(release.digest, release.archive)):
        with pytest.raises(NotFound):
            call()
    bucket.close()


@pytest.mark.parametrize("kind", ["429", "500", "502", "drop"])
def test_a_hiccup_is_passed_over(bucket: Bucket, standin: Moto, release: Packed, kind: str) -> None:
    for pattern in ("s3.Put", "s3.Get", "s3.List", "s3.Delete"):
        standin.fault(pattern, kind, retry_after_s=0)
    bucket.put(release.digest, release.archive)
    assert bucket.has(release.digest)
    assert bucket.list() == {release.digest}
    bucket.remove(release.digest)
    assert standin.objects() == {}


@pytest.mark.parametrize(
    ("kind", "error"), [("429", Throttled), ("500", Unreadable), ("502", Unreadable), ("drop", Unreachable)]
)
def test_a_lasting_fault_is_never_an_empty_depot(
    bucket: Bucket, standin: Moto, release: Packed, kind: str, error: type[AdapterError]
) -> None:
    bucket.put(release.digest, release.archive)
    standin.fault("s3", kind, times=None, retry_after_s=0)
    for call in (bucket.list, lambda: bucket.has(release.digest), lambda: bucket.remove(release.digest)):
        with pytest.raises(error):
            call()


def test_a_page_that_fails_in_the_middle_fails_the_list(bucket: Bucket, standin: Moto, tmp_path: Path) -> None:
    for text in "abcde":
        release = packed(tmp_path, text)
        bucket.put(release.digest, release.archive)
    standin.fault("s3.List", "500", page=2, times=None)
    with pytest.raises(Unreadable):
        bucket.list()
    standin.mend()
    standin.fault("s3.List", "empty", page=2)
    with pytest.raises(Unreadable, match="0 objects were listed, 2 there are"):
        bucket.list()
    assert len(bucket.list()) == 5


def test_a_reply_that_never_comes_is_a_timeout(bucket: Bucket, standin: Moto, release: Packed) -> None:
    hurried = bucket_at(standin, timeout_s=1.5)
    standin.fault("s3.Put", "late")
    with pytest.raises(TimedOut):
        hurried.put(release.digest, release.archive)
    standin.mend()
    assert bucket.has(release.digest)
    hurried.close()


def test_a_page_of_a_captive_portal_is_not_an_empty_bucket(bucket: Bucket, standin: Moto, release: Packed) -> None:
    bucket.put(release.digest, release.archive)
    standin.portal = True
    for call in (bucket.list, lambda: bucket.has(release.digest)):
        with pytest.raises(Unreadable):
            call()
    assert classify(bucket.look()) is Signal.UNKNOWN


def test_looking_says_what_the_bucket_says_of_the_account(bucket: Bucket, standin: Moto) -> None:
    assert classify(bucket.look()) is Signal.OK
    standin.refusing = True
    assert classify(bucket.look()) is Signal.AUTH_AMBIGUOUS
    with pytest.raises(AccessRefused):
        bucket.list()
    standin.refusing = False
    standin.close("unpaid")
    answer = bucket.look()
    assert (classify(answer), answer.message) == (Signal.ACCOUNT_BLOCKED, "unpaid")
    standin.unreachable = True
    assert classify(bucket.look()) is Signal.TRANSPORT


def test_a_real_closed_account_is_ambiguous_and_everything_is_refused(
    bucket: Bucket, standin: Moto, release: Packed
) -> None:
    bucket.put(release.digest, release.archive)
    standin.close_silently()
    try:
        assert classify(bucket.look()) is Signal.AUTH_AMBIGUOUS
        for call in (bucket.list, lambda: bucket.has(release.digest), lambda: bucket.remove(release.digest)):
            with pytest.raises(AccessRefused):
                call()
    finally:
        standin.open_again()
    assert bucket.has(release.digest)
