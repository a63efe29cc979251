"""TXT values as zone files write them (RFC 1035, section 5.1): quoted strings of at most 255 bytes each."""

import dns.exception
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.TXT

from failover.core.rrsets import RRset
from failover.dns.records import to_rdatas

_IN, _TXT = dns.rdataclass.IN, dns.rdatatype.TXT


def quoted(text: str) -> str:
    """`a "b"` → `"a \\"b\\""`; long texts become several strings, other than ASCII is escaped."""
    (rdata,) = to_rdatas(RRset(name="text", type="TXT", ttl_s=1, values=frozenset({text})))
    return rdata.to_text()


def unquoted(content: str) -> str:
    """What stands between the quotes, all strings joined. Content that cannot be read is returned as it is."""
    try:
        rdata = dns.rdata.from_text(_IN, _TXT, content)
        assert isinstance(rdata, dns.rdtypes.ANY.TXT.TXT)  # noqa: S101 - what was asked for
        return b"".join(rdata.strings).decode()
    except (dns.exception.DNSException, ValueError):
        return content
