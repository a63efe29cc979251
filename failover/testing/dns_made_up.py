"""What every DNS host must do with records of its vendor's own kind; part of `DnsConformance`."""

# ruff: noqa: S101 - this is a test suite that ships

from collections.abc import Callable

import pytest

from failover.core.rrsets import Changes, RRset
from failover.core.survey import MadeUp
from failover.errors import AdapterError, Rejected
from failover.ports import Dns
from failover.testing.dns_words import FENCE, WWW, ZONE, addresses, fence, put

ELSEWHERE = f"elsewhere.{ZONE}"


class MadeUpConformance:
    """Give the fixture `odd` where the host has such records."""

    @pytest.fixture
    def odd(self) -> Callable[[], MadeUp] | None:
        """Puts one there by the host's own means, under a name below or at `example.test`, leading to
        `lb.example.net` if it leads to a name; returns what the host shall say of it. None: it has no such records.
        """
        return None

    @pytest.mark.usefixtures("published")
    def test_plain_sets_are_not_made_up(self, host: Dns) -> None:
        assert host.made_up(ZONE, [WWW, FENCE[0], ZONE, f"absent.{ZONE}"]) == ()
        assert host.made_up(ZONE, []) == ()

    def test_what_is_made_up_in_a_zone_that_is_not_there_is_not_nothing(self, host: Dns) -> None:
        with pytest.raises(AdapterError):
            host.made_up("absent.test", ["www.absent.test"])

    @pytest.mark.usefixtures("published")
    def test_what_it_makes_up_it_tells(self, host: Dns, odd: Callable[[], MadeUp] | None) -> None:
        if odd is None:
            pytest.skip("it makes nothing up")
        wanted = odd()
        assert wanted.kind
        assert host.made_up(ZONE, [WWW, wanted.name]) == (wanted,)
        assert host.made_up("EXAMPLE.test.", [f"{wanted.name.upper()}."]) == (wanted,)
        assert host.made_up(ZONE, [WWW, ELSEWHERE]) == ()

    def test_what_it_makes_up_is_refused_or_gives_way(
        self, host: Dns, published: RRset, odd: Callable[[], MadeUp] | None
    ) -> None:
        if odd is None:
            pytest.skip("it makes nothing up")
        made_up = odd()
        ours = addresses(made_up.name, "192.0.2.77")
        alias = ((made_up.name, "CNAME"),)
        assert host.made_up(ZONE, [made_up.name]) == (made_up,)
        if made_up.refused:
            with pytest.raises(Rejected):
                host.read(ZONE, [ours.key])
            for changes in (put(ours), Changes(remove=(ours.key,))):
                with pytest.raises(Rejected):
                    host.apply(ZONE, changes, expect=published, fence=fence(2))
            assert host.made_up(ZONE, [made_up.name]) == (made_up,)
            assert host.read(ZONE, [FENCE])[0].values == published.values
        else:
            host.apply(ZONE, Changes(put=(ours,), remove=alias), expect=published, fence=fence(2))
            assert host.read(ZONE, [ours.key]) == (ours,)
