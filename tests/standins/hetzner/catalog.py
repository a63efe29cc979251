"""What Hetzner sells, in the shapes of its API reference, and its language of label selectors."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

LOCATIONS: tuple[dict[str, Any], ...] = tuple(
    {
        "id": id,
        "name": name,
        "description": f"{city} DC Park 1",
        "country": country,
        "city": city,
        "latitude": 50.0,
        "longitude": 12.0,
        "network_zone": zone,
    }
    for id, name, city, country, zone in (
        (1, "fsn1", "Falkenstein", "DE", "eu-central"),
        (2, "nbg1", "Nuremberg", "DE", "eu-central"),
        (4, "ash", "Ashburn, VA", "US", "us-east"),
    )
)
_TYPES = (
    # name, cores, memory in GB, disk in GB, architecture, net price an hour in euros, locations, sold out there
    ("cx22", 2, 4.0, 40, "x86", "0.0060", ("fsn1", "nbg1"), ()),
    ("cpx11", 2, 2.0, 40, "x86", "0.0070", ("fsn1", "nbg1", "ash"), ()),
    ("cx32", 4, 8.0, 80, "x86", "0.0110", ("fsn1", "nbg1"), ("nbg1",)),
    ("ccx13", 2, 8.0, 80, "x86", "0.0200", ("fsn1", "nbg1", "ash"), ()),
    ("cax11", 2, 4.0, 40, "arm", "0.0050", ("fsn1", "nbg1"), ()),
)
_GONE = {"announced": "2025-01-01T00:00:00+00:00", "unavailable_after": "2025-04-01T00:00:00+00:00"}
_SYSTEMS = (("debian", "12"), ("debian", "13"), ("ubuntu", "22.04"), ("ubuntu", "24.04"))


def location(name: str) -> dict[str, Any]:
    """Raises KeyError."""
    return next((place for place in LOCATIONS if name in (place["name"], str(place["id"]))), None) or _missing(name)


def _missing(name: str) -> Any:
    raise KeyError(name)


def _price(net: str, place: str) -> dict[str, Any]:
    hourly = float(net)
    return {
        "location": place,
        "price_hourly": {"net": f"{hourly:.10f}", "gross": f"{hourly * 1.19:.10f}"},
        "price_monthly": {"net": f"{hourly * 624:.10f}", "gross": f"{hourly * 624 * 1.19:.10f}"},
        "included_traffic": 21990232555520,
        "price_per_tb_traffic": {"net": "1.0000000000", "gross": "1.1900000000"},
    }


def _type(id: int, row: Sequence[Any]) -> dict[str, Any]:
    name, cores, memory, disk, architecture, price, places, sold_out = row
    return {
        "id": id,
        "name": name,
        "description": name.upper(),
        "category": "Shared vCPU",
        "cores": cores,
        "memory": memory,
        "disk": disk,
        "deprecated": False,
        "deprecation": None,
        "prices": [_price(price, place) for place in places],
        "storage_type": "local",
        "cpu_type": "dedicated" if name.startswith("ccx") else "shared",
        "architecture": architecture,
        "locations": [
            {
                "id": location(place)["id"],
                "name": place,
                "available": place not in sold_out,
                "recommended": True,
                "deprecation": None,
            }
            for place in places
        ],
    }


def server_types() -> tuple[dict[str, Any], ...]:
    """All of them, one that can no longer be had among them."""
    found = [_type(100 + n, row) for n, row in enumerate(_TYPES)]
    old = _type(1, ("cx11", 1, 2.0, 20, "x86", "0.0040", ("fsn1", "nbg1"), ("fsn1", "nbg1")))
    for place in old["locations"]:
        place["deprecation"] = _GONE
    return (old | {"deprecated": True, "deprecation": _GONE}, *found)


def _image(id: int, flavor: str, version: str, architecture: str) -> dict[str, Any]:
    return {
        "id": id,
        "type": "system",
        "status": "available",
        "name": f"{flavor}-{version}",
        "description": f"{flavor.capitalize()} {version}",
        "image_size": None,
        "disk_size": 5,
        "created": "2024-04-25T13:26:27+00:00",
        "created_from": None,
        "bound_to": None,
        "os_flavor": flavor,
        "os_version": version,
        "rapid_deploy": True,
        "protection": {"delete": False},
        "deprecated": None,
        "deleted": None,
        "labels": {},
        "architecture": architecture,
    }


def images() -> tuple[dict[str, Any], ...]:
    """Each system for both architectures, a deprecated one, and somebody's snapshot, which has no name."""
    found = [
        _image(1000 + 2 * n + m, *system, architecture)
        for n, system in enumerate(_SYSTEMS)
        for m, architecture in enumerate(("x86", "arm"))
    ]
    old = _image(900, "debian", "10", "x86") | {"deprecated": "2024-06-30T00:00:00+00:00"}
    snapshot = _image(901, "debian", "12", "x86") | {"type": "snapshot", "name": None, "image_size": 1.5}
    return (old, snapshot, *found)


# ------------------------------------------------------------------------------------------ labels

_KEY = re.compile(r"(?:[a-z0-9.-]{1,253}/)?[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?")
_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?)?")
_TERM = re.compile(r"\s*(!?)([\w./-]+)\s*(?:(==|=|!=)\s*([\w.-]*)|(in|notin)\s*\(([^)]*)\))?\s*(?:,|$)")


def good_labels(labels: object) -> bool:
    """Whether the reference allows these labels."""
    return isinstance(labels, dict) and all(
        isinstance(k, str) and isinstance(v, str) and _KEY.fullmatch(k) and _VALUE.fullmatch(v)
        for k, v in labels.items()
    )


def selected(selector: str, labels: Mapping[str, str]) -> bool:
    """Whether the selector picks something with these labels. Raises ValueError."""
    at = 0
    while at < len(selector):
        term = _TERM.match(selector, at)
        if term is None:
            raise ValueError(selector)
        if not _holds(term, labels):
            return False
        at = term.end()
    return True


def _holds(term: re.Match[str], labels: Mapping[str, str]) -> bool:
    absent, key, operator, value, word, values = term.groups()
    if operator:
        return (labels.get(key) == value) != (operator == "!=")
    if word:
        return (labels.get(key) in [v.strip() for v in values.split(",")]) != (word == "notin")
    return (key in labels) != bool(absent)
