"""What everything that looks at zones from outside must do, and everything that asks registries.

class TestMySurvey(SurveyConformance):
    @pytest.fixture
    def bench(self) -> SurveyBench:
        return SurveyBench(survey=…, …)

class TestMyRegistry(RegistryConformance):
    @pytest.fixture
    def bench(self) -> RegistryBench:
        return RegistryBench(registry=…, …)
"""

# ruff: noqa: S101 - this is a test suite that ships

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from failover.core.rrsets import RRset
from failover.errors import AdapterError, NotFound, Unreadable
from failover.ports import Registry, Survey

NOW_UTC_S = 1_800_000_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyBench:
    """A survey, and what it can see. `zone` is delegated to `name_servers` (name → places), all of which answer alike.

    In it stand `held` (by name and type; None: nothing stands there), and `alias`, a CNAME of which `chain` are the
    hops (name, target) to a name with an address. `circle` is a CNAME that ends nowhere. `undelegated` is below the
    same parent; nobody answers for the parent of `cut`. Of two further places one is no authority for the zone
    (`lame`), and nothing is at the other (`dead`). `addressless` is a name server's name without an address.
    """

    survey: Survey
    zone: str
    parent: str
    name_servers: Mapping[str, tuple[str, ...]]
    held: Mapping[tuple[str, str], RRset | None]
    alias: str
    chain: tuple[tuple[str, str], ...]
    circle: str
    undelegated: str
    cut: str
    lame: str
    dead: str
    addressless: str

    @property
    def place(self) -> str:
        return next(iter(self.name_servers.values()))[0]


class SurveyConformance:
    """Subclass it, and give the fixture `bench`."""

    @pytest.fixture
    def bench(self) -> SurveyBench:
        raise NotImplementedError("return a SurveyBench")

    # ------------------------------------------------------------------------------------------ the parent

    def test_a_delegation_names_the_servers_and_where_they_are(self, bench: SurveyBench) -> None:
        found = bench.survey.delegation(bench.zone)
        assert {name: set(places) for name, places in found.name_servers.items()} == {
            name: set(places) for name, places in bench.name_servers.items()
        }
        assert (found.zone, found.parent, found.problem, found.dissent) == (bench.zone, bench.parent, None, ())
        assert found.ttl_s > 0

    def test_names_in_any_case_and_with_a_final_dot(self, bench: SurveyBench) -> None:
        found = bench.survey.delegation(f"{bench.zone.upper()}.")
        assert found.name_servers.keys() == bench.name_servers.keys()
        facts = bench.survey.server(bench.place, f"{bench.zone.upper()}.", [], now_utc_s=NOW_UTC_S)
        assert facts.answers

    def test_a_zone_that_nobody_delegates_is_a_fact(self, bench: SurveyBench) -> None:
        found = bench.survey.delegation(bench.undelegated)
        assert (found.name_servers, found.problem) == ({}, None)

    def test_a_parent_that_cannot_be_asked_is_never_no_delegation(self, bench: SurveyBench) -> None:
        with pytest.raises(AdapterError):
            bench.survey.delegation(bench.cut)

    def test_the_root_has_no_parent(self, bench: SurveyBench) -> None:
        with pytest.raises(AdapterError):
            bench.survey.delegation(".")

    # ------------------------------------------------------------------------------------------ places

    def test_where_a_server_is(self, bench: SurveyBench) -> None:
        port = bench.place.rpartition(":")[2]
        for name, places in bench.name_servers.items():
            assert set(bench.survey.places(f"{name}:{port}")) == set(places)
            for place in places:
                assert bench.survey.places(place) == (place,)

    def test_a_name_without_an_address_is_nowhere(self, bench: SurveyBench) -> None:
        with pytest.raises(NotFound):
            bench.survey.places(f"{bench.addressless}:53")

    # ------------------------------------------------------------------------------------------ one server

    def test_what_a_server_answers(self, bench: SurveyBench) -> None:
        for places in bench.name_servers.values():
            for place in places:
                facts = bench.survey.server(place, bench.zone, list(bench.held), now_utc_s=NOW_UTC_S)
                assert (facts.zone, facts.server) == (bench.zone, place)
                assert (facts.udp, facts.tcp, facts.routed, facts.lame) == (None, None, True, None)
                assert facts.name_servers == set(bench.name_servers)
                assert facts.soa is not None
                assert facts.soa.primary
                assert dict(facts.sets) == dict(bench.held)

    def test_an_alias_is_answered_and_not_followed(self, bench: SurveyBench) -> None:
        facts = bench.survey.server(bench.place, bench.zone, [(bench.alias, "A")], now_utc_s=NOW_UTC_S)
        found = facts.sets[bench.alias, "A"]
        assert found is not None
        assert found.type == "CNAME"
        assert found.values == {bench.chain[0][1]}

    def test_a_server_of_other_zones_is_lame(self, bench: SurveyBench) -> None:
        facts = bench.survey.server(bench.lame, bench.zone, list(bench.held), now_utc_s=NOW_UTC_S)
        assert facts.lame
        assert not facts.answers
        assert facts.sets == {}

    def test_a_server_that_is_not_there_is_a_fact(self, bench: SurveyBench) -> None:
        facts = bench.survey.server(bench.dead, bench.zone, list(bench.held), now_utc_s=NOW_UTC_S)
        assert facts.udp
        assert facts.tcp
        assert (facts.routed, facts.answers, facts.lame) == (True, False, None)
        assert facts.sets == {}

    # ------------------------------------------------------------------------------------------ aliases

    def test_where_an_alias_leads(self, bench: SurveyBench) -> None:
        chain = bench.survey.chain(bench.alias)
        assert [(hop.name, hop.target) for hop in chain.hops] == list(bench.chain)
        assert chain.problem is None
        assert all(hop.ttl_s > 0 for hop in chain.hops)

    def test_a_name_with_addresses_leads_nowhere_else(self, bench: SurveyBench) -> None:
        chain = bench.survey.chain(bench.chain[-1][1])
        assert (chain.hops, chain.problem) == ((), None)

    def test_a_circle_is_a_fact(self, bench: SurveyBench) -> None:
        chain = bench.survey.chain(bench.circle)
        assert chain.hops
        assert chain.problem


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryBench:
    """A registry of `domain`, registered with `registrar` under `statuses` (in EPP's words, lower case, no blanks)
    until `expires_s` after NOW_UTC_S. `absent` is in nobody's hands. `address` lies in a network of `owner`, `unowned`
    in nobody's. `broken` is a domain, and `broken_address` an address, for which it answers what makes no sense.
    """

    registry: Registry
    domain: str
    registrar: str
    statuses: frozenset[str]
    expires_s: float
    absent: str
    address: str
    owner: str
    unowned: str
    broken: str
    broken_address: str


class RegistryConformance:
    """Subclass it, and give the fixture `bench`."""

    @pytest.fixture
    def bench(self) -> RegistryBench:
        raise NotImplementedError("return a RegistryBench")

    @pytest.mark.parametrize("form", ["{}", "www.{}", "eu.www.{}", "{}."])
    def test_a_zone_belongs_to_its_domain(self, bench: RegistryBench, form: str) -> None:
        told = bench.registry.registration(form.format(bench.domain), now_utc_s=NOW_UTC_S)
        assert (told.domain, told.registrar, told.statuses) == (bench.domain, bench.registrar, bench.statuses)
        assert told.expires_s == pytest.approx(bench.expires_s)
        assert told.problem is None

    def test_names_in_any_case(self, bench: RegistryBench) -> None:
        assert bench.registry.registration(bench.domain.upper(), now_utc_s=NOW_UTC_S).domain == bench.domain

    def test_an_expiry_is_counted_from_now(self, bench: RegistryBench) -> None:
        told = bench.registry.registration(bench.domain, now_utc_s=NOW_UTC_S + 60.0)
        assert told.expires_s == pytest.approx(bench.expires_s - 60.0)

    def test_a_domain_that_nobody_has(self, bench: RegistryBench) -> None:
        with pytest.raises(NotFound):
            bench.registry.registration(bench.absent, now_utc_s=NOW_UTC_S)

    def test_an_answer_that_makes_no_sense_is_never_absent(self, bench: RegistryBench) -> None:
        with pytest.raises(Unreadable):
            bench.registry.registration(bench.broken, now_utc_s=NOW_UTC_S)
        with pytest.raises(Unreadable):
            bench.registry.owner(bench.broken_address)

    def test_whose_network_it_is(self, bench: RegistryBench) -> None:
        assert bench.registry.owner(bench.address) == bench.owner

    def test_a_network_that_nobody_has(self, bench: RegistryBench) -> None:
        with pytest.raises(NotFound):
            bench.registry.owner(bench.unowned)
