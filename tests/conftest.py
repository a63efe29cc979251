"""Shared by all tests: how hard Hypothesis tries (`HYPOTHESIS_PROFILE=thorough` is long), no old secrets, Ctrl-C."""

import os
import signal

import pytest
from hypothesis import HealthCheck, settings

from failover.net import secret
from tests.standins.moto import moto_process

__all__ = ["moto_process"]  # one for all tests of a process: a fixture that modules import is another one in each

settings.register_profile("quick", max_examples=60, deadline=None, database=None, print_blob=True)
settings.register_profile(
    "thorough",
    max_examples=5000,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that starts us in the background lets no Ctrl-C through, also not to the commands that a test interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def no_secrets_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process has learned to hide, it hides for good: a test's password is a word of the next one's answer."""
    monkeypatch.setattr(secret, "_known", set())
