"""What every DNS host refuses before it asks anybody: transactions that make no sense."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from failover.core.rrsets import Changes, Epoch, RRset, normal_name
from failover.errors import AdapterError, Conflict, Rejected, TimedOut
from failover.net.answers import may_be_done

OPERATION = "change DNS"


def check_transaction(zone: str, changes: Changes, expect: RRset | None, fence: RRset | None) -> None:
    """Raises Rejected, with nothing changed, for a transaction that no host may take.

    Names lie in the zone; no set is named twice; a CNAME stands alone; the fence is one epoch, is not among the
    changes, stands where the expected one stands, and is newer.
    """
    fences = [rrset for rrset in (expect, fence) if rrset is not None]
    if not fences:
        raise Rejected(OPERATION, zone, "no fence is given: neither the one expected nor the new one")
    if len({rrset.key for rrset in fences}) > 1:
        raise Rejected(OPERATION, zone, f"the fence would move from {expect} to {fence}")
    named = [rrset.key for rrset in changes.put] + [(normal_name(n), t.upper()) for n, t in changes.remove]
    for key, times in Counter(named).items():
        if times > 1:
            raise Rejected(OPERATION, zone, f"{key[0]} {key[1]} is named twice")
    apex = normal_name(zone)
    below = f".{apex}"
    for name, type in (*named, fences[0].key):
        if name != apex and not name.endswith(below):
            raise Rejected(OPERATION, zone, f"{name} {type} lies outside the zone")
    if fences[0].key in named:
        raise Rejected(OPERATION, zone, f"{fences[0].name} is the fence, and is among the changes")
    _check_alone(zone, changes)
    _check_newer(zone, expect, fence)


@contextmanager
def sending(zone: str) -> Iterator[None]:
    """Around one request that writes, each time that it is sent: raises TimedOut where it may have been carried out."""
    try:
        yield
    except AdapterError as error:
        if not may_be_done(error):
            raise
        raise TimedOut(OPERATION, zone, f"{error.cause}; it may be done all the same", error.hint) from error


class Parts:
    """The parts of one change, where it takes several requests: what ends it after some of them leaves it half done."""

    def __init__(self, zone: str) -> None:
        self._zone = zone
        self._done = 0

    @contextmanager
    def next(self) -> Iterator[None]:
        """Around the next one, with its repetitions and with the look before it. After others were carried out,
        whatever goes wrong is TimedOut; but a Conflict stays one, for it says that somebody else wrote."""
        try:
            yield
        except Conflict:
            raise
        except AdapterError as error:
            if not self._done:
                raise
            cause = f"it stopped half-way, after {self._done} of its parts: {error.cause}"
            raise TimedOut(OPERATION, self._zone, cause, error.hint) from error
        self._done += 1


@contextmanager
def reading_again(zone: str) -> Iterator[None]:
    """Around a look at what was written: where it fails, that is TimedOut, for the outcome is not known."""
    try:
        yield
    except Conflict:
        raise
    except AdapterError as error:
        raise TimedOut(OPERATION, zone, f"written, but it cannot be read again: {error.cause}") from error


def is_inside(name: str, zone: str) -> bool:
    """Whether a name is the zone's own or below it."""
    name, zone = normal_name(name), normal_name(zone)
    return name == zone or name.endswith(f".{zone}")


def _check_alone(zone: str, changes: Changes) -> None:
    """RFC 1034, section 3.6.2."""
    aliases = {rrset.name for rrset in changes.put if rrset.type == "CNAME"}
    for rrset in changes.put:
        if rrset.type != "CNAME" and rrset.name in aliases:
            raise Rejected(OPERATION, zone, f"{rrset.name} would be CNAME and {rrset.type} at once")
        if rrset.type == "CNAME" and (len(rrset.values) > 1 or rrset.name == normal_name(zone)):
            raise Rejected(OPERATION, zone, f"{rrset} cannot be: one CNAME, and none at the zone's own name")


def _check_newer(zone: str, expect: RRset | None, fence: RRset | None) -> None:
    if fence is None:
        return
    new = epoch_in(fence)
    if fence.type != "TXT" or new is None:
        raise Rejected(OPERATION, zone, f"the fence is not one epoch: {fence}")
    old = epoch_in(expect) if expect is not None else None
    if old is not None and new.number <= old.number:
        raise Rejected(OPERATION, zone, f"epoch {new.number} is not newer than epoch {old.number}")


def epoch_in(rrset: RRset) -> Epoch | None:
    """The one epoch that a set holds; None where it holds anything else."""
    if len(rrset.values) != 1:
        return None
    try:
        return Epoch.parse(next(iter(rrset.values)))
    except ValueError:
        return None
