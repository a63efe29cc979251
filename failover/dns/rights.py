"""Whether a credential may change our sets: what hosts that can restrict to names have in common."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from failover.core.rights import May, Right
from failover.core.rrsets import RRset
from failover.errors import AdapterError

NARROWED_MAX = 20
"""So many sets are asked for one by one, to say which of them it is."""
_VALUES = {"A": "0.0.0.0", "AAAA": "::", "CNAME": "nothing.invalid", "TXT": "failover doctor: nobody wrote this"}

Key = tuple[str, str]


def never_there(name: str, type: str) -> RRset:
    """A set of ours with a value that it cannot hold: no address of anything, a name that nobody has (RFC 6761), a
    text that is no epoch."""
    return RRset(name=name, type=type, ttl_s=1, values=frozenset({_VALUES[type]}))


def narrowed(names: Sequence[Key], tried: Callable[[Sequence[Key]], Right]) -> tuple[Right, ...]:
    """The right to change all of these; where it is refused, of each by itself, unless they are many.

    A refusal stays one when the closer look fails, or finds nothing out: a host may well close the door after it.
    """
    whole = tried(names)
    if whole.may is not May.REFUSED or not 1 < len(names) <= NARROWED_MAX:
        return (whole,)
    try:
        each = tuple(replace(tried([key]), object=" ".join(key)) for key in names)
    except AdapterError:
        return (whole,)
    return each if any(right.may is May.REFUSED for right in each) else (whole,)
