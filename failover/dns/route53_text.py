"""Names and texts as Route 53 writes them: octal escapes, and strings in quotes.

Source: https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DomainNameFormat.html and
https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/ResourceRecordTypes.html (TXT).
"""

import re

from failover.core.rrsets import normal_name

_STRING_BYTES_MAX = 255
"""Of one string within a TXT record (RFC 1035, section 3.3.14)."""
_OCTAL = re.compile(r"\\([0-3][0-7]{2})")
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"\s*', re.DOTALL)
_PART = re.compile(r"\\([0-3][0-7]{2})|\\(.)|([^\\]+)", re.DOTALL)
_LITERAL = re.compile(r"[a-z0-9._*-]")


def plain_name(written: str) -> str:
    r"""`\052.Example.org.` → `*.example.org`."""
    return normal_name(_OCTAL.sub(lambda found: chr(int(found[1], 8)), written))


def quoted_name(name: str) -> str:
    r"""`*.a/b.org` → `*.a\057b.org.`: an asterisk may be sent as it is, and comes back as `\052`."""
    return "".join(c if _LITERAL.fullmatch(c) else f"\\{ord(c):03o}" for c in normal_name(name)) + "."


def quoted_text(text: str) -> str:
    """One TXT value: its strings of at most 255 bytes, each in quotes."""
    data = text.encode()
    strings = [data[at : at + _STRING_BYTES_MAX] for at in range(0, len(data), _STRING_BYTES_MAX)] or [b""]
    return " ".join('"' + "".join(map(_written, string)) + '"' for string in strings)


def _written(byte: int) -> str:
    """Backslashes too by number: that is the same in every reading of the rules."""
    if byte == ord('"'):
        return r"\""
    return chr(byte) if 0x20 <= byte <= 0x7E and byte != ord("\\") else f"\\{byte:03o}"


def unquoted_text(value: str) -> str:
    """The text of one TXT value. What is none, or no UTF-8, is somebody else's: shown as well as it can be."""
    data, at = b"", 0
    while at < len(value):
        found = _STRING.match(value, at)
        if found is None:
            return value
        data += b"".join(_read(part) for part in _PART.finditer(found[1]))
        at = found.end()
    return data.decode(errors="backslashreplace")


def _read(part: "re.Match[str]") -> bytes:
    return bytes([int(part[1], 8)]) if part[1] else (part[2] or part[3]).encode()
