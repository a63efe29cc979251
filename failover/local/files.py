"""Private files: written whole or not at all, locked where two may come at once."""

import contextlib
import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from failover.errors import LockedError, StateDamaged

LOCK_WAIT_S = 30.0
_POLL_S = 0.02


def make_private(directory: Path) -> None:
    """The directory exists, and only its owner can look into what is new of it."""
    for missing in reversed([p for p in (directory, *directory.parents) if not p.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)


def write_private(path: Path, text: str) -> None:
    """Replace the file, mode 0600. After a crash it holds the old text or the new one, nothing between."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_json(path: Path, document: Mapping[str, object]) -> None:
    write_private(path, json.dumps(document, indent=1) + "\n")


def read_json(path: Path) -> dict[str, object] | None:
    """The object in the file, None when there is no such file. Raises StateDamaged for anything else."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise StateDamaged("read", str(path), f"{error}") from error
    if not isinstance(document, dict):
        raise StateDamaged("read", str(path), "it holds no JSON object")
    return document


@contextlib.contextmanager
def locked(path: Path, wait_s: float = LOCK_WAIT_S) -> Iterator[None]:
    """Hold an exclusive lock on the file. Raises LockedError when another holds it for longer than `wait_s`."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise LockedError("lock", str(path), "another process holds it", "wait for it to end") from None
                time.sleep(_POLL_S)
        yield
    finally:
        os.close(descriptor)
