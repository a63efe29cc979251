"""Portable image names (`debian-12`) and how each kind of provider is asked for them: data, in `images.toml`."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from failover.errors import ConfigError, Rejected

_SHIPPED = Path(__file__).with_name("images.toml")
Entry = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ImageTable:
    """By portable name, by kind of provider: what identifies the image there (see the head of `images.toml`)."""

    entries: Mapping[str, Mapping[str, Entry]]

    @classmethod
    def load(cls, extra: Path | None = None) -> "ImageTable":
        """The shipped table; `extra`, a file of the same shape, adds to it and replaces entries. Raises ConfigError."""
        entries = {name: dict(kinds) for name, kinds in _read(_SHIPPED).items()}
        if extra is not None:
            for name, kinds in _read(extra).items():
                entries.setdefault(name, {}).update(kinds)
        return cls(entries)

    def find(self, kind: str, name: str) -> Entry:
        """How this kind of provider is asked for the image. Raises Rejected for a name that the table does not have.

        Before: find("digitalocean", "debian-12"). After: {"slug": "debian-12-x64"}.
        """
        found = self.entries.get(name, {}).get(kind)
        if found is None:
            known = ", ".join(self.names(kind)) or "none"
            raise Rejected("find image", name, f"no image of that name for {kind}", f"known are {known}; see `images:`")
        return found

    def names(self, kind: str) -> tuple[str, ...]:
        """Every portable name that this kind of provider may have, sorted."""
        return tuple(sorted(name for name, kinds in self.entries.items() if kind in kinds))


def _read(path: Path) -> dict[str, dict[str, Entry]]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError("read images", str(path), error.strerror or type(error).__name__) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError("read images", str(path), str(error), "it must be TOML") from error
    for name, kinds in document.items():
        if not isinstance(kinds, dict) or not all(_is_entry(entry) for entry in kinds.values()):
            hint = f'[{name}] holds lines such as digitalocean = {{ slug = "debian-12-x64" }}'
            raise ConfigError("read images", str(path), f"the entry {name} has another shape", hint)
    return document


def _is_entry(entry: object) -> bool:
    return isinstance(entry, dict) and bool(entry) and all(isinstance(value, str) for value in entry.values())
