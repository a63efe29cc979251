"""What a good answer looks like, and in which words another one is refused. Everything raises Trouble."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from failover.core.model import Check, Failure, Target
from failover.probes.trouble import Trouble, quoted

BODY_BYTES_MAX = 64 * 1024

WantedHeaders = Mapping[str, tuple[str, ...]]
"""By name: the values of which one must stand there."""
Search = Callable[[bytes], object]


_FROM_CACHE = ("HIT", "STALE", "UPDATING", "REVALIDATED")
"""Answers that Cloudflare's cache gives by itself (its documents: Cloudflare cache responses)."""

# ---------------------------------------------------------------------------------------------- status, headers


def judge_status(status: int, ranges: Sequence[tuple[int, int]]) -> None:
    if any(low <= status <= high for low, high in ranges):
        return
    expected = " or ".join(f"{low}" if low == high else f"{low}-{high}" for low, high in ranges)
    note = " (redirects are not followed)" if 300 <= status <= 399 else ""
    raise Trouble(Failure.STATUS, f"status {status}, expected {expected}{note}")


def wanted_headers(target: Target) -> WantedHeaders:
    """What must stand in the headers, the placeholders filled in."""
    wanted: dict[str, tuple[str, ...]] = {}
    for name, pattern in target.check.headers.items():
        value = pattern.replace("{site}", target.site)
        if "{release}" not in value:
            wanted[name] = (value,)
        elif target.releases:
            wanted[name] = tuple(value.replace("{release}", release) for release in target.releases)
        else:
            raise Trouble(Failure.LOCAL, f"header {name} cannot be judged: no release is known")
    return wanted


def judge_header(name: str, found: Sequence[str], values: tuple[str, ...]) -> None:
    if any(value in values for value in found):
        return
    expected = " or ".join(quoted(value) for value in values)
    is_now = f"is {quoted(', '.join(found))}" if found else "is missing"
    raise Trouble(Failure.HEADER, f"header {name} {is_now}, expected {expected}")


def judge_fresh(fields: Callable[[str], Sequence[str]]) -> None:
    """Refuses what a cache on the way says of itself that it kept: `Age` (RFC 9111, section 5.1), and in Cloudflare's
    words `CF-Cache-Status`, which tells of some answers that have no age."""
    told = {"Age": [age for age in fields("Age") if age.strip() not in ("", "0")]}
    told["CF-Cache-Status"] = [word for word in fields("CF-Cache-Status") if word.strip().upper() in _FROM_CACHE]
    for name, found in told.items():
        if found:
            raise Trouble(Failure.HEADER, f"a cache on the way answers ({name}: {quoted(found[0])}), not the site")


# ---------------------------------------------------------------------------------------------- body


class BodyWanted:
    """What a body must say: a text, something that a regular expression finds, fields of a JSON document."""

    def __init__(self, check: Check) -> None:
        self._text = check.body.encode() if check.body is not None else None
        self._regex = check.regex
        self._json = check.json
        self._search = _searcher(check.regex) if check.regex is not None else None

    def __bool__(self) -> bool:
        return self._text is not None or self._search is not None or bool(self._json)

    def enough(self, body: bytes | bytearray, seen: int) -> bool:
        """Whether the rest does not matter: a text was all that was wanted, and there it is.

        `seen` bytes were looked at before. So a page that never ends passes once it has said the word.
        """
        if self._text is None or self._search is not None or self._json:
            return False
        return body.find(self._text, max(0, seen - len(self._text) + 1)) >= 0

    def found(self, said: bytes | bytearray) -> bool:
        """Whether all of it is there already, in a conversation that may not end by itself."""
        try:
            self.judge(said)
        except Trouble:
            return False
        return True

    def judge(self, body: bytes | bytearray) -> None:
        if self._text is not None and self._text not in body:
            raise Trouble(Failure.BODY, f"{_does_not(body)} hold {quoted(self._text.decode())}")
        if self._search is not None and not self._search(bytes(body)):
            raise Trouble(Failure.BODY, f"{_does_not(body)} match {quoted(self._regex or '')}")
        if self._json:
            _judge_json(body, self._json)


def _does_not(body: bytes | bytearray) -> str:
    if len(body) < BODY_BYTES_MAX:
        return f"body of {len(body)} bytes does not"
    return f"the first {BODY_BYTES_MAX // 1024} KiB of the body do not"


def _searcher(pattern: str) -> Search:
    from failover.net import regex

    try:
        return regex.searcher(pattern)
    except ImportError:
        says = regex.NEEDS
    except ValueError as error:
        says = f"{quoted(pattern)} is no regular expression that RE2 knows: {error}"
    raise Trouble(Failure.LOCAL, says)


# ---------------------------------------------------------------------------------------------- JSON


def _judge_json(body: bytes | bytearray, wanted: Mapping[str, Any]) -> None:
    if len(body) >= BODY_BYTES_MAX:
        raise Trouble(Failure.BODY, f"a JSON document of more than {BODY_BYTES_MAX // 1024} KiB is not read")
    try:
        document = json.loads(bytes(body))
    except (ValueError, RecursionError):
        raise Trouble(Failure.BODY, f"body of {len(body)} bytes is not JSON") from None
    for pointer, value in wanted.items():
        try:
            found = _at(document, pointer)
        except LookupError:
            raise Trouble(Failure.BODY, f"there is no {pointer} in the JSON body") from None
        if found is not value and (type(found) is bool or type(value) is bool or found != value):
            says = quoted(json.dumps(found, ensure_ascii=True))
            raise Trouble(Failure.BODY, f"{pointer} in the JSON body is {says}, expected {json.dumps(value)}")


def _at(document: Any, pointer: str) -> Any:
    """What a JSON Pointer (RFC 6901) points to. Raises LookupError."""
    for token in _tokens(pointer):
        if isinstance(document, dict):
            document = document[token]
        elif isinstance(document, list) and token.isascii() and token.isdigit() and len(token) < 10:
            document = document[int(token)]
        else:
            raise LookupError(token)
    return document


def _tokens(pointer: str) -> Iterator[str]:
    return (token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:])
