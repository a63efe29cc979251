"""Launching, starting and ending EC2 instances, so that doing it again does no harm."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from failover.clouds import aws_network
from failover.clouds.aws_nodes import ALIVE, PAGE_SIZE, Image, Subnet, created_at_s, launch, node_of, same_node, tags_of
from failover.core.model import Node, NodeSpec, NodeState
from failover.errors import AdapterError, Conflict, NotFound, QuotaExceeded, Rejected, Unreadable
from failover.net.answers import answer_behind
from failover.net.aws import Asking

_LOOK_EVERY_S = 0.5
_GONE_LOOKS = 3
"""EC2 may not know an instance right after its creation: one that is not found is looked for so often."""
_VISIBLE_LOOKS = 12
"""How often an instance that was launched is looked for, before it is taken for one that has ended long ago."""
_GENERATIONS_MAX = 100
_ENDED, _MISMATCH = "IdempotentInstanceTerminated", "IdempotentParameterMismatch"
_NO_ROOM = ("InsufficientInstanceCapacity", "InsufficientFreeAddressesInSubnet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a node is launched with. `subnets` in the order in which they are tried."""

    image: Image
    size: str
    subnets: tuple[Subnet, ...]
    group: str


def described(asking: Asking, filters: Mapping[str, str]) -> list[Mapping[str, Any]]:
    """Every instance that fits all of these, the oldest first, in whatever state; an ended one for about an hour."""
    reservations = asking.pages(
        "ec2.DescribeInstances",
        lambda **page: asking.clients.ec2().describe_instances(**page),
        "Reservations",
        Filters=[{"Name": name, "Values": [value]} for name, value in filters.items()],
        MaxResults=PAGE_SIZE,
    )
    found = [instance for reservation in reservations for instance in reservation["Instances"]]
    return sorted(found, key=lambda instance: (created_at_s(instance), instance["InstanceId"]))


def named(asking: Asking, name: str) -> tuple[list[Mapping[str, Any]], int]:
    """The instances of that name that can be used, and how many more have ended."""
    found = described(asking, {"tag:Name": name})
    alive = [instance for instance in found if instance["State"]["Name"] in ALIVE]
    return alive, len(found) - len(alive)


def ensured(asking: Asking, spec: NodeSpec, means: Callable[[], Means]) -> Node:
    """The node, launched if there is none. `means` is called only then."""
    alive, ended = named(asking, spec.name)
    if not alive:
        return _launched(asking, spec, means(), ended)
    ours = [instance for instance in alive if spec.labels.items() <= tags_of(instance).items()]
    if not ours:
        cause = "the name is taken by an instance with other labels"
        raise Conflict(asking.what, asking.object, cause, "rename or remove that one")
    return _started(asking, spec, ours[0])


def destroyed(asking: Asking, node: Node) -> None:
    """The instance is ending, or gone."""
    instance = _looked_for(asking, node.id)
    if instance is None or instance["State"]["Name"] not in ALIVE:
        return
    if not same_node(tags_of(instance), node):
        cause = "the instance of this id does not carry our labels"
        raise Conflict(asking.what, asking.object, cause, "destroy it by hand")
    try:
        asking.once(
            "ec2.TerminateInstances",
            lambda: asking.clients.ec2().terminate_instances(InstanceIds=[node.id]),
            "TerminatingInstances",
        )
    except NotFound:
        return


def has_twin(asking: Asking, node: Node) -> bool:
    """Whether there is another instance of the same wish, which was given the same name."""
    alive, _ = named(asking, node.name)
    return any(instance["InstanceId"] != node.id and same_node(tags_of(instance), node) for instance in alive)


def _looked_for(asking: Asking, id: str) -> Mapping[str, Any] | None:
    """By a filter, which knows no NotFound."""
    for look in range(_GONE_LOOKS):
        if look:
            asking.deadline.wait(_LOOK_EVERY_S, asking.what, asking.object)
        if found := described(asking, {"instance-id": id}):
            return found[0]
    return None


# ------------------------------------------------------------------------------------ starting


def _started(asking: Asking, spec: NodeSpec, instance: Mapping[str, Any]) -> Node:
    """A stopped instance is started; one that is still stopping can only be started afterwards."""
    node = _node(asking, spec, instance)
    if node.state is not NodeState.STOPPED:
        return node
    while not _start(asking, node.id):
        asking.deadline.wait(_LOOK_EVERY_S, asking.what, f"{asking.object}, which is still stopping")
    return replace(node, state=NodeState.PENDING)


def _start(asking: Asking, id: str) -> bool:
    try:
        asking.once(
            "ec2.StartInstances",
            lambda: asking.clients.ec2().start_instances(InstanceIds=[id]),
            "StartingInstances",
        )
    except Conflict:  # IncorrectInstanceState
        return False
    return True


# ------------------------------------------------------------------------------------ launching


def _launched(asking: Asking, spec: NodeSpec, means: Means, ended: int) -> Node:
    """In the first subnet that has room. The order is fixed, so a repeated call asks in the same one first."""
    full: list[str] = []
    for subnet in means.subnets:
        try:
            return _launched_in(asking, spec, means, subnet, ended)
        except AdapterError as error:
            if _code(error) not in _NO_ROOM:
                raise
            full.append(subnet.zone)
    cause = f"no room for {means.size} in {', '.join(full)}"
    raise QuotaExceeded(asking.what, asking.object, cause, "ask for other `cpus` or `memory`, or try again later")


def _launched_in(asking: Asking, spec: NodeSpec, means: Means, subnet: Subnet, ended: int) -> Node:
    """The token decides: of an instance that has ended, the next generation's is used.

    User-data differs from call to call, as links in it expire. So of a token that is used EC2 may say that its
    parameters were others: then its instance exists and will be listed, or it has ended long ago.
    """
    waited = False
    for generation in range(ended, ended + _GENERATIONS_MAX):
        wish = launch(spec, image=means.image, size=means.size, subnet=subnet, group=means.group, generation=generation)
        try:
            instance = _run(asking, wish)
        except (Conflict, Rejected) as error:
            if _code(error) == _ENDED:
                continue
            if _code(error) != _MISMATCH:
                raise
            found = _visible(asking, spec, looks=1 if waited else _VISIBLE_LOOKS)
            waited = True
            if found is not None:
                return _node(asking, spec, found)
            continue
        if instance["State"]["Name"] in ALIVE:
            return _node(asking, spec, instance)
    raise Conflict(asking.what, asking.object, f"{_GENERATIONS_MAX} instances of this name have ended today")


def _run(asking: Asking, wish: Mapping[str, Any]) -> Mapping[str, Any]:
    """The instance of the wish's token, new or not, alive or not. Safe to repeat, because of the token."""
    try:
        answer = aws_network.settled(
            asking,
            lambda: asking.once("ec2.RunInstances", lambda: asking.clients.ec2().run_instances(**wish), "Instances"),
        )
    except NotFound as error:  # an image, a subnet or a size, never the release
        raise Rejected(asking.what, asking.object, error.cause, error.hint) from error.__cause__
    if not answer["Instances"]:
        raise Unreadable(asking.what, asking.object, "an answer of ec2.RunInstances without an instance")
    instance: Mapping[str, Any] = answer["Instances"][0]
    return instance


def _visible(asking: Asking, spec: NodeSpec, looks: int) -> Mapping[str, Any] | None:
    """The instance that was launched under this name, once it is listed.

    None when it is not: then it has ended, more than an hour but less than a day ago. Were it only listed that late,
    there would be a duplicate, which the next plan removes.
    """
    for look in range(looks):
        if look:
            asking.deadline.wait(_LOOK_EVERY_S, asking.what, asking.object)
        alive, _ = named(asking, spec.name)
        if alive:
            return alive[0]
    return None


def _node(asking: Asking, spec: NodeSpec, instance: Mapping[str, Any]) -> Node:
    node = node_of(instance, spec.service, spec.site)
    if node is None:
        raise Unreadable(asking.what, asking.object, "the instance that was launched does not carry our labels")
    return node


def _code(error: AdapterError) -> str:
    answer = answer_behind(error)
    return answer.code if answer is not None else ""
