"""Who reaches a node at Hetzner: firewalls that follow labels, and SSH keys of the project."""

import contextlib
import hashlib
from base64 import b64decode
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from hcloud.actions import BoundAction
from hcloud.firewalls import BoundFirewall, FirewallResource, FirewallResourceLabelSelector, FirewallRule
from hcloud.ssh_keys import BoundSSHKey

from failover.clouds.hetzner_nodes import carries, place_of, selector
from failover.core.firewall import Opening
from failover.core.model import NodeSpec
from failover.errors import Conflict, NotFound, Rejected
from failover.net.hetzner import HetznerApi, code_of

_ANYWHERE = ["0.0.0.0/0", "::/0"]
_IN_USE = ("resource_in_use", "conflict", "locked")
_DONE = ("firewall_already_applied", "firewall_already_removed", "firewall_resource_not_found")
"""What is said to a request that was carried out before."""


# ------------------------------------------------------------------------------------ firewalls


def open_ports(api: HetznerApi, service: str, site: str, ports: Sequence[int], poll_s: float) -> None:
    """Exactly these TCP ports of the place's servers can be reached, and pings are answered."""
    rules = [_rule("tcp", str(port)) for port in sorted(set(ports))] + [_rule("icmp", None)]
    follows = _following(service, site)
    found = _firewalls(api, service, site) or _new(api, service, site, rules, follows, poll_s)
    for firewall in found:
        if _shape(firewall.rules or []) != _shape(rules):
            _changed(api, "firewalls.set_rules", partial(firewall.set_rules, rules), poll_s)
        if not any(_follows(resource, follows) for resource in firewall.applied_to or ()):
            _changed(api, "firewalls.apply", partial(firewall.apply_to_resources, [follows]), poll_s)


def opened(api: HetznerApi, service: str, site: str) -> tuple[frozenset[Opening], bool]:
    """What is let in besides pings, and whether whatever carries the labels of the place stands behind it."""
    found, follows = _firewalls(api, service, site), _following(service, site)
    pings = _shape([_rule("icmp", None)])
    shape = {part for firewall in found for part in _shape(firewall.rules or [])} - pings
    openings = frozenset(
        Opening(protocol=protocol, ports="" if port in (None, "any") else port or "", source=source)
        for direction, protocol, port, sources in shape
        if direction == FirewallRule.DIRECTION_IN
        for source in sources
    )
    return openings, any(_follows(resource, follows) for firewall in found for resource in firewall.applied_to or ())


def clear_firewalls(api: HetznerApi, service: str, site: str, poll_s: float) -> None:
    """The place has no firewall any more."""
    for firewall in _firewalls(api, service, site):
        if firewall.applied_to:
            _changed(api, "firewalls.remove", partial(firewall.remove_from_resources, firewall.applied_to), poll_s)
        _remove(api, firewall, poll_s)


def _changed(api: HetznerApi, name: str, do: Callable[[], list[BoundAction]], poll_s: float) -> None:
    """A change was carried out, now or by an earlier request."""
    try:
        actions = api.read(name, do)
    except (Rejected, Conflict) as error:
        if code_of(error) not in _DONE:
            raise
    else:
        api.finish(actions, poll_s)


def _new(
    api: HetznerApi, service: str, site: str, rules: list[FirewallRule], follows: FirewallResource, poll_s: float
) -> list[BoundFirewall]:
    """The new one, or what another call has just made. Raises Conflict where the name is somebody else's."""
    labels: Any = place_of(service, site)  # hcloud says that it is a text
    name = f"failover-nodes:{service}:{site}"
    create = partial(api.client.firewalls.create, name=name, rules=rules, labels=labels, resources=[follows])
    try:
        made = api.once("firewalls.create", create)
    except Conflict as error:
        found = _firewalls(api, service, site)
        if code_of(error) != "uniqueness_error" or not found:
            raise
        return found
    api.finish(made.actions or (), poll_s)
    return [made.firewall]


def _firewalls(api: HetznerApi, service: str, site: str) -> list[BoundFirewall]:
    page = api.client.firewalls.get_list
    found = api.whole("firewalls.list", page, label_selector=selector(service, site))
    return [firewall for firewall in found if carries(firewall.labels, place_of(service, site))]


def _remove(api: HetznerApi, firewall: BoundFirewall, poll_s: float) -> None:
    """Some time after nothing uses it any more, a firewall can be deleted."""
    while True:
        try:
            api.read("firewalls.delete", firewall.delete)
        except NotFound:
            return
        except (Rejected, Conflict) as error:
            if code_of(error) not in _IN_USE:
                raise
            api.deadline.wait(poll_s, api.operation, api.object)
        else:
            return


def _rule(protocol: str, port: str | None) -> FirewallRule:
    return FirewallRule(
        direction=FirewallRule.DIRECTION_IN,
        protocol=protocol,
        port=port,
        source_ips=[*_ANYWHERE],
        description="failover",
    )


def _shape(rules: Iterable[FirewallRule]) -> set[tuple[str, str, str | None, frozenset[str]]]:
    return {(rule.direction, rule.protocol, rule.port, frozenset(rule.source_ips)) for rule in rules}


def _following(service: str, site: str) -> FirewallResource:
    return FirewallResource(
        type=FirewallResource.TYPE_LABEL_SELECTOR,
        label_selector=FirewallResourceLabelSelector(selector=selector(service, site)),
    )


def _follows(resource: FirewallResource, wanted: FirewallResource) -> bool:
    return (resource.label_selector and resource.label_selector.selector) == (
        wanted.label_selector and wanted.label_selector.selector
    )


# ------------------------------------------------------------------------------------ SSH keys


def keys_of(api: HetznerApi, spec: NodeSpec) -> list[BoundSSHKey]:
    """The keys of the wish, as the project has them: those of somebody else's too, for a project holds a key once.

    Raises Rejected for what is no public key, before anything is made.
    """
    wanted = {fingerprint(key): key for key in spec.ssh_keys}
    return [_found(api, print) or _added(api, spec, print, key) for print, key in wanted.items()]


def clear_keys(api: HetznerApi, service: str, site: str) -> None:
    """The project has no key any more that was added for the place."""
    found = api.whole("ssh_keys.list", api.client.ssh_keys.get_list, label_selector=selector(service, site))
    for key in found:
        if carries(key.labels, place_of(service, site)):
            with contextlib.suppress(NotFound):
                api.read("ssh_keys.delete", key.delete)


def _found(api: HetznerApi, print: str) -> BoundSSHKey | None:
    found = api.whole("ssh_keys.list", api.client.ssh_keys.get_list, fingerprint=print)
    return next((key for key in found if key.fingerprint == print), None)


def _added(api: HetznerApi, spec: NodeSpec, print: str, key: str) -> BoundSSHKey:
    name = f"failover-{spec.service}-{spec.site}-{print.replace(':', '')}"
    labels = place_of(spec.service, spec.site)
    try:
        return api.once("ssh_keys.create", lambda: api.client.ssh_keys.create(name, key, labels))
    except Conflict:
        found = _found(api, print)  # another call was faster
        if found is None:
            raise
        return found


def fingerprint(public_key: str) -> str:
    """As Hetzner names a key: MD5 of its body (RFC 4716, section 4). Raises Rejected for what is no public key.

    Before: "ssh-ed25519 AAAA… somebody". After: "b7:2f:30:a0:2f:6c:58:6c:21:04:58:61:ba:06:3b:2f".
    """
    try:
        body = b64decode(public_key.split()[1], validate=True)
    except (IndexError, ValueError) as error:
        raise Rejected("read SSH key", public_key[:40], "it is no public key", "see `ssh_keys:`") from error
    digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
    return ":".join(digest[n : n + 2] for n in range(0, len(digest), 2))
