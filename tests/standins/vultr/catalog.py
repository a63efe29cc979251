"""Vultr's regions, plans and operating systems: a few of the real ones, and some that cannot be had."""

from typing import Any


def _region(id: str, city: str, country: str, continent: str) -> dict[str, Any]:
    return {
        "id": id,
        "city": city,
        "country": country,
        "continent": continent,
        "options": ["ddos_protection", "kubernetes"],
    }


def _plan(id: str, vcpus: int, ram: int, disk: int, monthly: float, hourly: float, *locations: str) -> dict[str, Any]:
    """RAM in MB, disk in GB."""
    return {
        "id": id,
        "vcpu_count": vcpus,
        "ram": ram,
        "disk": disk,
        "disk_count": 1,
        "bandwidth": 1024,
        "monthly_cost": monthly,
        "hourly_cost": hourly,
        "type": id.partition("-")[0],
        "locations": list(locations),
    }


REGIONS = {
    region["id"]: region
    for region in (
        _region("ams", "Amsterdam", "NL", "Europe"),
        _region("ewr", "New Jersey", "US", "North America"),
        _region("fra", "Frankfurt", "DE", "Europe"),
    )
}
PLANS = {
    plan["id"]: plan
    for plan in (
        _plan("vc2-1c-0.5gb-v6", 1, 512, 10, 2.5, 0.004, "ewr"),
        _plan("vc2-1c-1gb", 1, 1024, 25, 5.0, 0.007, "ams", "ewr", "fra"),
        _plan("vc2-1c-2gb", 1, 2048, 55, 10.0, 0.015, "ams", "ewr", "fra"),
        _plan("vc2-2c-4gb", 2, 4096, 80, 20.0, 0.03, "ams", "ewr", "fra"),
        _plan("vhf-2c-4gb", 2, 4096, 128, 1.0, 0.0015),
        _plan("vc2-4c-8gb", 4, 8192, 160, 40.0, 0.06, "ams", "ewr"),
    )
}
SYSTEMS = {
    id: {"id": id, "name": name, "arch": "x64", "family": family}
    for id, name, family in (
        (159, "Custom", "iso"),
        (1743, "Ubuntu 22.04 LTS x64", "ubuntu"),
        (2136, "Debian 12 x64 (bookworm)", "debian"),
        (2284, "Ubuntu 24.04 LTS x64", "ubuntu"),
        (2625, "Debian 13 x64 (trixie)", "debian"),
    )
}
