"""The only place that knows every side: builds the adapters that a config names, and the context of a command."""

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from failover.cli.wiring_clouds import LOCAL, account_of, cloud_of, second_of, with_user_data
from failover.cli.wiring_hosts import host_of
from failover.cli.wiring_vantages import agents_of
from failover.config.load import find, load
from failover.config.model import LOCAL_CONTROL, Config, NotifyConfig, ReleaseConfig
from failover.core.measures import Measure
from failover.core.model import Control, Instant, Release, Service, Site
from failover.engine.context import Context, Package
from failover.engine.runtime import RealRuntime
from failover.errors import FailoverError, UsageError
from failover.net.secret import digest_of
from failover.ports import Account, Authority, Hook, Moment, Notifier, Probe, Resolver
from failover.stores.lease import FileLease
from failover.stores.sqlite import SqliteStore

if TYPE_CHECKING:
    from failover.clouds.table import Cloud
    from failover.core.survey import Delegation
    from failover.hooks.metrics import Endpoint
    from failover.hooks.ping import DeadMansSwitch, NoSwitch
    from failover.hooks.supervisor import Supervisor

NOTIFY_TIMEOUT_S = 10.0


def config_of(option: Path | None) -> Config:
    """The config that this command works on. Raises ConfigError."""
    return load(find(option, os.environ))


def store_of(config: Config) -> SqliteStore:
    """State alone: for commands that only look or leave an order."""
    return SqliteStore(config.state_path, config.service.name)


def context_of(config: Config, *, mirror: bool = False, preview: bool = False, vantage: str | None = None) -> Context:
    """Everything that a check needs; with `mirror` also what apply and destroy need (other credentials).

    `preview`: what of the local cloud was never opened reads as empty, for `apply` opens it.
    """
    runtime = RealRuntime()
    service = replace(config.service, controls=tuple(reachable_control(config, c) for c in config.service.controls))
    service, user_data = with_user_data(config, service)
    managed = [site for site in service.sites if not site.given]
    clouds = {site.name: _cloud(config, site, mirror=mirror, preview=preview) for site in managed}
    accounts: dict[str, Account] = {**clouds}
    if not mirror:
        accounts = {site.name: account_of(config, site, clouds[site.name]) for site in managed}
    name, hook = vantage_of(service, vantage), _hook(config)
    return Context(
        service=service,
        store=store_of(config),
        lease=FileLease(config.state_path, may_create=mirror),
        runtime=runtime,
        probe=_LazyProber(runtime, name, config.allow_addresses),
        authority=_LazyAuthority(service.call_s),
        resolver=_LazyResolver(config.roots, service.call_s),
        delegation=partial(_delegation, config) if service.edges else None,
        accounts=accounts,
        compute=clouds,
        depots=clouds,
        hosts={host.name: host_of(config, host, preview=preview) for host in config.hosts.values()},
        package=lambda: _package(config),
        release=lambda digest: _release(_managed(config), digest),
        user_data=user_data,
        notifiers=tuple(_notifier(config, n) for n in config.notify),
        hook=hook,
        hooks_s=config.hooks.timeout_s if hook is not None else 0.0,
        vantage=name,
        agents=agents_of(config, runtime.now),
    )


def vantage_of(service: Service, option: str | None) -> str:
    """What this controller is called. Raises UsageError when the config knows that name as another one's."""
    name = option or os.environ.get("FAILOVER_VANTAGE") or service.vantage or socket.gethostname()
    if service.vantages and name != service.vantage:
        cause = f"the controller of this config is {service.vantage}"
        raise UsageError("watch from", name, cause, f"`failover vantage serve --vantage {name}` answers for the others")
    return name


# ------------------------------------------------------------------------------------ clouds and DNS hosts


def _cloud(config: Config, site: Site, *, mirror: bool, preview: bool) -> "Cloud":
    provider = config.providers[site.provider or ""]
    if preview and provider.kind == LOCAL:
        from failover.clouds.unopened import UnopenedCloud, never_opened

        if never_opened(config.local_root, provider.name):
            return UnopenedCloud(config.local_root, provider.name, _nodes_max(provider.options))
    return cloud_of(config, site, mirror=mirror)


def reachable_control(config: Config, control: Control) -> Control:
    """A control of the local cloud has its address only at run time; one that is not there answers nothing."""
    if not control.target.startswith(LOCAL_CONTROL):
        return control
    from failover.local.control import target

    try:
        found = target(config.local_root, control.target.removeprefix(LOCAL_CONTROL))
    except FailoverError:
        found = "127.0.0.1:0"
    return replace(control, target=found)


class _LazyProber:
    """The prober; its modules load with the first round."""

    def __init__(self, runtime: RealRuntime, vantage: str, allowed: frozenset[str]) -> None:
        self._runtime = runtime
        self._vantage = vantage
        self._allowed = allowed

    def _prober(self) -> Probe:
        from failover.probes.prober import Prober

        return Prober(now=self._runtime.now, vantage=self._vantage, allowed=self._allowed)

    run = property(lambda self: self._prober().run)
    controls = property(lambda self: self._prober().controls)


class _LazyAuthority:
    """Asks name servers; dnspython loads with the first question."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s

    def _authority(self) -> Authority:
        from failover.dns.authority import DnsAuthority

        return DnsAuthority(timeout_s=self._timeout_s)

    ask = property(lambda self: self._authority().ask)
    ask_all = property(lambda self: self._authority().ask_all)
    addresses = property(lambda self: self._authority().addresses)
    recall = property(lambda self: self._authority().recall)


class _LazyResolver:
    """Looks targets up; dnspython loads with the first one. Kept, because it remembers delegations."""

    def __init__(self, roots: tuple[str, ...], call_s: float) -> None:
        self._roots = roots
        self._call_s = call_s
        self._resolver: Resolver | None = None

    def addresses(self, name: str) -> tuple[str, ...]:
        from failover.dns.resolver import AuthoritativeResolver

        if self._resolver is None:
            self._resolver = AuthoritativeResolver(
                roots=self._roots, timeout_s=self._call_s / 3, deadline_s=self._call_s
            )
        return self._resolver.addresses(name)


def _delegation(config: Config, zone: str) -> "Delegation":
    """Whom the parent of a zone delegates it to. Raises AdapterError."""
    from failover.dns.tree import Tree

    call_s = config.service.call_s
    return Tree(roots=config.roots, timeout_s=call_s / 3, deadline_s=call_s).delegation(zone)


API_BASES = {
    "aws": "https://sts.amazonaws.com",
    "digitalocean": "https://api.digitalocean.com",
    "hetzner": "https://api.hetzner.cloud",
    "linode": "https://api.linode.com",
    "vultr": "https://api.vultr.com",
}
"""Where a provider's clock can be read, unless the config names an endpoint."""


def clocks_of(config: Config) -> dict[str, Callable[[], float]]:
    """By managed site: its provider's own clock, where there is one to ask."""
    from failover.net.clock import utc_of

    found: dict[str, Callable[[], float]] = {}
    for site in config.service.sites:
        url = None if site.given else _api_base(config, site.provider or "")
        if url is not None:
            found[site.name] = partial(utc_of, url, timeout_s=config.service.call_s)
    return found


def seconds_of(config: Config) -> dict[str, Account]:
    """By managed site: its account by the second credential, where the config names one."""
    found = {site.name: second_of(config, site) for site in config.service.sites if not site.given}
    return {name: account for name, account in found.items() if account is not None}


def _api_base(config: Config, name: str) -> str | None:
    provider = config.providers[name]
    if provider.kind == "local":
        from failover.local.registry import Kind, place, read_record

        record = read_record(place(config.local_root, Kind.CLOUD, name).directory)
        return f"http://{record.address}:{record.port}" if record is not None else None
    named = provider.endpoint or provider.options.get("auth_url")
    return str(named) if named else API_BASES.get(provider.kind)


# ------------------------------------------------------------------------------------ release, hooks, notices


def _managed(config: Config) -> ReleaseConfig:
    if config.release is None:
        raise UsageError("read the release", str(config.path), "every site is given, nothing is provisioned")
    return config.release


def _package(config: Config) -> Package:
    from failover.net.archive import pack

    packed = pack(_managed(config).path)
    return Package(digest=packed.digest, archive=packed.archive)


def _release(release: ReleaseConfig, digest: str) -> Release:
    secrets = {name: reference.resolve() for name, reference in release.secrets.items()}
    environment = {**release.environment, **secrets}
    return Release(
        digest=digest,
        command=release.command,
        environment=environment,
        environment_digest=digest_of(environment, digest),
    )


def _notifier(config: Config, notify: NotifyConfig) -> Notifier:
    from failover.hooks.notify import CommandNotifier, WebhookNotifier

    if notify.command is not None:
        return CommandNotifier(notify.command, NOTIFY_TIMEOUT_S, config.path.absolute().parent)
    secret = notify.secret.resolve() if notify.secret is not None else None
    return WebhookNotifier(notify.webhook or "", secret, NOTIFY_TIMEOUT_S)


def switch_of(config: Config) -> "DeadMansSwitch | NoSwitch":
    """Told when a check begins and how it ended."""
    from failover.hooks.ping import DeadMansSwitch, NoSwitch

    return DeadMansSwitch(config.ping) if config.ping is not None else NoSwitch()


def write_metrics(path: Path, config: Config, found: Sequence[Measure]) -> None:
    """For the textfile collector. Raises FailoverError naming the file."""
    from failover.hooks.metrics import write_textfile

    try:
        write_textfile(path, config.service.name, found)
    except OSError as error:
        cause = error.strerror or str(error)
        raise FailoverError(
            "write metrics", str(path), cause, "name a file in a directory that this user may write to"
        ) from error


def endpoint_of(
    address: str, port: int, service: str, collect: Callable[[], Sequence[Measure]], rounds: Mapping[str, int]
) -> "Endpoint":
    """Serves metrics from now on. Raises FailoverError."""
    from failover.hooks.metrics import Endpoint

    try:
        return Endpoint(address, port, service, collect, rounds)
    except OSError as error:
        cause = error.strerror or str(error)
        raise FailoverError("serve metrics", f"{address}:{port}", cause, "choose another address") from error


def supervisor() -> "Supervisor":
    """The service manager that started this process, if one did."""
    from failover.hooks.supervisor import from_environment

    return from_environment()


def _hook(config: Config) -> Hook | None:
    hooks = config.hooks
    commands = {Moment.BEFORE: hooks.before, Moment.AFTER: hooks.after, Moment.ABORT: hooks.abort}
    if not any(commands.values()):
        return None
    from failover.hooks.commands import CommandHook

    return CommandHook(commands, hooks.timeout_s, config.path.absolute().parent)


# ------------------------------------------------------------------------------------ the local cloud


def open_local(config: Config) -> list[str]:
    """Whatever the config names of the local cloud comes into being, once. Returns what was started.

    What existed before is left as it is: a stopped or failed daemon stays so.
    """
    from failover.local import control
    from failover.local.registry import Kind, place, read_record

    root = config.local_root
    things = []
    for provider in config.providers.values():
        if provider.kind == "local":
            control.create_cloud(root, provider.name, _nodes_max(provider.options))
            things.append(place(root, Kind.CLOUD, provider.name))
    for host in config.hosts.values():
        if host.kind == "local":
            control.create_dns(root, host.name, config.service.zones)
            things.append(place(root, Kind.DNS, host.name))
    for name in config.local_controls:
        control.create_control(root, name)
        things.append(place(root, Kind.CONTROL, name))
    new = [f"{p.kind.value}/{p.name}" for p in things if read_record(p.directory) is None]  # it never ran
    return [p.name for p in control.start(root, new)] if new else []


def _nodes_max(options: Mapping[str, object]) -> int:
    found = options.get("nodes_max")
    return found if isinstance(found, int) else 20


def instant() -> Instant:
    return RealRuntime().now()


def process_started() -> Instant:
    """When this process began: proc(5), field 22 of `stat`, in clock ticks since boot."""
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    now = instant()
    return now.plus(ticks / os.sysconf("SC_CLK_TCK") - now.boottime_s)
