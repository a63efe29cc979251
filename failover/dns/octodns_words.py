"""What is said to the child process in which octoDNS works, and what it says."""

from typing import Any

import msgspec

from failover.core.rrsets import RRset


class Set(msgspec.Struct, frozen=True):
    """A record set as JSON."""

    name: str
    type: str
    ttl_s: int
    values: list[str]

    @classmethod
    def of(cls, rrset: RRset) -> "Set":
        return cls(name=rrset.name, type=rrset.type, ttl_s=rrset.ttl_s, values=sorted(rrset.values))

    def rrset(self) -> RRset:
        return RRset(name=self.name, type=self.type, ttl_s=self.ttl_s, values=frozenset(self.values))


class Odd(msgspec.Struct, frozen=True):
    """What a host makes answers up from (`core.survey.MadeUp`)."""

    name: str
    kind: str
    target: str


class Request(msgspec.Struct):
    """`kind`: the provider's class, `package.Class`. `options` may hold secrets: it travels by a pipe only."""

    operation: str
    kind: str
    options: dict[str, Any]
    zone: str
    names: list[tuple[str, str]] = []
    put: list[Set] = []
    remove: list[tuple[str, str]] = []
    expect: Set | None = None
    fence: Set | None = None


class Reply(msgspec.Struct):
    """`error`: the name of one of `failover.errors`, empty when all went well."""

    sets: list[Set] = []
    odd: list[Odd] = []
    error: str = ""
    cause: str = ""
    hint: str = ""
