"""Somebody else's records in a zone, put there and looked at past our adapters."""

from collections.abc import Callable, Mapping
from typing import Any

import dns.message
import dns.query
import dns.rcode
import dns.tsig
import dns.update

from failover.net.tsig import TsigKey
from failover.testing.dns import ZONE

SETS = (
    ("theirs", "A", "203.0.113.7"),
    ("theirs", "TXT", '"one" "two"'),
    ("alias.theirs", "CNAME", "host.example.net."),
    ("*.wild.theirs", "A", "203.0.113.8"),
)
TTL_S = 77
_TIMEOUT_S = 60.0
Census = Callable[[], Mapping[Any, object]]


def by_updates(place: str, key: TsigKey) -> Census:
    """At a name server (`address:port`) that takes dynamic updates by this key; then what it answers."""
    host, _, port = place.rpartition(":")
    update = dns.update.UpdateMessage(ZONE, keyring=dns.tsig.Key(key.name, key.secret, key.algorithm))
    for owner, type, data in SETS:
        update.add(owner, TTL_S, type, data)
    assert dns.query.tcp(update, host, port=int(port), timeout=_TIMEOUT_S).rcode() == dns.rcode.NOERROR

    def answered(owner: str, type: str) -> str:
        query = dns.message.make_query(f"{owner}.{ZONE}", type)
        answer = dns.query.tcp(query, host, port=int(port), timeout=_TIMEOUT_S)
        assert answer.rcode() == dns.rcode.NOERROR
        return "\n".join(rrset.to_text() for rrset in answer.answer)

    def census() -> dict[Any, object]:
        return {(owner, type): answered(owner, type) for owner, type, _ in SETS}

    assert all(census().values())
    return census
