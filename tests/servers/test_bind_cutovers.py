"""Many controllers cut over at one BIND at the same time, while somebody who knows nothing of us asks all the while."""

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import dns.message
import dns.query
import dns.rcode
import dns.tsig
import dns.update
import pytest

from failover.core.cutover import CutoverPlan, PlanKind, seal
from failover.core.rrsets import Changes, Epoch, RRset, epoch_name, epoch_set, read_epoch
from failover.dns.authority import DnsAuthority
from failover.dns.rfc2136 import Rfc2136
from failover.engine.context import Context
from failover.engine.publish import HostState, fence_of, swap_everywhere
from failover.engine.runtime import RealRuntime
from failover.engine.served import prove
from failover.errors import Conflict
from failover.testing.dns import ZONE
from failover.testing.memory_store import MemoryDisk
from failover.testing.sim_runtime import VirtualClock
from failover.testing.sim_world import Outside, guestbook
from tests.servers.test_bind import KEY, Bind, bind

__all__ = ["bind"]
WWW = f"www.{ZONE}"
FOREIGN = ((WWW, "TXT", '"theirs"'), (f"mail.{ZONE}", "MX", f"10 mx.{ZONE}."), (f"*.wild.{ZONE}", "A", "203.0.113.9"))


@pytest.fixture
def asked(bind: Bind) -> Callable[[str, str], dns.message.Message]:
    """An independent client: dnspython's own."""

    def ask(name: str, type: str) -> dns.message.Message:
        query = dns.message.make_query(name, type)
        return dns.query.udp(query, "127.0.0.1", port=bind.port, timeout=60, ignore_unexpected=True)

    return ask


@pytest.fixture
def census(bind: Bind, asked: Callable[[str, str], dns.message.Message]) -> Iterator[None]:
    """Records of somebody else, which must be the same afterwards."""
    update = dns.update.UpdateMessage(ZONE, keyring=dns.tsig.Key(KEY.name, KEY.secret))
    for name, type, value in FOREIGN:
        update.add(f"{name}.", 300, type, value)
    assert dns.query.tcp(update, "127.0.0.1", port=bind.port, timeout=60).rcode() == dns.rcode.NOERROR

    def counted() -> list[str]:
        keys = [*((name, type) for name, type, _ in FOREIGN), (ZONE, "NS"), (f"ns1.{ZONE}", "A")]
        return [asked(*key).answer[0].to_text() for key in keys]

    before = counted()
    yield
    assert counted() == before


def controller(bind: Bind) -> Context:
    """One of many, with a state of its own: it knows of the others only what DNS says."""
    service = guestbook(given=("aurora", "boreas", "cirrus"))
    record = replace(service.records[0], name=WWW, zone=ZONE)
    service = replace(service, records=(record,), zones=(ZONE,), hosts=("bind",), call_s=60.0)
    host = Rfc2136(name="bind", server=f"127.0.0.1:{bind.port}", key=KEY, timeout_s=60.0, deadline_s=60.0)
    outside = Outside(replace(service, hosts=()), VirtualClock())
    context = outside.context(MemoryDisk(), RealRuntime(), hosts={"bind": host})
    return replace(context, service=service, authority=DnsAuthority(timeout_s=60.0))


def plan_of(context: Context, epoch: int, name: str, addresses: frozenset[str]) -> CutoverPlan:
    sets = (RRset(name=WWW, type="A", ttl_s=20, values=addresses),)
    return seal(
        CutoverPlan(
            id=f"cutover-{epoch}-{name}",
            kind=PlanKind.CUTOVER,
            service=context.service.name,
            at=context.runtime.now(),
            parent_epoch=epoch - 1,
            epoch=epoch,
            source="aurora",
            target=name,
            steps=(),
            zones=(ZONE,),
            hosts=("bind",),
            rrsets=sets,
        )
    )


def addresses_of(epoch: int, number: int) -> frozenset[str]:
    """Three that belong together: by these a torn answer would be seen."""
    return frozenset(f"10.{epoch % 250}.{number}.{last}" for last in (1, 2, 3))


def standing(context: Context) -> tuple[int, RRset | None]:
    found = context.hosts["bind"].read(ZONE, [(epoch_name("guestbook", ZONE), "TXT")])
    epoch = read_epoch(found, "guestbook", ZONE)
    return (epoch.number if epoch else 0), (found[0] if found else None)


Won = tuple[CutoverPlan, RRset | None]


def cut_over_again_and_again(bind: Bind, number: int, times: int) -> list[Won]:
    """The plans that this controller brought into DNS, each with the fence that stood there before."""
    context, won = controller(bind), []
    for _ in range(times):
        epoch, before = standing(context)
        plan = plan_of(context, epoch + 1, f"c{number}", addresses_of(epoch + 1, number))
        (result,) = swap_everywhere(context, plan, plan.rrsets)
        if result.state is HostState.DONE:
            won.append((plan, before))
    return won


@pytest.mark.server("bind")
@pytest.mark.usefixtures("census")
@pytest.mark.parametrize(("controllers", "each"), [(10, 20), (200, 1)])
def test_200_cutovers_at_the_same_time(
    bind: Bind, asked: Callable[[str, str], dns.message.Message], controllers: int, each: int
) -> None:
    first = controller(bind)
    start = plan_of(first, 1, "start", addresses_of(1, 0))
    assert swap_everywhere(first, start, start.rrsets)[0].state is HostState.DONE
    done, seen, epochs = threading.Event(), set[frozenset[str]](), [1]

    def look() -> None:
        ended = False
        while not ended:
            ended = done.is_set()  # once more after the last change
            answer = asked(WWW, "A")
            assert answer.rcode() == dns.rcode.NOERROR, answer
            assert answer.answer, "an empty answer"
            seen.add(frozenset(rdata.to_text() for rdata in answer.answer[0]))
            (text,) = asked(epoch_name("guestbook", ZONE), "TXT").answer[0]
            epochs.append(Epoch.parse(text.strings[0].decode()).number)

    with ThreadPoolExecutor(controllers + 1) as pool:
        eyes = pool.submit(look)
        tries = [pool.submit(cut_over_again_and_again, bind, number, each) for number in range(1, controllers + 1)]
        try:
            won = [w for one in tries for w in one.result()]
        finally:
            done.set()
        eyes.result()

    accepted = sorted(plan.epoch for plan, _ in won)
    assert accepted == list(range(2, 2 + len(won))), "one winner for each epoch, and none is left out"
    assert len(won) >= each
    assert standing(first)[0] == accepted[-1]
    assert epochs == sorted(epochs), "the epoch went back"
    whole = {start.rrsets[0].values} | {plan.rrsets[0].values for plan, _ in won}
    assert seen <= whole, "an answer that is no plan's complete set"
    refused_however_often(first, won)
    last = max(won, key=lambda w: w[0].epoch)[0]
    assert last.rrsets[0].values in seen
    assert epochs[-1] == last.epoch
    assert [a.late for a in prove(first, last, last.rrsets, ["bind"]).answers] == ["", ""]


def refused_however_often(context: Context, won: list[Won]) -> None:
    """Every older request, late and twice: by the name server itself, and by whoever reads before."""
    host, newest = context.hosts["bind"], max(plan.epoch for plan, _ in won)
    older = random.Random(20261122).sample([w for w in won if w[0].epoch < newest], min(20, len(won) - 1))
    for plan, before in older:
        fence = epoch_set("guestbook", ZONE, fence_of(plan))
        for _ in range(2):
            with pytest.raises(Conflict):
                host.apply(ZONE, Changes(put=plan.rrsets), expect=before, fence=fence)
        (result,) = swap_everywhere(context, plan, plan.rrsets)
        assert result.state is HostState.OVERTAKEN
    assert standing(context)[0] == newest
