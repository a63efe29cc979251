"""`failover init`: write a starting config from the shipped templates."""

import os
import secrets
import shutil
from pathlib import Path

from failover.errors import FailoverError, RefusedError
from failover.net.resources import resource

CONFIG = "failover.yaml"
RELEASE = "app"
SECRET = "secrets/guestbook-key"


def write_given(directory: Path, force: bool) -> list[Path]:
    """Write a commented config for sites that somebody else provisions. Returns what was written.

    Raises RefusedError when something of that name stands there and `force` is not set.
    """
    config = directory / CONFIG
    _refuse_overwriting([config], force)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _write(config, resource("templates/init/given.yaml").read_bytes())
    except OSError as error:
        raise _failed(directory, error) from error
    return [config]


def write_local(directory: Path, force: bool) -> list[Path]:
    """Write a playground of local clouds, with the example release and a fresh secret. Returns what was written.

    Raises RefusedError when something of these names stands there and `force` is not set.
    """
    config, release, secret = directory / CONFIG, directory / RELEASE, directory / SECRET
    _refuse_overwriting([config, release, secret], force)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _copy_release(release)
        _write_secret(secret)
        _write(config, resource("templates/init/local.yaml").read_bytes())
    except OSError as error:
        raise _failed(directory, error) from error
    return [config, release, secret]


def _refuse_overwriting(paths: list[Path], force: bool) -> None:
    standing = [path for path in paths if path.exists() or path.is_symlink()]
    if standing and not force:
        names = ", ".join(map(str, standing))
        raise RefusedError("write", names, "it stands there already", "choose another directory, or pass --force")


def _copy_release(release: Path) -> None:
    if release.is_dir() and not release.is_symlink():
        shutil.rmtree(release)
    else:
        release.unlink(missing_ok=True)
    shutil.copytree(
        resource("examples/guestbook"), release, ignore=shutil.ignore_patterns("__pycache__", "*.pyc", ".git")
    )


def _write_secret(path: Path) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    _write(path, secrets.token_hex(16).encode() + b"\n", mode=0o600)


def _write(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Replace the file as a whole; `mode` holds from the first moment (less what the umask takes away)."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as out:
        out.write(content)
    os.replace(fresh, path)


def _failed(directory: Path, error: OSError) -> FailoverError:
    return FailoverError("write a config to", str(directory), error.strerror or str(error), "choose another directory")
