"""Linode's dialect (API v4, by its OpenAPI document): unique labels, tags, Cloud Firewalls given at creation."""

import secrets
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from libcloud.compute.drivers.linode import LinodeNodeDriver

from failover.clouds import libcloud_linode_answers as answers
from failover.clouds import libcloud_rights as rights
from failover.clouds.libcloud_dialect import Machine, Offered, Place, Wish, gone, shortest, tags_of
from failover.clouds.libcloud_token import TokenDialect, cloud_by_token
from failover.core.firewall import ANYWHERE_V4, ANYWHERE_V6, EVERYTHING, Firewall, Opening, wanted_openings
from failover.core.model import NodeSpec, Size
from failover.core.reading import Answer
from failover.core.rights import Right
from failover.errors import Conflict, NotFound, Rejected
from failover.net.libcloud import Api, Ask

ENDPOINT = "https://api.linode.com"
_LABEL_MAX, _TAG_MAX = 64, 50
_PORTS_MAX = 15
"""In one rule of a firewall."""
_NAME_TAKEN = "must be unique"
_ENABLED = "enabled"
_CLOUD_INIT, _METADATA = "cloud-init", "Metadata"
"""What an image and a region must be capable of, so that a Linode is given its user-data."""
_WALL = {"ipv4": [ANYWHERE_V4], "ipv6": [ANYWHERE_V6]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Linode(TokenDialect):
    """See `Dialect`."""

    driver: ClassVar = LinodeNodeDriver

    endpoint: str = ENDPOINT
    kind: str = "linode"
    busy: tuple[int, str] = (400, "busy")

    # ------------------------------------------------------------------------------------------ servers

    def machines(self, api: Api) -> tuple[Machine, ...]:
        return tuple(answers.machine_of(one) for one in answers.linodes(api))

    def machine(self, api: Api, id: str) -> Machine:
        return answers.machine_of(api.get(Ask(name="instances.get", path=f"/v4/linode/instances/{id}"), answers.Linode))

    def vet(self, spec: NodeSpec) -> None:
        """Labels have no two hyphens in a row (API reference, "Create a Linode")."""
        shortest(spec.name, _LABEL_MAX, "label", self.kind)
        for tag in tags_of(spec.labels):
            shortest(tag, _TAG_MAX, "tag", self.kind)
        if "--" in spec.name:
            hint = "choose names for the service, site and group without it"
            raise Rejected("give a label", spec.name, f"{self.kind} takes no two hyphens in a row", hint)

    def create(self, api: Api, wish: Wish) -> Machine:
        """The root password, which the API demands with an image, is known to nobody."""
        wall = next(iter(answers.ours(answers.firewalls(api), wish.place)), None)
        body: dict[str, object] = {
            "label": wish.spec.name,
            "region": self.region,
            "type": wish.size,
            "image": wish.image,
            "root_pass": f"Aa1-{secrets.token_urlsafe(48)}",
            "tags": tags_of(wish.spec.labels),
            **answers.connection(api, wall),
        }
        if wish.spec.user_data:
            body["metadata"] = {"user_data": b64encode(wish.spec.user_data.encode()).decode()}
        try:
            made = api.once(
                Ask(name="instances.create", method="POST", path="/v4/linode/instances", body=body), answers.Linode
            )
        except Rejected as error:
            if _NAME_TAKEN in str(error.cause):
                raise Conflict(
                    api.operation, api.object, error.cause, "apply again: a new one is listed late"
                ) from error
            raise
        return answers.machine_of(made)

    def start(self, api: Api, id: str) -> None:
        api.sent(Ask(name="instances.boot", method="POST", path=f"/v4/linode/instances/{id}/boot"))

    def delete(self, api: Api, id: str) -> None:
        api.done(Ask(name="instances.delete", method="DELETE", path=f"/v4/linode/instances/{id}"))

    # ------------------------------------------------------------------------------------------ what can be had

    def offered(self, api: Api) -> tuple[Offered, ...]:
        """The account's own images too, if they were made with cloud-init: others would be refused at creation."""
        images = answers.listed(api, "images.list", "/v4/images", answers.Image)
        usable = (image for image in images if _CLOUD_INIT in image.capabilities and not image.deprecated)
        return tuple(Offered(id=i.id, name=i.label, created=i.created) for i in usable)

    def sizes(self, api: Api) -> tuple[Size, ...]:
        """Disks are in MB here. Prices differ by region."""
        path = f"/v4/regions/{self.region}"
        try:
            region = api.get(Ask(name="regions.get", path=path), answers.Region)
            told = api.get(Ask(name="regions.availability", path=f"{path}/availability"), list[answers.Availability])
        except NotFound as error:
            raise Rejected(api.operation, api.object, f"there is no region {self.region}") from error
        if _METADATA not in region.capabilities:
            cause = f"nodes in {self.region} cannot be given user-data"
            raise Rejected(api.operation, api.object, cause, f"a region with the capability {_METADATA}")
        missing = {one.plan for one in told if not one.available}
        types = answers.listed(api, "types.list", "/v4/linode/types", answers.Type)
        return tuple(
            Size(
                name=t.id,
                cpus=t.vcpus,
                memory_mib=t.memory,
                disk_gib=t.disk // 1024,
                price_per_hour=next((p.hourly for p in t.region_prices if p.id == self.region), t.price.hourly),
            )
            for t in types
            if t.id not in missing
        )

    def nodes_max(self, api: Api) -> int | None:  # noqa: ARG002
        """The API tells no limit: only the refusal does."""
        return None

    # ------------------------------------------------------------------------------------------ account

    def look(self, api: Api) -> Iterator[Answer]:
        yield api.look(
            Ask(name="instances.list", path="/v4/linode/instances", query={"page_size": answers.PAGE_SIZE}),
            answers.suspension,
        )
        yield api.look(Ask(name="notifications.list", path="/v4/account/notifications"), answers.notice)
        yield api.look(Ask(name="profile.get", path="/v4/profile"))

    def rights(self, api: Api, spec: NodeSpec) -> tuple[Right, ...]:
        wanted = Place(service=spec.service, site=spec.site).labels.items()
        ours = (one.id for one in self.machines(api) if wanted <= one.labels.items())
        return rights.linode(api, frozenset(ours))

    # ------------------------------------------------------------------------------------------ firewall

    def open(self, api: Api, place: Place, ports: Sequence[int]) -> None:
        """A firewall that `create` gives to the place's Linodes; those that stand without any get it here."""
        walls = answers.firewalls(api)
        found = next(iter(answers.ours(walls, place)), None)
        texts = [",".join(map(str, some)) for some in answers.pieces(sorted(set(ports)), _PORTS_MAX)]
        rules = {
            "inbound": [{"action": "ACCEPT", "protocol": "TCP", "ports": text, "addresses": _WALL} for text in texts],
            "inbound_policy": "DROP",
            "outbound": [],
            "outbound_policy": "ACCEPT",
        }
        if found is None:
            body = {"label": answers.label_of(place), "tags": tags_of(place.labels), "rules": rules}
            ask = Ask(name="firewalls.create", method="POST", path="/v4/networking/firewalls", body=body)
            found = api.once(ask, answers.Firewall)
            walls = [*walls, found]
        else:
            path = f"/v4/networking/firewalls/{found.id}"
            if answers.accepted(found.rules) != wanted_openings(ports):
                api.done(Ask(name="firewalls.rules", method="PUT", path=f"{path}/rules", body=rules))
            if found.status != _ENABLED:
                api.done(Ask(name="firewalls.update", method="PUT", path=path, body={"status": _ENABLED}))
        for device in (one for linode in answers.outside(api, place, walls) for one in answers.devices(api, linode)):
            path = f"/v4/networking/firewalls/{found.id}/devices"
            api.sent(Ask(name="firewalls.device", method="POST", path=path, body=device))

    def opened(self, api: Api, place: Place) -> Firewall:
        walls = answers.firewalls(api)
        found = next(iter(answers.ours(walls, place)), None)
        openings: frozenset[Opening] = frozenset()
        if found is not None:
            openings = answers.accepted(found.rules) if found.status == _ENABLED else EVERYTHING
        return Firewall(openings=openings, outside=tuple(linode.label for linode in answers.outside(api, place, walls)))

    def clear(self, api: Api, place: Place) -> None:
        for found in answers.ours(answers.firewalls(api), place):
            gone(api, Ask(name="firewalls.delete", method="DELETE", path=f"/v4/networking/firewalls/{found.id}"))


cloud = cloud_by_token(Linode)
