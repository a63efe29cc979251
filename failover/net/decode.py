"""JSON into typed values, from any thread.

msgspec (0.22 at least) crashes the process when two threads use a type for the first time at the same moment: each asks
for the type's fields, and one finds the other's half-made answer. So what a type is, is found out once, under a lock.
"""

import threading
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

_lock = threading.Lock()
_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}


def decoder(into: type[T]) -> msgspec.json.Decoder[T]:
    """The decoder of this type, made at its first use."""
    found = _decoders.get(into)
    if found is None:
        with _lock:
            found = _decoders.setdefault(into, msgspec.json.Decoder(into))
    return found


def decode(data: bytes | str, into: type[T]) -> T:
    """Raises msgspec.DecodeError (a ValueError) and its ValidationError, UnicodeError."""
    return decoder(into).decode(data)
