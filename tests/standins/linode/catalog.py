"""Linode's regions, types and images: a few of the real ones, and some that cannot be had."""

from typing import Any

CAPABILITIES = ["Linodes", "Cloud Firewall", "Metadata", "Block Storage", "NodeBalancers"]


def _region(id: str, label: str, country: str, *capabilities: str) -> dict[str, Any]:
    return {
        "id": id,
        "label": label,
        "country": country,
        "capabilities": list(capabilities) or CAPABILITIES,
        "status": "ok",
        "site_type": "core",
        "resolvers": {"ipv4": "198.51.100.5,198.51.100.6", "ipv6": "2001:db8:5::5,2001:db8:5::6"},
        "placement_group_limits": {"maximum_pgs_per_customer": 100, "maximum_linodes_per_pg": 5},
    }


def _type(
    id: str, label: str, kind: str, memory: int, vcpus: int, disk: int, monthly: float, hourly: float
) -> dict[str, Any]:
    """Memory and disk in MB."""
    return {
        "id": id,
        "label": label,
        "class": kind,
        "memory": memory,
        "disk": disk,
        "vcpus": vcpus,
        "gpus": 0,
        "transfer": 1000,
        "network_out": 1000,
        "successor": None,
        "price": {"hourly": hourly, "monthly": monthly},
        "region_prices": [{"id": "br-gru", "hourly": hourly * 1.4, "monthly": monthly * 1.4}],
        "addons": {"backups": {"price": {"hourly": 0.003, "monthly": 2.0}, "region_prices": []}},
    }


def _image(id: str, label: str, vendor: str, *, deprecated: bool = False, cloud_init: bool = True) -> dict[str, Any]:
    return {
        "id": id,
        "label": label,
        "vendor": vendor,
        "description": "",
        "created": "2023-06-09T00:00:00",
        "updated": "2025-01-14T00:00:00",
        "created_by": "linode",
        "capabilities": ["cloud-init", "distributed-sites"] if cloud_init else [],
        "deprecated": deprecated,
        "eol": "2028-07-01T04:00:00",
        "expiry": None,
        "is_public": True,
        "regions": [],
        "size": 1400,
        "status": "available",
        "tags": [],
        "total_size": 1400,
        "type": "manual",
    }


REGIONS = {
    region["id"]: region
    for region in (
        _region("us-east", "Newark, NJ", "us"),
        _region("eu-central", "Frankfurt, DE", "de"),
        _region("br-gru", "Sao Paulo, BR", "br"),
        _region("ap-west", "Mumbai, IN", "in", "Linodes", "Block Storage"),
    )
}
TYPES = {
    type["id"]: type
    for type in (
        _type("g6-nanode-1", "Nanode 1GB", "nanode", 1024, 1, 25600, 5.0, 0.0075),
        _type("g6-standard-1", "Linode 2GB", "standard", 2048, 1, 51200, 12.0, 0.018),
        _type("g6-standard-2", "Linode 4GB", "standard", 4096, 2, 81920, 24.0, 0.036),
        _type("g6-standard-4", "Linode 8GB", "standard", 8192, 4, 163840, 48.0, 0.072),
        _type("g7-premium-2", "Premium 4GB", "premium", 4096, 2, 81920, 1.0, 0.0015),
    )
}
SOLD_OUT = {("eu-central", "g7-premium-2"), ("us-east", "g7-premium-2")}
IMAGES = {
    image["id"]: image
    for image in (
        _image("linode/alpine3.19", "Alpine 3.19", "Alpine", cloud_init=False),
        _image("linode/debian10", "Debian 10", "Debian", deprecated=True, cloud_init=False),
        _image("linode/debian12", "Debian 12", "Debian"),
        _image("linode/debian13", "Debian 13", "Debian"),
        _image("linode/ubuntu22.04", "Ubuntu 22.04 LTS", "Ubuntu"),
        _image("linode/ubuntu24.04", "Ubuntu 24.04 LTS", "Ubuntu"),
    )
}
