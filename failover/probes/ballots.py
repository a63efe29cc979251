"""What a controller asks a vantage, and what the vantage answers: JSON, signed with a key that only the two know.

The signature is HMAC-SHA256 (RFC 2104) over the purpose and the exact text of the body, so that a question can never
be taken for an answer. An answer repeats the question's nonce, a fresh random word: an old answer fits no new question.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import TypeVar

import msgspec

from failover.core.model import Check, Failure, Outcome
from failover.net.decode import decode

SCHEMA_VERSION = 1
QUESTION, ANSWER = "question", "answer"
KEY_LENGTH_MIN = 16
"""Characters; `openssl rand -hex 32` makes a good one."""
TARGETS_MAX = 20_000

T = TypeVar("T")


class Envelope(msgspec.Struct, frozen=True):
    """`body` is JSON as text: what was signed is exactly what is read."""

    body: str
    signature: str


class Asked(msgspec.Struct, frozen=True):
    site: str
    address: str
    check: str
    releases: tuple[str, ...] = ()


class Question(msgspec.Struct, frozen=True):
    schema_version: int
    service: str
    vantage: str
    nonce: str
    deadline_s: float
    targets: tuple[Asked, ...] = ()
    checks: dict[str, str] = {}
    """By name the `digest_of` each check that the targets name; empty from a controller that does not tell."""


class Said(msgspec.Struct, frozen=True):
    """The sample of one target, without what the question says already."""

    outcome: Outcome
    failure: Failure | None = None
    latency_ms: float | None = None
    detail: str = ""
    tls_days_left: int | None = None


class Heard(msgspec.Struct, frozen=True):
    target: str
    provider: str
    ok: bool
    detail: str = ""


class Reply(msgspec.Struct, frozen=True):
    """`samples` stand in the order of the question's targets."""

    schema_version: int
    service: str
    vantage: str
    nonce: str
    samples: tuple[Said, ...] = ()
    controls: tuple[Heard, ...] = ()
    differs: tuple[str, ...] = ()
    """Checks that this vantage's config lacks, or has otherwise: then it did not look, and nothing else is said."""


# ---------------------------------------------------------------------------------------------- one config for all

_NOT_ASKED = ("name", "group", "interval_s", "fall", "rise", "ca_file")
"""Of a check, what the controller alone goes by; and a path, which may be another one on each machine."""


def digest_of(check: Check) -> str:
    """16 hexadecimal digits over what is asked, and what a good answer is.

    What stands at its default does not count: so a setting that only newer versions know divides nobody who leaves it.
    """
    plain = Check(name="", kind=check.kind, group="", port=0)
    told = {
        field.name: value
        for field in fields(check)
        if field.name not in _NOT_ASKED and (value := getattr(check, field.name)) != getattr(plain, field.name)
    }
    document = msgspec.json.encode({"kind": check.kind, **told}, order="deterministic")
    return hashlib.sha256(document).hexdigest()[:16]


def differing(known: Mapping[str, Check], asked: Mapping[str, str]) -> tuple[str, ...]:
    """Of the checks asked for (name and digest) those that are not known, or known otherwise."""
    ours = digests_of(known.values())
    return tuple(sorted(name for name, digest in asked.items() if ours.get(name) != digest))


def digests_of(checks: Iterable[Check]) -> dict[str, str]:
    """By name; the same check may come many times, and is digested once."""
    once = {check.name: check for check in checks}
    return {name: digest_of(check) for name, check in once.items()}


# ---------------------------------------------------------------------------------------------- signatures


def seal(key: str, purpose: str, document: Question | Reply) -> Envelope:
    body = msgspec.json.encode(document).decode()
    return Envelope(body=body, signature=_signature(key, purpose, body))


def unseal(key: str, purpose: str, envelope: Envelope, into: type[T]) -> T:
    """What stands in the envelope. Raises ValueError when the signature is not good, or the body no such document."""
    if not hmac.compare_digest(_signature(key, purpose, envelope.body).encode(), envelope.signature.encode()):
        raise ValueError("the signature is not good: another key, or not from there")
    return decode(envelope.body, into)


def _signature(key: str, purpose: str, body: str) -> str:
    text = f"failover vantage {SCHEMA_VERSION} {purpose}\n{body}"
    return hmac.digest(key.encode(), text.encode(), "sha256").hex()
