"""Who may do what: one private file per role in a daemon's directory."""

import secrets
from enum import StrEnum
from pathlib import Path

from failover.local.files import write_private
from failover.net.secret import read_private


class Role(StrEnum):
    """Watch reads. Mirror also creates and removes. Operator is the provider's own staff: closes, warns, breaks."""

    WATCH = "watch"
    MIRROR = "mirror"
    OPERATOR = "operator"


def create(directory: Path, role: Role) -> None:
    """A fresh token for the role."""
    write_private(directory / f"{role.value}.token", secrets.token_urlsafe(24) + "\n")


def read(directory: Path, role: Role) -> str:
    """The role's token. Raises SecretError when it is missing or others can read it."""
    return read_private(directory / f"{role.value}.token").strip()
