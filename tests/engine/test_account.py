"""A person's word about an account: remembered, written down, and one sign among others."""

import pytest

from failover.core.evidence import Memory
from failover.engine.account import Word, say
from failover.errors import UsageError
from tests.engine.play import Play, play, published


def memory(found: Play, site: str) -> Memory:
    return found.state.watch[site].memory


def test_1_it_is_remembered_and_noted() -> None:
    found = published()
    site = found.context.service.sites[0].name
    say(found.context, site, Word.CLOSED, lease_wait_s=0)
    assert memory(found, site).flagged_at == found.runtime.now()
    found.ticks(2)
    assert memory(found, site).flagged_at is not None
    say(found.context, site, Word.ROTATED, lease_wait_s=0)
    say(found.context, site, Word.OPEN, lease_wait_s=0)
    assert memory(found, site).flagged_at is None
    assert memory(found, site).rotated_at == found.runtime.now()
    assert found.notes("account") == [
        f"{site}: a person says that {what}"
        for what in ("the account is closed", "the credential was replaced", "the account is open")
    ]


def test_2_alone_it_changes_nothing() -> None:
    found = published()
    active = found.state.active_site
    assert active is not None
    say(found.context, active, Word.CLOSED, lease_wait_s=0)
    found.ticks(20)
    assert found.state.active_site == active
    verdict = found.state.watch[active].verdict
    assert verdict is not None
    assert verdict.kind == "UP"


def test_3_before_the_first_check_too() -> None:
    found = play()
    found.apply()
    site = found.context.service.sites[1].name
    say(found.context, site, Word.CLOSED, lease_wait_s=0)
    assert memory(found, site).flagged_at is not None


def test_4_of_a_site_that_has_an_account() -> None:
    found = published(given=["boreas"])
    with pytest.raises(UsageError, match="no such site"):
        say(found.context, "nowhere", Word.CLOSED, lease_wait_s=0)
    with pytest.raises(UsageError, match="given site"):
        say(found.context, "boreas", Word.CLOSED, lease_wait_s=0)
