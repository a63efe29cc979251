import time

import pytest

from failover.core.model import Instant
from failover.probes.prober import Prober


def now() -> Instant:
    return Instant(boot_id="test", boottime_s=time.monotonic(), utc_s=time.time())


@pytest.fixture
def prober() -> Prober:
    return Prober(now=now)
