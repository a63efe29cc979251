"""Accounts that refuse us without a word, seen by the real adapters over time."""

from collections.abc import Iterator

import pytest

from failover.clouds.aws import Aws
from failover.clouds.depot_settings import DepotSettings
from failover.clouds.images import ImageTable
from failover.clouds.second import Seconded
from failover.core.evidence import Memory, corroborated, remember
from failover.core.health import HealthState
from failover.core.model import Instant, Reading
from failover.core.reading import AMBIGUOUS
from failover.net.aws import AwsCredentials
from failover.ports import Account
from tests.clouds.libcloud_cases import CASES, TOKEN, Case
from tests.clouds.libcloud_support import made
from tests.standins.base import Operator
from tests.standins.moto import REGION, Moto, MotoProcess

CONFIRM_S = 60.0


def at(seconds: float) -> Instant:
    return Instant(boot_id="b", boottime_s=seconds, utc_s=seconds)


@pytest.fixture
def standin(moto_process: MotoProcess) -> Iterator[Moto]:
    with Moto(moto_process) as found:
        found.open_again()
        yield found
        found.open_again()


def account(standin: Moto, key: str) -> Aws:
    return Aws(
        region=REGION,
        credentials=AwsCredentials(access_key=key, secret_key="a-secret-of-tests"),
        images=ImageTable.load(),
        endpoint=standin.url,
        role="watch",
        depot=DepotSettings(bucket=standin.bucket),
        timeout_s=20.0,
        state_s=20.0,
    )


@pytest.fixture
def clouds(standin: Moto) -> Iterator[tuple[Aws, Aws]]:
    found = (account(standin, "AKIAFIRSTFIRSTFIRST1"), account(standin, "AKIASECONDSECOND1234"))
    yield found
    for cloud in found:
        cloud.close()


def believed(asked: Account, standin: Moto) -> tuple[bool, tuple[str, ...]]:
    """What is believed a minute after the account was closed, while the service is down."""
    memory = remember(Memory(), asked.state().signals, at(0))
    assert all(s.worked_at is not None for s in memory.services)
    standin.close_silently()
    for seconds in (10.0, 20.0):
        report = asked.state()
        assert report.reading is Reading.REFUSED
        memory = remember(memory, report.signals, at(seconds))
    refused = {s.service for s in memory.services if s.signal in AMBIGUOUS and s.worked_at is not None}
    assert {"ec2", "sts", "s3"} <= refused
    return corroborated(
        memory, now=at(10 + CONFIRM_S), data_plane=HealthState.DOWN, explicit=False, confirm_s=CONFIRM_S
    )


def test_one_credential_alone_could_have_been_replaced(standin: Moto, clouds: tuple[Aws, Aws]) -> None:
    closed, signs = believed(clouds[0], standin)
    assert not closed
    assert signs == (
        "ec2, s3, sts worked before and began to refuse us within minutes",
        "no rotation of the credential is known",
    )


def test_with_a_second_one_it_is_a_closed_account(standin: Moto, clouds: tuple[Aws, Aws]) -> None:
    closed, signs = believed(Seconded(*clouds, deadline_s=20.0), standin)
    assert closed, signs


@pytest.mark.parametrize("case", [c for c in CASES if c.kind != "openstack"], ids=str)
def test_three_services_that_turn_on_us_at_once_are_a_sign(case: Case) -> None:
    """Not at OpenStack: there one service, keystone, opens all doors, and it says itself that a project is disabled."""
    with case.standin(token=TOKEN) as standin:
        cloud = made(case.dialect(standin), None, case.region)
        memory = remember(Memory(), cloud.state().signals, at(0))
        Operator(standin).refuse()
        memory = remember(memory, cloud.state().signals, at(10))
        cloud.close()
    closed, signs = corroborated(
        memory, now=at(10 + CONFIRM_S), data_plane=HealthState.DOWN, explicit=False, confirm_s=CONFIRM_S
    )
    assert not closed, "a replaced credential looks the same"
    assert any("began to refuse us within minutes" in sign for sign in signs), signs
