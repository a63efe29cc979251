"""The checked file → plain values. Nothing can be wrong any more here."""

from pathlib import Path
from typing import TypedDict

from pydantic import ValidationError

from failover.config import checks, hosts, providers, schema, shapes
from failover.config.model import (
    LOCAL_CONTROL,
    AgentConfig,
    Config,
    DepotConfig,
    HooksConfig,
    HostConfig,
    NotifyConfig,
    ProviderConfig,
    RegistryConfig,
    ReleaseConfig,
)
from failover.config.references_dns import zone_of
from failover.core.model import (
    Action,
    Check,
    CheckKind,
    Control,
    ControlKind,
    Edge,
    NodeGroup,
    Policy,
    Reaction,
    Record,
    Service,
    Site,
    Standby,
    Vantage,
)
from failover.net.secret import SecretRef

NODE_HERE_S, NODE_ELSEWHERE_S = 120.0, 300.0
"""How long a new node may take until it serves."""


def build(file: schema.File, path: Path) -> Config:
    """Relative paths stand against the directory of `path` (as it is named, links not followed)."""
    base = path.absolute().parent
    return Config(
        path=path,
        service=_service(file, base),
        providers={name: _provider(name, provider, base) for name, provider in file.providers.items()},
        hosts={name: _host(name, host, base) for name, host in file.dns.hosts.items()},
        roots=tuple(file.dns.roots),
        release=_release(file.release, base) if file.release else None,
        state_path=base / file.state.removeprefix("sqlite:"),
        user_data={name: base / group.user_data for name, group in file.nodes.items() if group.user_data},
        local_root=base / file.local.root,
        ping=file.runner.ping,
        allow_addresses=frozenset(file.runner.allow_addresses),
        notify=tuple(_notify(notify, base) for notify in file.notify),
        hooks=HooksConfig(
            before=tuple(tuple(command) for command in file.hooks.before),
            after=tuple(tuple(command) for command in file.hooks.after),
            abort=tuple(tuple(command) for command in file.hooks.abort),
            timeout_s=file.hooks.timeout,
        ),
        registry=_registry(file.dns.registry, base),
        agents=_agents(file.quorum, base) if file.quorum else {},
    )


def _agents(quorum: schema.Quorum, base: Path) -> dict[str, AgentConfig]:
    return {
        name: AgentConfig(
            name=name,
            url=vantage.agent,
            key=_secret(vantage.key, base),
            ca_file=str(base / vantage.ca_file) if vantage.ca_file else None,
        )
        for name, vantage in quorum.vantages.items()
        if vantage.agent is not None and vantage.key is not None
    }


def _secret(reference: shapes.SecretReference, base: Path) -> SecretRef:
    return SecretRef(
        env=reference.env,
        file=base / reference.file if reference.file else None,
        command=tuple(reference.command) if reference.command else None,
    )


# ---------------------------------------------------------------------------------------------- providers


def _provider(name: str, provider: providers.Provider, base: Path) -> ProviderConfig:
    if isinstance(provider, providers.LocalProvider):
        return ProviderConfig(name=name, kind=provider.kind, options={"nodes_max": provider.nodes_max})
    if isinstance(provider, providers.OtherProvider):
        found = _with_references(provider.model_extra, base)
        return ProviderConfig(name=name, kind=provider.kind, options=found if isinstance(found, dict) else {})
    options: dict[str, object] = {}
    if isinstance(provider, providers.OpenStackProvider):
        options = provider.model_dump(include={"auth_url", "project", "domain", "network"})
    if isinstance(provider, providers.AwsProvider):
        options = {"subnets": tuple(provider.subnets)}
    ca_file = provider.ca_file if isinstance(provider, providers.ForeignDepot) else None
    return ProviderConfig(
        name=name,
        kind=provider.kind,
        credentials=_credentials(provider.credentials, base),
        endpoint=provider.endpoint,
        ca_file=str(base / ca_file) if ca_file else None,
        images=base / provider.images if provider.images else None,
        depot=_depot(provider.depot, base) if provider.depot else None,
        options=options,
    )


def _credentials(found: shapes.Model, base: Path) -> dict[str, dict[str, str | SecretRef]]:
    """By role; one for watching and mirroring where the file does not tell them apart."""
    if isinstance(found, providers.AwsRoles | providers.TokenRoles | providers.PasswordRoles):
        roles = {"watch": found.watch, "mirror": found.mirror, "second": found.second}
        return {role: _parts(credential, base) for role, credential in roles.items() if credential is not None}
    return dict.fromkeys(("watch", "mirror"), _parts(found, base))


def _parts(credential: shapes.Model, base: Path) -> dict[str, str | SecretRef]:
    parts = ((name, getattr(credential, name)) for name in type(credential).model_fields)
    return {
        name: _secret(part, base) if isinstance(part, shapes.SecretReference) else part
        for name, part in parts
        if part is not None
    }


def _depot(depot: providers.Depot, base: Path) -> DepotConfig:
    return DepotConfig(
        bucket=depot.bucket,
        endpoint=depot.endpoint,
        region=depot.region,
        access_key=_secret(depot.access_key, base) if depot.access_key else None,
        secret_key=_secret(depot.secret_key, base) if depot.secret_key else None,
    )


def _with_references(value: object, base: Path) -> object:
    """What another package's provider says; whatever has the form of a reference to a secret is one."""
    if isinstance(value, list):
        return [_with_references(item, base) for item in value]
    if not isinstance(value, dict):
        return value
    try:
        return _secret(shapes.SecretReference.model_validate(value), base)
    except ValidationError:
        return {key: _with_references(inner, base) for key, inner in value.items()}


# ---------------------------------------------------------------------------------------------- release, notices


def _release(release: schema.Release, base: Path) -> ReleaseConfig:
    return ReleaseConfig(
        path=base / release.path,
        command=release.run,
        url=release.url,
        environment=dict(release.env),
        secrets={name: _secret(reference, base) for name, reference in release.secrets.items()},
    )


def _notify(notify: schema.Notify, base: Path) -> NotifyConfig:
    return NotifyConfig(
        command=tuple(notify.command) if notify.command else None,
        webhook=notify.webhook,
        secret=_secret(notify.secret, base) if notify.secret else None,
    )


# ---------------------------------------------------------------------------------------------- dns hosts


def _registry(registry: schema.Registry, base: Path) -> RegistryConfig:
    return RegistryConfig(url=registry.url, bootstrap=base / registry.bootstrap if registry.bootstrap else None)


def _host(name: str, host: hosts.Host, base: Path) -> HostConfig:
    """A model's fields are the options of its kind, under the same names."""
    if isinstance(host, hosts.OtherHost):
        found = _with_references(host.model_extra, base)
        return HostConfig(name=name, kind=host.kind, options=found if isinstance(found, dict) else {})
    options = {field: _plain(getattr(host, field), base) for field in type(host).model_fields if field != "kind"}
    if options.get("ca_file") is not None:
        options["ca_file"] = str(base / str(options["ca_file"]))
    return HostConfig(name=name, kind=host.kind, options=options)


def _plain(value: object, base: Path) -> object:
    """A model as a mapping, a list as a tuple, a reference as SecretRef."""
    if isinstance(value, shapes.SecretReference):
        return _secret(value, base)
    if isinstance(value, shapes.Model):
        return {field: _plain(getattr(value, field), base) for field in type(value).model_fields}
    if isinstance(value, dict):
        return {name: _plain(part, base) for name, part in value.items()}
    return tuple(_plain(item, base) for item in value) if isinstance(value, list) else value


# ---------------------------------------------------------------------------------------------- service


def _service(file: schema.File, base: Path) -> Service:
    groups = _groups(file)
    return Service(
        name=file.service,
        sites=tuple(_site(name, site) for name, site in file.sites.items()),
        groups=groups,
        release=None,
        records=tuple(
            Record(name=name, zone=zone_of(name, file.dns.zones) or "", type=type, group=record.nodes)
            for name, record in file.dns.records.items()
            for type in record.type
        ),
        zones=tuple(file.dns.zones),
        ttl_s=file.dns.ttl,
        ttl_steady_s=file.dns.ttl_steady or file.dns.ttl,
        resolvers=tuple(file.dns.resolvers),
        hosts=tuple(file.dns.hosts),
        host_grades={n: g for n, h in file.dns.hosts.items() if (g := hosts.USUAL_GRADES.get(h.kind)) is not None},
        edges=_edges(file.dns, base),
        checks=tuple(checks.build(name, check, groups[0].name, base) for name, check in file.checks.items()),
        controls=tuple(_control(control) for control in file.controls),
        policy=_policy(file.policy),
        single_accept=file.quorum is not None and file.quorum.single == "accept",
        need=file.quorum.need if file.quorum else 1,
        **_vantages(file.quorum),
        every_s=file.runner.every,
        rounds=file.runner.rounds,
        maintenance=tuple(window for announced in file.maintenance for window in announced.windows()),
        call_s=file.runner.call_timeout,
        runner_provider=file.runner.provider,
        host_deadline_s=file.dns.lost_after,
        node_deadline_s=file.runner.node_timeout or _node_deadline_s(file),
    )


def _edges(dns: schema.Dns, base: Path) -> dict[str, Edge]:
    found = {name: host for name, host in dns.hosts.items() if isinstance(host, hosts.CloudflareHost)}
    return {name: _edge(host, host.edge, base) for name, host in found.items() if host.edge is not None}


def _edge(host: hosts.CloudflareHost, edge: hosts.Edge, base: Path) -> Edge:
    tls = edge.tls or checks.Tls()
    return Edge(
        names=frozenset(host.proxied),
        converges_s=hosts.EDGE_S,
        check=Check(
            name="edge",
            kind=CheckKind(edge.url.scheme),
            group="",
            port=edge.url.port,
            path=edge.url.path,
            headers={edge.header: edge.expect},
            verify_tls=tls.verify,
            ca_file=str(base / tls.ca_file) if tls.ca_file else None,
            tls_days_left_min=tls.days_left,
            fresh=True,
            timeout_s=edge.timeout,
        ),
    )


class _Vantages(TypedDict, total=False):
    vantages: tuple[Vantage, ...]
    vantage: str


def _vantages(quorum: schema.Quorum | None) -> _Vantages:
    """Vantages without agents are names only: this one judges alone."""
    if quorum is None or not any(v.agent for v in quorum.vantages.values()):
        return {}
    all = tuple(Vantage(name=name, provider=vantage.provider) for name, vantage in quorum.vantages.items())
    (own,) = [name for name, vantage in quorum.vantages.items() if vantage.agent is None]
    return {"vantages": all, "vantage": own}


def _node_deadline_s(file: schema.File) -> float:
    """A machine elsewhere boots for minutes; a node on this one starts at once."""
    used = {site.provider for site in file.sites.values() if not site.given}
    here = all(provider.kind == "local" for name, provider in file.providers.items() if name in used)
    return NODE_HERE_S if here else NODE_ELSEWHERE_S


def _site(name: str, site: schema.Site) -> Site:
    given = None
    if site.addresses is not None:
        given = {group: tuple(addresses) for group, addresses in site.addresses.items()}
    return Site(
        name=name,
        provider=site.provider,
        standby=Standby(site.standby),
        region=site.region,
        addresses=given,
        targets=dict(site.targets) if site.targets is not None else None,
    )


def _groups(file: schema.File) -> tuple[NodeGroup, ...]:
    if not file.nodes:
        return _given_groups(file)
    return tuple(
        NodeGroup(
            name=name,
            count=group.count,
            warm_count=min(group.warm_count, group.count),
            cpus=group.cpus,
            memory_mib=group.memory,
            disk_gib=group.disk,
            image=group.image,
            ports=tuple(group.ports),
            ssh_keys=tuple(group.ssh_keys),
        )
        for name, group in file.nodes.items()
    )


def _given_groups(file: schema.File) -> tuple[NodeGroup, ...]:
    """Groups that only addresses and records speak of. What the smallest site has is enough."""
    counts: dict[str, int] = {}
    for site in file.sites.values():
        for group, given in (site.addresses or {}).items():
            counts[group] = min(len(given), counts.get(group, len(given)))
    for record in file.dns.records.values():
        counts.setdefault(record.nodes, 1)
    return tuple(NodeGroup(name=name, count=count) for name, count in counts.items())


# ---------------------------------------------------------------------------------------------- watching


def _control(control: schema.Control) -> Control:
    kind, target = ControlKind.TCP, control.tcp or f"{LOCAL_CONTROL}{control.local}"
    if control.http is not None:
        kind, target = ControlKind.HTTP, control.http
    elif control.dns is not None:
        kind, target = ControlKind.DNS, control.dns
    return Control(kind=kind, target=target, provider=control.provider, name=control.name, timeout_s=control.timeout)


# ---------------------------------------------------------------------------------------------- acting


def _policy(policy: schema.Policy) -> Policy:
    usual = Policy()
    return Policy(
        account_closed=_reaction(policy.account_closed, usual.account_closed),
        provider_down=_reaction(policy.provider_down, usual.provider_down),
        resources_gone=_reaction(policy.resources_gone, usual.resources_gone),
        app_down=_reaction(policy.app_down, usual.app_down),
        unexplained_down=_reaction(policy.unexplained_down, usual.unexplained_down),
        cooldown_s=_or(policy.cooldown, usual.cooldown_s),
        daily_limit=policy.daily_limit or usual.daily_limit,
        retry_after_s=_or(policy.retry_after, usual.retry_after_s),
        ask_expires_s=_or(policy.ask_expires, usual.ask_expires_s),
        unknown_page_after_s=_or(policy.unknown_page_after, usual.unknown_page_after_s),
        tilt_s=_or(policy.tilt, usual.tilt_s),
        min_grade=policy.min_grade or usual.min_grade,
        flap_limit=policy.flap_limit or usual.flap_limit,
        flap_window_s=_or(policy.flap_window, usual.flap_window_s),
    )


def _or(value: float | None, usual: float) -> float:
    return usual if value is None else value


def _reaction(reaction: schema.Reaction, usual: Reaction) -> Reaction:
    return Reaction(
        action=Action(reaction.action) if reaction.action else usual.action,
        confirm_s=_or(reaction.confirm, usual.confirm_s),
    )
