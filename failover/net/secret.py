"""Secrets: references that are resolved late, and a redactor that keeps their values out of every output."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from failover.errors import SecretError

COMMAND_TIMEOUT_S = 10.0
_REDACTED = "[redacted]"
_known: set[str] = set()


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRef:
    """Where a secret is: exactly one of an environment variable, a private file, a command's standard output."""

    env: str | None = None
    file: Path | None = None
    command: tuple[str, ...] | None = None

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

    def _read(self) -> str:
        if self.env is not None:
            found = os.environ.get(self.env)
            if found is None:
                raise SecretError("read secret", str(self), "the variable is not set", f"export {self.env}")
            return found
        if self.file is not None:
            return read_private(self.file)
        return self._run(self.command or ())

    def _run(self, command: tuple[str, ...]) -> str:
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_TIMEOUT_S, check=True
            )
            return done.stdout.decode()
        except subprocess.TimeoutExpired as error:
            raise SecretError("read secret", str(self), f"no answer within {COMMAND_TIMEOUT_S:g} s") from error
        except subprocess.CalledProcessError as error:
            raise SecretError("read secret", str(self), f"it exited with {error.returncode}") from None
        except (OSError, UnicodeDecodeError) as error:
            raise SecretError("read secret", str(self), type(error).__name__) from None


def read_private(path: Path) -> str:
    """The text of a file that only its owner can read. Raises SecretError for any other."""
    try:
        with path.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            if mode & 0o077:
                raise SecretError(
                    "read secret", f"file {path}", f"others can read it (mode {mode & 0o777:04o})", f"chmod 600 {path}"
                )
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        cause = error.strerror if isinstance(error, OSError) and error.strerror else "it is not UTF-8 text"
        raise SecretError("read secret", f"file {path}", cause) from error


def remember(value: str) -> None:
    """Hide this value from now on. Very short ones are left: hiding them would garble everything."""
    if len(value) >= 4:
        _known.add(value)


def redact(text: str) -> str:
    """The text with every known secret value replaced."""
    for value in sorted(_known, key=len, reverse=True):
        text = text.replace(value, _REDACTED)
    return text
