"""How many requests a reading and a change take at each HTTP API: the fewest that the API and the fence allow.

Those of Route 53, PowerDNS and RFC 2136 stand in their own tests.
"""

import re
from urllib.parse import parse_qs, urlsplit

import pytest

from failover.errors import NotFound
from failover.ports import Dns
from failover.testing.dns import FENCE, ZONE, address_set, fence, put
from tests.dns.host_cases import LINODE, Case
from tests.standins.base import StandIn

NAMES = [f"n{n}.{ZONE}" for n in range(4)]
PAGES = {
    "cloudflare": ("per_page", 5000),
    "digitalocean": ("per_page", 200),
    "linode": ("page_size", 500),
    "vultr": ("per_page", 500),
    "gandi": ("per_page", 500),
}
"""The largest page that each API documents (Cloudflare's is larger than any zone of its plans)."""
LISTS_OF_A_CHANGE = {"cloudflare": 2}
"""Cloudflare's batch is one transaction: read, write, read. Elsewhere the epoch is written last: one more reading."""


def counted(case: Case, standin: StandIn, since: int) -> tuple[int, int, int]:
    """Lists, writes, and other requests."""
    asked = [f"{call.method} {call.path}" for call in standin.requests[since:]]
    lists = sum(bool(re.search(case.listing, each)) for each in asked)
    writes = sum(bool(re.search(case.writing, each)) for each in asked)
    return lists, writes, len(asked) - lists - writes


def test_a_cutover_takes_the_fewest_requests(case: Case, standin: StandIn, host: Dns) -> None:
    first, second = (put(*(address_set(name, to, ttl_s=300) for name in NAMES)) for to in ("192.0.2.1", "192.0.2.2"))
    host.apply(ZONE, first, expect=None, fence=fence(1))
    since = len(standin.requests)
    host.read(ZONE, [*(rrset.key for rrset in first.put), FENCE])
    assert counted(case, standin, since) == (1, 0, 0)
    since = len(standin.requests)
    host.apply(ZONE, second, expect=fence(1), fence=fence(2))
    writes = 1 if case.kind == "cloudflare" else len(NAMES) + 1
    assert counted(case, standin, since) == (LISTS_OF_A_CHANGE.get(case.kind, 3), writes, 0)


def test_lists_come_in_the_largest_pages(case: Case, standin: StandIn, host: Dns) -> None:
    host.read(ZONE, [(NAMES[0], "A")])
    word, size = PAGES[case.kind]
    (asked,) = [call for call in standin.requests if re.search(case.listing, f"{call.method} {call.path}")]
    assert parse_qs(urlsplit(asked.target).query)[word] == [str(size)]


@pytest.mark.parametrize("case", [LINODE], ids=str)
def test_a_zone_that_was_made_anew_is_found_again(case: Case, standin: StandIn, host: Dns) -> None:
    """Its number is asked for once, and once more when nothing is there under it."""
    host.apply(ZONE, put(address_set(NAMES[0], "192.0.2.1", ttl_s=300)), expect=None, fence=fence(1))
    domains = standin.domains  # type: ignore[attr-defined]  # Linode's stand-in has them
    case.zone(standin, ZONE)
    del domains[min(id for id, domain in domains.items() if domain.domain == ZONE)]
    with pytest.raises(NotFound):
        host.read(ZONE, [(NAMES[0], "A")])
    assert host.read(ZONE, [(NAMES[0], "A")]) == ()
