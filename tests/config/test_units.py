"""Durations, sizes, names and addresses: what is read, and what is refused with which words."""

from collections.abc import Callable

import pytest

from failover.config import units
from failover.config.units import CheckUrl

READ: list[tuple[Callable[..., object], object, object]] = [
    (units.duration_s, "500ms", 0.5),
    (units.duration_s, "0s", 0.0),
    (units.duration_s, "1.5m", 90.0),
    (units.duration_s, "1h", 3600.0),
    (units.size_mib, "512MiB", 512),
    (units.size_mib, "4GiB", 4096),
    (units.size_gib, "1TiB", 1024),
    (units.label, "a" * 63, "a" * 63),
    (units.domain, "WWW.Example.org.", "www.example.org"),
    (units.domain, "xn--bcher-kva.example", "xn--bcher-kva.example"),
    (units.address, " 2001:DB8:0::1 ", "2001:db8::1"),
    (units.address, "127.16.0.1", "127.16.0.1"),
    (units.host_port, "[2001:db8::1]:53", "[2001:db8::1]:53"),
    (lambda text: units.listen_at(text, 8443), "0.0.0.0:443", ("0.0.0.0", 443)),
    (lambda text: units.listen_at(text, 8443), "[::]:443", ("::", 443)),
    (lambda text: units.listen_at(text, 8443), "127.0.0.1", ("127.0.0.1", 8443)),
    (lambda text: units.listen_at(text, 8443), "[::1]", ("::1", 8443)),
    (units.check_url, "http://{address}", CheckUrl("http", 80, "/")),
    (units.check_url, "https://{address}?a=b", CheckUrl("https", 443, "/?a=b")),
    (units.check_tcp, "{address}:22", 22),
    (units.check_dns, "{address}", 53),
    (units.check_dns, "{address}:5353", 5353),
    (units.status_ranges, 204, ((204, 204),)),
    (units.status_ranges, "200-399", ((200, 399),)),
    (units.status_ranges, [200, "301-302"], ((200, 200), (301, 302))),
    (units.regex, r"^v[0-9]+ (ok|fine)$", r"^v[0-9]+ (ok|fine)$"),
    (units.json_pointer, "/checks/0/a~1b~0c", "/checks/0/a~1b~0c"),
    (units.json_scalar, None, None),
    (units.json_scalar, False, False),
    (units.literal_address, "169.254.7.7", "169.254.7.7"),
    (units.command_line, "a 'b c'", "a 'b c'"),
]


@pytest.mark.parametrize(("read", "text", "value"), READ)
def test_it_is_read(read: Callable[..., object], text: object, value: object) -> None:
    assert read(text) == value


REFUSED: list[tuple[Callable[..., object], object, str]] = [
    (units.duration_s, "1.2.3s", "is not a duration"),
    (units.duration_s, "1 s", "is not a duration"),
    (units.duration_s, None, "is empty"),
    (units.duration_s, True, "must be text"),
    (units.duration_s, 1e400, "needs its unit"),
    (units.size_mib, "0MiB", "at least 1MiB"),
    (units.size_mib, "1.5GiB", "in whole numbers"),
    (units.size_mib, "512", "needs its unit"),
    (units.size_mib, "much", "is not a size"),
    (units.label, "a" * 64, "up to 63"),
    (units.label, "-a", "none of them first or last"),
    (units.label, "a\n", "lower-case"),
    (units.variable, "1A", "begins with no digit"),
    (units.variable, "A\n", "the name of a variable"),
    (units.domain, "bücher.example", "xn--"),
    (units.domain, "a..b", "is not a DNS name"),
    (units.domain, "", "is not a DNS name"),
    (units.domain, "*.example.org", "is not a DNS name"),
    (units.domain, ".".join(["a" * 60] * 5), "is not a DNS name"),
    (units.address, "192.0.2.1/24", "literal IP address"),
    (units.address, "169.254.169.254", "no machine"),
    (units.address, "fe80::1%eth0", "no machine"),
    (units.host_port, "2001:db8::1:53", "an address and a port"),
    (units.host_port, "192.0.2.1:0", "1 to 65535"),
    (units.host_port, "0.0.0.0:53", "no machine"),
    (lambda text: units.listen_at(text, 8443), "localhost:8443", "literal IP address"),
    (lambda text: units.listen_at(text, 8443), ":8443", "literal IP address"),
    (lambda text: units.listen_at(text, 8443), "0.0.0.0:0", "1 to 65535"),
    (units.host_port, "ns.example.org:53", "literal IP address"),
    (units.check_url, "http://me@{address}/", "must look like"),
    (units.check_url, "http://{address}/#a", "must look like"),
    (units.check_url, "http://{address}/a b", "must look like"),
    (units.check_tcp, "{address}", "must look like"),
    (units.check_dns, "192.0.2.53", "must look like"),
    (units.status_ranges, 99, "must be a status"),
    (units.status_ranges, 2.5, "must be a status"),
    (units.status_ranges, [], "must not be empty"),
    (units.status_ranges, [200, "299-200"], "must be a status"),
    (units.regex, "(a", "no regular expression that RE2 knows: missing "),
    (units.regex, "(?=a)", "no regular expression that RE2 knows: invalid perl operator"),
    (units.json_pointer, "status", "must be a JSON Pointer"),
    (units.json_pointer, "/a~2", "must be a JSON Pointer"),
    (units.json_scalar, ["a"], "must be a text, a number, true, false or null"),
    (units.literal_address, "0.0.0.0", "no machine"),
    (units.request_header_name, "HOST", "is set by failover itself: write `host`"),
    (units.request_header_name, "Content-Length", "is set by failover itself"),
    (units.request_header_value, "a\r\nb", "printable ASCII"),
    (units.http_url, "ftp://example.org/", "must be a URL"),
    (units.http_url, "https://me:pw@example.org/", "without a user"),
    (units.header_name, "X Y", "is not the name"),
    (units.header_value, "a\r\nb", "printable"),
    (units.command_line, "", "must be a command"),
    (units.command_line, "a 'b", "not closed"),
    (units.word, "a b", "one word"),
    (units.filled, "", "must not be empty"),
    (units.filled, "a\0", "must not be empty"),
]


@pytest.mark.parametrize(("read", "text", "cause"), REFUSED)
def test_it_is_refused(read: Callable[..., object], text: object, cause: str) -> None:
    with pytest.raises(ValueError, match=cause):
        read(text)
