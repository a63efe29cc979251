"""The key that signs DNS updates (TSIG, RFC 8945), and the file it is kept in."""

import base64
import binascii
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from failover.errors import SecretError
from failover.net.secret import read_private, remember

_STATEMENT = re.compile(
    r'\s*key\s+"?(?P<name>[^"\s{]+)"?\s*\{'
    r'\s*algorithm\s+"?(?P<algorithm>[^"\s;]+)"?\s*;'
    r'\s*secret\s+"?(?P<secret>[^"\s;]+)"?\s*;\s*\}\s*;?\s*'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TsigKey:
    """A shared secret by its name on both sides. `secret` is in base64. Raises ValueError when it is not."""

    name: str
    secret: str = field(repr=False)
    algorithm: str = "hmac-sha256"

    def __post_init__(self) -> None:
        try:
            base64.b64decode(self.secret, validate=True)
        except (binascii.Error, ValueError):
            raise ValueError(f"the secret of key {self.name} is not base64") from None
        remember(self.secret)


def write_key(path: Path, key: TsigKey) -> None:
    """Write the key as BIND's `key` statement, readable by its owner only. `nsupdate -k` and `dig -k` take the file."""
    text = f'key "{key.name}" {{\n\talgorithm {key.algorithm};\n\tsecret "{key.secret}";\n}};\n'
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def read_key(path: Path) -> TsigKey:
    """The key in a file of BIND's form (also `tsig-keygen`'s). Raises SecretError: missing, not private, not a key."""
    found = _STATEMENT.fullmatch(read_private(path))
    if found is None:
        raise SecretError("read key", f"file {path}", "it does not hold one `key` statement", "write it by tsig-keygen")
    try:
        return TsigKey(name=found["name"], secret=found["secret"], algorithm=found["algorithm"])
    except ValueError as error:
        raise SecretError("read key", f"file {path}", str(error)) from None
