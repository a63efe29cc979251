"""What one part of the config says about another: names that must exist, addresses that must fit, and the like.

Works on the plain data, so that these findings stand beside those of the schema. What the schema has refused already
is passed over here.
"""

from failover.config import references_dns, references_sites, references_watching
from failover.config.book import Book
from failover.config.document import Document
from failover.config.findings import Finding


def check(document: Document) -> list[Finding]:
    """Every finding; [] when all parts fit together."""
    book = Book(document)
    references_sites.check(book)
    references_dns.check(book)
    references_watching.check(book)
    return book.findings
