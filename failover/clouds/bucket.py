"""A depot in an S3-compatible bucket: archives under their digests, and private objects handed over by link."""

import hashlib
import re
import tempfile
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from failover.core.reading import Answer
from failover.core.rights import Act, Right, right_of
from failover.errors import NotFound, Rejected, Unreadable
from failover.net.answers import answer_behind, from_parts
from failover.net.archive import unpack
from failover.net.aws import PAGES_MAX, Asking, AwsClients, AwsCredentials
from failover.net.calls import Deadline, repeat

LINK_S_MAX = 3600.0
"""The longest that a link may last: user-data, where it stands, can be read for good."""
_MARK = "failover-md5"
"""Metadata of our objects: the MD5 of the contents, which is also their ETag unless somebody has changed them."""
_ARCHIVE = re.compile(r"sha256-([0-9a-f]{64})\.tar\.gz")
_NO_UPLOAD = "failover-doctor-began-none"
_FIRST_BYTE = "bytes=0-0"
_CHUNK = 256 * 1024


class Bucket:
    """`ports.Depot` in the bucket, below `prefix`. The bucket exists already and is private.

    `clients` may be given instead of keys, where an account's own are used. `provider` is what answers are attributed
    to. `deadline_s` bounds each operation, `timeout_s` each wait for the network. `page_size`: keys a page, for tests.
    """

    def __init__(
        self,
        *,
        bucket: str,
        region: str,
        endpoint: str | None = None,
        access_key: str | None = None,
        secret_key: str | None = None,
        prefix: str = "failover",
        deadline_s: float = 60.0,
        timeout_s: float = 10.0,
        provider: str = "aws",
        clients: AwsClients | None = None,
        page_size: int = 1000,
    ) -> None:
        self.bucket = bucket
        self.region = region
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._deadline_s = deadline_s
        self._page_size = page_size
        self._clients = clients or AwsClients(
            AwsCredentials(access_key=access_key, secret_key=secret_key),
            region=region,
            endpoint=endpoint,
            timeout_s=timeout_s,
            provider=provider,
        )

    def close(self) -> None:
        """End every connection."""
        self._clients.close()

    # ------------------------------------------------------------------------------------------ archives

    def put(self, digest: str, archive: bytes) -> None:
        """See `ports.Depot`."""
        if not _holds(digest, archive):
            raise Rejected("store release", f"{digest} in {self.bucket}", "the archive holds something else")
        self._store(self._archive(digest), archive, "store release", f"{digest} in {self.bucket}")

    def has(self, digest: str) -> bool:
        """See `ports.Depot`. Reads the whole archive only where the bucket cannot tell that it is what was put."""
        what, thing = "look for release", f"{digest} in {self.bucket}"
        deadline, key = Deadline(self._deadline_s), self._archive(digest)
        try:
            head, _ = self._get(deadline, key, what, thing, part=_FIRST_BYTE)
            if head.get("Metadata", {}).get(_MARK) == head["ETag"].strip('"'):
                return True
            _, archive = self._get(deadline, key, what, thing)
        except (NotFound, Rejected) as error:
            answer = answer_behind(error)
            if answer is not None and answer.code in ("NoSuchKey", "InvalidRange"):  # nothing, or nothing in it
                return False
            raise
        return _holds(digest, archive)

    def list(self) -> frozenset[str]:
        """See `ports.Depot`."""
        prefix = f"{self._prefix}releases/"
        keys = (item["Key"].removeprefix(prefix) for item in self._objects(prefix, "list releases"))
        return frozenset(f"sha256:{found[1]}" for key in keys if (found := _ARCHIVE.fullmatch(key)))

    def remove(self, digest: str) -> None:
        """See `ports.Depot`."""
        self._delete(self._archive(digest), "remove release", f"{digest} in {self.bucket}")

    def link(self, digest: str, expires_s: float) -> str:
        """See `ports.Depot`. Lasts an hour at most, and no longer than the credentials that made it."""
        return self._signed(self._archive(digest), expires_s, "link release", f"{digest} in {self.bucket}")

    # ------------------------------------------------------------------------------------------ private objects

    def hand_over(self, name: str, contents: bytes, expires_s: float) -> str:
        """See `ports.Depot`. Objects whose links have all expired are removed on this occasion."""
        what, thing = "hand over", f"{name} in {self.bucket}"
        prefix = f"{self._prefix}handover/"
        key = prefix + quote(name, safe="")
        answered_at = self._store(key, contents, what, thing)
        for item in self._objects(prefix, what):
            age = answered_at - item["LastModified"]
            if item["Key"] != key and age.total_seconds() > LINK_S_MAX:
                self._delete(item["Key"], what, thing)
        return self._signed(key, expires_s, what, thing)

    def withdraw(self, name: str) -> None:
        """The object that was handed over under this name is not there. Idempotent."""
        self._delete(f"{self._prefix}handover/{quote(name, safe='')}", "withdraw", f"{name} in {self.bucket}")

    def withdraw_all(self) -> None:
        """Nothing that was ever handed over is there, to whichever node. Idempotent."""
        what, prefix = "withdraw", f"{self._prefix}handover/"
        for item in self._objects(prefix, what):
            self._delete(item["Key"], what, f"{item['Key']} in {self.bucket}")

    def may_put(self) -> Right:
        """See `ports.Depot`. By a part of an upload that nobody began: S3 looks for the upload of whoever may put.

        The right is that of PutObject. An S3 that knows no uploads by parts answers something else, which proves
        nothing; a part without an upload can be stored by none.
        Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html (permissions; NoSuchUpload, 404)
        """
        operation, key = "s3.UploadPart", f"{self._prefix}doctor"
        try:
            self._clients.s3().upload_part(
                Bucket=self.bucket, Key=key, PartNumber=1, UploadId=_NO_UPLOAD, Body=b"nothing"
            )
        except Exception as error:  # noqa: BLE001 - whatever a client raises is an answer here
            answer = self._clients.answer(error, operation)
        else:
            answer = from_parts(self._clients.provider, operation, status=200)
        return right_of(Act.STORE, answer, ("NoSuchUpload",), needs="s3:PutObject", object=self.bucket)

    # ------------------------------------------------------------------------------------------ the account

    def look(self) -> Answer:
        """What the bucket says now, one attempt, as evidence about the account. Never raises for an answer.

        By a list, because the answer to a HEAD has no body that could name a reason.
        """
        operation = "s3.ListObjectsV2"
        try:
            found: Mapping[str, Any] = self._clients.s3().list_objects_v2(
                Bucket=self.bucket, Prefix=self._prefix, MaxKeys=1
            )
        except Exception as error:  # noqa: BLE001 - whatever a client raises is a reading here
            return self._clients.answer(error, operation)
        status = found["ResponseMetadata"]["HTTPStatusCode"]
        if "IsTruncated" not in found:
            return from_parts(self._clients.provider, operation, message="not a list of a bucket", html=True)
        return from_parts(self._clients.provider, operation, status=status)

    # ------------------------------------------------------------------------------------------ S3

    def _archive(self, digest: str) -> str:
        return f"{self._prefix}releases/{digest.replace(':', '-', 1)}.tar.gz"

    def _asking(self, what: str, thing: str) -> Asking:
        return Asking(clients=self._clients, deadline=Deadline(self._deadline_s), what=what, object=thing)

    def _store(self, key: str, contents: bytes, what: str, thing: str) -> datetime:
        """Put the object; returns the time of the answer by the bucket's own clock."""
        md5 = hashlib.md5(contents, usedforsecurity=False)
        answer = self._asking(what, thing).once(
            "s3.PutObject",
            lambda: self._clients.s3().put_object(
                Bucket=self.bucket,
                Key=key,
                Body=contents,
                ContentMD5=b64encode(md5.digest()).decode(),
                Metadata={_MARK: md5.hexdigest()},
            ),
            "ETag",
        )
        return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])

    def _get(
        self, deadline: Deadline, key: str, what: str, thing: str, *, part: str = ""
    ) -> tuple[Mapping[str, Any], bytes]:
        """The object's description, and its contents or that part of them."""
        options: Any = {"Range": part} if part else {}

        def read() -> tuple[Mapping[str, Any], bytes]:
            answer = self._clients.s3().get_object(Bucket=self.bucket, Key=key, **options)
            pieces = []
            with closing(answer["Body"]) as body:
                for piece in body.iter_chunks(_CHUNK):
                    deadline.bound_s(1.0, what, thing)
                    pieces.append(piece)
            return answer, b"".join(pieces)

        def attempt() -> tuple[Mapping[str, Any], bytes]:
            deadline.bound_s(1.0, what, thing)
            return self._clients.asked("s3.GetObject", read, what, thing, deadline=deadline)

        head, contents = repeat(attempt, deadline)
        if "ETag" not in head:
            raise Unreadable(what, thing, "an answer of s3.GetObject without ETag")
        return head, contents

    def _objects(self, prefix: str, what: str) -> Iterator[Any]:
        """Every object below the prefix. A page without objects has no `Contents` at all, so pages are read here."""
        asking = self._asking(what, self.bucket)
        options: dict[str, Any] = {"Bucket": self.bucket, "Prefix": prefix, "MaxKeys": self._page_size}
        for _ in range(PAGES_MAX):
            page = asking.once("s3.ListObjectsV2", lambda: self._clients.s3().list_objects_v2(**options), "IsTruncated")
            found = page.get("Contents", ())
            if page.get("KeyCount", len(found)) != len(found):
                raise Unreadable(what, self.bucket, f"{len(found)} objects were listed, {page['KeyCount']} there are")
            yield from found
            if not page["IsTruncated"]:
                return
            following = page.get("NextContinuationToken")
            if not following or following == options.get("ContinuationToken"):
                break  # it says that there is more, and not where
            options["ContinuationToken"] = following
        raise Unreadable(what, self.bucket, "the list of objects has no end")

    def _delete(self, key: str, what: str, thing: str) -> None:
        self._asking(what, thing).once(
            "s3.DeleteObject",
            lambda: self._clients.s3().delete_object(Bucket=self.bucket, Key=key),
            "ResponseMetadata",
        )

    def _signed(self, key: str, expires_s: float, what: str, thing: str) -> str:
        expires = int(max(1.0, min(expires_s, LINK_S_MAX)))
        return self._clients.asked(
            "s3.GetObject",
            lambda: self._clients.s3().generate_presigned_url(
                "get_object", Params={"Bucket": self.bucket, "Key": key}, ExpiresIn=expires
            ),
            what,
            thing,
        )


def _holds(digest: str, archive: bytes) -> bool:
    """Whether the archive holds the tree of that digest."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            unpack(archive, Path(folder, "release"), digest)
        except Rejected:
            return False
    return True
