"""glance: public images, newest first, in pages."""

import hashlib
from typing import Any
from urllib.parse import urlencode

from tests.standins.base import Refused, route
from tests.standins.openstack.identity import Document, Identity
from tests.standins.wire import Call, Reply

PER_PAGE, PER_PAGE_MAX = 25, 1000
_IMAGES = (
    # name, created, status, owner's own
    ("Debian 11", "2025-01-10", "active", False),
    ("Debian 12", "2026-03-01", "active", False),
    ("Debian 12", "2026-09-01", "active", False),
    ("Debian 12 - UEFI", "2026-09-02", "queued", False),
    ("Debian 13", "2026-09-01", "active", False),
    ("Ubuntu 22.04", "2026-08-15", "active", False),
    ("Ubuntu 24.04", "2026-08-15", "active", False),
    ("backup of db", "2026-10-01", "active", True),
)


class Image(Identity):
    """What servers are made from."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.images = [_image(self.new_id(), *row) for row in _IMAGES]

    @route("GET", "/image")
    @route("GET", "/image/")
    def image_versions(self, call: Call) -> Reply:
        link = {"rel": "self", "href": f"{self.url}/image/v2/"}
        versions = [
            {"id": f"v2.{minor}", "status": "CURRENT" if minor == 9 else "SUPPORTED", "links": [link]}
            for minor in (9, 7, 0)
        ]
        return Reply(status=300, document={"versions": versions})

    @route("GET", "/image/v2/images")
    def list_images(self, call: Call) -> Reply:
        known = ("name", "status", "visibility", "owner", "id", "os_distro")
        asked = {name: value for name, value in call.query if name in known}
        found = [image for image in self.images if all(image[name] == value for name, value in asked.items())]
        found.sort(key=lambda image: (image["created_at"], image["id"]), reverse=True)
        ids = [image["id"] for image in found]
        if marker := call.asked("marker"):
            if marker not in ids:
                raise Refused(400, "Invalid marker provided")
            found = found[ids.index(marker) + 1 :]
        limit = min(int(call.asked("limit", str(PER_PAGE))), self.page_max or PER_PAGE_MAX)
        page = found[:limit]
        document: Document = {"images": page, "first": "/v2/images", "schema": "/v2/schemas/images"}
        if len(found) > limit:
            query = {**dict(call.query), "marker": page[-1]["id"]}
            document["next"] = f"/v2/images?{urlencode(query)}"
        return Reply(document=document)

    @route("GET", "/image/v2/images/{id}")
    def get_image(self, call: Call, id: str) -> Reply:
        for image in self.images:
            if image["id"] == id:
                return Reply(document=image)
        raise Refused(404, f"Failed to find image {id}")


def _image(id: str, name: str, created: str, status: str, own: bool) -> Document:
    distro, _, version = name.partition(" ")
    return {
        "id": id,
        "name": name,
        "status": status,
        "visibility": "private" if own else "public",
        "container_format": "bare",
        "disk_format": "qcow2",
        "min_disk": 5,
        "min_ram": 0,
        "size": 342884352 if status == "active" else None,
        "virtual_size": None,
        "checksum": hashlib.md5(id.encode(), usedforsecurity=False).hexdigest(),
        "os_hash_algo": "sha512",
        "os_hash_value": hashlib.sha512(id.encode()).hexdigest(),
        "os_hidden": False,
        "owner": "7d1a1b4ee4384b1894a90878d3e92bab",
        "protected": False,
        "created_at": f"{created}T10:00:00Z",
        "updated_at": f"{created}T10:05:00Z",
        "tags": [],
        "os_distro": distro.lower(),
        "os_version": version,
        "self": f"/v2/images/{id}",
        "file": f"/v2/images/{id}/file",
        "schema": "/v2/schemas/image",
    }
