"""What comes back over HTTP/1, taken apart as it comes in (RFC 9112); no I/O.

Written by hand because this is the hot loop: `http.client` takes about as long for one answer as everything else in a
probe together. It reads what `http.client` reads, which a test compares; where a field is broken it is passed over.
"""

import re
from typing import Final

HEAD_BYTES_MAX = 64 * 1024
BODY_BYTES_MAX = 64 * 1024
ANSWER_BYTES_MAX = 512 * 1024
_LINE_BYTES_MAX = 4096
_STATUS_LINE = re.compile(rb"HTTP/1\.[0-9] +([0-9]{3})(?: [^\n]*|\r?)\Z")
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}")
_VERSION: Final = b"HTTP/1."


class Malformed(ValueError):
    """It is not HTTP."""


class Flood(Exception):
    """It does not end."""


class Answer:
    """Feed it what comes in. `status` is 0 until the head is complete; then `body` grows, up to BODY_BYTES_MAX.

    `complete`: all of the body is there, or as much of it as is kept. Without `body` the head is all that is wanted.
    """

    __slots__ = ("_bytes", "_chunked", "_data", "_fields", "_head", "_left", "_no_body", "body", "complete", "status")

    def __init__(self, *, body: bool = True) -> None:
        self.status = 0
        self.body = bytearray()
        self.complete = False
        self._no_body = not body
        self._data = b""
        self._bytes = 0
        self._head = b""
        self._fields: dict[str, list[str]] | None = None
        self._chunked = False
        self._left: int | None = None
        """Bytes to come, of the body or of its chunk; None: until the connection is closed, or a chunk's size."""

    def feed(self, data: bytes) -> None:
        """Raises Malformed or Flood."""
        self._bytes += len(data)
        if self._bytes > ANSWER_BYTES_MAX:
            raise Flood
        self._data += data
        while not self.status and self._read_head():
            pass
        if self.status and not self.complete:
            self._read_body()

    def close(self) -> None:
        """No more will come. Raises Malformed when a chunk is missing; a body that is too short is left as it is."""
        if self._chunked and not self.complete:
            raise Malformed("the last chunk is missing")
        self.complete = True

    @property
    def started(self) -> bool:
        return self._bytes > 0

    @property
    def first_line(self) -> bytes:
        """What has come of a head that is not complete."""
        return self._data.split(b"\n", 1)[0].strip()

    def fields(self, name: str) -> list[str]:
        """The values of all header fields of that name, in order."""
        if self._fields is None:
            self._fields = _fields(self._head)
        return self._fields.get(name.lower(), [])

    # ------------------------------------------------------------------------------------ head

    def _read_head(self) -> bool:
        """One head, if it is there; preliminary answers (1xx) are passed over."""
        data = self._data
        if not data.startswith(_VERSION[: len(data)]):
            if b"\n" not in data and len(data) < _LINE_BYTES_MAX:
                return False  # what it says instead is worth telling
            raise Malformed
        end = _HEAD_END.search(data)
        if end is None:
            self._refuse_head(data)
            return False
        head, self._data = data[: end.start()], data[end.end() :]
        line = head.partition(b"\n")[0]
        match = _STATUS_LINE.match(line)
        if match is None:
            self._data = data
            raise Malformed
        status = int(match[1])
        if 100 <= status <= 199 and status != 101:
            return True
        self._head = head
        self.status = status
        self._frame(status)
        return False

    def _refuse_head(self, data: bytes) -> None:
        """A head that can become none is refused before its end has come."""
        line, newline, _ = data.partition(b"\n")
        if newline and _STATUS_LINE.match(line) is None:
            raise Malformed
        if len(data) > HEAD_BYTES_MAX:
            raise Malformed(f"a head of more than {HEAD_BYTES_MAX // 1024} KiB")

    def _frame(self, status: int) -> None:
        """How the end of the body is known (RFC 9112, section 6.3)."""
        if self._no_body or status in (101, 204, 304):
            self.complete = True
        elif (self.fields("transfer-encoding") or [""])[-1].lower() == "chunked":
            self._chunked = True
        else:
            length = (self.fields("content-length") or [""])[0]
            self._left = int(length) if length.isascii() and length.isdigit() and len(length) < 19 else None
            self.complete = self._left == 0

    # ------------------------------------------------------------------------------------ body

    def _read_body(self) -> None:
        if self._chunked:
            self._read_chunks()
            return
        piece, self._data = self._data, b""
        if self._left is not None:
            piece = piece[: self._left]
            self._left -= len(piece)
        self._keep(piece)
        self.complete = self.complete or self._left == 0

    def _read_chunks(self) -> None:
        """Walks over what is there without copying it: a body of many tiny chunks must not cost the square of them."""
        data, at = self._data, 0
        while not self.complete:
            if self._left is None:
                line_end = data.find(b"\n", at)
                if line_end < 0 and len(data) - at <= _LINE_BYTES_MAX:
                    break
                if line_end < 0:
                    raise Malformed("the size of a chunk has no end")
                self._left = _chunk_size(data[at : min(line_end, at + _LINE_BYTES_MAX)])
                self.complete = self._left == 0  # trailers say nothing to us
                at = line_end + 1
            elif self._left > 0:
                piece = data[at : at + self._left]
                if not piece:
                    break
                self._keep(piece)
                at += len(piece)
                self._left -= len(piece)
            else:
                end = data[at : at + 2]
                if end in (b"", b"\r"):
                    break
                if end[:1] != b"\n" and end != b"\r\n":
                    raise Malformed("a chunk is longer than its size")
                at += 1 if end[:1] == b"\n" else 2
                self._left = None
        self._data = data[at:]

    def _keep(self, piece: bytes) -> None:
        self.body += piece[: BODY_BYTES_MAX - len(self.body)]
        if len(self.body) >= BODY_BYTES_MAX:
            self.complete = True


def _chunk_size(line: bytes) -> int:
    match = _CHUNK_SIZE.fullmatch(line.partition(b";")[0].strip())
    if match is None:
        raise Malformed(f"a chunk of size {line[:20].decode('latin-1').strip()}")
    return int(match[0], 16)


def _fields(head: bytes) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    last: list[str] | None = None
    for line in head.decode("latin-1").split("\n")[1:]:
        if line[:1] in (" ", "\t"):
            if last:  # a folded field (RFC 9112, section 5.2)
                last[-1] = f"{last[-1]} {line.strip()}"
            continue
        name, colon, value = line.partition(":")
        last = None
        if colon and name and name == name.strip():
            last = found.setdefault(name.lower(), [])
            last.append(value.strip())
    return found
