"""Instants, and looking things up in a service."""

import pytest

from failover.core.model import Instant, NodeSpec
from tests.core.builders import AURORA, SERVICE, WEB, at


def test_within_a_boot_the_monotonic_clock_decides() -> None:
    later = Instant(boot_id="b", boottime_s=130.0, utc_s=0.0)
    assert later.since(Instant(boot_id="b", boottime_s=100.0, utc_s=9_999.0)) == 30.0


def test_across_boots_utc_decides() -> None:
    later = Instant(boot_id="b", boottime_s=1.0, utc_s=500.0)
    assert later.since(Instant(boot_id="a", boottime_s=90_000.0, utc_s=440.0)) == 60.0


@pytest.mark.parametrize("boot", ["boot-1", "boot-2"])
def test_a_clock_that_went_back_lengthens_waits(boot: str) -> None:
    assert at(0).since(at(50, boot)) == 0.0


def test_plus_moves_both_clocks() -> None:
    assert at(10).plus(5) == at(15)


def test_sites_and_groups_are_found_by_name() -> None:
    assert SERVICE.site(AURORA).name == AURORA
    assert SERVICE.group("web") is WEB
    with pytest.raises(KeyError):
        SERVICE.site("nowhere")
    with pytest.raises(KeyError):
        SERVICE.group("nothing")


def test_labels_mark_a_node_as_ours() -> None:
    spec = NodeSpec(
        name="n",
        service="guestbook",
        site=AURORA,
        group="web",
        ordinal=2,
        spec="cafe",
        cpus=1,
        memory_mib=1,
        disk_gib=1,
        image="i",
        ports=(),
        release="r",
        command="c",
        environment={"KEY": "open sesame"},
    )
    assert spec.labels == {
        "failover-service": "guestbook",
        "failover-site": AURORA,
        "failover-group": "web",
        "failover-ordinal": "2",
        "failover-spec": "cafe",
    }
    assert "open sesame" not in repr(spec)
