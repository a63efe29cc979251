"""Finding and loading `failover.yaml`: everything that is wrong with it at once, each with its place."""

import os
from collections.abc import Mapping
from pathlib import Path

from failover.config.findings import Finding, Mark, Source, refusal
from failover.config.model import Config
from failover.errors import ConfigError

FILE_NAME = "failover.yaml"
VARIABLE = "FAILOVER_CONFIG"
SIZE_MAX = 1024 * 1024
"""Bytes of a config."""


def find(option: Path | None, environ: Mapping[str, str]) -> Path:
    """Which file to load: the option, then FAILOVER_CONFIG, then `failover.yaml` in the working directory.

    Raises ConfigError when none is named and none is there. A file that is named is not looked at here.
    """
    if option is not None:
        return option
    if environ.get(VARIABLE):
        return Path(environ[VARIABLE])
    here = Path(FILE_NAME)
    if here.exists() or here.is_symlink():
        return here
    raise ConfigError(
        "find config", FILE_NAME, "there is none in this directory", f"failover init, or name one by -c or {VARIABLE}"
    )


def load(path: Path) -> Config:
    """The config, checked as a whole. Secrets are not resolved, and no other file is looked at.

    Raises ConfigError; its `findings` hold `file:line:column: message` with the source line and a caret, for all
    that is wrong. Text that stands where a secret belongs is never in them.
    """
    text = _decode(path, _read(path))
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # looking for plug-ins costs more than a check may
    from failover.config import build, document, explain, references, schema  # the heavy part

    found = document.parse(str(path), text)
    file, errors = schema.validate(found.data)
    findings = [*found.findings, *explain.explain(errors, found), *references.check(found)]
    if findings or file is None:
        raise refusal(found.source, findings)
    return build.build(file, path)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(SIZE_MAX + 1)
    except FileNotFoundError:
        raise ConfigError("read config", str(path), "there is no such file", "failover init makes one") from None
    except IsADirectoryError:
        raise ConfigError("read config", str(path), "it is a directory", f"name the file: {path / FILE_NAME}") from None
    except (OSError, ValueError) as error:
        cause = error.strerror if isinstance(error, OSError) and error.strerror else "it cannot be opened"
        raise ConfigError("read config", str(path), cause) from error
    if len(data) > SIZE_MAX:
        raise ConfigError("read config", str(path), f"it is larger than {SIZE_MAX >> 20} MiB", "this is not a config")
    return data


def _decode(path: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
    mark = Mark(before.count("\n"), len(before) - (before.rfind("\n") + 1))
    source = Source(name=str(path), text="", closed=True)
    raise refusal(source, [Finding(mark, "the file is not UTF-8 text")])
