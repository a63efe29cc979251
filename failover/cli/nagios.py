"""One line for Nagios, Icinga, Naemon and their like, after the monitoring plug-ins' guidelines."""

from failover.cli.showing import budget_of
from failover.config.model import Config
from failover.core.alarm import Level, alarm
from failover.core.budget import gap_s, total_s
from failover.core.world import World


def plugin_line(config: Config, world: World) -> tuple[str, Level]:
    """`FAILOVER OK - guestbook: … | last_check_age=3.0s;;210 …` and the level. A `|` in a sentence becomes `/`."""
    service, state = config.service, world.state
    found = alarm(service, world)
    says = "; ".join(found.reasons).replace("|", "/").replace("\n", " ")
    ready = [s.name for s in service.sites if (w := state.watch.get(s.name)) and w.readiness and w.readiness.ready]
    numbers = [
        f"sites_ready={len(ready)};;;0;{len(service.sites)}",
        f"debts={len(state.debts)};;;0;{len(service.hosts)}",
        f"epoch={state.epoch};;;0",
        f"budget={total_s(budget_of(config, world)):.1f}s;;;0",
    ]
    if state.last_tick is not None:
        age_s = world.now.since(state.last_tick)
        numbers.insert(0, f"last_check_age={age_s:.1f}s;;{gap_s(service):.1f};0")
    return f"FAILOVER {found.level.name} - {service.name}: {says} | {' '.join(numbers)}", found.level
