"""Hetzner Cloud as its API reference (docs.hetzner.cloud) describes it, as far as servers need.

Every change is an action: it runs for some ticks, during which its server is locked, and then takes effect. `url` goes
without `/v1`; clients add it (`HCLOUD_ENDPOINT=…/v1`).
"""

from tests.standins.hetzner.servers import Servers as Hetzner

__all__ = ["Hetzner"]
