"""What release is really in a directory now, without reading everything each time."""

import os
import time
from pathlib import Path

from failover.errors import FailoverError
from failover.net.archive import tree_digest

UNREADABLE = "unreadable"
"""Stands for a digest where the release cannot be read: equal to no wanted one."""
_SETTLED_NS = 1_000_000_000

Stamp = tuple[tuple[str, int, int, int, int, int], ...]


class Digests:
    """Digests by directory, kept while no file's inode, mode, size or times change.

    A file that changed within the last second before reading is never trusted: a second change in the same tick of
    the file system's clock would not show. The change time (ctime) cannot be set back by programs.
    """

    def __init__(self) -> None:
        self._kept: dict[Path, tuple[Stamp, str]] = {}

    def of(self, directory: Path) -> str:
        """The digest, or UNREADABLE."""
        now_ns = time.time_ns()
        try:
            stamp = _stamp(directory)
            kept = self._kept.get(directory)
            if kept is not None and kept[0] == stamp:
                return kept[1]
            digest = tree_digest(directory)
        except (OSError, FailoverError):
            self._kept.pop(directory, None)
            return UNREADABLE
        if all(entry[5] < now_ns - _SETTLED_NS for entry in stamp):
            self._kept[directory] = (stamp, digest)
        else:
            self._kept.pop(directory, None)
        return digest

    def keeps(self, directory: Path) -> bool:
        """Whether the next answer may come without reading the files."""
        return directory in self._kept

    def forget(self, directory: Path) -> None:
        self._kept.pop(directory, None)


def _stamp(directory: Path) -> Stamp:
    found = []
    for folder, folders, files in os.walk(directory):
        for name in (*folders, *files):
            path = os.path.join(folder, name)
            s = os.lstat(path)
            found.append((path, s.st_ino, s.st_mode, s.st_size, s.st_mtime_ns, s.st_ctime_ns))
    return tuple(sorted(found))
