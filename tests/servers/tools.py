"""What tests with real servers share: is it there, and a port for it."""

import os
import shutil

import pytest


def need(program: str, package: str) -> str:
    """The program's path. Without it the test is skipped, but fails under CI=true, where it must be there."""
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin:/sbin")
    if path is not None:
        return path
    reason = f"{program} is not installed (package {package}; tests/servers/install.sh)"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
