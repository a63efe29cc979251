"""Whom `failover doctor dns` asks, as a config names them."""

from failover.cli.wiring_hosts import LOCAL
from failover.config.model import Config
from failover.dns.rdap import Rdap
from failover.dns.survey import DnsSurvey
from failover.engine.preflight import Outside


def outside_of(config: Config, named: list[str]) -> Outside:
    """The Internet's root and registries, or those that are named. A playground is part of no tree."""
    call_s = config.service.call_s
    roots = tuple(named) or config.roots
    world = any(host.kind != LOCAL for host in config.hosts.values())
    said = config.registry
    registry = None
    if said.url is not None or said.bootstrap is not None:
        registry = Rdap(url=said.url, bootstrap=said.bootstrap or "", timeout_s=call_s)
    elif world and not roots:
        registry = Rdap(timeout_s=call_s)
    survey = DnsSurvey(roots=roots, timeout_s=call_s / 3, deadline_s=call_s)  # a server has several questions
    return Outside(survey=survey, in_tree=world or bool(roots), registry=registry)
