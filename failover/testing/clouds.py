"""What every provider account must do: account, nodes and depot, whoever makes it.

A test of a new cloud is a class of a few lines:

    class TestMyCloud(CloudConformance):
        @pytest.fixture
        def cloud(self):
            return MyCloud(…)              # an empty account that may have `nodes_max` nodes

        @pytest.fixture
        def operator(self, cloud):         # optional: plays the provider; without it those checks are skipped
            return MyOperator(…)
"""

# ruff: noqa: S101 - this is a test suite that ships

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from failover.clouds.table import Cloud
from failover.core.model import NodeState, Reading
from failover.errors import (
    AccessRefused,
    Conflict,
    NotFound,
    QuotaExceeded,
    Rejected,
    TimedOut,
    Unreachable,
    Unreadable,
)
from failover.net.archive import Packed
from failover.testing.cloud_firewalls import FirewallConformance
from failover.testing.cloud_stage import SERVICE, SITE, Operator
from failover.testing.rights import CloudRights

__all__ = ["REASON", "SERVICE", "SITE", "CloudConformance", "Operator"]

UNKNOWN_DIGEST = f"sha256:{'0' * 64}"
REASON = "terms of service, section 7"
RACERS = 6


class CloudConformance(FirewallConformance, CloudRights):
    """Subclass it, and give the fixture `cloud`."""

    # ------------------------------------------------------------------------------------------ a new account

    def test_a_new_account_is_active_and_empty(self, cloud: Cloud) -> None:
        assert cloud.state().reading is Reading.ACTIVE
        assert cloud.nodes(SERVICE, SITE) == ()
        assert cloud.list() == frozenset()

    def test_quota_counts_nodes(self, cloud: Cloud, stocked: Packed) -> None:
        assert cloud.quota().nodes_used == 0
        assert cloud.quota().nodes_max in (None, self.nodes_max)
        cloud.ensure(self.spec(stocked))
        assert cloud.quota().nodes_used == 1

    def test_images_can_be_named(self, cloud: Cloud, release: Packed) -> None:
        assert self.spec(release).image in cloud.images()

    def test_there_is_a_size_for_the_node(self, cloud: Cloud, release: Packed) -> None:
        wish, sizes = self.spec(release), cloud.sizes()
        assert len({size.name for size in sizes}) == len(sizes)
        assert [s for s in sizes if s.cpus >= wish.cpus and s.memory_mib >= wish.memory_mib]

    # ------------------------------------------------------------------------------------------ nodes

    def test_a_node_is_what_was_asked_for(self, cloud: Cloud, stocked: Packed) -> None:
        wish = self.spec(stocked, 1)
        made = cloud.ensure(wish)
        (listed,) = self.running(cloud, 1)
        assert (listed.id, listed.name, listed.site) == (made.id, wish.name, SITE)
        assert (listed.group, listed.ordinal, listed.spec) == ("web", 1, "spec1")
        assert listed.release in (None, stocked.digest)
        assert listed.addresses

    def test_the_same_wish_gives_the_same_node(self, cloud: Cloud, stocked: Packed) -> None:
        first = cloud.ensure(self.spec(stocked))
        second = cloud.ensure(self.spec(stocked))
        (listed,) = self.running(cloud, 1)
        assert first.id == second.id == listed.id
        assert cloud.ensure(self.spec(stocked)) == listed

    def test_the_same_wish_at_the_same_time_gives_one_node(self, cloud: Cloud, stocked: Packed) -> None:
        with ThreadPoolExecutor(RACERS) as pool:
            made = list(pool.map(lambda _: cloud.ensure(self.spec(stocked)), range(RACERS)))
        (listed,) = self.running(cloud, 1)
        assert {node.id for node in made} == {listed.id}

    def test_the_list_is_whole_and_oldest_first(self, cloud: Cloud, stocked: Packed) -> None:
        ordinals = [2, 0, 3, 1]
        made = [cloud.ensure(self.spec(stocked, ordinal)).id for ordinal in ordinals]
        listed = self.running(cloud, len(ordinals))
        assert [node.id for node in listed] == made
        assert [node.ordinal for node in listed] == ordinals

    def test_nodes_have_addresses_of_their_own(self, cloud: Cloud, stocked: Packed) -> None:
        for site in ("aurora", "boreas"):
            cloud.ensure(self.spec(stocked, 0, site=site))
            cloud.ensure(self.spec(stocked, 1, site=site))
        nodes = (*self.running(cloud, 2, "aurora"), *self.running(cloud, 2, "boreas"))
        assert len({node.addresses[0] for node in nodes}) == 4

    def test_sites_and_services_do_not_mix(self, cloud: Cloud, stocked: Packed) -> None:
        cloud.ensure(self.spec(stocked))
        cloud.ensure(self.spec(stocked, site="boreas"))
        cloud.ensure(self.spec(stocked, service="other"))
        assert [node.name for node in cloud.nodes(SERVICE, SITE)] == [f"{SERVICE}-{SITE}-web-0"]
        assert [node.site for node in cloud.nodes(SERVICE, "boreas")] == ["boreas"]
        assert len(cloud.nodes("other", SITE)) == 1
        assert cloud.nodes(SERVICE, "cirrus") == ()

    def test_a_name_with_another_spec_is_a_conflict(self, cloud: Cloud, stocked: Packed) -> None:
        before = cloud.ensure(self.spec(stocked))
        with pytest.raises(Conflict):
            cloud.ensure(replace(self.spec(stocked), spec="spec2"))
        (after,) = self.running(cloud, 1)
        assert (after.id, after.spec) == (before.id, "spec1")

    def test_a_node_is_destroyed_once_and_for_all(self, cloud: Cloud, stocked: Packed) -> None:
        first, second = (cloud.ensure(self.spec(stocked, ordinal)) for ordinal in (0, 1))
        cloud.destroy(first)
        cloud.destroy(first)
        assert [node.id for node in self.running(cloud, 1)] == [second.id]
        again = cloud.ensure(self.spec(stocked, 0))
        assert again.id != first.id
        cloud.destroy(first)
        assert {node.id for node in self.running(cloud, 2)} == {again.id, second.id}

    def test_a_stopped_node_is_shown_and_started_again(self, cloud: Cloud, operator: Operator, stocked: Packed) -> None:
        cloud.ensure(self.spec(stocked))
        (made,) = self.running(cloud, 1)
        operator.stop(made)
        (stopped,) = self.settled(cloud, lambda nodes: nodes[0].state is NodeState.STOPPED)
        assert stopped.id == made.id
        cloud.ensure(self.spec(stocked))
        (started,) = self.running(cloud, 1)
        assert (started.id, started.addresses) == (made.id, made.addresses)

    # ------------------------------------------------------------------------------------------ what cannot be had

    def test_beyond_the_quota_nothing_is_made(self, cloud: Cloud, stocked: Packed) -> None:
        made = [cloud.ensure(self.spec(stocked, ordinal)) for ordinal in range(self.nodes_max)]
        with pytest.raises(QuotaExceeded):
            cloud.ensure(self.spec(stocked, self.nodes_max))
        self.running(cloud, self.nodes_max)
        assert cloud.ensure(self.spec(stocked, 0)).id == made[0].id
        cloud.destroy(made[0])
        cloud.ensure(self.spec(stocked, self.nodes_max))
        self.running(cloud, self.nodes_max)

    @pytest.mark.parametrize("word", ["n", "a--b", "n" * 24, "n" * 63])
    def test_a_name_that_passes_can_be_given(self, cloud: Cloud, stocked: Packed, word: str) -> None:
        """So `plan` tells of one that cannot, before anything is created."""
        wish = self.spec(stocked, service=word, site=word)
        try:
            cloud.vet(wish)
        except Rejected:
            return
        made = cloud.ensure(wish)
        assert made.name == wish.name
        cloud.destroy(made)

    def test_an_unknown_image_is_rejected(self, cloud: Cloud, stocked: Packed) -> None:
        with pytest.raises(Rejected):
            cloud.ensure(replace(self.spec(stocked), image="no-such-image"))
        assert cloud.nodes(SERVICE, SITE) == ()

    def test_a_release_that_is_not_in_the_depot_is_not_found(self, cloud: Cloud, release: Packed) -> None:
        with pytest.raises(NotFound):
            cloud.ensure(self.spec(release))
        assert cloud.nodes(SERVICE, SITE) == ()
        assert cloud.quota().nodes_used == 0

    # ------------------------------------------------------------------------------------------ what is not ours

    def test_what_is_not_ours_is_neither_listed_nor_touched(
        self, cloud: Cloud, operator: Operator, stocked: Packed
    ) -> None:
        made = cloud.ensure(self.spec(stocked, 1))
        theirs = operator.foreign(self.spec(stocked, 0).name)
        with pytest.raises(Conflict):
            cloud.ensure(self.spec(stocked, 0))
        with pytest.raises(Conflict):
            cloud.destroy(replace(made, id=theirs))
        assert [node.id for node in self.running(cloud, 1)] == [made.id]
        assert operator.has_node(theirs)
        assert cloud.quota().nodes_used == 2

    def test_a_node_of_another_group_is_not_destroyed_by_mistake(self, cloud: Cloud, stocked: Packed) -> None:
        made = cloud.ensure(self.spec(stocked))
        with pytest.raises(Conflict):
            cloud.destroy(replace(made, group="database"))
        self.running(cloud, 1)

    # ------------------------------------------------------------------------------------------ depot

    def test_an_archive_is_stored_under_its_digest(self, cloud: Cloud, release: Packed) -> None:
        assert not cloud.has(release.digest)
        cloud.put(release.digest, release.archive)
        cloud.put(release.digest, release.archive)
        assert cloud.has(release.digest)
        assert cloud.list() == {release.digest}

    def test_an_archive_with_other_contents_is_rejected(self, cloud: Cloud, release: Packed, tmp_path: Path) -> None:
        other = self.packed(tmp_path, "second")
        for archive in (other.archive, b"not an archive", b"", release.archive[:-20]):
            with pytest.raises(Rejected):
                cloud.put(release.digest, archive)
        assert not cloud.has(release.digest)
        assert cloud.list() == frozenset()

    def test_a_bad_archive_does_not_replace_a_good_one(self, cloud: Cloud, stocked: Packed) -> None:
        with pytest.raises(Rejected):
            cloud.put(stocked.digest, b"not an archive")
        assert cloud.has(stocked.digest)

    def test_an_archive_is_removed_and_nodes_stay(self, cloud: Cloud, stocked: Packed) -> None:
        cloud.ensure(self.spec(stocked))
        cloud.remove(stocked.digest)
        cloud.remove(stocked.digest)
        cloud.remove(UNKNOWN_DIGEST)
        assert not cloud.has(stocked.digest)
        assert cloud.list() == frozenset()
        self.running(cloud, 1)

    def test_clearing_one_site_leaves_nodes_and_archives(self, cloud: Cloud, stocked: Packed) -> None:
        made = cloud.ensure(self.spec(stocked, site="boreas"))
        cloud.clear(SERVICE, SITE)
        assert [node.id for node in self.running(cloud, 1, "boreas")] == [made.id]
        assert cloud.has(stocked.digest)

    def test_links_are_addresses_where_they_are_needed(self, cloud: Cloud, stocked: Packed) -> None:
        for url in (cloud.link(stocked.digest, 60.0), cloud.hand_over("node-0", b"secret=opensesame", 60.0)):
            assert url == "" or "://" in url
            assert "opensesame" not in url

    # ------------------------------------------------------------------------------------------ the provider's moods

    def test_a_closed_account_says_so_and_refuses_everything(
        self, cloud: Cloud, operator: Operator, stocked: Packed
    ) -> None:
        made = cloud.ensure(self.spec(stocked))
        operator.close(REASON)
        report = cloud.state()
        assert (report.reading, report.message) == (Reading.CLOSED, REASON)
        calls: tuple[Callable[[], object], ...] = (
            lambda: cloud.nodes(SERVICE, SITE),
            cloud.images,
            cloud.sizes,
            cloud.quota,
            lambda: cloud.ensure(self.spec(stocked, 1)),
            lambda: cloud.destroy(made),
            lambda: cloud.put(stocked.digest, stocked.archive),
            lambda: cloud.has(stocked.digest),
            cloud.list,
            lambda: cloud.remove(stocked.digest),
        )
        for call in calls:
            with pytest.raises(AccessRefused):
                call()

    def test_an_account_closed_while_nodes_are_made_ends_empty(
        self, cloud: Cloud, operator: Operator, stocked: Packed
    ) -> None:
        def make(ordinal: int) -> str | None:
            try:
                return cloud.ensure(self.spec(stocked, ordinal)).id
            except AccessRefused:
                return None

        with ThreadPoolExecutor(self.nodes_max) as pool:
            made = [pool.submit(make, ordinal) for ordinal in range(self.nodes_max)]
            operator.close(REASON)
        ids = [id for future in made if (id := future.result()) is not None]
        operator.reopen()
        assert cloud.nodes(SERVICE, SITE) == ()
        assert not any(operator.has_node(id) for id in ids)
        assert cloud.quota().nodes_used == 0

    def test_a_reopened_account_is_active_and_empty(self, cloud: Cloud, operator: Operator, stocked: Packed) -> None:
        before = cloud.ensure(self.spec(stocked))
        operator.close(REASON)
        operator.reopen()
        assert cloud.state().reading is Reading.ACTIVE
        assert cloud.nodes(SERVICE, SITE) == ()
        assert cloud.list() == frozenset()
        with pytest.raises(NotFound):
            cloud.ensure(self.spec(stocked))
        cloud.put(stocked.digest, stocked.archive)
        assert cloud.ensure(self.spec(stocked)).id != before.id

    def test_a_warned_account_goes_on(self, cloud: Cloud, operator: Operator, stocked: Packed) -> None:
        made = cloud.ensure(self.spec(stocked))
        operator.warn(REASON)
        report = cloud.state()
        assert (report.reading, report.message) == (Reading.WARNED, REASON)
        cloud.ensure(self.spec(stocked, 1))
        assert made.id in {node.id for node in self.running(cloud, 2)}
        operator.reopen()
        assert cloud.state().reading is Reading.ACTIVE
        assert len(self.running(cloud, 2)) == 2

    def test_refused_credentials_say_nothing_about_the_account(
        self, cloud: Cloud, operator: Operator, stocked: Packed
    ) -> None:
        made = cloud.ensure(self.spec(stocked))
        operator.refuse()
        assert cloud.state().reading is Reading.REFUSED
        with pytest.raises(AccessRefused):
            cloud.nodes(SERVICE, SITE)
        operator.recover()
        assert cloud.state().reading is Reading.ACTIVE
        assert [node.id for node in self.running(cloud, 1)] == [made.id]

    def test_an_api_that_cannot_be_reached_is_never_empty(
        self, cloud: Cloud, operator: Operator, stocked: Packed
    ) -> None:
        made = cloud.ensure(self.spec(stocked))
        operator.cut()
        assert cloud.state().reading is Reading.UNCLEAR
        for call in (lambda: cloud.nodes(SERVICE, SITE), cloud.list, cloud.images):
            with pytest.raises((Unreachable, TimedOut, Unreadable)):
                call()
        operator.recover()
        assert [node.id for node in self.running(cloud, 1)] == [made.id]
        assert cloud.list() == {stocked.digest}
