"""A local cloud's store of releases: `archives/`, each checked when it comes in and each time it is used."""

import hashlib
import json
import re
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

from failover.errors import AdapterError, Rejected
from failover.local.files import write_private
from failover.local.server import Refusal
from failover.net.archive import unpack

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def checked_digest(digest: object) -> str:
    """Raises Refusal for anything that is not `sha256:` and 64 hex digits."""
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise Refusal(400, "invalid_digest", "a digest is sha256: and 64 hex digits")
    return digest


class ArchiveStore:
    """Archives by the digest of the tree in them. An archive counts only with its note beside it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def list(self) -> list[str]:
        notes = self._directory.glob("sha256-*.json") if self._directory.is_dir() else ()
        return sorted(note.stem.replace("-", ":", 1) for note in notes)

    def put(self, digest: str, archive: bytes, commit: Callable[[Callable[[], None]], None]) -> None:
        """Check the archive against its digest, then store it by `commit`, which does what it is given or refuses.

        Raises Refusal when the contents are others.
        """
        self._directory.mkdir(mode=0o700, exist_ok=True)
        trial = self._directory / f".check-{secrets.token_hex(4)}"
        try:
            unpack(archive, trial, digest)
        except Rejected as error:
            raise Refusal(422, "digest_mismatch", error.cause) from error
        except AdapterError as error:
            raise Refusal(507, "storage_failed", str(error)) from error
        finally:
            shutil.rmtree(trial, ignore_errors=True)
        commit(lambda: self._write(digest, archive))

    def _write(self, digest: str, archive: bytes) -> None:
        file, note = self._paths(digest)
        temporary = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
        temporary.write_bytes(archive)
        temporary.replace(file)
        write_private(note, json.dumps({"sha256": hashlib.sha256(archive).hexdigest(), "size": len(archive)}))

    def get(self, digest: str) -> bytes | None:
        """The archive, None when it is missing or no longer what came in."""
        file, note = self._paths(digest)
        try:
            archive, wanted = file.read_bytes(), json.loads(note.read_bytes())
        except (OSError, ValueError):
            return None
        same = isinstance(wanted, dict) and wanted.get("sha256") == hashlib.sha256(archive).hexdigest()
        return archive if same else None

    def remove(self, digest: str) -> None:
        for path in reversed(self._paths(digest)):
            path.unlink(missing_ok=True)

    def clear(self) -> None:
        shutil.rmtree(self._directory, ignore_errors=True)

    def _paths(self, digest: str) -> tuple[Path, Path]:
        stem = digest.replace(":", "-", 1)
        return self._directory / f"{stem}.tar.gz", self._directory / f"{stem}.json"
