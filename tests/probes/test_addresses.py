"""Which addresses are asked."""

import pytest

from failover.core.model import Failure
from failover.probes.addresses import checked
from failover.probes.prober import Prober
from failover.probes.trouble import Trouble
from tests.probes.asking import ask, target
from tests.probes.conftest import now

OURS = "169.254.7.7"


def test_what_is_allowed_by_name_is_asked() -> None:
    assert checked(OURS, frozenset({OURS})) == OURS
    with pytest.raises(Trouble, match=r"169\.254\.169\.254 is link-local and is never asked"):
        checked("169.254.169.254", frozenset({OURS}))


@pytest.mark.parametrize("written", ["::ffff:169.254.7.7", "64:ff9b::a9fe:707"])
def test_the_same_address_in_other_clothes_is_not(written: str) -> None:
    with pytest.raises(Trouble, match="is link-local and is never asked"):
        checked(written, frozenset({OURS}))


def test_a_prober_knows_what_is_allowed() -> None:
    refused = ask(Prober(now=now), target(1, address=OURS))
    assert (refused.failure, refused.detail) == (Failure.LOCAL, f"{OURS} is link-local and is never asked")
    asked = ask(Prober(now=now, allowed=frozenset({OURS})), target(1, address=OURS, timeout_s=0.2))
    assert "never asked" not in asked.detail
