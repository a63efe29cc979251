"""Which service a seed plays: its standbys, load balancers, zones and policy, and what its DNS hosts can do."""

import random
from dataclasses import replace

from failover.core.model import Action, HostTraits, Reaction, Service, Standby
from failover.testing.memory_dns import TORN
from failover.testing.sim_runtime import VirtualClock
from failover.testing.sim_world import OTHER, POLICY, SITES, ZONE, Outside, behind_edge, guestbook


def drawn(chance: random.Random, clock: VirtualClock, *, edge: bool = False) -> Outside:
    """A service and everything outside of it, as the seed has it; with `edge` behind the edge of its only DNS host."""
    kinds = [Standby.HOT, Standby.HOT, Standby.WARM, Standby.COLD]
    standby = {site: chance.choice(kinds) for site in SITES[1:]}
    targets = _targets(chance)
    given = [site for site in SITES if site not in targets] if chance.random() < 0.15 else []
    app_down = chance.choice([POLICY.app_down, Reaction(action=Action.CUTOVER, confirm_s=20.0)])
    confirm_s = chance.choice([20.0, 60.0])
    policy = replace(
        POLICY,
        app_down=app_down,
        provider_down=Reaction(action=Action.CUTOVER, confirm_s=confirm_s),
        resources_gone=Reaction(action=Action.CUTOVER, confirm_s=confirm_s),
        cooldown_s=chance.choice([60.0, 600.0]),
        daily_limit=chance.choice([1, 2, 4]),
    )
    accept = chance.random() < 0.7
    zones = (ZONE, OTHER) if chance.random() < 0.3 else (ZONE,)
    service = guestbook(standby=standby, given=given, targets=targets, policy=policy, single_accept=accept, zones=zones)
    grade = chance.choice([1, 1, 2, 3])
    traits = {"two": HostTraits(grade=grade, servers=("two-a:53", "two-b:53"), converges_s=30.0)}
    pending = chance.randint(0, 2)
    if edge:
        return _edged(chance, behind_edge(service), clock, pending)
    outside = Outside(service, clock, polls_pending=pending, traits=traits if grade > 1 else None)
    if grade == TORN:
        outside.hosts["two"].lag_s = chance.uniform(2.0, 20.0)
    return outside


def _edged(chance: random.Random, service: Service, clock: VirtualClock, pending: int) -> Outside:
    """At first others may answer for the zone too."""
    traits = HostTraits(grade=TORN, servers=("one-a:53", "one-b:53"), converges_s=30.0)
    outside = Outside(service, clock, polls_pending=pending, traits={"one": traits})
    outside.hosts["one"].lag_s = chance.uniform(0.0, 20.0)
    if chance.random() < 0.3:
        outside.strangers = {"ns1.other.example": ("192.0.2.53:53",)}
    return outside


def _targets(chance: random.Random) -> list[str]:
    """Sites behind a load balancer: an alias while one of them is active, addresses elsewhere."""
    return chance.sample(SITES, chance.randint(1, 2)) if chance.random() < 0.3 else []
