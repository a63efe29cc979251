"""nova, what is for sale: flavors, limits, key pairs; all by microversion."""

import base64
import binascii
import hashlib
import re
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from tests.standins.base import Refused, route
from tests.standins.openstack.identity import USER_ID, Document
from tests.standins.openstack.network import Network
from tests.standins.wire import Call, Reply

LOWEST, HIGHEST = (2, 1), (2, 79)
PER_PAGE_MAX = 1000
_FLAVORS = (
    # name, vcpus, memory in MiB, disk in GiB, public to this project
    ("b2-7", 2, 7000, 50),
    ("d2-2", 1, 2000, 25),
    ("d2-4", 2, 4000, 50),
    ("b2-15", 4, 15000, 100),
)


class Shop(Network):
    """Everything but the servers."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.keypairs: dict[str, Document] = {}
        self.flavors = [self._flavor(*row) for row in _FLAVORS]

    @abstractmethod
    def used(self) -> list[Document]:
        """The flavor of every server."""

    def empty(self) -> None:
        super().empty()
        self.keypairs.clear()

    def checked(self, call: Call) -> None:
        if call.path.startswith("/compute/v2.1") and not LOWEST <= version_of(call) <= HIGHEST:
            asked = ".".join(map(str, version_of(call)))
            message = f"Version {asked} is not supported by the API. Minimum is 2.1 and maximum is 2.79."
            raise Refused(406, message)

    def conforming(self, call: Call, reply: Reply) -> Reply:
        reply = super().conforming(call, reply)
        if not call.path.startswith("/compute/v2.1"):
            return reply
        spoken = ".".join(map(str, version_of(call)))
        told = {
            "OpenStack-API-Version": f"compute {spoken}",
            "X-OpenStack-Nova-API-Version": spoken,
            "Vary": "OpenStack-API-Version, X-OpenStack-Nova-API-Version",
        }
        return replace(reply, headers={**told, **reply.headers})

    # ------------------------------------------------------------------------------------------ versions

    @route("GET", "/compute")
    @route("GET", "/compute/")
    def compute_versions(self, call: Call) -> Reply:
        return Reply(document={"versions": [self._compute_version()]})

    @route("GET", "/compute/v2.1")
    @route("GET", "/compute/v2.1/")
    def compute_version(self, call: Call) -> Reply:
        return Reply(document={"version": self._compute_version()})

    def _compute_version(self) -> Document:
        return {
            "id": "v2.1",
            "status": "CURRENT",
            "version": ".".join(map(str, HIGHEST)),
            "min_version": ".".join(map(str, LOWEST)),
            "updated": "2013-07-23T11:33:21Z",
            "links": [{"rel": "self", "href": f"{self.url}/compute/v2.1/"}],
            "media-types": [],
        }

    # ------------------------------------------------------------------------------------------ lists

    def _links(self, kind: str, id: str) -> list[Document]:
        return [
            {"rel": "self", "href": f"{self.url}/compute/v2.1/{kind}/{id}"},
            {"rel": "bookmark", "href": f"{self.url}/compute/{kind}/{id}"},
        ]

    def _slice(self, call: Call, key: str, items: Sequence[Document]) -> Reply:
        ids = [item["id"] for item in items]
        if marker := call.asked("marker"):
            if marker not in ids:
                raise Refused(400, f"marker [{marker}] not found")
            items = items[ids.index(marker) + 1 :]
        limit = min(int(call.asked("limit", str(PER_PAGE_MAX))), self.page_max or PER_PAGE_MAX)
        document: Document = {key: list(items[:limit])}
        if len(items) > limit:
            query = [(n, v) for n, v in call.query if n != "marker"] + [("marker", items[limit - 1]["id"])]
            document[f"{key}_links"] = [{"rel": "next", "href": f"{self.url}{call.path}?{urlencode(query)}"}]
        return Reply(document=document)

    # ------------------------------------------------------------------------------------------ what is for sale

    def _flavor(self, name: str, vcpus: int, ram: int, disk: int) -> Document:
        id = self.new_id()
        return {"id": id, "name": name, "vcpus": vcpus, "ram": ram, "disk": disk}

    def _shown_flavor(self, call: Call, flavor: Document) -> Document:
        version = version_of(call)
        shown = {
            **flavor,
            "swap": "" if version < (2, 75) else 0,
            "rxtx_factor": 1.0,
            "OS-FLV-EXT-DATA:ephemeral": 0,
            "OS-FLV-DISABLED:disabled": False,
            "os-flavor-access:is_public": True,
            "links": self._links("flavors", flavor["id"]),
        }
        return (
            shown
            | ({"description": None} if version >= (2, 55) else {})
            | ({"extra_specs": {}} if version >= (2, 61) else {})
        )

    @route("GET", "/compute/v2.1/flavors/detail")
    def list_flavors(self, call: Call) -> Reply:
        found = [self._shown_flavor(call, flavor) for flavor in self.flavors]
        return self._slice(call, "flavors", sorted(found, key=lambda flavor: str(flavor["id"])))

    @route("GET", "/compute/v2.1/flavors")
    def list_flavors_short(self, call: Call) -> Reply:
        found = [{"id": f["id"], "name": f["name"], "links": self._links("flavors", f["id"])} for f in self.flavors]
        return self._slice(call, "flavors", found)

    @route("GET", "/compute/v2.1/flavors/{id}")
    def get_flavor(self, call: Call, id: str) -> Reply:
        for flavor in self.flavors:
            if flavor["id"] == id:
                return Reply(document={"flavor": self._shown_flavor(call, flavor)})
        raise Refused(404, f"Flavor {id} could not be found.")

    @route("GET", "/compute/v2.1/flavors/{id}/os-extra_specs")
    def get_extra_specs(self, call: Call, id: str) -> Reply:
        return Reply(document={"extra_specs": {}})

    @route("GET", "/compute/v2.1/limits")
    def get_limits(self, call: Call) -> Reply:
        return Reply(
            document={
                "limits": {
                    "rate": [],
                    "absolute": {
                        "maxTotalInstances": self.nodes_max,
                        "totalInstancesUsed": len(self.used()),
                        "maxTotalCores": self.nodes_max * 4,
                        "totalCoresUsed": sum(flavor["vcpus"] for flavor in self.used()),
                        "maxTotalRAMSize": self.nodes_max * 16384,
                        "totalRAMUsed": sum(flavor["ram"] for flavor in self.used()),
                        "maxTotalKeypairs": 100,
                        "maxServerMeta": 128,
                        "maxServerGroups": 10,
                        "maxServerGroupMembers": 10,
                        "totalServerGroupsUsed": 0,
                    },
                }
            }
        )

    @route("GET", "/compute/v2.1/os-quota-sets/{project}")
    def get_compute_quota(self, call: Call, project: str) -> Reply:
        quota = {"id": project, "instances": self.nodes_max, "cores": self.nodes_max * 4, "ram": self.nodes_max * 16384}
        return Reply(document={"quota_set": {**quota, "key_pairs": 100, "metadata_items": 128}})

    @route("GET", "/compute/v2.1/os-availability-zone")
    def list_zones(self, call: Call) -> Reply:
        zone = {"zoneName": "nova", "zoneState": {"available": True}, "hosts": None}
        return Reply(document={"availabilityZoneInfo": [zone]})

    # ------------------------------------------------------------------------------------------ key pairs

    @route("GET", "/compute/v2.1/os-keypairs")
    def list_keypairs(self, call: Call) -> Reply:
        return Reply(document={"keypairs": [{"keypair": keypair} for keypair in self.keypairs.values()]})

    @route("POST", "/compute/v2.1/os-keypairs")
    def create_keypair(self, call: Call) -> Reply:
        wish = call.document["keypair"]
        if wish["name"] in self.keypairs:
            raise Refused(409, f"Key pair '{wish['name']}' already exists.")
        if not re.fullmatch(r"[\w @._-]{1,255}", wish["name"]):
            raise Refused(400, "Keypair data is invalid: Keypair name contains unsafe characters")
        parts = str(wish.get("public_key")).split()
        try:
            blob = base64.b64decode(parts[1], validate=True)
        except (IndexError, binascii.Error):
            raise Refused(400, "Keypair data is invalid: failed to generate fingerprint") from None
        digest = hashlib.md5(blob, usedforsecurity=False).hexdigest()
        made = {
            "name": wish["name"],
            "public_key": wish["public_key"],
            "fingerprint": ":".join(digest[n : n + 2] for n in range(0, 32, 2)),
            "type": "ssh",
        }
        self.keypairs[made["name"]] = made
        status = 201 if version_of(call) >= (2, 2) else 200
        return Reply(status=status, document={"keypair": {**made, "user_id": USER_ID}})

    @route("GET", "/compute/v2.1/os-keypairs/{name}")
    def get_keypair(self, call: Call, name: str) -> Reply:
        if name not in self.keypairs:
            raise Refused(404, f"Keypair {name} not found for user {USER_ID}")
        return Reply(document={"keypair": self.keypairs[name]})

    @route("DELETE", "/compute/v2.1/os-keypairs/{name}")
    def delete_keypair(self, call: Call, name: str) -> Reply:
        if self.keypairs.pop(name, None) is None:
            raise Refused(404, f"Keypair {name} not found for user {USER_ID}")
        return Reply(status=204 if version_of(call) >= (2, 2) else 202)


def version_of(call: Call) -> tuple[int, int]:
    """The microversion that a request asks for; without one the lowest."""
    service, _, asked = call.header("OpenStack-API-Version").partition(" ")
    text = asked if service == "compute" else call.header("X-OpenStack-Nova-API-Version")
    if text == "latest":
        return HIGHEST
    major, _, minor = text.partition(".")
    return (int(major), int(minor)) if major.isdecimal() and minor.isdecimal() else LOWEST
