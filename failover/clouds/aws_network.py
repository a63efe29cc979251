"""Where nodes stand in EC2, and what may reach them: subnets, and one security group per service and site."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from failover.clouds.aws_nodes import Subnet, as_tags
from failover.core.firewall import ALL, Opening, wanted_openings
from failover.core.model import NodeSpec
from failover.errors import Conflict, NotFound, Rejected
from failover.net.aws import Asking

SSH = 22
_LOOK_EVERY_S = 0.5
_SETTLE_LOOKS = 10
"""How often a group that was just created is tried again while EC2 does not know it yet."""
_EVERYWHERE = {"IpRanges": "0.0.0.0/0", "Ipv6Ranges": "::/0"}
_CIDRS = {"IpRanges": "CidrIp", "Ipv6Ranges": "CidrIpv6"}
_SOURCES = {**_CIDRS, "PrefixListIds": "PrefixListId", "UserIdGroupPairs": "GroupId"}
"""What a rule lets in, by the name under which EC2 describes it."""


def subnets(asking: Asking, ids: Sequence[str]) -> tuple[Subnet, ...]:
    """Those subnets, or the default ones of the region, by zone. Raises Rejected when there are none."""
    options: dict[str, Any] = (
        {"SubnetIds": list(ids)} if ids else {"Filters": [{"Name": "default-for-az", "Values": ["true"]}]}
    )
    hint = "name subnets of the site's region as `subnets` of the provider"
    try:
        found = tuple(
            Subnet(
                id=item["SubnetId"],
                zone=item["AvailabilityZone"],
                vpc=item["VpcId"],
                ipv6=any(
                    block.get("Ipv6CidrBlockState", {}).get("State") == "associated"
                    for block in item.get("Ipv6CidrBlockAssociationSet", ())
                ),
            )
            for item in asking.pages(
                "ec2.DescribeSubnets",
                lambda **page: asking.clients.ec2().describe_subnets(**page),
                "Subnets",
                **options,
            )
        )
    except NotFound as error:
        raise Rejected(asking.what, asking.object, error.cause, hint) from error.__cause__
    if not found:
        cause = f"{asking.clients.region} has no default subnets"
        raise Rejected(asking.what, asking.object, cause, f"create a default VPC, or {hint}")
    if len({subnet.vpc for subnet in found}) > 1:
        raise Rejected(asking.what, asking.object, "the subnets are in several VPCs", hint)
    return tuple(sorted(found, key=lambda subnet: (subnet.zone, subnet.id)))


def in_turn(found: Sequence[Subnet], zones: frozenset[str], ordinal: int) -> tuple[Subnet, ...]:
    """The subnets in those zones, in the order in which this node tries them: its neighbours begin elsewhere.

    Where some have IPv6, only those count.
    """
    fit = [subnet for subnet in found if subnet.zone in zones]
    fit = [subnet for subnet in fit if subnet.ipv6] or fit
    start = ordinal % len(fit) if fit else 0
    return tuple(fit[start:] + fit[:start])


# ------------------------------------------------------------------------------------ the security group


def group_for(asking: Asking, spec: NodeSpec, vpc: str) -> str:
    """The id of the group of the node's service and site, open at what the node needs; made where it is missing."""
    ports = (*spec.ports, SSH) if spec.ssh_keys else spec.ports
    return str(open_ports(asking, spec.service, spec.site, vpc, ports)["GroupId"])


def open_ports(asking: Asking, service: str, site: str, vpc: str, ports: Sequence[int]) -> Mapping[str, Any]:
    """The group as it was found or made, now with these ports open to everybody over IPv4 and IPv6.

    What was opened before stays open: nodes of an earlier wish may still serve there.
    """
    group = _found(asking, service, site, vpc) or _created(asking, service, site, vpc)
    missing = [rule for port in sorted(set(ports)) if (rule := _missing(group, port)) is not None]
    for rule in missing:
        settled(asking, lambda rule=rule: _open(asking, group["GroupId"], rule))  # type: ignore[misc] # bound now
    return group


def close_others(asking: Asking, group: Mapping[str, Any], ports: Sequence[int]) -> None:
    """Nothing else comes in than what these ports let in, of what the group let in when it was looked at."""
    wanted = wanted_openings(ports)
    for opening, rule in _openings(group):
        if opening not in wanted:
            _close(asking, group["GroupId"], rule)


def openings(asking: Asking, service: str, site: str, vpc: str) -> frozenset[Opening]:
    """What the group lets in now; nothing where there is none."""
    group = _found(asking, service, site, vpc)
    return frozenset(opening for opening, _ in _openings(group)) if group is not None else frozenset()


def settled(asking: Asking, do: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    """`do()`, again while EC2 does not know yet what was created a moment ago."""
    for _ in range(_SETTLE_LOOKS):
        try:
            return do()
        except NotFound:
            asking.deadline.wait(_LOOK_EVERY_S, asking.what, asking.object)
    return do()


def remove_groups(asking: Asking, service: str, site: str) -> None:
    """The groups of this service and site are gone. Waits for instances that are still ending, up to the deadline."""
    waiting = replace(asking, object=f"{asking.object}, where instances are still ending")
    for group in _groups(asking, service, site):
        gone = _removed(asking, group["GroupId"])
        while not gone:
            waiting.deadline.wait(_LOOK_EVERY_S, waiting.what, waiting.object)
            gone = _removed(waiting, group["GroupId"])


def _removed(asking: Asking, id: str) -> bool:
    try:
        asking.once(
            "ec2.DeleteSecurityGroup",
            lambda: asking.clients.ec2().delete_security_group(GroupId=id),
            "ResponseMetadata",
        )
    except NotFound:
        return True
    except Conflict:  # DependencyViolation: something still uses it
        return False
    return True


def _name(service: str, site: str) -> str:
    return f"failover-{service}-{site}"


def _labels(service: str, site: str) -> dict[str, str]:
    return {"failover-service": service, "failover-site": site}


def _groups(asking: Asking, service: str, site: str, vpc: str | None = None) -> list[Mapping[str, Any]]:
    """Ours, by their labels and their name, which nobody can change."""
    filters = [{"Name": "group-name", "Values": [_name(service, site)]}]
    filters += [{"Name": f"tag:{key}", "Values": [value]} for key, value in _labels(service, site).items()]
    if vpc is not None:
        filters.append({"Name": "vpc-id", "Values": [vpc]})
    found = asking.pages(
        "ec2.DescribeSecurityGroups",
        lambda **page: asking.clients.ec2().describe_security_groups(**page),
        "SecurityGroups",
        Filters=filters,
    )
    return sorted(found, key=lambda group: str(group["GroupId"]))


def group_of(asking: Asking, service: str, site: str) -> str | None:
    """The id of the group that is there already."""
    return next((str(group["GroupId"]) for group in _groups(asking, service, site)), None)


def _found(asking: Asking, service: str, site: str, vpc: str) -> Mapping[str, Any] | None:
    return next(iter(_groups(asking, service, site, vpc)), None)


def _created(asking: Asking, service: str, site: str, vpc: str) -> Mapping[str, Any]:
    """A name can be taken once in a VPC, so of several who create it at the same time one succeeds."""
    name = _name(service, site)
    tags = as_tags({"Name": name, **_labels(service, site)})
    try:
        return asking.once(
            "ec2.CreateSecurityGroup",
            lambda: asking.clients.ec2().create_security_group(
                GroupName=name,
                Description=f"nodes of {service} at {site}",
                VpcId=vpc,
                TagSpecifications=[{"ResourceType": "security-group", "Tags": tags}],
            ),
            "GroupId",
        )
    except Conflict:
        for _ in range(_SETTLE_LOOKS):
            if (found := _found(asking, service, site, vpc)) is not None:
                return found
            asking.deadline.wait(_LOOK_EVERY_S, asking.what, asking.object)
        raise


def _openings(group: Mapping[str, Any]) -> Iterator[tuple[Opening, dict[str, Any]]]:
    """Each thing that it lets in, with the rule that lets in this and nothing else. `-1` is every protocol."""
    for known in group.get("IpPermissions", ()):
        protocol = ALL if known["IpProtocol"] == "-1" else known["IpProtocol"]
        scope = {key: known[key] for key in ("IpProtocol", "FromPort", "ToPort") if key in known}
        for kind, name in _SOURCES.items():
            for source in known.get(kind, ()):
                whom = {key: source[key] for key in (name, "UserId") if key in source}
                yield Opening(protocol=protocol, ports=_ports(known), source=source[name]), {**scope, kind: [whom]}


def _ports(known: Mapping[str, Any]) -> str:
    """Of a rule for TCP or UDP; those of others are no ports."""
    low, high = known.get("FromPort"), known.get("ToPort")
    if known["IpProtocol"] not in ("tcp", "udp") or (low, high) == (0, 65535):
        return ""
    return str(low) if low == high else f"{low}-{high}"


def _missing(group: Mapping[str, Any], port: int) -> dict[str, Any] | None:
    """The rule that opens the port to those families to which the group does not open it yet."""
    rule: dict[str, Any] = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port}
    for ranges, everywhere in _EVERYWHERE.items():
        if not any(_opens(known, ranges, port) for known in group.get("IpPermissions", ())):
            rule[ranges] = [{_CIDRS[ranges]: everywhere}]
    return rule if set(_EVERYWHERE) & set(rule) else None


def _opens(known: Mapping[str, Any], ranges: str, port: int) -> bool:
    same = (known.get("IpProtocol"), known.get("FromPort"), known.get("ToPort")) == ("tcp", port, port)
    return same and any(found[_CIDRS[ranges]] == _EVERYWHERE[ranges] for found in known.get(ranges, ()))


def _close(asking: Asking, group: str, rule: dict[str, Any]) -> None:
    with suppress(NotFound):  # InvalidPermission.NotFound: somebody else has closed it meanwhile
        asking.once(
            "ec2.RevokeSecurityGroupIngress",
            lambda: asking.clients.ec2().revoke_security_group_ingress(
                GroupId=group,
                IpPermissions=[rule],  # type: ignore[list-item] # of the shape that it takes
            ),
            "ResponseMetadata",
        )


def _open(asking: Asking, group: str, rule: dict[str, Any]) -> Mapping[str, Any]:
    try:
        return asking.once(
            "ec2.AuthorizeSecurityGroupIngress",
            lambda: asking.clients.ec2().authorize_security_group_ingress(
                GroupId=group,
                IpPermissions=[rule],  # type: ignore[list-item] # of the shape that it takes
            ),
            "ResponseMetadata",
        )
    except Conflict:  # InvalidPermission.Duplicate: somebody else has opened it meanwhile
        return {}
