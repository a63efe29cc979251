"""Addresses that answer with the secrets of the machine that we run on."""

import ipaddress

import pytest

from failover.core.addresses import METADATA, never_asked


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("192.0.2.1", None),
        ("10.0.0.1", None),
        ("127.0.0.1", None),
        ("2001:db8::1", None),
        ("64:ff9b::c000:201", None),
        ("::ffff:192.0.2.1", None),
        ("169.254.169.254", "is link-local"),
        ("fe80::1", "is link-local"),
        ("::ffff:169.254.0.1", "is link-local"),
        ("64:ff9b::a9fe:a9fe", "is link-local"),
        ("fd00:ec2::254", "is a provider's metadata address"),
        ("168.63.129.16", "is a provider's metadata address"),
        ("64:ff9b::a83f:8110", "is a provider's metadata address"),
    ],
)
def test_which_are_never_asked(address: str, reason: str | None) -> None:
    assert never_asked(ipaddress.ip_address(address)) == reason


def test_every_metadata_address() -> None:
    assert {never_asked(address) for address in METADATA} == {"is a provider's metadata address"}
