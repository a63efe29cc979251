"""Hetzner passes the common suite against its stand-in, at once and with delays, and does what only it needs."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from failover.clouds.depot_settings import DepotSettings
from failover.clouds.hetzner import cloud as hetzner
from failover.clouds.hetzner_project import Hetzner as HetznerCloud
from failover.clouds.table import Cloud
from failover.core.reading import Reading
from failover.errors import Unreachable
from failover.ports import Account
from failover.testing.clouds import REASON
from tests.clouds.libcloud_support import IMAGES, LATE, Shelf, WordlessSuite
from tests.standins.hetzner import Hetzner
from tests.standins.moto import Moto, MotoProcess

TOKEN = "hetzner-standin"
REGION = "nbg1"


def cloud_at(standin: Hetzner, shelf: Shelf | None = None, **more: object) -> HetznerCloud:
    """A cloud that loses no time between two looks."""
    wanted = {"poll_s": 0.02, "deadline_s": 20.0, "endpoint": standin.url, "token": TOKEN, "region": REGION, **more}
    return HetznerCloud(name="hetzner", images=IMAGES, depot=shelf, **wanted)  # type: ignore[arg-type] # their types differ


class TestHetzner(WordlessSuite):
    """A closed account is a refusal like any other."""

    def opened(self, **options: Any) -> Hetzner:
        return Hetzner(token=TOKEN, **options)

    def cloud_at(self, standin: Hetzner, shelf: Shelf) -> Cloud:
        return cloud_at(standin, shelf)

    @pytest.fixture
    def reader(self, standin: Hetzner) -> Iterator[Account]:
        standin.token_readonly.add("reads-only")
        cloud = cloud_at(standin, token="reads-only")
        yield cloud
        cloud.close()


class TestHetznerWithDelays(TestHetzner):
    """New servers are listed late, have addresses later, are locked for long, and go slowly."""

    pace = LATE

    def opened(self, **options: Any) -> Hetzner:
        made = super().opened(**options)
        made.delete_ticks = 3
        return made


def test_a_closed_account_at_the_depot_is_not_a_closed_account_here(moto_process: MotoProcess) -> None:
    """A standby at Hetzner must not look closed because its depot stands at the provider that was just lost."""
    with Moto(moto_process) as moto, Hetzner(token=TOKEN) as standin:
        settings = DepotSettings(
            bucket=moto.bucket,
            endpoint=moto.url,
            region="us-east-1",
            access_key="AKIATESTEDTESTED1234",
            secret_key="a-secret",
        )
        made = hetzner(
            name="hz", region=REGION, token=TOKEN, images=IMAGES, endpoint=f"{standin.url}/v1", depot=settings
        )
        assert made.list() == frozenset()
        moto.close(REASON)
        report = made.state()
        assert (report.reading, [s.service for s in report.signals]) == (
            Reading.ACTIVE,
            ["servers", "images", "firewalls"],
        )
        made.close()


def test_the_certificate_of_another_address_is_checked(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    standin = Hetzner(token=TOKEN)
    standin._server.socket = context.wrap_socket(standin._server.socket, server_side=True)
    with standin:
        url = standin.url.replace("http:", "https:")
        trusting = cloud_at(standin, endpoint=url, ca_file=str(tmp_path / "ca.pem"))
        assert trusting.quota().nodes_used == 0
        wary = cloud_at(standin, endpoint=url)
        with pytest.raises(Unreachable, match="could not be trusted"):
            wary.quota()
        for each in (trusting, wary):
            each.close()
