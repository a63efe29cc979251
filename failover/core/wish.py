"""What spec digests stood for, remembered so that a plan says what changed and not only that something did."""

import hashlib
from collections.abc import Iterable

from failover.core.nodes import Node, Wish
from failover.core.ready import short

REMEMBERED_MAX = 64


def brief(parts: Iterable[str]) -> str:
    """Stands for these texts: equal for equal ones."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def remembered(before: tuple[Wish, ...], new: Iterable[Wish]) -> tuple[Wish, ...]:
    """The newest last; those beyond the limit are forgotten, the oldest first."""
    wanted = {wish.spec: wish for wish in new}
    return (*(wish for wish in before if wish.spec not in wanted), *wanted.values())[-REMEMBERED_MAX:]


def change(node: Node, wanted: Wish, known: Iterable[Wish]) -> str:
    """What is another about the wanted node: `image debian-12 → debian-13, environment or secrets`.

    Where what it was is not on record, only what the provider tells of the node itself, and that the rest is unknown.
    """
    before = next((wish for wish in known if wish.spec == node.spec), None)
    if before is not None:
        return ", ".join(_differences(before, wanted)) or f"nothing that is on record, its label says {node.spec}"
    if node.release not in (None, wanted.release):
        return f"release {short(node.release)} → {short(wanted.release)}, no record of what else it was"
    return "no record of what it was"


def _differences(before: Wish, now: Wish) -> list[str]:
    shown = (
        ("image", before.image, now.image),
        ("size", _size(before), _size(now)),
        ("ports", _ports(before), _ports(now)),
        ("release", short(before.release), short(now.release)),
    )
    hidden = (
        ("command", before.command, now.command),
        ("environment or secrets", before.environment, now.environment),
        ("user-data", before.boot, now.boot),
        ("ssh_keys", before.ssh_keys, now.ssh_keys),
    )
    told = [f"{name} {was} → {shall}" for name, was, shall in shown if was != shall]
    return told + [name for name, was, shall in hidden if was != shall]


def _size(wish: Wish) -> str:
    return f"{wish.cpus} cpus {wish.memory_mib} MiB {wish.disk_gib} GiB"


def _ports(wish: Wish) -> str:
    return " ".join(map(str, wish.ports)) or "none"
