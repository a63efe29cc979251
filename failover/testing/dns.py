"""What every DNS host and every authority must do, whoever makes it.

A test of a new host is a class of a few lines:

    class TestMyHost(DnsConformance):
        @pytest.fixture
        def host(self):
            return MyHost(…)          # with an empty zone example.test

        @pytest.fixture
        def authority(self):          # optional: then its name servers are asked as well
            return DnsAuthority()
"""

# ruff: noqa: S101 - this is a test suite that ships

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from failover.core.rrsets import Changes, Epoch, RRset, by_key, epoch_set
from failover.errors import AdapterError, Conflict, Rejected
from failover.ports import Authority, Dns
from failover.testing.dns_made_up import MadeUpConformance
from failover.testing.dns_words import (
    FENCE,
    NAMES,
    SERVICE,
    TTL_S,
    WWW,
    ZONE,
    address_set,
    addresses,
    fence,
    put,
    seen,
    wait_until,
)
from failover.testing.rights import DnsRights

__all__ = [
    "FENCE",
    "NAMES",
    "SERVICE",
    "TTL_S",
    "WWW",
    "ZONE",
    "DnsConformance",
    "address_set",
    "fence",
    "put",
    "seen",
    "wait_until",
]
RACERS = 60


def _needs_cname(host: Dns) -> None:
    if "CNAME" not in host.traits().types:
        pytest.skip("this host holds no CNAME for us")


class DnsConformance(MadeUpConformance, DnsRights):
    """Subclass it, and give the fixture `host`."""

    @pytest.fixture
    def host(self) -> Dns:
        """A host with an empty zone `example.test`."""
        raise NotImplementedError

    @pytest.fixture
    def authority(self) -> Authority | None:
        """Asks the servers in the host's traits; None leaves those checks out."""
        return None

    @pytest.fixture
    def published(self, host: Dns) -> RRset:
        """www stands at 192.0.2.1, under epoch 1."""
        host.apply(ZONE, put(addresses(WWW, "192.0.2.1")), expect=None, fence=fence(1))
        return fence(1)

    # ------------------------------------------------------------------------------------------ traits and reading

    def test_traits_name_a_grade_and_servers(self, host: Dns) -> None:
        traits = host.traits()
        assert traits.grade in (1, 2, 3)
        assert traits.servers
        assert set(traits.servers).issuperset(traits.servers_of(ZONE))
        assert traits.ttl_s_min <= TTL_S <= traits.ttl_s_max
        assert {"A", "TXT"} <= traits.types
        assert traits.converges_s == 0 if traits.grade == 1 else traits.converges_s >= 0

    def test_pairs_without_a_set_are_left_out(self, host: Dns) -> None:
        assert host.read(ZONE, NAMES) == ()

    def test_nothing_asked_nothing_answered(self, host: Dns) -> None:
        assert host.read(ZONE, ()) == ()

    def test_a_zone_that_is_not_there_is_never_empty(self, host: Dns) -> None:
        with pytest.raises(AdapterError):
            host.read("absent.test", [("www.absent.test", "A")])
        with pytest.raises(AdapterError):
            host.apply("absent.test", Changes(), expect=None, fence=epoch_set(SERVICE, "absent.test", _EPOCH))

    def test_what_was_put_is_read(self, host: Dns, published: RRset) -> None:
        assert _values(host, (WWW, "A")) == {"192.0.2.1"}
        assert _values(host, FENCE) == published.values

    @pytest.mark.usefixtures("published")
    def test_only_what_was_asked_for_is_read(self, host: Dns) -> None:
        assert [rrset.key for rrset in host.read(ZONE, [FENCE])] == [FENCE]

    def test_names_in_any_case_and_with_a_final_dot(self, host: Dns, published: RRset) -> None:
        (found,) = host.read("EXAMPLE.test.", [("WWW.Example.TEST.", "A")])
        assert found.name == WWW
        host.apply("Example.Test.", Changes(remove=(("WWW.Example.Test.", "A"),)), expect=published, fence=fence(2))
        assert host.read(ZONE, [(WWW, "A")]) == ()

    # ------------------------------------------------------------------------------------------ changing

    def test_a_put_replaces_the_whole_set(self, host: Dns, published: RRset) -> None:
        host.apply(ZONE, put(addresses(WWW, "192.0.2.7", "192.0.2.8")), expect=published, fence=fence(2))
        assert _values(host, (WWW, "A")) == {"192.0.2.7", "192.0.2.8"}

    def test_several_names_and_both_families_move_together(self, host: Dns, published: RRset) -> None:
        sets = (
            addresses(WWW, "198.51.100.7"),
            addresses(WWW, "2001:db8::7", type="AAAA"),
            addresses(ZONE, "198.51.100.7"),
        )
        host.apply(ZONE, put(*sets), expect=published, fence=fence(2))
        assert seen(host.read(ZONE, NAMES)) == seen((*sets, fence(2)))

    def test_a_removed_set_is_gone(self, host: Dns, published: RRset) -> None:
        host.apply(ZONE, Changes(remove=((WWW, "A"),)), expect=published, fence=fence(2))
        assert _values(host, (WWW, "A")) == set()

    def test_removing_what_is_not_there_is_fine(self, host: Dns, published: RRset) -> None:
        host.apply(ZONE, Changes(remove=((f"other.{ZONE}", "AAAA"),)), expect=published, fence=fence(2))
        assert _values(host, FENCE) == fence(2).values

    def test_only_the_time_to_live_changes(self, host: Dns, published: RRset) -> None:
        host.apply(ZONE, put(addresses(WWW, "192.0.2.1", ttl_s=3600)), expect=published, fence=fence(2))
        (found,) = host.read(ZONE, [(WWW, "A")])
        assert found.ttl_s == 3600

    @pytest.mark.usefixtures("published")
    def test_times_to_live_up_to_the_limits_are_kept_and_others_refused(self, host: Dns) -> None:
        traits = host.traits()
        for number, ttl_s in enumerate((traits.ttl_s_min, traits.ttl_s_max), start=1):
            wanted = addresses(WWW, "192.0.2.1", ttl_s=ttl_s)
            host.apply(ZONE, put(wanted), expect=fence(number), fence=fence(number + 1))
            assert host.read(ZONE, [(WWW, "A")]) == (wanted,)
        for ttl_s in (traits.ttl_s_min - 1, traits.ttl_s_max + 1):
            with pytest.raises(Rejected):
                host.apply(ZONE, put(addresses(WWW, "192.0.2.2", ttl_s=ttl_s)), expect=fence(3), fence=fence(4))
        assert _values(host, (WWW, "A")) == {"192.0.2.1"}

    def test_every_type_that_it_can_hold(self, host: Dns, published: RRset) -> None:
        sets = tuple(
            RRset(name=f"t{at}.{ZONE}", type=type, ttl_s=TTL_S, values=frozenset({_ONE_OF[type]}))
            for at, type in enumerate(sorted(host.traits().types & set(_ONE_OF)))
        )
        host.apply(ZONE, put(*sets), expect=published, fence=fence(2))
        assert by_key(host.read(ZONE, [rrset.key for rrset in sets])) == by_key(sets)
        host.apply(ZONE, Changes(remove=tuple(rrset.key for rrset in sets)), expect=fence(2), fence=fence(3))
        assert host.read(ZONE, [rrset.key for rrset in sets]) == ()

    def test_a_wildcard(self, host: Dns, published: RRset) -> None:
        anything = addresses(f"*.apps.{ZONE}", "192.0.2.1")
        host.apply(ZONE, put(anything), expect=published, fence=fence(2))
        assert host.read(ZONE, [anything.key]) == (anything,)
        moved = addresses(anything.name, "192.0.2.2")
        host.apply(ZONE, put(moved), expect=fence(2), fence=fence(3))
        assert host.read(ZONE, [anything.key]) == (moved,)

    def test_many_values_and_many_sets(self, host: Dns, published: RRset) -> None:
        wide = addresses(WWW, *(f"198.51.100.{n}" for n in range(1, 101)))
        sets = (wide, *(addresses(f"n{n}.{ZONE}", f"203.0.113.{n}") for n in range(1, 101)))
        host.apply(ZONE, put(*sets), expect=published, fence=fence(2))
        names = [rrset.key for rrset in sets]
        assert seen(host.read(ZONE, names)) == seen(sets)

    def test_texts_come_back_as_they_were(self, host: Dns, published: RRset) -> None:
        kept: set[str] = set()
        stands = published
        for text in ("v=spf1 -all", 'a "quoted" \\ text; with marks', "x" * 255, "y" * 700):
            rrset = RRset(name=f"note.{ZONE}", type="TXT", ttl_s=TTL_S, values=frozenset({*kept, text}))
            new = fence(len(kept) + 2)
            try:
                host.apply(ZONE, put(rrset), expect=stands, fence=new)
            except Rejected:  # it does not keep such a text
                assert _values(host, FENCE) == stands.values
            else:
                kept, stands = {*kept, text}, new
            assert _values(host, rrset.key) == kept
        assert "v=spf1 -all" in kept

    def test_what_it_cannot_hold_is_rejected(self, host: Dns, published: RRset) -> None:
        targets = frozenset({"lb.example.net"})
        if "CNAME" in host.traits().types:
            pytest.skip("it holds all that we may want")
        app, www = (RRset(name=name, type="CNAME", ttl_s=TTL_S, values=targets) for name in (f"app.{ZONE}", WWW))
        for changes in (put(app), Changes(put=(www,), remove=((WWW, "A"),))):
            with pytest.raises(Rejected):
                host.apply(ZONE, changes, expect=published, fence=fence(2))
        assert seen(host.read(ZONE, NAMES)) == seen((addresses(WWW, "192.0.2.1"), published))

    def test_addresses_become_a_cname_and_back(self, host: Dns, published: RRset) -> None:
        _needs_cname(host)
        alias = RRset(name=WWW, type="CNAME", ttl_s=TTL_S, values=frozenset({"lb.example.net"}))
        host.apply(ZONE, Changes(put=(alias,), remove=((WWW, "A"),)), expect=published, fence=fence(2))
        assert host.read(ZONE, [(WWW, "A")]) == (alias,)
        assert host.read(ZONE, [(WWW, "CNAME")]) == (alias,)
        back = Changes(put=(addresses(WWW, "192.0.2.1"),), remove=((WWW, "CNAME"),))
        host.apply(ZONE, back, expect=fence(2), fence=fence(3))
        assert host.read(ZONE, [(WWW, "A")]) == (addresses(WWW, "192.0.2.1"),)

    def test_a_cname_gets_another_target(self, host: Dns, published: RRset) -> None:
        _needs_cname(host)
        first, second = (
            RRset(name=f"app.{ZONE}", type="CNAME", ttl_s=TTL_S, values=frozenset({target}))
            for target in ("one.example.net", "two.example.net")
        )
        host.apply(ZONE, put(first), expect=published, fence=fence(2))
        host.apply(ZONE, put(second), expect=fence(2), fence=fence(3))
        assert host.read(ZONE, [first.key]) == (second,)

    def test_nothing_is_put_beside_a_cname_in_silence(self, host: Dns, published: RRset) -> None:
        _needs_cname(host)
        alias = RRset(name=f"app.{ZONE}", type="CNAME", ttl_s=TTL_S, values=frozenset({"one.example.net"}))
        host.apply(ZONE, put(alias), expect=published, fence=fence(2))
        for wrong in (
            addresses(alias.name, "192.0.2.9"),
            RRset(name=WWW, type="CNAME", ttl_s=60, values=alias.values),
        ):
            with pytest.raises((Conflict, Rejected)):
                host.apply(ZONE, put(wrong), expect=fence(2), fence=fence(3))
        found = host.read(ZONE, [alias.key, (WWW, "A"), FENCE])
        assert seen(found) == seen((alias, addresses(WWW, "192.0.2.1"), fence(2)))

    def test_sets_that_are_not_named_are_not_touched(self, host: Dns, published: RRset) -> None:
        mail = RRset(name=ZONE, type="MX", ttl_s=3600, values=frozenset({"10 mail.example.net."}))
        foreign: tuple[RRset, ...] = (
            RRset(name=ZONE, type="TXT", ttl_s=3600, values=frozenset({"v=spf1 -all"})),
            RRset(name=WWW, type="TXT", ttl_s=3600, values=frozenset({"keep me"})),
            addresses(f"ftp.{ZONE}", "192.0.2.99", ttl_s=3600),
        )
        try:
            host.apply(ZONE, put(*foreign, mail), expect=published, fence=fence(2))
            foreign = (*foreign, mail)
        except Rejected:  # it writes no types that are never ours
            host.apply(ZONE, put(*foreign), expect=published, fence=fence(2))
        host.apply(ZONE, put(addresses(WWW, "198.51.100.7")), expect=fence(2), fence=fence(3))
        host.apply(ZONE, Changes(remove=((WWW, "A"),)), expect=fence(3), fence=None)
        assert seen(host.read(ZONE, [rrset.key for rrset in foreign])) == seen(foreign)

    # ------------------------------------------------------------------------------------------ the fence

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
        assert _values(host, FENCE) == published.values

    def test_the_same_call_again_is_a_conflict(self, host: Dns, published: RRset) -> None:
        changes = put(addresses(WWW, "198.51.100.7"))
        host.apply(ZONE, changes, expect=published, fence=fence(2))
        with pytest.raises(Conflict):
            host.apply(ZONE, changes, expect=published, fence=fence(2))
        assert _values(host, (WWW, "A")) == {"198.51.100.7"}

    def test_the_fence_alone_moves(self, host: Dns, published: RRset) -> None:
        host.apply(ZONE, Changes(), expect=published, fence=fence(2))
        assert seen(host.read(ZONE, [(WWW, "A"), FENCE])) == seen((addresses(WWW, "192.0.2.1"), fence(2)))

    def test_the_fence_is_taken_away(self, host: Dns, published: RRset) -> None:
        host.apply(ZONE, Changes(remove=((WWW, "A"),)), expect=published, fence=None)
        assert host.read(ZONE, NAMES) == ()

    def test_the_value_of_the_fence_counts_not_its_time_to_live(self, host: Dns, published: RRset) -> None:
        other = RRset(name=published.name, type="TXT", ttl_s=published.ttl_s + 40, values=published.values)
        host.apply(ZONE, Changes(), expect=other, fence=fence(2))
        assert _values(host, FENCE) == fence(2).values

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
        _settle(host, authority, addresses(WWW, "192.0.2.1"))
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

    # ------------------------------------------------------------------------------------------ the name servers

    def test_every_name_server_comes_to_answer_the_change(
        self, host: Dns, authority: Authority | None, published: RRset
    ) -> None:
        if authority is None:
            pytest.skip("no authority to ask")
        moved = addresses(WWW, "198.51.100.7", "198.51.100.8")
        host.apply(ZONE, put(moved), expect=published, fence=fence(2))
        _settle(host, authority, moved)
        _settle(host, authority, fence(2))
        for server in host.traits().servers:
            assert authority.ask(server, WWW.upper() + ".", "A") == moved

    @pytest.mark.usefixtures("published")
    def test_name_servers_say_when_there_is_none(self, host: Dns, authority: Authority | None) -> None:
        if authority is None:
            pytest.skip("no authority to ask")
        _settle(host, authority, addresses(WWW, "192.0.2.1"))
        for server in host.traits().servers:
            assert authority.ask(server, WWW, "AAAA") is None
            assert authority.ask(server, f"absent.{ZONE}", "A") is None

    def test_a_cname_is_answered_and_not_followed(
        self, host: Dns, authority: Authority | None, published: RRset
    ) -> None:
        if authority is None:
            pytest.skip("no authority to ask")
        alias = RRset(name=f"app.{ZONE}", type="CNAME", ttl_s=TTL_S, values=frozenset({WWW}))
        host.apply(ZONE, put(alias), expect=published, fence=fence(2))
        _settle(host, authority, alias)
        for server in host.traits().servers:
            assert authority.ask(server, alias.name, "A") == alias

    def test_a_server_of_other_zones_is_no_authority(self, host: Dns, authority: Authority | None) -> None:
        if authority is None:
            pytest.skip("no authority to ask")
        for server in host.traits().servers:
            with pytest.raises(AdapterError):
                authority.ask(server, "www.elsewhere.example", "A")


_ONE_OF = {"A": "192.0.2.1", "AAAA": "2001:db8::1", "CNAME": "lb.example.net", "TXT": "a text"}
_EPOCH = Epoch(number=1, site="aurora", plan="plan1")


def _values(host: Dns, key: tuple[str, str]) -> frozenset[str]:
    found = by_key(host.read(ZONE, [key])).get(key)
    return frozenset() if found is None else found.values


def _settle(host: Dns, authority: Authority | None, wanted: RRset) -> None:
    """Wait until every name server answers it: a host may say yes before its servers know."""
    if authority is None:
        return
    for server in host.traits().servers:
        wait_until(lambda server=server: authority.ask(server, *wanted.key) == wanted)  # type: ignore[misc]
