"""PowerDNS passes the suite, by its API and by dynamic updates: what we believe of both is true of the real server."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from failover.core.rights import Act, May
from failover.core.rrsets import Changes, RRset, by_key
from failover.core.survey import MadeUp
from failover.dns.authority import DnsAuthority
from failover.dns.powerdns import PowerDns
from failover.dns.rfc2136 import Rfc2136
from failover.errors import (
    AccessRefused,
    AdapterError,
    Conflict,
    NotFound,
    Rejected,
    Throttled,
    TimedOut,
    Unreachable,
    Unreadable,
)
from failover.testing.dns import (
    WWW,
    ZONE,
    DnsConformance,
    Trouble,
    TroubleConformance,
    address_set,
    fence,
    put,
    www_published,
)
from tests.dns.foreign import Census, by_updates
from tests.dns.trouble import one_by_one
from tests.ports import free_port
from tests.servers.pdns import TSIG, Pdns
from tests.servers.pdns_front import Front
from tests.servers.test_bind import counted

pytestmark = pytest.mark.server("powerdns")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pdns]:
    with Pdns(tmp_path_factory.mktemp("pdns"), primary=True) as server:
        yield server


@pytest.fixture
def pdns(running: Pdns) -> Pdns:
    running.renew()
    return running


@pytest.fixture
def host(pdns: Pdns) -> PowerDns:
    return pdns.by_api()


def alias_at(pdns: Pdns, name: str) -> MadeUp:
    records = [{"content": "lb.example.net.", "disabled": False}]
    pdns.patch({"name": f"{name}.", "type": "ALIAS", "ttl": 60, "records": records})
    return MadeUp(name=name, kind="ALIAS", target="lb.example.net")


class TestByApi(DnsConformance):
    @pytest.fixture
    def host(self, host: PowerDns) -> PowerDns:
        return host

    @pytest.fixture
    def authority(self) -> DnsAuthority:
        return DnsAuthority(timeout_s=60.0)

    @pytest.fixture
    def odd(self, pdns: Pdns) -> Callable[[], MadeUp]:
        return partial(alias_at, pdns, ZONE)

    @pytest.fixture
    def census(self, pdns: Pdns) -> Census:
        return by_updates(pdns.place, TSIG)


class TestByApiInTrouble(TroubleConformance):
    @pytest.fixture
    def host(self, pdns: Pdns, front: Front) -> PowerDns:
        return pdns.by_api(endpoint=front.url)

    @pytest.fixture
    def published(self, host: PowerDns) -> RRset:
        return www_published(host)

    @pytest.fixture
    def trouble(self, front: Front) -> Trouble:
        return partial(one_by_one, front, "^PATCH ")


class TestByUpdate(DnsConformance):
    @pytest.fixture
    def host(self, pdns: Pdns) -> Rfc2136:
        return pdns.by_update()

    @pytest.fixture
    def authority(self) -> DnsAuthority:
        return DnsAuthority(timeout_s=60.0)

    @pytest.fixture
    def odd(self, pdns: Pdns) -> Callable[[], MadeUp]:
        return lambda: replace(alias_at(pdns, ZONE), refused=False)

    @pytest.fixture
    def census(self, pdns: Pdns) -> Census:
        return by_updates(pdns.place, TSIG)


# ---------------------------------------------------------------------------------------------- other people's records

DISABLED: dict[str, Any] = {
    "name": f"{WWW}.",
    "type": "A",
    "ttl": 60,
    "records": [{"content": "192.0.2.8", "disabled": False}, {"content": "192.0.2.9", "disabled": True}],
}


@pytest.fixture
def published(host: PowerDns) -> RRset:
    host.apply(ZONE, put(address_set(WWW, "192.0.2.1")), expect=None, fence=fence(1))
    return fence(1)


def others(pdns: Pdns) -> dict[tuple[str, str], Any]:
    """What is not ours; the SOA moves with every change."""
    ours = {(f"{WWW}.", "A"), (f"{fence(1).name}.", "TXT"), (f"{ZONE}.", "SOA")}
    return {key: found for key, found in pdns.census().items() if key not in ours}


def test_disabled_records_are_not_served_and_never_replaced(pdns: Pdns, host: PowerDns) -> None:
    pdns.patch(DISABLED)
    before = pdns.census()
    assert host.read(ZONE, [(WWW, "A")]) == (address_set(WWW, "192.0.2.8"),)
    for changes in (put(address_set(WWW, "192.0.2.1")), Changes(remove=((WWW, "A"),))):
        with pytest.raises(Rejected, match="disabled"):
            host.apply(ZONE, changes, expect=None, fence=fence(1))
    assert pdns.census() == before


def test_comments_stay_with_their_set(pdns: Pdns, host: PowerDns, published: RRset) -> None:
    comment = {"content": "ask Anna first", "account": "ops", "modified_at": 1}
    pdns.patch({**DISABLED, "records": DISABLED["records"][:1], "comments": [comment]})
    host.apply(ZONE, put(address_set(WWW, "192.0.2.2")), expect=published, fence=fence(2))
    found = pdns.census()[f"{WWW}.", "A"]
    assert [record["content"] for record in found["records"]] == ["192.0.2.2"]
    assert [said["content"] for said in found["comments"]] == ["ask Anna first"]


@pytest.mark.parametrize(
    ("type", "content"), [("ALIAS", "lb.example.net."), ("LUA", """A "pickrandom({'192.0.2.7'})" """.strip())]
)
def test_answers_that_are_made_up_are_never_touched(pdns: Pdns, host: PowerDns, type: str, content: str) -> None:
    pdns.patch({"name": f"{WWW}.", "type": type, "ttl": 60, "records": [{"content": content, "disabled": False}]})
    before = pdns.census()
    with pytest.raises(Rejected, match=type):
        host.read(ZONE, [(WWW, "A")])
    with pytest.raises(Rejected, match=type):
        host.apply(ZONE, put(address_set(WWW, "192.0.2.1")), expect=None, fence=fence(1))
    assert pdns.census() == before
    assert [odd.kind for odd in host.made_up(ZONE, [WWW])] == [type]
    host.apply(ZONE, put(address_set(f"ftp.{ZONE}", "192.0.2.1")), expect=None, fence=fence(1))


def test_everybody_else_s_records_stay_as_they_are(pdns: Pdns, host: PowerDns) -> None:
    odd = {"content": r'"v=spf1 \252"', "disabled": False}
    pdns.patch(
        {
            "name": f"{ZONE}.",
            "type": "TXT",
            "ttl": 300,
            "records": [odd],
            "comments": [{"content": "x", "account": "y"}],
        },
        {"name": f"off.{ZONE}.", "type": "A", "ttl": 300, "records": [{"content": "192.0.2.9", "disabled": True}]},
        {
            "name": f"lb.{ZONE}.",
            "type": "ALIAS",
            "ttl": 300,
            "records": [{"content": "x.example.net.", "disabled": False}],
        },
    )
    before = others(pdns)
    host.apply(ZONE, put(address_set(WWW, "192.0.2.1")), expect=None, fence=fence(1))
    many = tuple(address_set(f"n{n}.{ZONE}", "192.0.2.1") for n in range(9))
    host.apply(ZONE, put(address_set(WWW, "192.0.2.2"), *many), expect=fence(1), fence=fence(2))
    host.apply(ZONE, Changes(remove=((WWW, "A"), *(m.key for m in many))), expect=fence(2), fence=None)
    assert others(pdns) == before
    assert (f"{WWW}.", "A") not in pdns.census()


def test_a_transfer_shows_what_the_server_answers(pdns: Pdns) -> None:
    """By dynamic updates hundreds of names are read by a transfer, which the same key signs."""
    sets = (
        *(address_set(f"n{n}.{ZONE}", f"192.0.2.{n}") for n in range(1, 250)),
        address_set(f"*.w.{ZONE}", "192.0.2.1"),
    )
    pdns.by_update().apply(ZONE, put(*sets), expect=None, fence=fence(1))
    names = [*(rrset.key for rrset in sets), (f"a.w.{ZONE}", "A"), (f"absent.{ZONE}", "A"), fence(1).key]
    wanted = (*sets, address_set(f"a.w.{ZONE}", "192.0.2.1"), fence(1))
    assert pdns.by_update().read(ZONE, names) == wanted, "the key may not transfer: asked name by name"
    pdns.ask("PUT", f"/zones/{ZONE}.", {"master_tsig_key_ids": [f"{TSIG.name}."]})  # TSIG-ALLOW-AXFR
    asked: list[int] = []
    with counted(asked):
        assert pdns.by_update().read(ZONE, names) == wanted
    assert asked == [1, 1, 1], "the zone, what only the server can tell, and whether it is still that version"


# ---------------------------------------------------------------------------------------------- kinds of zones


def test_a_secondary_is_not_changed(pdns: Pdns, host: PowerDns) -> None:
    host.apply(ZONE, put(address_set(WWW, "192.0.2.1")), expect=None, fence=fence(1))
    pdns.ask("PUT", f"/zones/{ZONE}.", {"kind": "Slave", "masters": ["127.0.0.1"]})
    with pytest.raises(Rejected, match="primary"):
        host.apply(ZONE, put(address_set(WWW, "192.0.2.2")), expect=fence(1), fence=fence(2))
    assert host.read(ZONE, [(WWW, "A")]) == (address_set(WWW, "192.0.2.1"),)


def test_a_primary_whose_serial_stands_still_is_not_changed(pdns: Pdns, host: PowerDns) -> None:
    pdns.renew(kind="Master")
    pdns.ask("PUT", f"/zones/{ZONE}.", {"soa_edit_api": ""})
    with pytest.raises(Rejected) as raised:
        host.apply(ZONE, put(address_set(WWW, "192.0.2.2")), expect=None, fence=fence(1))
    assert raised.value.hint == f"pdnsutil set-meta {ZONE} SOA-EDIT-API DEFAULT"
    assert host.read(ZONE, [(WWW, "A")]) == ()


def test_secondaries_are_notified_at_once(pdns: Pdns, front: Front) -> None:
    pdns.renew(kind="Master")
    pdns.by_api(endpoint=front.url).apply(ZONE, put(address_set(WWW, "192.0.2.1")), expect=None, fence=fence(1))
    assert [call.method for call in front.requests] == ["GET", "PATCH", "PUT", "GET"]
    assert pdns.serves(WWW, "A") == {"192.0.2.1"}


# ---------------------------------------------------------------------------------------------- what it may do


def test_what_stands_before_the_api_may_let_reading_through_alone(pdns: Pdns, front: Front) -> None:
    front.forbidden = frozenset({"PATCH"})
    (right,) = pdns.by_api(endpoint=front.url).rights(ZONE, [(WWW, "A")])
    assert (right.act, right.may) == (Act.CHANGE, May.REFUSED)


@pytest.mark.parametrize("kind", ["502", "drop"])
def test_no_clear_answer_proves_nothing(pdns: Pdns, front: Front, kind: str) -> None:
    front.fault("^PATCH ", kind)
    with pytest.raises(AdapterError):
        pdns.by_api(endpoint=front.url).rights(ZONE, [(WWW, "A")])


def test_a_secondary_may_not_be_changed(pdns: Pdns, host: PowerDns) -> None:
    pdns.renew(kind="Slave")
    (right,) = host.rights(ZONE, [(WWW, "A")])
    assert right.may is May.REFUSED
    assert "not its primary" in right.says


# ---------------------------------------------------------------------------------------------- how it asks


@pytest.fixture
def front(pdns: Pdns) -> Iterator[Front]:
    with Front(pdns) as running:
        yield running


def test_any_number_of_sets_is_one_patch(pdns: Pdns, front: Front) -> None:
    many = put(*(address_set(f"n{n}.{ZONE}", "192.0.2.1") for n in range(1200)))
    pdns.by_api(endpoint=front.url).apply(ZONE, many, expect=None, fence=fence(1))
    assert [call.method for call in front.requests] == ["GET", "PATCH", "GET"]
    assert len(pdns.census()) == 1200 + 4


def asked(front: Front) -> list[str]:
    """Each request in short: `whole` is the zone, `glance` one set of it."""
    reads = {True: "glance", False: "whole"}
    return [reads["rrset_name" in call.target] if call.method == "GET" else call.method for call in front.requests]


def moved(pdns: Pdns, front: Front, between: Callable[[], object] = lambda: None) -> None:
    """What a cutover does: it reads, and something may happen, and it changes."""
    host = pdns.by_api(endpoint=front.url)
    assert host.read(ZONE, [(WWW, "A"), fence(1).key]) == (address_set(WWW, "192.0.2.1"), fence(1))
    between()
    host.apply(ZONE, put(address_set(WWW, "192.0.2.2")), expect=fence(1), fence=fence(2))


@pytest.mark.usefixtures("published")
def test_the_whole_zone_is_read_once_and_then_only_looked_at(pdns: Pdns, front: Front) -> None:
    moved(pdns, front)
    assert asked(front) == ["whole", "glance", "PATCH", "glance"]
    assert pdns.serves(WWW, "A") == {"192.0.2.2"}


@pytest.mark.usefixtures("published")
def test_what_changed_after_the_reading_is_read_again(pdns: Pdns, front: Front) -> None:
    moved(pdns, front, lambda: pdns.patch({**DISABLED, "name": f"ftp.{ZONE}."}))
    assert asked(front) == ["whole", "glance", "whole", "PATCH", "glance"]


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize(
    "odd",
    [DISABLED, {**DISABLED, "type": "ALIAS", "records": [{"content": "lb.example.net.", "disabled": False}]}],
    ids=["a disabled record", "an alias"],
)
def test_what_came_after_the_reading_is_never_touched(pdns: Pdns, front: Front, odd: dict[str, Any]) -> None:
    with pytest.raises(Rejected):
        moved(pdns, front, lambda: pdns.patch(odd))
    assert not front.count("PATCH")


@pytest.mark.usefixtures("published")
def test_a_rival_between_reading_and_change_wins(pdns: Pdns, front: Front) -> None:
    with pytest.raises(Conflict, match="fence"):
        moved(pdns, front, lambda: pdns.by_api().apply(ZONE, Changes(), expect=fence(1), fence=fence(3)))
    assert not front.count("PATCH")


@pytest.mark.usefixtures("published")
def test_a_stranger_right_behind_us_has_the_whole_zone_read_again(pdns: Pdns, front: Front) -> None:
    front.after_change = lambda: pdns.patch({**DISABLED, "name": f"ftp.{ZONE}."})
    moved(pdns, front)
    assert asked(front) == ["whole", "glance", "PATCH", "glance", "whole"]


@pytest.mark.usefixtures("published")
def test_a_stranger_who_takes_our_name_right_behind_us_is_seen(pdns: Pdns, front: Front) -> None:
    front.after_change = lambda: pdns.patch({**DISABLED, "records": DISABLED["records"][:1]})
    with pytest.raises(Conflict, match="meanwhile"):
        moved(pdns, front)


@pytest.mark.usefixtures("published")
def test_a_glance_that_shows_nothing_proves_nothing(pdns: Pdns, front: Front) -> None:
    moved(pdns, front, lambda: front.fault("GET", "empty"))
    assert asked(front) == ["whole", "glance", "whole", "PATCH", "glance"]


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize("how", ["", "EPOCH", "SOA-EDIT"])
def test_a_zone_that_counts_not_each_change_is_read_whole_each_time(pdns: Pdns, front: Front, how: str) -> None:
    pdns.ask("PUT", f"/zones/{ZONE}.", {"soa_edit_api": how})
    moved(pdns, front)
    assert asked(front) == ["whole", "whole", "PATCH", "whole"]


# ---------------------------------------------------------------------------------------------- bad days


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("429", Throttled),
        ("500", TimedOut),
        ("502", TimedOut),
        ("drop", TimedOut),
        ("lost", TimedOut),
        ("close", AccessRefused),
    ],
)
def test_what_becomes_of_a_change(
    pdns: Pdns, front: Front, published: RRset, kind: str, error: type[AdapterError]
) -> None:
    behind, before = pdns.by_api(endpoint=front.url), others(pdns)
    front.fault("PATCH", kind)
    with pytest.raises(error):
        behind.apply(ZONE, put(address_set(WWW, "192.0.2.2")), expect=published, fence=fence(2))
    assert front.count("PATCH") == 1
    assert others(pdns) == before
    assert pdns.serves(WWW, "A") == {"192.0.2.2" if kind == "lost" else "192.0.2.1"}


def test_a_change_that_cannot_be_read_again_is_unknown(pdns: Pdns, front: Front, published: RRset) -> None:
    behind = pdns.by_api(endpoint=front.url)
    front.fault("GET", "500", times=None, skip=1)
    with pytest.raises(TimedOut, match="cannot be read again"):
        behind.apply(ZONE, put(address_set(WWW, "192.0.2.2")), expect=published, fence=fence(2))
    assert pdns.serves(WWW, "A") == {"192.0.2.2"}


def test_a_rival_that_overtakes_us_is_seen(pdns: Pdns, front: Front, published: RRset) -> None:
    """Grade 3 cannot refuse it; but nobody believes that the change stands."""
    rival, third = pdns.by_api(), put(address_set(WWW, "192.0.2.3"))
    front.after_change = lambda: rival.apply(ZONE, third, expect=fence(2, plan="late"), fence=fence(3))
    late = put(address_set(WWW, "192.0.2.2"))
    with pytest.raises(Conflict, match="meanwhile"):
        pdns.by_api(endpoint=front.url).apply(ZONE, late, expect=published, fence=fence(2, plan="late"))
    assert rival.read(ZONE, [(WWW, "A")]) == (address_set(WWW, "192.0.2.3"),)


def test_after_a_race_one_complete_plan_stands(pdns: Pdns) -> None:
    """Whoever won: addresses and epoch are of the same plan, for a PATCH is one transaction."""

    def run(racer: int) -> None:
        change = put(address_set(WWW, f"192.0.2.{racer}"), address_set(ZONE, f"192.0.2.{racer}"))
        with suppress(Conflict, TimedOut):
            pdns.by_api().apply(ZONE, change, expect=None, fence=fence(1, plan=f"racer{racer}"))

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(run, range(1, 25)))
    found = by_key(pdns.by_api().read(ZONE, [(WWW, "A"), (ZONE, "A"), fence(1).key]))
    (address,) = found[WWW, "A"].values
    assert found[ZONE, "A"].values == {address}
    assert found[fence(1).key].values == fence(1, plan=f"racer{address.rpartition('.')[2]}").values


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("429", Throttled),
        ("500", Unreadable),
        ("502", Unreadable),
        ("drop", Unreachable),
        ("empty", Unreadable),
        ("close", AccessRefused),
    ],
)
def test_a_zone_that_cannot_be_read_is_never_empty(
    pdns: Pdns, front: Front, published: RRset, kind: str, error: type[AdapterError]
) -> None:
    behind = pdns.by_api(endpoint=front.url)
    front.fault("GET", kind, times=None)
    with pytest.raises(error):
        behind.read(ZONE, [(WWW, "A")])
    with pytest.raises(error):
        behind.apply(ZONE, put(address_set(WWW, "192.0.2.2")), expect=published, fence=fence(2))
    assert not front.count("PATCH")
    assert pdns.serves(WWW, "A") == {"192.0.2.1"}


def test_no_answer_in_time(pdns: Pdns, front: Front, published: RRset) -> None:
    hasty = pdns.by_api(endpoint=front.url, timeout_s=1.0, deadline_s=3.0)
    front.fault("PATCH", "late")
    with pytest.raises(TimedOut, match="may be done"):
        hasty.apply(ZONE, put(address_set(WWW, "192.0.2.2")), expect=published, fence=fence(2))
    assert pdns.serves(WWW, "A") == {"192.0.2.2"}
    front.fault("GET", "hang", times=None)
    with pytest.raises(TimedOut):
        hasty.read(ZONE, [(WWW, "A")])


def test_a_wrong_key_and_an_unknown_zone(pdns: Pdns) -> None:
    with pytest.raises(AccessRefused):
        pdns.by_api(token="wrong").read(ZONE, [(WWW, "A")])
    with pytest.raises(NotFound):
        pdns.by_api().read("absent.test", [("www.absent.test", "A")])


@pytest.mark.parametrize("ttl_s", [0, 2**31])
def test_a_ttl_beyond_the_limits_is_refused(host: PowerDns, ttl_s: int) -> None:
    with pytest.raises(Rejected, match="TTL"):
        host.apply(ZONE, put(address_set(WWW, "192.0.2.1", ttl_s=ttl_s)), expect=None, fence=fence(1))


def test_nobody_listens(pdns: Pdns) -> None:
    host = pdns.by_api(endpoint=f"http://127.0.0.1:{free_port()}", timeout_s=5.0, deadline_s=5.0)
    with pytest.raises(Unreachable):
        host.read(ZONE, [(WWW, "A")])
    with pytest.raises(Unreachable):
        host.apply(ZONE, Changes(), expect=None, fence=fence(1))
