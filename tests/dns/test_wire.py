"""Server addresses as people write them."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.dns.wire import Deadline, parse_server, show_server
from failover.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("192.0.2.1", ("192.0.2.1", 53)),
        ("192.0.2.1:5353", ("192.0.2.1", 5353)),
        (" 192.0.2.1:53 ", ("192.0.2.1", 53)),
        ("2001:db8::1", ("2001:db8::1", 53)),
        ("::1", ("::1", 53)),
        ("[::1]", ("::1", 53)),
        ("[::1]:5353", ("::1", 5353)),
        ("ns1.example.net", ("ns1.example.net", 53)),
        ("ns1.example.net:5353", ("ns1.example.net", 5353)),
    ],
)
def test_addresses_that_can_be_read(text: str, wanted: tuple[str, int]) -> None:
    assert parse_server(text) == wanted


@pytest.mark.parametrize(
    "text",
    ["", ":", ":53", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536", "192.0.2.1:-1", "192.0.2.1:٣", "a:b:c", "[::1",
     "[::1]x", "[::1]:", "[::1]53", "[nonsense]:53", "[192.0.2.1]:53", "[]:53"],
)  # fmt: skip
def test_addresses_that_cannot(text: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_server(text)
    assert raised.value.object == text


@given(st.ip_addresses(), st.integers(1, 65535))
def test_what_is_shown_is_read_again(address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int) -> None:
    assert parse_server(show_server((str(address), port))) == (str(address), port)


def test_a_deadline_that_is_over() -> None:
    with pytest.raises(TimeoutError):
        Deadline(0.0).left_s()
    assert 0 < Deadline(60.0).left_s() <= 60
