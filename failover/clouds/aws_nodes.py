"""EC2 instances as nodes, and nodes as what RunInstances takes. Pure."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from failover.core.model import Node, NodeSpec, NodeState

ALIVE = ("pending", "running", "stopping", "stopped")
"""The states of an instance that can (still) be used; the others are `shutting-down` and `terminated`."""
PAGE_SIZE = 1000
"""Instances a page, the most that EC2 gives."""
_ARCHES = {"x86_64": "amd64", "arm64": "arm64"}
_LABELS = ("failover-service", "failover-site", "failover-group", "failover-ordinal", "failover-spec")


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A machine image, resolved. `disk_gib` is the smallest root volume that it fits on."""

    id: str
    root_device: str
    disk_gib: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Subnet:
    """A place for nodes, in one availability zone."""

    id: str
    zone: str
    vpc: str
    ipv6: bool


def tags_of(item: Mapping[str, Any]) -> dict[str, str]:
    """The tags of whatever AWS describes."""
    return {tag["Key"]: tag["Value"] for tag in item.get("Tags", ())}


def as_tags(labels: Mapping[str, str]) -> list[Any]:
    return [{"Key": key, "Value": value} for key, value in labels.items()]


def node_of(instance: Mapping[str, Any], service: str, site: str) -> Node | None:
    """The instance as a node; None when it is ending, or does not carry all of our labels."""
    tags = tags_of(instance)
    state = instance["State"]["Name"]
    ours = tags.get("failover-service") == service and tags.get("failover-site") == site
    if not ours or not all(label in tags for label in _LABELS) or not tags["failover-ordinal"].isdecimal():
        return None
    if state not in ALIVE:
        return None
    addresses = _addresses(instance)
    return Node(
        id=instance["InstanceId"],
        name=tags.get("Name", ""),
        site=site,
        group=tags["failover-group"],
        ordinal=int(tags["failover-ordinal"]),
        spec=tags["failover-spec"],
        state=_state(state, addresses),
        addresses=addresses,
        created_at_s=created_at_s(instance),
    )


def created_at_s(instance: Mapping[str, Any]) -> float:
    """When it was made, UTC. Its LaunchTime is of the last start; what was attached to it at first is not."""
    times: list[datetime] = [instance["LaunchTime"]]
    times += [i["Attachment"]["AttachTime"] for i in instance.get("NetworkInterfaces", ()) if "Attachment" in i]
    times += [
        m["Ebs"]["AttachTime"] for m in instance.get("BlockDeviceMappings", ()) if "AttachTime" in m.get("Ebs", {})
    ]
    return min(time.timestamp() for time in times)


def _state(state: str, addresses: Sequence[str]) -> NodeState:
    if state in ("stopping", "stopped"):
        return NodeState.STOPPED
    return NodeState.RUNNING if state == "running" and addresses else NodeState.PENDING


def _addresses(instance: Mapping[str, Any]) -> tuple[str, ...]:
    """Public ones, IPv4 first; the IPv6 addresses of EC2 are always public ones."""
    v4 = instance.get("PublicIpAddress")
    interfaces = instance.get("NetworkInterfaces", ())
    v6 = [found["Ipv6Address"] for interface in interfaces for found in interface.get("Ipv6Addresses", ())]
    return tuple([v4] if v4 else []) + tuple(sorted(set(v6)))


def same_node(tags: Mapping[str, str], node: Node) -> bool:
    """Whether these are the labels of that node, so that it may be destroyed."""
    wanted = {
        "failover-site": node.site,
        "failover-group": node.group,
        "failover-ordinal": str(node.ordinal),
        "failover-spec": node.spec,
    }
    return "failover-service" in tags and all(tags.get(key) == value for key, value in wanted.items())


def name_pattern(pattern: str, architecture: str) -> str:
    """The name of an image as `images.toml` has it, for this architecture."""
    return pattern.replace("{arch}", _ARCHES[architecture])


def client_token(spec: NodeSpec, subnet: Subnet, generation: int) -> str:
    """The same wish has the same token, so that a repeated launch gives the same instance.

    A token stays taken for a day after its instance has ended: `generation` counts those that have.
    """
    parts = (spec.name, spec.spec, subnet.id, str(generation))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def launch(spec: NodeSpec, *, image: Image, size: str, subnet: Subnet, group: str, generation: int) -> dict[str, Any]:
    """The parameters of RunInstances. Metadata only by session tokens: user-data may hold links."""
    tags = as_tags({"Name": spec.name, **spec.labels})
    volume = {"VolumeSize": max(spec.disk_gib, image.disk_gib), "VolumeType": "gp3", "DeleteOnTermination": True}
    interface: dict[str, Any] = {
        "DeviceIndex": 0,
        "SubnetId": subnet.id,
        "Groups": [group],
        "AssociatePublicIpAddress": True,
        "DeleteOnTermination": True,
    }
    if subnet.ipv6:
        interface["Ipv6AddressCount"] = 1
    wanted: dict[str, Any] = {
        "MinCount": 1,
        "MaxCount": 1,
        "ClientToken": client_token(spec, subnet, generation),
        "ImageId": image.id,
        "InstanceType": size,
        "BlockDeviceMappings": [{"DeviceName": image.root_device, "Ebs": volume}],
        "NetworkInterfaces": [interface],
        "MetadataOptions": {"HttpTokens": "required", "HttpEndpoint": "enabled"},
        "TagSpecifications": [{"ResourceType": kind, "Tags": tags} for kind in ("instance", "volume")],
    }
    if spec.user_data:
        wanted["UserData"] = spec.user_data  # boto3 encodes it
    return wanted
