"""What stands where the config does not look any more: situation → what is said."""

from dataclasses import replace

from failover.core.doctor import diagnose
from failover.core.findings import Severity
from failover.core.model import Site
from failover.core.places import LeftBehind, left_behind, moved, place_of, places, remedy, told, unnamed
from failover.core.world import State
from tests.core.builders import AURORA, BOREAS, CIRRUS, DIGEST, SERVICE, node, plan, state
from tests.core.test_doctor import GOOD

FRA = Site(name=BOREAS, provider="do", region="fra1")
APPLIED = State(service="guestbook", archives={BOREAS: (DIGEST,)}, places={BOREAS: "do fra1"})


def test_a_place_is_a_provider_and_a_region() -> None:
    assert place_of(FRA) == "do fra1"
    assert place_of(Site(name=AURORA, provider="aurora")) == "aurora"


def test_a_region_that_was_changed_is_another_place() -> None:
    says = moved(replace(FRA, region="nyc3"), APPLIED)
    assert says is not None
    assert "made at do fra1" in says
    assert "the config says do nyc3" in says
    assert says.endswith("`failover destroy --site boreas --forget`"), "a slip at the first apply is mended so"
    serving = moved(replace(FRA, region="nyc3"), replace(APPLIED, active_site=BOREAS))
    assert serving is not None
    assert "--forget" not in serving, "that would be refused"


def test_where_nothing_is_known_to_stand_every_place_is_as_good() -> None:
    assert moved(FRA, APPLIED) is None
    assert moved(replace(FRA, region="nyc3"), replace(APPLIED, archives={})) is None
    assert moved(replace(FRA, region="nyc3"), replace(APPLIED, places={})) is None, "of an earlier version"


def test_a_place_is_written_down_once_and_kept_while_things_stand_there() -> None:
    service = replace(SERVICE, sites=(replace(FRA, region="nyc3"), Site(name=AURORA, provider="aws", region="x")))
    assert places(service, APPLIED) == {BOREAS: "do fra1", AURORA: "aws x"}
    assert places(service, replace(APPLIED, archives={})) == {BOREAS: "do nyc3", AURORA: "aws x"}


def test_a_site_that_left_the_config_leaves_its_nodes_behind() -> None:
    service = replace(SERVICE, sites=SERVICE.sites[:1])
    gone = replace(APPLIED, inventory={BOREAS: (node(BOREAS), node(BOREAS))})
    assert left_behind(service, gone) == (LeftBehind(site=BOREAS, place="do fra1", nodes=2),)
    given = replace(SERVICE, sites=(Site(name=BOREAS, provider="do", addresses={"web": ("192.0.2.1",)}),))
    assert [left.site for left in left_behind(given, gone)] == [BOREAS], "who provisions it now does not know of ours"
    assert left_behind(SERVICE, gone) == ()


def test_what_is_left_behind_is_told_with_its_remedy() -> None:
    left = LeftBehind(site=BOREAS, place="do fra1", nodes=2)
    assert told(left) == "the config has it no more as a site of ours (it was at do fra1); nodes on record there: 2"
    assert "it was at" not in told(replace(left, place=""))
    assert remedy(left).endswith("`failover destroy --site boreas --forget`")


def test_the_config_has_to_name_where_the_service_runs() -> None:
    service = replace(SERVICE, sites=SERVICE.sites[:2])
    assert unnamed(service, State(service="guestbook")) is None
    assert unnamed(service, state(active_site=BOREAS)) is None
    assert unnamed(service, state(active_site=CIRRUS)) == CIRRUS
    assert unnamed(service, state(open_plan=plan(target=CIRRUS))) is None, "it unwinds"


def test_a_doctor_names_all_of_them() -> None:
    service = replace(SERVICE, sites=(SERVICE.sites[1], SERVICE.sites[2]))
    facts = replace(
        GOOD,
        state=state(
            active_site=AURORA,
            archives={AURORA: (DIGEST,), BOREAS: (DIGEST,), "delphi": (DIGEST,)},
            places={AURORA: "aurora", BOREAS: "do fra1"},
        ),
    )
    found = {f.subject: f for f in diagnose(service, facts) if f.area == "places" and f.severity is Severity.WARNING}
    fatal = {f.subject for f in diagnose(service, facts) if f.area == "places" and f.severity is Severity.FATAL}
    assert set(found) == {"delphi"}, "nobody is told to destroy where the service runs"
    assert fatal == {AURORA, BOREAS}
