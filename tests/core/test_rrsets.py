"""Record sets, their difference, and the epoch in DNS."""

import ipaddress

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from failover.core.rrsets import (
    Changes,
    Epoch,
    RRset,
    difference,
    epoch_name,
    epoch_set,
    normal_address,
    normal_name,
    read_epoch,
    same_values,
)
from tests.core.builders import address_set, fence

labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
names = st.lists(labels, min_size=1, max_size=4).map(".".join)
sets = st.builds(
    RRset,
    name=st.sampled_from(("www.example.org", "example.org", "api.example.org", "example.net")),
    type=st.just("A"),
    ttl_s=st.sampled_from((1, 60)),
    values=st.frozensets(st.sampled_from(("192.0.2.1", "192.0.2.2", "198.51.100.7")), min_size=1),
)
words = st.from_regex(r"[A-Za-z0-9_.:-]{1,63}", fullmatch=True)
epochs = st.builds(Epoch, number=st.integers(0, 10**18 - 1), site=words, plan=words)


def test_names_types_and_addresses_are_normalised() -> None:
    rrset = RRset(name="WWW.Example.org.", type="aaaa", ttl_s=60, values=frozenset({"2001:DB8:0:0::1 ", "::1"}))
    assert rrset.key == ("www.example.org", "AAAA")
    assert rrset.values == {"2001:db8::1", "::1"}
    assert str(rrset) == "www.example.org 60 AAAA 2001:db8::1 ::1"
    alias = RRset(name="a.example", type="CNAME", ttl_s=60, values=frozenset({"LB.Example.net."}))
    assert alias.values == {"lb.example.net"}
    text = RRset(name="a.example", type="TXT", ttl_s=60, values=frozenset({" As It Is. "}))
    assert text.values == {" As It Is. "}


@pytest.mark.parametrize(
    ("type", "values"),
    [
        ("A", ()),
        ("A", ("::1",)),
        ("AAAA", ("192.0.2.1",)),
        ("A", ("www.example.org",)),
        ("A", ("192.0.2.1", "")),
        ("A", ("192.0.2.256",)),
    ],
)
def test_an_empty_set_or_a_bad_address_cannot_exist(type: str, values: tuple[str, ...]) -> None:
    with pytest.raises(ValueError):
        RRset(name="www.example.org", type=type, ttl_s=60, values=frozenset(values))


@given(names)
def test_normal_names_stay_as_they_are(name: str) -> None:
    assert normal_name(name) == name
    assert normal_name(f" {name.upper()}. ".strip()) == name


@given(st.ip_addresses())
def test_addresses_have_one_form(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    assert normal_address(address.exploded) == normal_address(address.compressed.upper()) == str(address)


def test_what_is_no_address_stays_as_it_is() -> None:
    assert normal_address("lb.example.net") == "lb.example.net"


# ------------------------------------------------------------------------------------ difference


def test_only_what_differs_is_put_and_only_our_names() -> None:
    same = address_set("192.0.2.1", name="same.example")
    changed = address_set("192.0.2.2", name="changed.example")
    slower = address_set("192.0.2.4", name="slower.example", ttl_s=300)
    foreign = address_set("192.0.2.5", name="foreign.example")
    old = address_set("192.0.2.6", name="old.example")
    names = [r.key for r in (same, changed, slower, old)]
    found = [
        same,
        address_set("192.0.2.3", name="changed.example"),
        address_set("192.0.2.4", name="slower.example"),
        old,
        foreign,
    ]
    changes = difference([same, changed, slower, address_set("192.0.2.9", name="not-ours.example")], found, names)
    assert changes == Changes(put=(changed, slower), remove=(("old.example", "A"),))
    assert not changes.empty
    assert Changes().empty
    assert not Changes(remove=(("a", "A"),)).empty
    assert not Changes(put=(same,)).empty


@given(st.lists(sets, max_size=6, unique_by=lambda r: r.key), st.lists(sets, max_size=6, unique_by=lambda r: r.key))
def test_the_difference_leads_to_what_is_wanted(wanted: list[RRset], found: list[RRset]) -> None:
    names = {r.key for r in (*wanted, *found)}
    changes = difference(wanted, found, names)
    after = {r.key: r for r in found if r.key not in changes.remove} | {r.key: r for r in changes.put}
    assert after == {r.key: r for r in wanted}
    assert difference(wanted, after.values(), names).empty


@given(st.lists(sets, max_size=6), st.lists(sets, max_size=6))
def test_nothing_outside_our_names_is_ever_touched(wanted: list[RRset], found: list[RRset]) -> None:
    assert difference(wanted, found, ()).empty


def test_same_values_whatever_the_ttl() -> None:
    assert same_values([address_set("192.0.2.1", ttl_s=1)], [address_set("192.0.2.1", ttl_s=60)])
    assert not same_values([address_set("192.0.2.1")], [address_set("192.0.2.2")])
    assert not same_values([address_set("192.0.2.1")], [])


# ------------------------------------------------------------------------------------ the epoch


@given(epochs)
def test_an_epoch_survives_the_way_through_dns(epoch: Epoch) -> None:
    assert Epoch.parse(str(epoch)) == epoch
    assert read_epoch([epoch_set("guestbook", "Example.org.", epoch)], "guestbook", "example.org") == epoch


@given(st.text(max_size=80))
def test_any_other_text_is_refused_not_guessed(text: str) -> None:
    try:
        epoch = Epoch.parse(text)
    except ValueError:
        return
    assert text.startswith("v=1 epoch=")
    assert f" site={epoch.site} " in text


@given(epochs, st.integers(0, 80), st.characters())
def test_a_changed_character_is_refused_or_still_a_whole_epoch(epoch: Epoch, place: int, letter: str) -> None:
    text = str(epoch)
    assume(place < len(text))
    broken = text[:place] + letter + text[place + 1 :]
    try:
        parsed = Epoch.parse(broken)
    except ValueError:
        return
    assert parsed.number >= 0
    assert parsed.site
    assert parsed.plan


@pytest.mark.parametrize(
    "text",
    [
        "",
        "epoch=7",
        "v=2 epoch=7 site=a plan=b",
        "v=1 epoch=-7 site=a plan=b",
        "v=1 epoch=٧ site=a plan=b",
        "v=1 epoch=1234567890123456789 site=a plan=b",
        "v=1 epoch=7 site= plan=b",
        "v=1 epoch=7 site=a plan=b extra=c",
        "v=1 epoch=7 site=a plan=b\n",
        " v=1 epoch=7 site=a plan=b",
    ],
)
def test_garbage_is_no_epoch(text: str) -> None:
    with pytest.raises(ValueError, match="not an epoch"):
        Epoch.parse(text)


def test_where_the_epoch_stands() -> None:
    assert epoch_name("guestbook", "Example.ORG.") == "_failover.guestbook.example.org"


def test_no_set_is_no_epoch_but_two_values_are_unreadable() -> None:
    assert read_epoch([address_set("192.0.2.1")], "guestbook", "example.org") is None
    two = RRset(
        name=epoch_name("guestbook", "example.org"),
        type="TXT",
        ttl_s=60,
        values=frozenset({*fence(7).values, *fence(8).values}),
    )
    with pytest.raises(ValueError, match="holds 2 values"):
        read_epoch([two], "guestbook", "example.org")
