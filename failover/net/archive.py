"""A release as one file: packed the same way every time, named by what is in it, unpacked only when it matches.

The digest covers names, contents and executable bits. It is the SHA-256 of a text with one line per file, sorted by the
bytes of the path, in the format of `sha256sum` (GNU coreutils): for a tree of plain files it is the digest of that
program's output. Marks between hash and path: a space for a plain file, `*` for an executable one, `@` for a symbolic
link (its hash is over the target's text). Empty directories, times and owners do not count.
"""

import gzip
import hashlib
import io
import os
import re
import shutil
import stat
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from failover.errors import AdapterError, Conflict, NotFound, Rejected, Unreadable

SIZE_MAX = 512 * 1024 * 1024
"""Bytes of all files of a release together."""
FILES_MAX = 100_000
_HEADER_ALLOWANCE = 64 * 1024 * 1024
"""What tar's own headers and padding may add when unpacked."""
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_SKIPPED_NAMES = frozenset({"__pycache__", ".git"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A release, ready to be sent. `files` counts plain files and links."""

    digest: str
    archive: bytes = field(repr=False)
    files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One file of the tree. `link` is the text of a symbolic link; `path` is relative, with `/`."""

    path: str
    source: Path
    size: int
    executable: bool
    link: str | None


def tree_digest(path: Path) -> str:
    """The digest (`sha256:…`) of what stands in a directory now.

    Raises NotFound (no such directory), Unreadable (a file cannot be read), Rejected (nothing in it, something that
    is neither file, directory nor link, a link that leaves the tree, too large).
    """
    return _digest((entry, _hash(entry)) for entry in _entries(path))


def pack(path: Path) -> Packed:
    """The directory as a tar.gz whose bytes depend only on its contents. Raises as `tree_digest` does."""
    entries = _entries(path)
    out = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=out, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        hashes = [(entry, _add(tar, entry)) for entry in entries]
    return Packed(digest=_digest(hashes), archive=out.getvalue(), files=len(entries))


def unpack(archive: bytes, into: Path, digest: str) -> None:
    """Make the directory `into` from an archive of `pack`; it appears whole and with the right digest, or not at all.

    `into` must not exist, or be empty. Its parent holds `.NAME.part` meanwhile; one that a killed run left is removed.
    Raises Rejected (not such an archive, or its contents have another digest), Conflict (`into` is not empty),
    AdapterError (the disk).
    """
    if _DIGEST.fullmatch(digest) is None:
        raise Rejected("unpack release", digest[:80], "this is not a digest of the form sha256:…")
    part = into.with_name(f".{into.name}.part")
    try:
        _discard(part)
        part.mkdir(parents=True, mode=0o755)
        _extract(archive, part, digest)
        _settle(part, into)
    except OSError as error:
        raise AdapterError("unpack release", str(into), error.strerror or type(error).__name__) from error
    finally:
        _discard(part)


# ---------------------------------------------------------------------------------------------- reading a tree


def _skipped(name: str) -> bool:
    return name in _SKIPPED_NAMES or name.endswith(".pyc")


def _entries(root: Path) -> list[_Entry]:
    entries = sorted(_walk(root, root, ""), key=lambda entry: os.fsencode(entry.path))
    if not entries:
        raise Rejected("read release", str(root), "there is no file in it")
    if len(entries) > FILES_MAX:
        raise Rejected("read release", str(root), f"it has {len(entries)} files; the limit is {FILES_MAX}")
    size = sum(entry.size for entry in entries)
    if size > SIZE_MAX:
        raise Rejected(
            "read release",
            str(root),
            f"it has {size >> 20} MiB; the limit is {SIZE_MAX >> 20} MiB",
            "leave data out of it",
        )
    return entries


def _walk(root: Path, directory: Path, prefix: str) -> Iterator[_Entry]:
    for found in _scan(directory):
        if _skipped(found.name):
            continue
        path = prefix + found.name
        source = directory / found.name
        if found.is_symlink():
            yield _Entry(path=path, source=source, size=0, executable=False, link=_link(root, source))
        elif found.is_dir(follow_symlinks=False):
            yield from _walk(root, source, path + "/")
        else:
            yield _plain(path, source)


def _scan(directory: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as found:
            return list(found)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFound("read release", str(directory), "there is no such directory") from error
    except OSError as error:
        raise _unreadable(directory, error) from error


def _plain(path: str, source: Path) -> _Entry:
    try:
        status = source.lstat()
    except OSError as error:
        raise _unreadable(source, error) from error
    if not stat.S_ISREG(status.st_mode):
        raise Rejected("read release", str(source), "it is neither a file, a directory nor a link")
    executable = bool(status.st_mode & stat.S_IXUSR)
    return _Entry(path=path, source=source, size=status.st_size, executable=executable, link=None)


def _link(root: Path, source: Path) -> str:
    """The text of a link that stays inside the tree."""
    try:
        target = os.readlink(source)
    except OSError as error:
        raise _unreadable(source, error) from error
    end = Path(os.path.realpath(source))
    if os.path.isabs(target) or not end.is_relative_to(os.path.realpath(root)):
        raise Rejected("read release", str(source), "the link points outside of the release")
    return target


def _open(source: Path) -> io.BufferedReader:
    try:
        return source.open("rb")
    except OSError as error:
        raise _unreadable(source, error) from error


def _unreadable(source: Path, error: OSError) -> Unreadable:
    return Unreadable("read release", str(source), error.strerror or type(error).__name__)


# ---------------------------------------------------------------------------------------------- hashing


def _hash(entry: _Entry) -> str:
    if entry.link is not None:
        return hashlib.sha256(os.fsencode(entry.link)).hexdigest()
    with _open(entry.source) as file:
        try:
            return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise _unreadable(entry.source, error) from error


def _digest(hashes: Iterable[tuple[_Entry, str]]) -> str:
    whole = hashlib.sha256()
    for entry, value in hashes:
        mark = "@" if entry.link is not None else "*" if entry.executable else " "
        whole.update(_line(value, mark, entry.path))
    return f"sha256:{whole.hexdigest()}"


def _line(value: str, mark: str, path: str) -> bytes:
    """As sha256sum writes it: a name that would break the line is escaped, and the line says so with a backslash."""
    escaped = path.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    sign = "\\" if escaped != path else ""
    return f"{sign}{value} {mark}".encode("ascii") + os.fsencode(escaped) + b"\n"


# ---------------------------------------------------------------------------------------------- packing


class _Hashed(io.RawIOBase):
    """Reads a file and hashes what was read, so that the digest is that of the bytes packed."""

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file
        self.hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.hash.update(data)
        return data


def _add(tar: tarfile.TarFile, entry: _Entry) -> str:
    info = tarfile.TarInfo(entry.path)
    info.mode = 0o755 if entry.executable else 0o644
    if entry.link is not None:
        info.type, info.linkname = tarfile.SYMTYPE, entry.link
        tar.addfile(info)
        return _hash(entry)
    info.size = entry.size
    with _open(entry.source) as file:
        hashed = _Hashed(file)
        try:
            tar.addfile(info, hashed)
        except OSError as error:
            raise Unreadable("read release", str(entry.source), "it changed or failed while it was read") from error
        return hashed.hash.hexdigest()


# ---------------------------------------------------------------------------------------------- unpacking


class _Limited(io.RawIOBase):
    """Unpacked bytes up to a limit: a small archive may not become a large disk."""

    def __init__(self, file: gzip.GzipFile, limit: int) -> None:
        self._file = file
        self._left = limit

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(min(size, self._left + 1) if size >= 0 else self._left + 1)
        self._left -= len(data)
        if self._left < 0:
            raise tarfile.TarError("it is too large when unpacked")
        return data


def _extract(archive: bytes, part: Path, digest: str) -> None:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(archive)) as compressed:
            limited = _Limited(compressed, SIZE_MAX + _HEADER_ALLOWANCE)
            with tarfile.open(fileobj=limited, mode="r|", errorlevel=2) as tar:
                for member in tar:
                    _check(member)
                    _place(tar, member, part)
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error, ValueError, UnicodeError) as error:
        raise Rejected("unpack release", digest, f"the archive is not usable: {error}") from error
    found = tree_digest(part)
    if found != digest:
        raise Rejected("unpack release", digest, f"the archive holds something else: {found}")


def _check(member: tarfile.TarInfo) -> None:
    """Only what the digest covers may come in."""
    names = member.name.split("/")
    if not (member.isreg() or member.issym()) or any(_skipped(name) for name in names):
        raise tarfile.TarError(f"it may not hold {member.name[:120]!r}")
    if member.name.startswith("/") or ".." in names:
        raise tarfile.TarError(f"{member.name[:120]!r} is outside of the release")


def _place(tar: tarfile.TarFile, member: tarfile.TarInfo, part: Path) -> None:
    """Nothing outside of the release is touched. (`TarFile.extract` knows its filters only since Python 3.11.4.)"""
    path, shown = part / member.name, repr(member.name[:120])
    if not _inside(path.parent, part):
        raise tarfile.TarError(f"{shown} is reached through a link that leaves the release")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if member.issym():
            if not _inside(path.parent / member.linkname, part):
                raise tarfile.TarError(f"the link {shown} leaves the release")
            path.symlink_to(member.linkname)
            return
        content = cast("IO[bytes]", tar.extractfile(member))  # None only of what is neither file nor link
        with path.open("xb") as out:
            shutil.copyfileobj(content, out)
    except (FileExistsError, NotADirectoryError) as error:
        raise tarfile.TarError(f"{shown} is there already, as something else") from error
    path.chmod(0o755 if member.mode & stat.S_IXUSR else 0o644)


def _inside(path: Path, root: Path) -> bool:
    """Also where links go round in a circle."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))


def _settle(part: Path, into: Path) -> None:
    try:
        part.rename(into)
    except OSError as error:
        if into.exists():
            raise Conflict("unpack release", str(into), "something is there already") from error
        raise


def _discard(part: Path) -> None:
    if part.is_symlink() or part.is_file():
        part.unlink()
    elif part.exists():
        shutil.rmtree(part)
