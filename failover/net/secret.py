"""Secrets: references that are resolved late, and a redactor that keeps their values out of every output."""

import hashlib
import json
import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from failover.errors import SecretError

COMMAND_TIMEOUT_S = 10.0
SIZE_MAX = 64 * 1024
"""Bytes of one secret."""
GUESS_COST = 2**14
"""Of scrypt (RFC 7914), with blocks of 1 KiB: 16 MiB and some hundredths of a second for each try."""
_REDACTED = "[redacted]"
_SHORT = 4
"""Values below this many characters are not hidden: that would garble everything."""
_SHORT_LINE = 8
_known: set[str] = set()


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRef:
    """Where a secret is: exactly one of an environment variable, a private file, a command's standard output."""

    env: str | None = None
    file: Path | None = None
    command: tuple[str, ...] | None = field(default=None, repr=False)
    """Its arguments may be secret too."""

    def __str__(self) -> str:
        if self.env is not None:
            return f"env {self.env}"
        return f"file {self.file}" if self.file is not None else f"command {(self.command or ('?',))[0]}"

    def resolve(self) -> str:
        """The value, without a final newline; from now on `redact` hides it. Raises SecretError."""
        value = self._read().rstrip("\r\n")
        if not value:
            raise SecretError("read secret", str(self), "it is empty")
        remember(value)
        return value

    def check(self) -> None:
        """A file can be read, and by its owner only. Programs and variables are another matter: they may be elsewhere.

        Raises SecretError.
        """
        if self.file is not None:
            self.resolve()

    def _read(self) -> str:
        if self.env is not None:
            found = os.environ.get(self.env)
            if found is None:
                raise SecretError("read secret", str(self), "the variable is not set", f"export {self.env}")
            return found
        if self.file is not None:
            return read_private(self.file)
        return self._text(self._run(self.command or ()))

    def _run(self, command: tuple[str, ...]) -> bytes:
        """What the command prints. It runs in a session of its own, which ends with it or at the deadline."""
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except (OSError, ValueError, IndexError) as error:
            raise SecretError("read secret", str(self), _cause(error), "is the program installed?") from None
        with process:
            try:
                output, _ = process.communicate(timeout=COMMAND_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise SecretError("read secret", str(self), f"no answer within {COMMAND_TIMEOUT_S:g} s") from None
        if process.returncode:
            raise SecretError("read secret", str(self), f"it exited with {process.returncode}", "run it by hand")
        return output

    def _text(self, data: bytes) -> str:
        if len(data) > SIZE_MAX:
            raise SecretError("read secret", str(self), f"it is larger than {SIZE_MAX >> 10} KiB")
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise SecretError("read secret", str(self), "it is not UTF-8 text") from None


def read_private(path: Path) -> str:
    """The text of a file that only its owner can read. Raises SecretError for any other."""
    reference = SecretRef(file=path)
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if mode & 0o077:
                raise SecretError(
                    "read secret", str(reference), f"others can read it (mode {mode & 0o777:04o})", f"chmod 600 {path}"
                )
            return reference._text(file.read(SIZE_MAX + 1))
    except (OSError, ValueError) as error:
        raise SecretError("read secret", str(reference), _cause(error)) from None


def _cause(error: Exception) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else "it cannot be opened"


def remember(value: str) -> None:
    """Hide this value from now on, also where it stands escaped in JSON or a URL, or in single lines of several."""
    if len(value) < _SHORT:
        return
    lines = [line for line in value.splitlines() if len(line) >= _SHORT_LINE]
    for form in (value, *lines):
        _known.update((form, json.dumps(form)[1:-1], quote(form, safe=""), quote(form)))


def redact(text: str) -> str:
    """The text with every known secret value replaced."""
    for value in sorted(_known, key=len, reverse=True):
        text = text.replace(value, _REDACTED)
    return text


def digest_of(values: Mapping[str, str], salt: str) -> str:
    """What may be shown of values that may be secret, to tell a change: a guess cannot be compared with it cheaply."""
    if not values:
        return ""
    text = json.dumps(sorted(values.items()))
    return hashlib.scrypt(text.encode(), salt=salt.encode(), n=GUESS_COST, r=8, p=1, dklen=16).hex()
