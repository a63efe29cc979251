"""Names as Route 53 writes them, with octal escapes.

Source: https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DomainNameFormat.html
"""

import re

from failover.core.rrsets import normal_name

_OCTAL = re.compile(r"\\([0-3][0-7]{2})")
_LITERAL = re.compile(r"[a-z0-9._*-]")


def plain_name(written: str) -> str:
    r"""`\052.Example.org.` → `*.example.org`; a dot within a label stays in it: `a\056b.org.` → `a\.b.org`."""
    return normal_name(_OCTAL.sub(lambda found: _shown(chr(int(found[1], 8))), written))


def _shown(character: str) -> str:
    return f"\\{character}" if character in ".\\" else character


def quoted_name(name: str) -> str:
    r"""`*.a/b.org` → `*.a\057b.org.`: an asterisk may be sent as it is, and comes back as `\052`."""
    return "".join(c if _LITERAL.fullmatch(c) else f"\\{ord(c):03o}" for c in normal_name(name)) + "."
