"""What every DNS host must do when its sets change; part of `DnsConformance`."""

# ruff: noqa: S101 - this is a test suite that ships

import pytest

from failover.core.rrsets import Changes, Epoch, RRset, by_key, epoch_set
from failover.errors import Conflict, Rejected
from failover.ports import Dns
from failover.testing.dns_words import (
    FENCE,
    NAMES,
    TTL_S,
    WWW,
    ZONE,
    addresses,
    fence,
    needs_cname,
    put,
    seen,
    values_at,
)

_ONE_OF = {"A": "192.0.2.1", "AAAA": "2001:db8::1", "CNAME": "lb.example.net", "TXT": "a text"}


class ChangesConformance:
    """Sets come, change their values, TTL and type, and go; others stay."""

    def test_a_put_replaces_the_whole_set(self, host: Dns, published: RRset) -> None:
        host.apply(ZONE, put(addresses(WWW, "192.0.2.7", "192.0.2.8")), expect=published, fence=fence(2))
        assert values_at(host, (WWW, "A")) == {"192.0.2.7", "192.0.2.8"}

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
        assert values_at(host, (WWW, "A")) == set()

    def test_removing_what_is_not_there_is_fine(self, host: Dns, published: RRset) -> None:
        host.apply(ZONE, Changes(remove=((f"other.{ZONE}", "AAAA"),)), expect=published, fence=fence(2))
        assert values_at(host, FENCE) == fence(2).values

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
        assert values_at(host, (WWW, "A")) == {"192.0.2.1"}

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

    def test_what_a_wildcard_says_is_no_epoch(self, host: Dns, published: RRset) -> None:
        """Many zones hold `* TXT "v=spf1 -all"`: where a service is not published yet, no epoch stands all the same."""
        anything = RRset(name=f"*.{ZONE}", type="TXT", ttl_s=TTL_S, values=frozenset({"v=spf1 -all"}))
        host.apply(ZONE, put(anything), expect=published, fence=fence(2))
        new = epoch_set("shop", ZONE, Epoch(number=1, site="aurora", plan="plan1"))
        assert host.read(ZONE, [new.key]) == ()
        host.apply(ZONE, put(addresses(f"shop.{ZONE}", "192.0.2.1")), expect=None, fence=new)
        assert values_at(host, new.key) == new.values
        host.apply(ZONE, Changes(remove=((f"shop.{ZONE}", "A"),)), expect=new, fence=None)
        assert host.read(ZONE, [new.key, anything.key]) == (anything,)

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
                assert values_at(host, FENCE) == stands.values
            else:
                kept, stands = {*kept, text}, new
            assert values_at(host, rrset.key) == kept
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
        needs_cname(host)
        alias = RRset(name=WWW, type="CNAME", ttl_s=TTL_S, values=frozenset({"lb.example.net"}))
        host.apply(ZONE, Changes(put=(alias,), remove=((WWW, "A"),)), expect=published, fence=fence(2))
        assert host.read(ZONE, [(WWW, "A")]) == (alias,)
        assert host.read(ZONE, [(WWW, "CNAME")]) == (alias,)
        back = Changes(put=(addresses(WWW, "192.0.2.1"),), remove=((WWW, "CNAME"),))
        host.apply(ZONE, back, expect=fence(2), fence=fence(3))
        assert host.read(ZONE, [(WWW, "A")]) == (addresses(WWW, "192.0.2.1"),)

    def test_a_cname_gets_another_target(self, host: Dns, published: RRset) -> None:
        needs_cname(host)
        first, second = (
            RRset(name=f"app.{ZONE}", type="CNAME", ttl_s=TTL_S, values=frozenset({target}))
            for target in ("one.example.net", "two.example.net")
        )
        host.apply(ZONE, put(first), expect=published, fence=fence(2))
        host.apply(ZONE, put(second), expect=fence(2), fence=fence(3))
        assert host.read(ZONE, [first.key]) == (second,)

    def test_nothing_is_put_beside_a_cname_in_silence(self, host: Dns, published: RRset) -> None:
        needs_cname(host)
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
