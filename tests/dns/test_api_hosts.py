"""Cloudflare, DigitalOcean, Linode, Vultr and Gandi, against the suite of all DNS hosts."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from failover.core.rrsets import Epoch, RRset, epoch_set
from failover.core.survey import MadeUp
from failover.dns.cloudflare import Cloudflare
from failover.ports import Dns
from failover.testing.dns import TTL_S, ZONE, DnsConformance, Trouble, address_set, fence, put
from tests.dns.foreign import Census
from tests.dns.host_cases import CLOUDFLARE, Case, Host
from tests.dns.trouble import spoiled
from tests.standins.base import StandIn

READS = ("domain:read", "domains:read_only", "account:read_only", "Zone:Read", "DNS:Read")
"""What may read records, in each provider's words."""


class TestApiHosts(DnsConformance):
    @pytest.fixture
    def host(self, host: Dns) -> Dns:
        """The one of every case, in place of the suite's."""
        return host

    @pytest.fixture
    def census(self, case: Case, standin: StandIn, host: Dns) -> Census:
        """Written through the host once, and seen at the stand-in itself."""
        note = RRset(name=f"theirs.{ZONE}", type="TXT", ttl_s=TTL_S, values=frozenset({"one", "two"}))
        addresses = address_set(note.name, "203.0.113.7", ttl_s=TTL_S)
        epoch = epoch_set("theirs", ZONE, Epoch(number=1, site="dione", plan="theirs"))
        host.apply(ZONE, put(addresses, note), expect=None, fence=epoch)
        return lambda: copy.deepcopy(case.records(standin))

    @pytest.fixture
    def trouble(self, case: Case, standin: StandIn) -> Trouble:
        return partial(spoiled, standin, case.writing)

    @pytest.fixture
    def several(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> int:
        """Most write record by record; Cloudflare gets a plan of few changes in a batch."""
        if isinstance(host, Cloudflare):
            monkeypatch.setattr(host, "_limits", replace(host._limits, batch=4))
        return 6

    @pytest.fixture
    def odd(self, case: Case, standin: StandIn) -> Callable[[], MadeUp] | None:
        return partial(case.make_up, standin) if case.odd is not None else None

    @pytest.fixture
    def reader(self, case: Case, standin: StandIn) -> Iterator[Dns]:
        if case.kind == "vultr":
            pytest.skip("there is one permission for reading and writing")
        made = case.host(standin, token=standin.grant("reads-only", *READS))
        yield made
        made.close()


@pytest.mark.parametrize("case", [CLOUDFLARE], ids=str)
def test_cloudflare_answers_what_is_proxied_with_its_own_addresses(case: Case, standin: Any, host: Dns) -> None:
    sets = put(address_set(f"www.{ZONE}", "192.0.2.1"), address_set(f"mail.{ZONE}", "192.0.2.2"))
    host.apply(ZONE, sets, expect=None, fence=fence(1))
    for record in case.records(standin).values():
        if record["name"] == f"www.{ZONE}":
            record.update(proxied=True, ttl=1)
    asked = [f"www.{ZONE}", f"mail.{ZONE}"]
    assert host.made_up(ZONE, asked) == (MadeUp(name=asked[0], kind="proxied record", refused=False),)


@pytest.mark.parametrize("case", [CLOUDFLARE], ids=str)
def test_cloudflare_flattens_other_cnames_where_it_is_told_to(case: Case, standin: Any, host: Dns) -> None:
    names = [f"flat.{ZONE}", f"plain.{ZONE}"]
    sets = (RRset(name=name, type="CNAME", ttl_s=300, values=frozenset({"lb.example.net"})) for name in names)
    host.apply(ZONE, put(*sets), expect=None, fence=fence(1))
    for record in case.records(standin).values():
        record["settings"] = {"flatten_cname": record["name"] == names[0]}
    odd = MadeUp(name=names[0], kind="flattened CNAME", target="lb.example.net", refused=False)
    assert host.made_up(ZONE, names) == (odd,)
