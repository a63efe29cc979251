"""DigitalOcean's regions, sizes and images: a few of the real ones, and some that cannot be had."""

from typing import Any

FEATURES = ["backups", "ipv6", "metadata", "install_agent", "storage", "image_transfer"]
EVERYWHERE = ("nyc3", "ams3", "fra1")


def _size(
    slug: str, memory: int, vcpus: int, disk: int, monthly: float, hourly: float, *regions: str
) -> dict[str, Any]:
    return {
        "slug": slug,
        "memory": memory,
        "vcpus": vcpus,
        "disk": disk,
        "transfer": 1.0,
        "price_monthly": monthly,
        "price_hourly": hourly,
        "regions": list(regions or EVERYWHERE),
        "available": True,
        "description": "Basic",
        "networking_throughput": 2000,
        "disk_info": [{"type": "local", "size": {"amount": disk, "unit": "gib"}}],
    }


def _image(id: int, slug: str, distribution: str, name: str, disk: int) -> dict[str, Any]:
    return {
        "id": id,
        "name": name,
        "type": "base",
        "distribution": distribution,
        "slug": slug,
        "public": True,
        "regions": [*EVERYWHERE, "sgp1"],
        "created_at": "2025-06-02T15:04:05Z",
        "min_disk_size": disk,
        "size_gigabytes": 0.6,
        "description": f"{distribution} {name}",
        "tags": [],
        "status": "available",
    }


def _region(slug: str, name: str, *, available: bool = True) -> dict[str, Any]:
    return {"name": name, "slug": slug, "features": FEATURES, "available": available}


REGIONS = {
    "nyc3": _region("nyc3", "New York 3"),
    "ams3": _region("ams3", "Amsterdam 3"),
    "fra1": _region("fra1", "Frankfurt 1"),
    "sgp1": _region("sgp1", "Singapore 1", available=False),
}
SIZES = {
    size["slug"]: size
    for size in (
        _size("s-1vcpu-512mb-10gb", 512, 1, 10, 4.0, 0.00595),
        _size("s-1vcpu-1gb", 1024, 1, 25, 6.0, 0.00893),
        _size("s-1vcpu-2gb", 2048, 1, 50, 12.0, 0.01786),
        _size("s-2vcpu-2gb", 2048, 2, 60, 18.0, 0.02679),
        {**_size("s-1vcpu-4gb-sold-out", 4096, 1, 80, 1.0, 0.0015), "available": False, "regions": []},
        _size("s-2vcpu-4gb-far", 4096, 2, 80, 2.0, 0.003, "nyc3"),
        _size("s-2vcpu-4gb", 4096, 2, 80, 24.0, 0.03571),
        _size("s-4vcpu-8gb", 8192, 4, 160, 48.0, 0.07143),
    )
}
IMAGES = {
    image["slug"]: image
    for image in (
        _image(195932981, "almalinux-9-x64", "Unknown", "AlmaLinux 9", 10),
        _image(195932982, "debian-12-x64", "Debian", "12 x64", 7),
        _image(195932983, "debian-13-x64", "Debian", "13 x64", 7),
        _image(195932984, "ubuntu-22-04-x64", "Ubuntu", "22.04 (LTS) x64", 7),
        _image(195932985, "ubuntu-24-04-x64", "Ubuntu", "24.04 (LTS) x64", 7),
    )
}
