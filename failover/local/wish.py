"""What a request to create a node asks for, checked."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from failover.local.depot import checked_digest
from failover.local.server import Refusal

IMAGES = ("debian-12", "debian-13", "ubuntu-24.04")
"""Names only: every node runs on this machine's own system."""
SIZES = tuple(
    {"name": name, "cpus": cpus, "memory_mib": memory_mib, "disk_gib": disk_gib, "price_per_hour": price}
    for name, cpus, memory_mib, disk_gib, price in (
        ("small", 1, 1024, 20, 0.005),
        ("medium", 2, 4096, 80, 0.02),
        ("large", 8, 16384, 320, 0.08),
        ("huge", 64, 262144, 4096, 1.2),
    )
)
"""What a node may be. Nothing limits a local node really: the sizes are there so that choosing one can be tried."""
NAME_MAX = 128
_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{NAME_MAX - 1}}}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A node as asked for."""

    name: str
    labels: Mapping[str, str]
    image: str
    cpus: int
    memory_mib: int
    disk_gib: int
    ports: tuple[int, ...]
    release: str
    command: str
    environment: Mapping[str, str] = field(repr=False)


def parse(document: Mapping[str, object]) -> Wish:
    """Raises Refusal naming the field."""
    image = document.get("image")
    if image not in IMAGES:
        raise Refusal(400, "image_not_found", f"no image {image!r}; there are {', '.join(IMAGES)}")
    name = document.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise _wrong("name", "letters, digits, dots, hyphens and underscores")
    return Wish(
        name=name,
        labels=_strings(document, "labels"),
        image=str(image),
        cpus=_number(document, "cpus"),
        memory_mib=_number(document, "memory_mib"),
        disk_gib=_number(document, "disk_gib"),
        ports=_ports(document.get("ports")),
        release=checked_digest(document.get("release")),
        command=_command(document.get("command")),
        environment=_variables(document),
    )


def _wrong(field: str, wanted: str) -> Refusal:
    return Refusal(400, "invalid_request", f"{field}: {wanted}")


def _number(document: Mapping[str, object], field: str) -> int:
    value = document.get(field, 1)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise _wrong(field, "a whole number from 1")
    return value


def _strings(document: Mapping[str, object], field: str) -> dict[str, str]:
    value = document.get(field, {})
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise _wrong(field, "an object of strings")
    return value


def _variables(document: Mapping[str, object]) -> dict[str, str]:
    found = _strings(document, "environment")
    if not all(_VARIABLE.fullmatch(name) and "\0" not in value for name, value in found.items()):
        raise _wrong("environment", "names of letters, digits and underscores; values without NUL")
    return found


def _ports(value: object) -> tuple[int, ...]:
    ports = value if isinstance(value, list) else [None]
    if not all(isinstance(p, int) and not isinstance(p, bool) and 0 < p < 65536 for p in ports):
        raise _wrong("ports", "a list of numbers from 1 to 65535")
    if len(set(ports)) != len(ports):
        raise _wrong("ports", "each only once")
    return tuple(ports)


def _command(value: object) -> str:
    try:
        words = shlex.split(value) if isinstance(value, str) and "\0" not in value else []
    except ValueError as error:
        raise _wrong("command", f"{error}") from error
    if not words or not isinstance(value, str):
        raise _wrong("command", "a program and its arguments")
    return value
