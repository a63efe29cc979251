"""What every DNS host must make of requests that write and end badly; part of `DnsConformance`."""

# ruff: noqa: S101 - this is a test suite that ships

from collections.abc import Callable
from contextlib import AbstractContextManager
from enum import StrEnum

import pytest

from failover.core.rrsets import Changes, RRset
from failover.errors import AdapterError, Conflict, TimedOut
from failover.ports import Dns
from failover.testing.dns_words import FENCE, WWW, ZONE, addresses, fence, put, seen, values_at


class End(StrEnum):
    """How a request that writes ends."""

    BROKEN = "broken"
    """The host's own internal error (500, SERVFAIL); not carried out."""
    GATEWAY = "gateway"
    """Something that is no word of the host (a web page, what makes no sense); not carried out."""
    DROPPED = "dropped"
    """The connection ends without an answer; not carried out."""
    LOST = "lost"
    """Likewise, but it was carried out."""
    THROTTLED = "throttled"
    """A plain no: too many requests; not carried out."""
    REFUSED = "refused"
    """A plain no: the credential may not, from now on; not carried out."""


UNKNOWN = (End.BROKEN, End.GATEWAY, End.DROPPED, End.LOST)
"""From outside nobody can tell of these whether they were carried out."""

Trouble = Callable[[End, int], AbstractContextManager[None]]
"""While it is entered every request that writes ends so, after so many that do not. May skip for what it cannot do."""


class TroubleConformance:
    """A write of unknown fate is never called a failure, and neither is a change that is there in part."""

    @pytest.fixture
    def trouble(self) -> Trouble:
        """Makes requests end badly, on the way to the host or there."""
        pytest.skip("nothing can be made to go wrong here")

    @pytest.fixture
    def several(self) -> int:
        """So many sets that change take more than one request."""
        return 3

    @pytest.mark.parametrize("end", UNKNOWN)
    def test_a_write_of_unknown_fate_is_no_failure(
        self, trouble: Trouble, host: Dns, published: RRset, end: End
    ) -> None:
        changes = put(addresses(WWW, "198.51.100.7"))
        with trouble(end, 0), pytest.raises(TimedOut):
            host.apply(ZONE, changes, expect=published, fence=fence(2))
        self._taken_up(host, changes)

    @pytest.mark.parametrize("end", End)
    def test_a_change_that_ends_half_way_is_no_failure(
        self, trouble: Trouble, several: int, host: Dns, end: End
    ) -> None:
        """Whatever ends it. Anybody sees by the epoch that it is unfinished, and the same change again finishes it."""
        before, changes = (
            put(*(addresses(f"n{n}.{ZONE}", address) for n in range(several))) for address in ("192.0.2.1", "192.0.2.2")
        )
        host.apply(ZONE, before, expect=None, fence=fence(1))
        with trouble(end, 1), pytest.raises(TimedOut):
            host.apply(ZONE, changes, expect=fence(1), fence=fence(2))
        found = {value for r in host.read(ZONE, [r.key for r in changes.put]) for value in r.values}
        assert "192.0.2.2" in found, "a part is there"
        self._taken_up(host, changes)

    @pytest.mark.parametrize("end", [End.THROTTLED, End.REFUSED])
    def test_after_a_plain_no_nothing_has_changed(
        self, trouble: Trouble, host: Dns, published: RRset, end: End
    ) -> None:
        changes = put(addresses(WWW, "198.51.100.7"))
        with trouble(end, 0), pytest.raises(AdapterError) as raised:
            host.apply(ZONE, changes, expect=published, fence=fence(2))
        assert not isinstance(raised.value, TimedOut | Conflict)
        assert seen(host.read(ZONE, [(WWW, "A"), FENCE])) == seen((addresses(WWW, "192.0.2.1"), published))
        self._taken_up(host, changes)

    def _taken_up(self, host: Dns, changes: Changes) -> None:
        """Who looks again knows by the epoch whether it is finished, and finishes it."""
        if values_at(host, FENCE) != fence(2).values:
            assert values_at(host, FENCE) == fence(1).values
            host.apply(ZONE, changes, expect=fence(1), fence=fence(2))
        assert seen(host.read(ZONE, [*(r.key for r in changes.put), FENCE])) == seen((*changes.put, fence(2)))
