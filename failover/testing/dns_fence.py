"""What every DNS host must do with the fence, and with many at once; part of `DnsConformance`."""

# ruff: noqa: S101 - this is a test suite that ships

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from failover.core.rrsets import Changes, RRset, by_key
from failover.errors import AdapterError, Conflict, Rejected
from failover.ports import Authority, Dns
from failover.testing.dns_words import FENCE, NAMES, TTL_S, WWW, ZONE, addresses, fence, put, seen, settle, values_at

RACERS = 60


class FenceConformance:
    """The expected epoch stands there or nothing changes; of many at once one wins, and readers see no gap."""

    def test_the_first_fence_needs_an_empty_place(self, host: Dns, published: RRset) -> None:
        self._refused(host, expect=None, new=fence(2), stands=published)

    def test_an_expected_fence_must_stand_there(self, host: Dns) -> None:
        with pytest.raises(Conflict):
            host.apply(ZONE, put(addresses(WWW, "198.51.100.7")), expect=fence(1), fence=fence(2))
        assert host.read(ZONE, NAMES) == ()

    def test_an_older_epoch_is_refused(self, host: Dns, published: RRset) -> None:
        host.apply(ZONE, Changes(), expect=published, fence=fence(5))
        self._refused(host, expect=published, new=fence(2), stands=fence(5))
        self._refused(host, expect=published, new=fence(6), stands=fence(5))

    def test_the_same_epoch_of_another_plan_is_refused(self, host: Dns, published: RRset) -> None:
        self._refused(host, expect=fence(1, plan="other"), new=fence(2), stands=published)
        self._refused(host, expect=fence(1, site="boreas"), new=fence(2), stands=published)

    def test_an_epoch_that_does_not_rise_is_refused(self, host: Dns, published: RRset) -> None:
        for number in (0, 1):
            with pytest.raises(Rejected):
                host.apply(ZONE, Changes(), expect=published, fence=fence(number, plan="again"))
        assert values_at(host, FENCE) == published.values

    def test_the_same_call_again_is_a_conflict(self, host: Dns, published: RRset) -> None:
        changes = put(addresses(WWW, "198.51.100.7"))
        host.apply(ZONE, changes, expect=published, fence=fence(2))
        with pytest.raises(Conflict):
            host.apply(ZONE, changes, expect=published, fence=fence(2))
        assert values_at(host, (WWW, "A")) == {"198.51.100.7"}

    def test_the_fence_alone_moves(self, host: Dns, published: RRset) -> None:
        host.apply(ZONE, Changes(), expect=published, fence=fence(2))
        assert seen(host.read(ZONE, [(WWW, "A"), FENCE])) == seen((addresses(WWW, "192.0.2.1"), fence(2)))

    def test_the_fence_is_taken_away(self, host: Dns, published: RRset) -> None:
        host.apply(ZONE, Changes(remove=((WWW, "A"),)), expect=published, fence=None)
        assert host.read(ZONE, NAMES) == ()

    def test_the_value_of_the_fence_counts_not_its_time_to_live(self, host: Dns, published: RRset) -> None:
        other = RRset(name=published.name, type="TXT", ttl_s=published.ttl_s + 40, values=published.values)
        host.apply(ZONE, Changes(), expect=other, fence=fence(2))
        assert values_at(host, FENCE) == fence(2).values

    def test_requests_that_make_no_sense_change_nothing(self, host: Dns, published: RRset) -> None:
        www, outside = addresses(WWW, "198.51.100.7"), addresses("www.example.net", "198.51.100.7")
        alias = RRset(name=WWW, type="CNAME", ttl_s=TTL_S, values=frozenset({"lb.example.net"}))
        for changes, expect, new in (
            (put(www), None, None),
            (put(www, www), published, fence(2)),
            (put(www, alias), published, fence(2)),
            (put(outside), published, fence(2)),
            (Changes(put=(www,), remove=((WWW, "A"),)), published, fence(2)),
            (put(fence(2)), published, fence(2)),
            (put(www), published, addresses(FENCE[0], "192.0.2.1")),
        ):
            with pytest.raises(Rejected):
                host.apply(ZONE, changes, expect=expect, fence=new)
        assert seen(host.read(ZONE, [(WWW, "A"), FENCE])) == seen((addresses(WWW, "192.0.2.1"), published))

    def _refused(self, host: Dns, *, expect: RRset | None, new: RRset, stands: RRset) -> None:
        """The change is a conflict, and nothing has changed."""
        changes = Changes(put=(addresses(ZONE, "198.51.100.7"),), remove=((WWW, "A"),))
        with pytest.raises(Conflict):
            host.apply(ZONE, changes, expect=expect, fence=new)
        assert seen(host.read(ZONE, NAMES)) == seen((addresses(WWW, "192.0.2.1"), stands))

    # ------------------------------------------------------------------------------------------ at once

    def test_of_many_at_once_one_wins(self, host: Dns) -> None:
        if host.traits().grade != 1:
            pytest.skip("only grade 1 promises one winner")
        expect: RRset | None = None
        for epoch in (1, 2):
            winner = self._race(host, expect, epoch)
            expect = fence(epoch, plan=f"racer{winner}")
            found = by_key(host.read(ZONE, NAMES))
            assert found == by_key((addresses(WWW, f"192.0.2.{winner}"), expect))

    def _race(self, host: Dns, expect: RRset | None, epoch: int) -> int:
        line = threading.Barrier(RACERS)

        def run(racer: int) -> bool:
            line.wait()
            try:
                change = put(addresses(WWW, f"192.0.2.{racer}"))
                host.apply(ZONE, change, expect=expect, fence=fence(epoch, plan=f"racer{racer}"))
            except Conflict:
                return False
            return True

        with ThreadPoolExecutor(RACERS) as pool:
            won = list(pool.map(run, range(1, RACERS + 1)))
        assert won.count(True) == 1
        return won.index(True) + 1

    @pytest.mark.usefixtures("published")
    def test_a_reader_never_sees_an_empty_set(self, host: Dns, authority: Authority | None) -> None:
        settle(host, authority, addresses(WWW, "192.0.2.1"))
        allowed = {f"192.0.2.{n}" for n in range(1, 40)}
        done = threading.Event()

        def look() -> int:
            looks = 0
            while not done.is_set() or looks == 0:
                with suppress(AdapterError):  # an error is no answer, so it is no empty answer
                    (found,) = host.read(ZONE, [(WWW, "A")])
                    assert found.values <= allowed
                    looks += 1
                for server in host.traits().servers if authority else ():
                    answer = authority.ask(server, WWW, "A") if authority else None
                    assert answer is not None
                    assert answer.values <= allowed
            return looks

        with ThreadPoolExecutor(2) as pool:
            readers = [pool.submit(look) for _ in range(2)]
            try:
                for n in range(2, 40):
                    host.apply(ZONE, put(addresses(WWW, f"192.0.2.{n}")), expect=fence(n - 1), fence=fence(n))
            finally:
                done.set()
            assert all(reader.result() > 0 for reader in readers)
