"""Each fault at each kind of DNS host: what cannot be read is an error, and nothing is removed or changed for it.

A table: a kind of host without its row, or a fault that a row leaves out without a reason, is a failure here.
"""

import copy
import itertools
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import pytest

from failover.core.rrsets import Changes, RRset
from failover.dns.authority import DnsAuthority
from failover.dns.local import LocalHost
from failover.dns.octodns import OctodnsHost
from failover.dns.octodns_process import CHILDREN
from failover.dns.rfc2136 import Rfc2136
from failover.dns.table import KINDS
from failover.errors import AdapterError
from failover.local.nameserver import NameServer, create
from failover.local.zone_data import KEY_FILE
from failover.net.tsig import read_key
from failover.ports import Dns
from failover.testing.dns import FENCE, NAMES, WWW, ZONE, address_set, fence, put, seen
from tests.dns.conftest import SECRET
from tests.dns.host_cases import CASES, TOKEN, Case
from tests.dns.scripted import reply, scripted
from tests.dns.test_route53 import LIST, host_of
from tests.servers.pdns import API_KEY, Pdns
from tests.servers.pdns_front import Front
from tests.standins.base import Fault
from tests.standins.route53 import Route53 as StandIn53

BEFORE = address_set(WWW, "192.0.2.1", "192.0.2.2", ttl_s=300)
FOREIGN = RRset(name=WWW, type="TXT", ttl_s=3600, values=frozenset({"keep me"}))
MOVE = Changes(put=(address_set(WWW, "198.51.100.7", ttl_s=300),))
OURS = seen((BEFORE, fence(1)))


def nothing() -> None:
    """There is nothing to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A host with our sets and somebody else's. `census`: what stands there, not by way of the adapter.

    `faults`: what breaks its readings, by the words of FAULTS; `mend` ends it.
    """

    host: Dns
    census: Callable[[], Any]
    faults: dict[str, Callable[[], object]]
    mend: Callable[[], object] = nothing
    close: Callable[[], object] = field(default=nothing)


HTTP = {
    "429": Fault.THROTTLED,
    "an internal error": Fault.BROKEN,
    "HTML 502": Fault.GATEWAY,
    "an empty list": Fault.EMPTY,
    "a truncated answer": Fault.CUT,
    "no answer": Fault.DROP,
}
FAULTS = (*HTTP, "SERVFAIL", "REFUSED", "a zone that cannot be listed")
BY_DNS, BY_HTTP = "it speaks DNS", "it speaks HTTP; what a server answers is asked by the authority"
NO_SUCH = {
    **{(kind, fault): BY_DNS for kind in ("rfc2136", "local") for fault in ("429", "an internal error", "HTML 502")},
    **{
        (kind, fault): BY_HTTP
        for kind in KINDS
        for fault in ("SERVFAIL", "REFUSED")
        if kind not in ("rfc2136", "local")
    },
}
"""What a kind cannot meet, and why."""


# -------------------------------------------------------------------------------------------- the kinds


def over_http(standin: Any, pattern: str, refuse: Callable[[], object], **more: Any) -> dict[str, Callable[[], object]]:
    plan = {name: partial(standin.fault, pattern, kind, times=None, retry_after_s=0) for name, kind in HTTP.items()}
    return {**plan, "a zone that cannot be listed": refuse, **more}


@contextmanager
def by_api(case: Case, _: Path) -> Iterator[Stage]:
    with case.standin(token=TOKEN) as standin:
        case.zone(standin, ZONE)
        host = case.host(standin, deadline_s=4.0)

        def mend() -> None:
            standin.mend()
            standin.refusing = False

        yield Stage(
            host=host,
            census=lambda: copy.deepcopy(case.records(standin)),
            faults=over_http(standin, case.listing, partial(setattr, standin, "refusing", True)),
            mend=mend,
        )
        host.close()


@contextmanager
def route53(_: Path) -> Iterator[Stage]:
    with StandIn53() as standin:
        zone = standin.add_zone(ZONE)

        def mend() -> None:
            standin.mend()
            standin.refusing = False

        yield Stage(
            host=host_of(standin.url, deadline_s=4.0),
            census=lambda: copy.deepcopy(zone.sets),
            faults=over_http(standin, LIST, partial(setattr, standin, "refusing", True)),
            mend=mend,
        )


@contextmanager
def powerdns(pdns: Pdns, make: Callable[[Pdns, Front], Dns]) -> Iterator[Stage]:
    pdns.renew()
    with Front(pdns) as front:

        def mend() -> None:
            front.mend()
            front.forbidden = frozenset()

        yield Stage(
            host=make(pdns, front),
            census=pdns.census,
            faults=over_http(front, "^GET ", partial(setattr, front, "forbidden", frozenset({"GET"}))),
            mend=mend,
        )


def octodns_at(pdns: Pdns, front: Front) -> OctodnsHost:
    told = {"host": "127.0.0.1", "port": front.port, "api_key": API_KEY}
    kind = "octodns_powerdns.PowerDnsProvider"
    return OctodnsHost(name="tail", provider=kind, options=told, servers=(pdns.place,), deadline_s=60.0)


def truncated(answer: dns.message.Message) -> None:
    answer.flags |= dns.flags.AA | dns.flags.TC


def empty(answer: dns.message.Message) -> None:
    """As of a zone without a single record, its SOA included."""
    answer.flags |= dns.flags.AA


BENT = {
    "SERVFAIL": lambda answer: answer.set_rcode(dns.rcode.SERVFAIL),
    "REFUSED": lambda answer: answer.set_rcode(dns.rcode.REFUSED),
    "a zone that cannot be listed": lambda answer: answer.set_rcode(dns.rcode.NOTAUTH),
    "a truncated answer": truncated,
    "an empty list": empty,
    "no answer": None,
}


@contextmanager
def by_dns(directory: Path, *, local: bool) -> Iterator[Stage]:
    """The real server is silent meanwhile; one that bends its answers stands where it was asked before."""
    create(directory / "dns" / "north", [ZONE], "ns1", "failover", SECRET)
    place = directory / "dns" / "north"
    with ExitStack() as stack:
        server = NameServer(place)
        server.start()
        stack.callback(server.stop)
        bend: list[Callable[[dns.message.Message], object] | None] = []

        def script(wire: bytes) -> bytes | None:
            return reply(wire, bend[0]) if bend[0] is not None else None

        bent = stack.enter_context(scripted(script))
        key = read_key(place / KEY_FILE)

        class Switched:
            """Asks the server, or the one that bends; by the same adapter."""

            def __getattr__(self, name: str) -> Any:
                port = int(bent.server.rpartition(":")[2]) if bend else server.port
                quick: dict[str, Any] = {"timeout_s": 1.0, "deadline_s": 2.0}
                words = quick if bend else {"timeout_s": 60.0, "deadline_s": 120.0}
                if local:
                    daemon = {"pid": os.getpid(), "start": "0", "address": "127.0.0.1", "port": port}
                    (place / "daemon.json").write_text(json.dumps(daemon))
                    return getattr(LocalHost(root=directory, name="north", **words), name)
                return getattr(Rfc2136(name="north", server=f"127.0.0.1:{port}", key=key, **words), name)

        def census() -> Any:
            authority = DnsAuthority(timeout_s=60.0)
            keys = (*NAMES, FOREIGN.key, (ZONE, "SOA"))
            return authority.ask_all(f"127.0.0.1:{server.port}", keys)

        yield Stage(
            host=Switched(),
            census=census,
            faults={name: partial(bend.append, how) for name, how in BENT.items()},
            mend=bend.clear,
        )


@pytest.fixture(scope="module")
def pdns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pdns]:
    with Pdns(tmp_path_factory.mktemp("pdns")) as running:
        yield running
    CHILDREN.end()


STAGES: dict[str, Callable[[Path], AbstractContextManager[Stage]]] = {
    "rfc2136": partial(by_dns, local=False),
    "local": partial(by_dns, local=True),
    "route53": route53,
    **{case.kind: partial(by_api, case) for case in CASES},
}
AT_POWERDNS: dict[str, Callable[[Pdns, Front], Dns]] = {
    "powerdns": lambda pdns, front: pdns.by_api(endpoint=front.url, deadline_s=4.0),
    "octodns": octodns_at,
}


@pytest.fixture
def stage(request: pytest.FixtureRequest, kind: str, tmp_path: Path) -> Iterator[Stage]:
    made: AbstractContextManager[Stage]
    if kind in AT_POWERDNS:
        made = powerdns(request.getfixturevalue("pdns"), AT_POWERDNS[kind])
    else:
        made = STAGES[kind](tmp_path)
    with made as found:
        found.host.apply(ZONE, put(BEFORE, FOREIGN), expect=None, fence=fence(1))
        yield found


# -------------------------------------------------------------------------------------------- the table


def test_every_kind_has_its_row() -> None:
    assert {*STAGES, *AT_POWERDNS} == set(KINDS)


def _cells() -> Iterator[Any]:
    for kind, fault in itertools.product(sorted(KINDS), FAULTS):
        if (kind, fault) not in NO_SUCH:
            marks = pytest.mark.server("powerdns") if kind in AT_POWERDNS else ()
            yield pytest.param(kind, fault, id=f"{kind}: {fault}", marks=marks)


@pytest.mark.parametrize(("kind", "fault"), list(_cells()))
def test_what_cannot_be_read_is_never_empty_and_leads_to_no_deletion(stage: Stage, kind: str, fault: str) -> None:
    before = stage.census()
    stage.faults[fault]()
    with pytest.raises(AdapterError):
        stage.host.read(ZONE, [(WWW, "A"), FENCE])
    with pytest.raises(AdapterError):
        stage.host.apply(ZONE, MOVE, expect=fence(1), fence=fence(2))
    with pytest.raises(AdapterError):
        stage.host.made_up(ZONE, [WWW])
    stage.mend()
    assert stage.census() == before, kind
    assert seen(stage.host.read(ZONE, [(WWW, "A"), FENCE])) == OURS


@pytest.mark.parametrize(
    "kind", [pytest.param(k, marks=pytest.mark.server("powerdns") if k in AT_POWERDNS else ()) for k in sorted(KINDS)]
)
def test_a_clock_that_jumps_at_every_look_leaves_before_or_after(
    stage: Stage, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour to and fro, in this process and so in the servers in it; never a third state."""
    real, jumps = time.time, itertools.cycle([3600.0, -3600.0, 0.0])
    with monkeypatch.context() as patched:
        patched.setattr(time, "time", lambda: real() + next(jumps))
        with suppress(AdapterError):
            stage.host.apply(ZONE, MOVE, expect=fence(1), fence=fence(2))
    found = seen(stage.host.read(ZONE, [(WWW, "A"), FENCE, FOREIGN.key]))
    kept = seen((FOREIGN,))
    assert found in ({**OURS, **kept}, {**seen((*MOVE.put, fence(2))), **kept}), kind
