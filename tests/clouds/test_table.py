"""Every kind in the table can be loaded, and an unknown one is told with the known ones."""

import pytest

from failover.clouds.table import KINDS, factory, kinds
from failover.errors import ConfigError


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_loads(kind: str) -> None:
    assert callable(factory(kind))
    assert kind in kinds()


def test_an_unknown_kind_is_told_with_the_known_ones() -> None:
    with pytest.raises(ConfigError) as caught:
        factory("atlantis")
    assert "local" in caught.value.hint
