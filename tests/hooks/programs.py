"""Writes small programs of a user."""

import stat
from pathlib import Path


def program(path: Path, text: str) -> tuple[str]:
    """An executable shell program at `path`, as a command."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return (str(path),)
