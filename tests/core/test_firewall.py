"""What differs between the firewall that is wanted and the one that a provider has."""

import pytest

from failover.core.firewall import EVERYTHING, Firewall, Opening, drift, wanted_openings

NODE = "guestbook-aurora-web-0-1a2b3c4d"


def opening(text: str) -> Opening:
    """`tcp 8080 ::/0`"""
    protocol, _, rest = text.partition(" ")
    ports, _, source = rest.rpartition(" ")
    return Opening(protocol=protocol, ports=ports, source=source)


CASES: list[tuple[str, set[int], tuple[str, ...]]] = [
    ("tcp 8080 0.0.0.0/0, tcp 8080 ::/0", {8080}, ()),
    ("", set(), ()),
    ("", {8080, 22}, ("port 22 is closed", "port 8080 is closed")),
    ("tcp 8080 0.0.0.0/0", {8080}, ("port 8080 is closed over IPv6",)),
    ("tcp 8080 ::/0", {8080}, ("port 8080 is closed over IPv4",)),
    ("tcp 9000 0.0.0.0/0, tcp 9000 ::/0", set(), ("port 9000 is open to everybody",)),
    ("tcp 9000 ::/0", set(), ("port 9000 is open to everybody over IPv6",)),
    ("tcp 22 192.0.2.0/24", set(), ("port 22 is open to 192.0.2.0/24",)),
    ("tcp 22 0.0.0.0/0, tcp 22 sg-1", set(), ("port 22 is open to everybody over IPv4 and sg-1",)),
    ("tcp 8000-8100 ::/0", {8080}, ("port 8080 is closed over IPv4", "tcp 8000-8100 is open to everybody over IPv6")),
    ("tcp 8081-8100 ::/0", {8080}, ("port 8080 is closed", "tcp 8081-8100 is open to everybody over IPv6")),
    ("tcp some ::/0", {8080}, ("port 8080 is closed", "tcp some is open to everybody over IPv6")),
    ("udp 8080 ::/0", {8080}, ("port 8080 is closed", "udp 8080 is open to everybody over IPv6")),
    (
        "all  0.0.0.0/0, tcp  ::/0",
        {8080},
        (
            "everything is open to everybody over IPv4",
            "tcp is open to everybody over IPv6",
        ),
    ),
    ("udp 53 192.0.2.1/32", set(), ("udp 53 is open to 192.0.2.1/32",)),
    ("icmp  0.0.0.0/0", set(), ("icmp is open to everybody over IPv4",)),
    ("all  0.0.0.0/0, all  ::/0", set(), ("everything is open to everybody",)),
]


@pytest.mark.parametrize(("found", "ports", "told"), CASES, ids=lambda value: str(value) or "nothing")
def test_what_differs_is_told_port_by_port(found: str, ports: set[int], told: tuple[str, ...]) -> None:
    openings = frozenset(opening(text) for text in found.split(", ") if text)
    assert drift(Firewall(openings=openings), ports) == told


def test_nodes_outside_are_named() -> None:
    found = Firewall(openings=wanted_openings([8080]), outside=(NODE,))
    assert drift(found, [8080]) == (f"{NODE} stands outside of it",)


def test_nothing_kept_out_is_everything_let_in() -> None:
    assert drift(Firewall(openings=EVERYTHING), []) == ("everything is open to everybody",)
