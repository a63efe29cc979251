"""What EC2 offers in a region: sizes, images and the quota."""

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from failover.clouds.aws_nodes import ALIVE, PAGE_SIZE, Image, name_pattern
from failover.clouds.images import ImageTable
from failover.core.model import Quota, Size
from failover.errors import AccessRefused, NotFound, Rejected
from failover.net.aws import Asking

VOLUME_GIB_MAX = 16384
"""The largest gp3 volume everywhere; sizes have no disk of their own."""
FAMILIES: Mapping[str, tuple[str, ...]] = {
    "x86_64": ("t3.*", "t3a.*", "m5.*", "m5a.*", "m6i.*", "m6a.*", "m7i.*", "m7a.*", "m8i.*", "m8a.*"),
    "arm64": ("t4g.*", "m6g.*", "m7g.*", "m8g.*"),
}
"""By architecture the families that are used: general purpose, virtual. The config has no key for others; who builds an
`Aws` can give it some.

EC2 tells no prices, so the smallest size that fits is taken; among all families that would be old or special ones.
"""
_VCPU_QUOTA = "L-1216C47A"
"""Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances, in vCPUs."""
_KIND = "aws"


def sizes(asking: Asking, patterns: Sequence[str], architecture: str) -> tuple[Size, ...]:
    """The sizes of those families that this region has."""
    found = asking.pages(
        "ec2.DescribeInstanceTypes",
        lambda **page: asking.clients.ec2().describe_instance_types(**page),
        "InstanceTypes",
        Filters=[
            {"Name": "instance-type", "Values": list(patterns)},
            {"Name": "current-generation", "Values": ["true"]},
            {"Name": "bare-metal", "Values": ["false"]},
            {"Name": "processor-info.supported-architecture", "Values": [architecture]},
        ],
    )
    return tuple(
        Size(
            name=item["InstanceType"],
            cpus=item["VCpuInfo"]["DefaultVCpus"],
            memory_mib=item["MemoryInfo"]["SizeInMiB"],
            disk_gib=VOLUME_GIB_MAX,
        )
        for item in found
    )


def zones(asking: Asking, size: str) -> frozenset[str]:
    """The availability zones of the region that have this size. Raises Rejected when there are none."""
    found = asking.pages(
        "ec2.DescribeInstanceTypeOfferings",
        lambda **page: asking.clients.ec2().describe_instance_type_offerings(**page),
        "InstanceTypeOfferings",
        LocationType="availability-zone",
        Filters=[{"Name": "instance-type", "Values": [size]}],
    )
    names = frozenset(item["Location"] for item in found)
    if not names:
        raise Rejected(asking.what, asking.object, f"no size {size} in {asking.clients.region}")
    return names


def images(asking: Asking, table: ImageTable, names: Iterable[str], architecture: str) -> dict[str, Image]:
    """The newest image of each of those portable names; one that the region does not have is missing."""
    wanted = {name: table.find(_KIND, name) for name in names}
    patterns = {name: name_pattern(entry["name"], architecture) for name, entry in wanted.items()}
    if not wanted:
        return {}
    found = sorted(
        asking.pages(
            "ec2.DescribeImages",
            lambda **page: asking.clients.ec2().describe_images(**page),
            "Images",
            Owners=sorted({entry["owner"] for entry in wanted.values()}),
            Filters=[
                {"Name": "name", "Values": sorted(set(patterns.values()))},
                {"Name": "architecture", "Values": [architecture]},
                {"Name": "state", "Values": ["available"]},
            ],
        ),
        key=lambda item: str(item.get("CreationDate", "")),
    )
    newest = {
        name: item
        for name, entry in wanted.items()
        for item in found
        if _is(item, entry["owner"], patterns[name]) and item.get("RootDeviceType") == "ebs"
    }
    return {name: _image(item) for name, item in newest.items()}


def _is(item: Mapping[str, Any], owner: str, pattern: str) -> bool:
    """`owner` is an account, or `self` or an alias, which the API has looked at already."""
    named = fnmatch.fnmatchcase(item.get("Name", ""), pattern)
    return named and (not owner.isdecimal() or item.get("OwnerId") == owner)


def _image(item: Mapping[str, Any]) -> Image:
    root = item["RootDeviceName"]
    volumes = [m["Ebs"] for m in item.get("BlockDeviceMappings", ()) if m.get("DeviceName") == root and "Ebs" in m]
    return Image(
        id=item["ImageId"], root_device=root, disk_gib=max((v.get("VolumeSize", 1) for v in volumes), default=1)
    )


def quota(asking: Asking, node_cpus: int) -> Quota:
    """The account's vCPUs in nodes of that many. The limit is None where Service Quotas may not be asked."""
    used = [
        instance
        for reservation in asking.pages(
            "ec2.DescribeInstances",
            lambda **page: asking.clients.ec2().describe_instances(**page),
            "Reservations",
            Filters=[{"Name": "instance-state-name", "Values": list(ALIVE)}],
            MaxResults=PAGE_SIZE,
        )
        for instance in reservation["Instances"]
    ]
    limit = _vcpus_max(asking)
    if limit is None:
        return Quota(nodes_max=None, nodes_used=len(used))
    running = [item["InstanceType"] for item in used if item["State"]["Name"] in ("pending", "running")]
    per_type = _vcpus(asking, sorted(set(running)))
    free = max(0, limit - sum(per_type.get(name, 0) for name in running))
    return Quota(nodes_max=len(used) + free // node_cpus, nodes_used=len(used))


def _vcpus_max(asking: Asking) -> int | None:
    def ask() -> Mapping[str, Any]:
        return asking.clients.quotas().get_service_quota(ServiceCode="ec2", QuotaCode=_VCPU_QUOTA)

    try:
        return int(asking.once("service-quotas.GetServiceQuota", ask, "Quota")["Quota"]["Value"])
    except (AccessRefused, Rejected, NotFound):  # not allowed to ask, or the service does not know it here
        return None


def _vcpus(asking: Asking, types: Sequence[str]) -> dict[str, int]:
    if not types:
        return {}
    found = asking.pages(
        "ec2.DescribeInstanceTypes",
        lambda **page: asking.clients.ec2().describe_instance_types(**page),
        "InstanceTypes",
        InstanceTypes=list(types),
    )
    return {item["InstanceType"]: item["VCpuInfo"]["DefaultVCpus"] for item in found}
