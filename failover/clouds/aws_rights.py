"""What a credential may do at EC2, by requests that are only tried, at a server that is known to do no more than that.

Every one of them has `DryRun`: whoever has the permissions gets the error DryRunOperation, anybody else
UnauthorizedOperation; nothing is carried out. A launch is tried with everything that a real one has, tags and security
group too, because policies look at these.
Source: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html (and of the others), DryRun
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from failover.clouds import aws_instances, aws_network
from failover.clouds.aws_dry_run import WOULD_SUCCEED, objection
from failover.clouds.aws_nodes import ALIVE, as_tags
from failover.core.model import NodeSpec
from failover.core.rights import NODES, Act, Right, doubted, lacking, refused, right_of, unproven, worst
from failover.errors import AccessRefused, AdapterError, NotFound, Rejected
from failover.net.answers import from_parts
from failover.net.aws import Asking

_GOOD = (WOULD_SUCCEED,)
_PROBE = {
    "IpProtocol": "tcp",
    "FromPort": 443,
    "ToPort": 443,
    "IpRanges": [{"CidrIp": "192.0.2.1/32", "Description": "tried only"}],
}

Launch = Callable[[str | None], Mapping[str, Any]]
"""The parameters of a launch into the security group of that id. Raises AdapterError where it cannot be composed."""


def rights(asking: Asking, spec: NodeSpec, launch: Launch, vpc: Callable[[], str]) -> tuple[Right, ...]:
    """Of launching, ending and opening. `vpc`: where nodes stand. Raises AdapterError only where nobody answers."""
    nodes = _ours(asking, spec)
    if why := objection(asking.clients):
        return lacking(NODES, why)
    try:
        group = aws_network.group_of(asking, spec.service, spec.site)
    except AccessRefused:  # whoever only watches need not see groups
        group = None
    return _create(asking, launch, group, nodes), _destroy(asking, nodes), _open(asking, spec, group, vpc)


def _create(asking: Asking, launch: Launch, group: str | None, nodes: list[str]) -> Right:
    try:
        wish = {**launch(group), "DryRun": True}
    except AccessRefused as error:
        return refused(Act.CREATE, f"it may not look up what a launch needs ({error.cause})")
    except (NotFound, Rejected) as error:
        return unproven(Act.CREATE, f"no launch could be composed: {error.cause}")
    right = _tried(asking, Act.CREATE, "ec2.RunInstances", lambda: asking.clients.ec2().run_instances(**wish))
    if group is None:
        return doubted(right, "there is no security group of ours yet, which `failover apply` makes")
    return worst([right, *_start(asking, nodes)])


def _start(asking: Asking, nodes: list[str]) -> list[Right]:
    """Nodes that stopped are started, not made anew."""
    if not nodes:
        return []
    start = partial(asking.clients.ec2().start_instances, InstanceIds=nodes[:1], DryRun=True)
    return [_tried(asking, Act.CREATE, "ec2.StartInstances", start)]


def _destroy(asking: Asking, nodes: list[str]) -> Right:
    if not nodes:
        return unproven(Act.DESTROY, "there is no node of ours yet to try it on")
    return _tried(
        asking,
        Act.DESTROY,
        "ec2.TerminateInstances",
        partial(asking.clients.ec2().terminate_instances, InstanceIds=nodes[:1], DryRun=True),
    )


def _open(asking: Asking, spec: NodeSpec, group: str | None, vpc: Callable[[], str]) -> Right:
    """Making a group, and opening and closing the one that is there."""
    labels = {"failover-service": spec.service, "failover-site": spec.site}
    made: dict[str, Any] = {
        "GroupName": f"failover-{spec.service}-{spec.site}-tried",
        "Description": "tried only",
        "TagSpecifications": [{"ResourceType": "security-group", "Tags": as_tags(labels)}],
        "DryRun": True,
    }
    with suppress(AccessRefused, Rejected):  # whoever only watches need not see networks: then it is the default one
        made["VpcId"] = vpc()
    found = [
        _tried(asking, Act.OPEN, "ec2.CreateSecurityGroup", lambda: asking.clients.ec2().create_security_group(**made))
    ]
    if group is not None:
        rule: dict[str, Any] = {"GroupId": group, "IpPermissions": [_PROBE], "DryRun": True}
        ec2 = asking.clients.ec2()
        opens, closes = ec2.authorize_security_group_ingress, ec2.revoke_security_group_ingress
        found.append(_tried(asking, Act.OPEN, "ec2.AuthorizeSecurityGroupIngress", partial(opens, **rule)))
        found.append(_tried(asking, Act.OPEN, "ec2.RevokeSecurityGroupIngress", partial(closes, **rule)))
    return worst(found)


def _ours(asking: Asking, spec: NodeSpec) -> list[str]:
    tags = {"tag:failover-service": spec.service, "tag:failover-site": spec.site}
    found = aws_instances.described(asking, tags)
    return [instance["InstanceId"] for instance in found if instance["State"]["Name"] in ALIVE]


def _tried(asking: Asking, act: Act, operation: str, do: Callable[[], object]) -> Right:
    """One attempt. Without an error it was carried out, which proves nothing but a server that knows no DryRun."""
    needs = operation.replace("ec2.", "ec2:")
    try:
        asking.deadline.bound_s(1.0, asking.what, asking.object)
        do()
    except AdapterError as error:  # no time left
        return unproven(act, str(error.cause))
    except Exception as error:  # noqa: BLE001 - whatever a client raises is an answer here
        return right_of(act, asking.clients.answer(error, operation), _GOOD, needs=needs)
    return right_of(act, from_parts(asking.clients.provider, operation, status=200), _GOOD, needs=needs)
