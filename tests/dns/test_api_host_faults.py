"""The same hosts on bad days: what cannot be read is never empty, and nothing is removed for it."""

import copy
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from failover.core.rrsets import Changes, RRset
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
from failover.testing.dns import FENCE, NAMES, WWW, ZONE, address_set, fence, put, seen
from tests.dns.host_cases import CLOUDFLARE, DIGITALOCEAN, LINODE, TOKEN, Case, Host
from tests.ports import free_port
from tests.standins.base import Fault

FOREIGN = (
    address_set(f"ftp.{ZONE}", "192.0.2.99", ttl_s=3600),
    RRset(name=WWW, type="TXT", ttl_s=3600, values=frozenset({"keep me"})),
)
BEFORE = address_set(WWW, "192.0.2.1", "192.0.2.2", ttl_s=300)
AFTER = address_set(WWW, "198.51.100.7", "192.0.2.2", "198.51.100.8", ttl_s=300)
MOVE = Changes(put=(AFTER,), remove=((WWW, "AAAA"),))
SIX = address_set(WWW, "2001:db8::1", type="AAAA", ttl_s=300)


@pytest.fixture
def host(host: Host) -> Host:
    """www stands at two addresses and one of IPv6, under epoch 1, and others have records beside it."""
    host.apply(ZONE, put(BEFORE, SIX, *FOREIGN), expect=None, fence=fence(1))
    return host


def records(case: Case, standin: Any) -> dict[Any, Any]:
    return copy.deepcopy(case.records(standin))


def moved(host: Host) -> bool:
    """The change is whole, and what others have is as it was."""
    names = (*NAMES, *(rrset.key for rrset in FOREIGN))
    return seen(host.read(ZONE, names)) == seen((AFTER, fence(2), *FOREIGN))


# -------------------------------------------------------------------------------------------- lists


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.THROTTLED, Throttled),
        (Fault.BROKEN, Unreadable),
        (Fault.GATEWAY, Unreadable),
        (Fault.DROP, Unreachable),
        (Fault.EMPTY, Unreadable),
        (Fault.CLOSE, AccessRefused),
    ],
)
def test_a_list_that_cannot_be_read_changes_nothing(
    case: Case, standin: Any, host: Host, fault: Fault, error: type[AdapterError]
) -> None:
    before = records(case, standin)
    standin.fault(case.listing, fault, times=None, retry_after_s=0)
    with pytest.raises(error):
        host.read(ZONE, NAMES)
    with pytest.raises(error):
        host.apply(ZONE, MOVE, expect=fence(1), fence=fence(2))
    assert records(case, standin) == before


def test_a_list_is_asked_for_again(case: Case, standin: Any, host: Host) -> None:
    for fault in (Fault.THROTTLED, Fault.BROKEN, Fault.GATEWAY, Fault.DROP):
        standin.fault(case.listing, fault, retry_after_s=0)
        assert seen(host.read(ZONE, [(WWW, "A"), FENCE])) == seen((BEFORE, fence(1)))


@pytest.mark.parametrize("fault", [Fault.BROKEN, Fault.GATEWAY, Fault.EMPTY, Fault.DROP])
def test_a_list_that_breaks_in_the_middle_is_no_list(case: Case, standin: Any, host: Host, fault: Fault) -> None:
    standin.page_max = 2
    assert seen(host.read(ZONE, NAMES)) == seen((BEFORE, SIX, fence(1)))
    before = records(case, standin)
    standin.fault(case.listing, fault, times=None, page=2)
    for attempt in (
        lambda: host.read(ZONE, NAMES),
        lambda: host.apply(ZONE, MOVE, expect=fence(1), fence=fence(2)),
    ):
        with pytest.raises((Unreadable, Unreachable)):
            attempt()
    assert records(case, standin) == before


def test_a_refused_token_changes_nothing(case: Case, standin: Any, host: Host) -> None:
    before = records(case, standin)
    standin.refusing = True
    for attempt in (
        lambda: host.read(ZONE, NAMES),
        lambda: host.apply(ZONE, MOVE, expect=fence(1), fence=fence(2)),
    ):
        with pytest.raises(AccessRefused) as caught:
            attempt()
        assert TOKEN not in str(caught.value)
    assert records(case, standin) == before


def test_a_closed_account(case: Case, standin: Any, host: Host) -> None:
    standin.close("fraud")
    with pytest.raises(AccessRefused):
        host.read(ZONE, NAMES)
    standin.reopen()  # empty: the zone is gone, and that is not an empty zone
    with pytest.raises(NotFound):
        host.read(ZONE, NAMES)
    with pytest.raises(NotFound):
        host.apply(ZONE, MOVE, expect=fence(1), fence=fence(2))


def test_nothing_is_there(case: Case) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    made = case.factory(name="gone", token=TOKEN, endpoint=address, timeout_s=2.0, deadline_s=4.0)
    with pytest.raises(Unreachable):
        made.read(ZONE, NAMES)
    with pytest.raises(Unreachable):
        made.apply(ZONE, MOVE, expect=fence(1), fence=fence(2))
    made.close()


# -------------------------------------------------------------------------------------------- writes


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.THROTTLED, Throttled),
        (Fault.BROKEN, TimedOut),
        (Fault.GATEWAY, TimedOut),
        (Fault.DROP, TimedOut),
        (Fault.CLOSE, AccessRefused),
    ],
)
def test_a_write_that_is_not_carried_out(
    case: Case, standin: Any, host: Host, fault: Fault, error: type[AdapterError]
) -> None:
    before = records(case, standin)
    standin.fault(case.writing, fault, times=None, retry_after_s=0)
    with pytest.raises(error):
        host.apply(ZONE, MOVE, expect=fence(1), fence=fence(2))
    if fault is not Fault.CLOSE:
        assert records(case, standin) == before
        standin.mend()
        host.apply(ZONE, MOVE, expect=fence(1), fence=fence(2))
        assert moved(host)


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.LATE])
def test_a_write_whose_answer_is_lost_is_neither_lost_nor_done_twice(
    case: Case, standin: Any, host: Host, fault: Fault
) -> None:
    """Each write in turn. Whoever looks again sees by the epoch whether the change is finished."""
    quick = case.host(standin, timeout_s=1.5, deadline_s=6.0)
    standin.fault(case.writing, fault, skip=0)
    standin.fault(case.writing, fault, skip=2)
    for _ in range(4):
        (standing,) = quick.read(ZONE, [FENCE])
        if standing.values == fence(2).values:
            break
        assert standing.values == fence(1).values
        try:
            quick.apply(ZONE, MOVE, expect=fence(1), fence=fence(2))
        except (TimedOut, Unreachable):
            continue
    standin.mend()
    assert moved(host)
    assert len(case.records(standin)) == (4 if case.kind == "gandi" else 6)
    quick.close()


@pytest.mark.parametrize("fault", [Fault.BROKEN, Fault.DROP, Fault.CLOSE])
def test_a_change_that_cannot_be_read_again_is_unknown(case: Case, standin: Any, host: Host, fault: Fault) -> None:
    """Neither refused nor undone, whatever the answer to the look is: it was written."""
    before = records(case, standin)
    standin.fault(case.listing, fault, times=None, skip=1, retry_after_s=0)
    with pytest.raises(TimedOut, match="cannot be read again"):
        host.apply(ZONE, MOVE, expect=fence(1), fence=fence(2))
    standin.mend()
    assert records(case, standin) != before


def test_a_change_that_ends_on_the_way_is_seen_to_be_unfinished(case: Case, standin: Any, host: Host) -> None:
    if case is CLOUDFLARE:
        pytest.skip("its change is one write")
    for written in range(1, 4):
        standin.fault(case.writing, Fault.DROP, times=None, skip=written)
        try:
            host.apply(ZONE, MOVE, expect=fence(1), fence=fence(2))
        except TimedOut:
            found = {rrset.key: rrset for rrset in host.read(ZONE, NAMES)}
            assert found[FENCE].values == fence(1).values
            assert found[WWW, "A"].values
            assert found[WWW, "A"].values <= BEFORE.values | AFTER.values
        standin.mend()
        if moved(host):
            return
    host.apply(ZONE, MOVE, expect=fence(1), fence=fence(2))
    assert moved(host)


# -------------------------------------------------------------------------------------------- others


class Overtaken:
    """A dialect whose first write comes after somebody else's whole change."""

    def __init__(self, dialect: Any, other: Any) -> None:
        self._dialect, self._other = dialect, [other]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dialect, name)

    def send(self, api: Any, zone: Any, step: Any) -> None:
        while self._other:
            self._other.pop()()
        self._dialect.send(api, zone, step)


def test_who_is_overtaken_does_not_write_the_epoch(case: Case, standin: Any, host: Host) -> None:
    if case is CLOUDFLARE:
        pytest.skip("its batches are tried below")
    late: Any = case.host(standin)
    theirs = address_set(WWW, "203.0.113.9", ttl_s=300)
    late._dialect = Overtaken(late._dialect, lambda: host.apply(ZONE, put(theirs), expect=fence(1), fence=fence(3)))
    with pytest.raises(Conflict):
        late.apply(ZONE, MOVE, expect=fence(1), fence=fence(2))
    (standing,) = host.read(ZONE, [FENCE])
    assert standing.values == fence(3).values
    late.close()


class Behind:
    """A dialect whose lists show what was there two readings ago."""

    def __init__(self, dialect: Any) -> None:
        self._dialect, self._seen = dialect, []  # type: ignore[var-annotated]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dialect, name)

    def entries(self, api: Any, zone: Any) -> Any:
        self._seen.append(self._dialect.entries(api, zone))
        return self._seen[max(0, len(self._seen) - 3)]


def test_a_list_that_lags_is_waited_for(case: Case, standin: Any, host: Host) -> None:
    """And nothing is written twice for it."""
    if case is CLOUDFLARE:
        pytest.skip("its lists show what was written")
    patient: Any = case.host(standin)
    patient._poll_s, patient._dialect = 0.01, Behind(patient._dialect)
    before = standin.count(case.writing)
    patient.apply(ZONE, MOVE, expect=fence(1), fence=fence(2))
    assert moved(host)
    lagging = standin.count(case.writing) - before
    host.apply(ZONE, put(BEFORE, SIX), expect=fence(2), fence=fence(3))
    before = standin.count(case.writing)
    host.apply(ZONE, MOVE, expect=fence(3), fence=fence(4))
    assert lagging == standin.count(case.writing) - before
    patient.close()


@pytest.mark.parametrize("case", [CLOUDFLARE], ids=str)
def test_of_many_who_read_the_same_epoch_one_wins(case: Case, standin: Any, host: Host) -> None:
    def run(racer: int) -> bool:
        changes = put(address_set(WWW, f"198.51.100.{racer}", ttl_s=300))
        try:
            host.apply(ZONE, changes, expect=fence(1), fence=fence(2, plan=f"racer{racer}"))
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(12) as pool:
        won = list(pool.map(run, range(1, 13)))
    assert won.count(True) == 1
    winner = won.index(True) + 1
    found = seen(host.read(ZONE, [(WWW, "A"), FENCE]))
    assert found[WWW, "A"][0] == {f"198.51.100.{winner}"}
    assert found[FENCE][0] == fence(2, plan=f"racer{winner}").values


# -------------------------------------------------------------------------------------------- each its own


@pytest.mark.parametrize("case", [CLOUDFLARE], ids=str)
def test_cloudflare_a_large_change_is_several_batches_with_the_epoch_in_the_last(
    case: Case, standin: Any, host: Host
) -> None:
    sets = [address_set(f"n{n}.{ZONE}", f"198.51.{n // 200}.{n % 200}", ttl_s=300) for n in range(450)]
    before = standin.count(case.writing)
    host.apply(ZONE, put(*sets), expect=fence(1), fence=fence(2))
    batches = [call.document for call in standin.requests if call.path.endswith("/batch")][before:]
    assert [sum(map(len, batch.values())) for batch in batches] == [200, 200, 52]
    with_epoch = [any(post["type"] == "TXT" for post in batch.get("posts", ())) for batch in batches]
    assert with_epoch == [False, False, True]
    alias = RRset(name=WWW, type="CNAME", ttl_s=300, values=frozenset({"lb.example.net"}))
    more = [address_set(f"n{n}.{ZONE}", "203.0.113.1", ttl_s=300) for n in range(250)]
    gone = ((WWW, "A"), (WWW, "AAAA"), (WWW, "TXT"))
    with pytest.raises(Rejected, match="one transaction"):
        host.apply(ZONE, Changes(put=(alias, *more), remove=gone), expect=fence(2), fence=fence(3))


@pytest.mark.parametrize("case", [CLOUDFLARE], ids=str)
def test_cloudflare_a_proxied_name_is_not_taken_over(case: Case, standin: Any) -> None:
    made = case.host(standin)
    made.apply(ZONE, put(BEFORE), expect=None, fence=fence(1))
    made.apply(ZONE, Changes(), expect=fence(1), fence=None)
    for record in case.records(standin).values():
        record.update(proxied=True, ttl=1)
    with pytest.raises(Rejected, match="proxied"):
        made.apply(ZONE, put(AFTER), expect=None, fence=fence(1))
    made.close()


@pytest.mark.parametrize("case", [CLOUDFLARE], ids=str)
def test_cloudflare_a_name_that_is_proxied_later_still_moves(case: Case, standin: Any, host: Host) -> None:
    for record in case.records(standin).values():
        if record["type"] in ("A", "AAAA") and record["name"] == WWW:
            record.update(proxied=True, ttl=1)
    (found,) = host.read(ZONE, [(WWW, "A")])
    assert (found.values, found.ttl_s) == (BEFORE.values, 300)
    host.apply(ZONE, put(address_set(WWW, "198.51.100.7", ttl_s=60)), expect=fence(1), fence=fence(2))
    left = [r for r in case.records(standin).values() if r["name"] == WWW and r["type"] == "A"]
    assert [(r["content"], r["proxied"]) for r in left] == [("198.51.100.7", True)]


@pytest.mark.parametrize("case", [CLOUDFLARE], ids=str)
def test_cloudflare_names_behind_the_edge_stay_there(case: Case, standin: Any) -> None:
    """Through more values, another type, another TTL and back; beside them a name that is not."""
    made, app = case.host(standin, proxied=(WWW,)), f"app.{ZONE}"
    assert made.traits().converges_s == 300.0
    plain = address_set(app, "192.0.2.1", ttl_s=60)
    made.apply(ZONE, put(BEFORE, plain), expect=None, fence=fence(1))
    seen = {r.key: r.proxied for r in made.read(ZONE, [(WWW, "A"), (app, "A"), FENCE])}
    assert seen == {(WWW, "A"): True, (app, "A"): False, FENCE: False}
    assert made.made_up(ZONE, [WWW, app]) == (), "it is meant to be so"
    more = address_set(WWW, "198.51.100.7", "198.51.100.8", "198.51.100.9", ttl_s=60)
    alias = RRset(name=WWW, type="CNAME", ttl_s=60, values=frozenset({"lb.example.net"}))
    for number, (wish, gone) in enumerate(((more, ()), (alias, (more.key,)), (BEFORE, (alias.key,))), start=2):
        made.apply(ZONE, Changes(put=(wish,), remove=gone), expect=fence(number - 1), fence=fence(number))
        records = [r for r in case.records(standin).values() if r["name"] == WWW and r["type"] != "TXT"]
        assert {(r["type"], r["content"], r["proxied"], r["ttl"]) for r in records} == {
            (wish.type, value, True, 1) for value in wish.values
        }
    made.close()


@pytest.mark.parametrize("case", [CLOUDFLARE], ids=str)
def test_cloudflare_no_switch_is_ever_turned(case: Case, standin: Any) -> None:
    """Who takes a name from behind the edge has reasons. No record is written for the sake of a TTL that cannot be."""
    made = case.host(standin, proxied=(WWW,))
    made.apply(ZONE, put(BEFORE), expect=None, fence=fence(1))
    for record in case.records(standin).values():
        if record["name"] == WWW:
            record.update(proxied=False, ttl=60)
    made.apply(ZONE, put(address_set(WWW, "192.0.2.7", "192.0.2.8", ttl_s=60)), expect=fence(1), fence=fence(2))
    left = [r for r in case.records(standin).values() if r["name"] == WWW]
    assert {(r["proxied"], r["ttl"]) for r in left} == {(False, 60)}
    for record in left[:1]:
        record.update(proxied=True, ttl=1)
    (found,) = made.read(ZONE, [(WWW, "A")])
    assert found.proxied, "with one of them proxied, all of the name are"
    left[1].update(proxied=True, ttl=1)
    made.apply(ZONE, put(address_set(WWW, "192.0.2.7", "192.0.2.8", ttl_s=90)), expect=fence(2), fence=fence(3))
    sent = json.loads(next(c.body for c in reversed(standin.requests) if c.path.endswith("/batch")))
    assert "patches" not in sent
    made.close()


@pytest.mark.parametrize("case", [CLOUDFLARE], ids=str)
def test_cloudflare_zones_of_one_name(case: Case, standin: Any, host: Host) -> None:
    other = standin.zone(ZONE)
    other.status = "pending"
    assert case.host(standin).read(ZONE, [FENCE])
    other.status = "active"
    with pytest.raises(Rejected, match="2 zones"):
        case.host(standin).read(ZONE, [FENCE])


@pytest.mark.parametrize("case", [LINODE], ids=str)
def test_linode_may_round_a_time_to_live(case: Case, standin: Any, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """60 is sent as 30; where the API makes 300 of it, that is let be."""
    monkeypatch.setattr("tests.standins.linode.domains.TTLS", (300, 3600))
    host.apply(ZONE, put(address_set(WWW, "198.51.100.7", ttl_s=60)), expect=fence(1), fence=fence(2))
    (found,) = host.read(ZONE, [(WWW, "A")])
    assert found == address_set(WWW, "198.51.100.7", ttl_s=300)


@pytest.mark.parametrize("case", [CLOUDFLARE, LINODE], ids=str)
def test_what_others_leave_empty_is_none_of_our_business(case: Case, standin: Any, host: Host) -> None:
    before = host.read(ZONE, NAMES)
    (odd,) = [record for record in case.records(standin).values() if str(record["name"]).startswith("ftp")]
    odd.update(dict.fromkeys(odd.keys() & {"content", "target", "proxied"}))
    assert host.read(ZONE, NAMES) == before
    host.apply(ZONE, MOVE, expect=fence(1), fence=fence(2))
    with pytest.raises(Unreadable, match="ftp"):
        host.read(ZONE, [FOREIGN[0].key])


@pytest.mark.parametrize("case", [DIGITALOCEAN], ids=str)
def test_digitalocean_is_asked_nothing_that_its_document_does_not_speak_of(
    case: Case, standin: Any, host: Host
) -> None:
    host.apply(ZONE, MOVE, expect=fence(1), fence=fence(2))
    assert moved(host)
    assert (standin.undeclared, standin.refusals) == (set(), [])


def test_name_servers(case: Case, standin: Any, host: Host) -> None:
    traits = host.traits()
    assert all(server.endswith(":53") for server in traits.servers_of(ZONE))
    named = case.host(standin, servers=("192.0.2.53:53",))
    assert named.traits().servers == named.traits().servers_of(ZONE) == ("192.0.2.53:53",)
    named.close()
