"""The four providers behind libcloud, each with its stand-in, for tests of what all of them do."""

from collections.abc import Callable
from dataclasses import dataclass

from failover.clouds.libcloud_dialect import Dialect
from failover.clouds.libcloud_digitalocean import DigitalOcean
from failover.clouds.libcloud_linode import Linode
from failover.clouds.libcloud_openstack import OpenStack
from failover.clouds.libcloud_vultr import Vultr
from tests.standins import digitalocean, linode, openstack, vultr
from tests.standins.base import StandIn

TOKEN = "a-token-of-tests"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """`listing` and `creating` are patterns of requests."""

    kind: str
    region: str
    standin: Callable[..., StandIn]
    dialect: Callable[[StandIn], Dialect]
    listing: str
    creating: str

    def __str__(self) -> str:
        return self.kind


def _openstack(standin: StandIn) -> Dialect:
    auth_url = f"{standin.url}/identity/v3"
    return OpenStack(auth_url=auth_url, project="p1", username="operator", password=TOKEN, region="GRA11")


CASES = (
    Case(
        kind="digitalocean",
        region="fra1",
        standin=digitalocean.DigitalOcean,
        dialect=lambda standin: DigitalOcean(token=TOKEN, region="fra1", endpoint=standin.url),
        listing="^GET /v2/droplets$",
        creating="^POST /v2/droplets$",
    ),
    Case(
        kind="linode",
        region="eu-central",
        standin=linode.LinodeStandIn,
        dialect=lambda standin: Linode(token=TOKEN, region="eu-central", endpoint=standin.url),
        listing="^GET /v4/linode/instances$",
        creating="^POST /v4/linode/instances$",
    ),
    Case(
        kind="vultr",
        region="fra",
        standin=vultr.Vultr,
        dialect=lambda standin: Vultr(token=TOKEN, region="fra", endpoint=standin.url),
        listing="^GET /v2/instances$",
        creating="^POST /v2/instances$",
    ),
    Case(
        kind="openstack",
        region="GRA11",
        standin=openstack.OpenStack,
        dialect=_openstack,
        listing="^GET /compute/v2.1/servers/detail$",
        creating="^POST /compute/v2.1/servers$",
    ),
)
