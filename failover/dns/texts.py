r"""TXT values as zone files and APIs write them (RFC 1035, section 5.1): strings in quotes, of at most 255 bytes each.

Zone files escape bytes by decimal numbers (`\252`), Route 53 by octal ones (`\374`):
https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/ResourceRecordTypes.html#TXTFormat
"""

import re
from enum import Enum

_STRING_BYTES_MAX = 255
"""Of one string within a TXT record (RFC 1035, section 3.3.14); longer texts are split, and joined when read."""
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"\s*', re.DOTALL)


class Escapes(Enum):
    """How a byte's number is written."""

    DECIMAL = (10, "03d", re.compile(r"\\([0-9]{3})|\\(.)|([^\\]+)", re.DOTALL))
    OCTAL = (8, "03o", re.compile(r"\\([0-3][0-7]{2})|\\(.)|([^\\]+)", re.DOTALL))


def strings_of(text: str) -> list[bytes]:
    """The strings of one value; an empty text is one empty string."""
    data = text.encode()
    return [data[at : at + _STRING_BYTES_MAX] for at in range(0, len(data), _STRING_BYTES_MAX)] or [b""]


def quoted(text: str, escapes: Escapes = Escapes.DECIMAL) -> str:
    """`a "b"` → `"a \\"b\\""`; long texts become several strings, other than ASCII is escaped."""
    return " ".join('"' + "".join(_written(byte, escapes) for byte in string) + '"' for string in strings_of(text))


def _written(byte: int, escapes: Escapes) -> str:
    """At Route 53 backslashes too by number: that is the same in every reading of its rules."""
    if byte == ord('"') or (byte == ord("\\") and escapes is Escapes.DECIMAL):
        return f"\\{chr(byte)}"
    return chr(byte) if 0x20 <= byte <= 0x7E and byte != ord("\\") else f"\\{byte:{escapes.value[1]}}"


def unquoted(content: str, escapes: Escapes = Escapes.DECIMAL) -> str:
    """What stands between the quotes, all strings joined.

    What is no string in quotes, or no UTF-8, is somebody else's: shown as well as it can be.
    """
    data, at = b"", 0
    while at < len(content):
        found = _STRING.match(content, at)
        if found is None:
            return content
        try:
            data += b"".join(_read(part, escapes) for part in escapes.value[2].finditer(found[1]))
        except ValueError:
            return content
        at = found.end()
    return data.decode(errors="backslashreplace")


def _read(part: "re.Match[str]", escapes: Escapes) -> bytes:
    """Raises ValueError for a number that is no byte."""
    return bytes([int(part[1], escapes.value[0])]) if part[1] else (part[2] or part[3]).encode()
