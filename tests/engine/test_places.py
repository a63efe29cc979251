"""Stories of sites that leave the config, or are sent elsewhere, while nodes of ours stand there."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from failover.core.model import Site
from failover.engine.deploy import look_ahead
from failover.errors import ConfigError, RefusedError, UsageError
from tests.engine.play import Play, published


def without(found: Play, name: str) -> Site:
    """The config has that site no more."""
    service = found.outside.service
    site = service.site(name)
    found.outside.reconfigure(replace(service, sites=tuple(s for s in service.sites if s != site)))
    found.process()
    return site


def back(found: Play, site: Site) -> None:
    service = found.outside.service
    found.outside.reconfigure(replace(service, sites=(*(s for s in service.sites if s.name != site.name), site)))
    found.process()


def test_a_site_that_left_the_config_is_named_until_its_nodes_are_gone() -> None:
    found = published()
    site = without(found, "cirrus")
    assert [(left.site, left.nodes) for left in look_ahead(found.context).left] == [("cirrus", 2)]
    assert [left.site for left in found.apply().left] == ["cirrus"]
    with pytest.raises(UsageError, match="does not say where it is"):
        found.destroy_at("cirrus")
    back(found, site)
    assert found.apply().left == ()
    assert found.destroy_at("cirrus").problem is None
    assert found.nodes("cirrus") == ()
    assert found.outside.clouds["cirrus"].list() == frozenset()
    without(found, "cirrus")
    assert found.apply().left == ()
    assert found.site_of_dns() == {"aurora"}


def test_what_is_left_behind_keeps_destroy_from_saying_that_all_is_gone() -> None:
    found = published()
    without(found, "cirrus")
    results = {r.site: r.problem for r in found.destroy()}
    assert (results["aurora"], results["boreas"]) == (None, None)
    assert "nodes on record there: 2" in (results["cirrus"] or "")
    assert len(found.outside.clouds["cirrus"].running()) == 2


def test_a_site_whose_account_is_gone_can_be_forgotten() -> None:
    found = published()
    without(found, "cirrus")
    assert found.destroy_at("cirrus", forget=True).problem is None
    assert look_ahead(found.context).left == ()
    assert any("forgotten" in event.reason for event in found.context.store.events(5))
    with pytest.raises(UsageError, match="anything of ours there"):
        found.destroy_at("cirrus", forget=True)


def test_nodes_are_not_looked_for_at_another_place() -> None:
    """A region that was changed: what stands at the old one would be found by nobody, and cost for good."""
    found = published()
    before = found.nodes("cirrus")
    site = found.outside.service.site("cirrus")
    back(found, replace(site, region="elsewhere-1"))
    assert any("another place is another site" in problem for problem in look_ahead(found.context).problems)
    assert any("another place is another site" in problem for problem in found.apply().problems)
    assert "another place" in (found.destroy_at("cirrus").problem or "")
    assert found.nodes("cirrus") == before
    back(found, site)
    assert found.apply().problems == ()


def test_a_place_where_nothing_stands_can_be_forgotten_and_mended() -> None:
    """A region with a slip is on record from the first apply on, before anything is asked there."""
    found = published()
    back(found, replace(found.outside.service.site("cirrus"), region="elsewhere-1"))
    assert found.destroy_at("cirrus", forget=True).problem is None
    assert found.apply().problems == ()
    assert found.context.store.load().places["cirrus"].endswith("elsewhere-1")


def test_the_site_that_serves_is_not_destroyed_alone() -> None:
    found = published()
    with pytest.raises(RefusedError, match="the service runs there"):
        found.destroy_at("aurora")
    assert len(found.nodes("aurora")) == 2


COMMANDS: dict[str, Callable[[Play], object]] = {
    "plan": lambda found: look_ahead(found.context),
    "apply": Play.apply,
    "destroy": Play.destroy,
    "destroy --site": lambda found: found.destroy_at("boreas"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_config_must_name_the_site_where_the_service_runs(command: str) -> None:
    found = published()
    addresses = found.addresses()
    without(found, "aurora")
    with pytest.raises(ConfigError, match="use site aurora"):
        COMMANDS[command](found)
    assert all(len(cloud.running()) == 2 for cloud in found.outside.clouds.values())
    assert found.addresses() == addresses
