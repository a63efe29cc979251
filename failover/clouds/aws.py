"""AWS as a provider: EC2 instances as nodes, an S3 bucket as the depot, and what AWS says about the account."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from failover.clouds import aws_account, aws_catalog, aws_instances, aws_network, aws_rights
from failover.clouds.aws_nodes import Image, Subnet, launch, node_of
from failover.clouds.bucket import Bucket
from failover.clouds.depot_settings import DepotSettings
from failover.clouds.images import ImageTable
from failover.core.firewall import Firewall
from failover.core.mirror import choose_size
from failover.core.model import AccountReport, Node, NodeGroup, NodeSpec, Quota, Size
from failover.core.rights import Right
from failover.errors import NotFound, Rejected
from failover.net.aws import Asking, AwsClients, AwsCredentials
from failover.net.calls import Deadline, as_documented

T = TypeVar("T")


class Aws:
    """One AWS account in one region: `ports.Account`, `ports.Compute` and `ports.Depot`.

    `endpoint` stands in for every service's own address. `deadline_s` bounds each operation in all, `state_s` that of
    `state` (default: four fifths of it, so that what has answered by then still counts), `timeout_s` each wait for the
    network. `subnets`: where nodes stand; none: the default ones of the region. `sizes`: patterns of the instance types
    that may be used (`t3.*`). `architecture`: x86_64 or arm64, of sizes and images alike. `node_cpus`: what one node
    needs, to count the quota (of vCPUs) in nodes. `canary`: whether `state` also tries a launch (a dry run); by default
    only where the role may launch, because refused tries ring alarms.
    """

    def __init__(
        self,
        *,
        name: str = "aws",
        region: str,
        credentials: AwsCredentials,
        images: ImageTable,
        endpoint: str | None = None,
        role: str = "watch",
        deadline_s: float = 25.0,
        timeout_s: float = 5.0,
        state_s: float | None = None,
        depot: DepotSettings | None = None,
        subnets: Sequence[str] = (),
        sizes: Sequence[str] = (),
        architecture: str = "x86_64",
        node_cpus: int = 2,
        canary: bool | None = None,
    ) -> None:
        self.name = name
        self._clients = AwsClients(credentials, region=region, endpoint=endpoint, timeout_s=timeout_s)
        self._table = images
        self._deadline_s = deadline_s
        self._timeout_s = timeout_s
        self._state_s = state_s if state_s is not None else 0.8 * deadline_s
        self._subnet_ids = tuple(subnets)
        self._patterns = tuple(sizes) or aws_catalog.FAMILIES[architecture]
        self._architecture = architecture
        self._node_cpus = node_cpus
        self._canary = role == "mirror" if canary is None else canary
        self._bucket = self._depot(depot, credentials, region, endpoint)
        self._own_bucket = self._bucket if depot is not None and not depot.access_key else None
        """The one that the account's own credentials open: any other says nothing about this account."""
        self._known: dict[tuple[str, str], Any] = {}

    def close(self) -> None:
        """End every connection."""
        self._clients.close()
        if self._bucket is not None:
            self._bucket.close()

    # ------------------------------------------------------------------------------------------ account

    def state(self) -> AccountReport:
        """See `ports.Account`. Asks several services in two regions at the same time."""
        questions = aws_account.questions(self._clients)
        region = self._clients.region
        if self._canary:
            questions.append((aws_account.LAUNCH, region, lambda: aws_account.canary(self._clients)))
        if self._own_bucket is not None:
            questions.append(("s3.ListObjectsV2", self._own_bucket.region, self._own_bucket.look))
        return aws_account.report(questions, self._state_s)

    def nodes(self, service: str, site: str) -> tuple[Node, ...]:
        """See `ports.Account`. Instances that are ending are gone: nothing brings them back."""
        with self._asking("list nodes", f"of {service} at {site}") as asking:
            tags = {"tag:failover-service": service, "tag:failover-site": site}
            found = (node_of(instance, service, site) for instance in aws_instances.described(asking, tags))
            return tuple(node for node in found if node is not None)

    def rights(self, spec: NodeSpec) -> tuple[Right, ...]:
        """See `ports.Account`. A refusal of such a try stands in CloudTrail, as any other does."""
        with self._asking("ask rights", self.name) as asking:
            launch, vpc = partial(self._launch, asking, spec), lambda: self._subnets(asking)[0].vpc
            found = aws_rights.rights(asking, spec, launch, vpc)
            return found if self._own_bucket is None else (*found, self._own_bucket.may_put())

    # ------------------------------------------------------------------------------------------ compute

    def images(self) -> frozenset[str]:
        """See `ports.Compute`."""
        with self._asking("list images", self.name) as asking:
            return frozenset(aws_catalog.images(asking, self._table, self._table.names("aws"), self._architecture))

    def sizes(self) -> tuple[Size, ...]:
        """See `ports.Compute`. Without prices: EC2 does not tell them."""
        with self._asking("list sizes", self.name) as asking:
            return aws_catalog.sizes(asking, self._patterns, self._architecture)

    def quota(self) -> Quota:
        """See `ports.Compute`. Counted in nodes of `node_cpus` each."""
        with self._asking("ask quota", self.name) as asking:
            return aws_catalog.quota(asking, self._node_cpus)

    def vet(self, spec: NodeSpec) -> None:
        """See `ports.Compute`. Names and labels are values of tags, which hold longer ones than a config can say."""

    def ensure(self, spec: NodeSpec) -> Node:
        """See `ports.Compute`. Its security group is made, or opened where it is not open enough."""
        with self._asking("create node", f"{spec.name} at {self.name}") as asking:
            return aws_instances.ensured(asking, spec, lambda: self._means(asking, spec))

    def destroy(self, node: Node) -> None:
        """See `ports.Compute`."""
        with self._asking("destroy node", f"{node.name} at {self.name}") as asking:
            last = self._bucket is not None and not aws_instances.has_twin(asking, node)
            aws_instances.destroyed(asking, node)
        if self._bucket is not None and last:
            self._bucket.withdraw(node.name)

    def firewall(self, service: str, site: str, ports: Sequence[int]) -> None:
        """See `ports.Compute`."""
        with self._asking("open ports", f"of {service} at {site}") as asking:
            vpc = aws_network.subnets(asking, self._subnet_ids)[0].vpc
            group = aws_network.open_ports(asking, service, site, vpc, ports)
            aws_network.close_others(asking, group, ports)

    def firewall_now(self, service: str, site: str) -> Firewall:
        """See `ports.Compute`. Instances are launched into their group, so none is told of as outside."""
        with self._asking("look at ports", f"of {service} at {site}") as asking:
            vpc = aws_network.subnets(asking, self._subnet_ids)[0].vpc
            return Firewall(openings=aws_network.openings(asking, service, site, vpc))

    def clear(self, service: str, site: str) -> None:
        """See `ports.Compute`. Waits for instances that are still ending; TimedOut when that takes too long."""
        if self._bucket is not None:
            self._bucket.withdraw_all()
        with self._asking("clear", f"{service} at {site}") as asking:
            aws_network.remove_groups(asking, service, site)

    # ------------------------------------------------------------------------------------------ depot

    def put(self, digest: str, archive: bytes) -> None:
        """See `ports.Depot`."""
        self._at_depot("store release").put(digest, archive)

    def has(self, digest: str) -> bool:
        """See `ports.Depot`."""
        return self._at_depot("look for release").has(digest)

    def list(self) -> frozenset[str]:
        """See `ports.Depot`."""
        return self._at_depot("list releases").list()

    def remove(self, digest: str) -> None:
        """See `ports.Depot`."""
        self._at_depot("remove release").remove(digest)

    def link(self, digest: str, expires_s: float) -> str:
        """See `ports.Depot`."""
        return self._at_depot("link release").link(digest, expires_s)

    def may_put(self) -> Right | None:
        """See `ports.Depot`."""
        return None if self._bucket is None else self._bucket.may_put()

    def hand_over(self, name: str, contents: bytes, expires_s: float) -> str:
        """See `ports.Depot`. Under the node's name, so that `destroy` withdraws it."""
        return self._at_depot("hand over").hand_over(name, contents, expires_s)

    def _at_depot(self, what: str) -> Bucket:
        if self._bucket is None:
            raise Rejected(what, self.name, "this provider has no depot", "add `depot: {bucket: …}` to the provider")
        return self._bucket

    def _depot(
        self, depot: DepotSettings | None, credentials: AwsCredentials, region: str, endpoint: str | None
    ) -> Bucket | None:
        if depot is None:
            return None
        own = AwsCredentials(access_key=depot.access_key, secret_key=depot.secret_key) if depot.access_key else None
        at, where = depot.endpoint or endpoint, depot.region or region
        clients = AwsClients(own or credentials, region=where, endpoint=at, timeout_s=self._timeout_s)
        return Bucket(
            bucket=depot.bucket, region=where, prefix=depot.prefix, deadline_s=self._deadline_s, clients=clients
        )

    # ------------------------------------------------------------------------------------------ the means of a node

    @contextmanager
    def _asking(self, what: str, object: str) -> Iterator[Asking]:
        """The questions of one operation, within its deadline."""
        with as_documented(aws_account.PROVIDER, what, object):
            yield Asking(clients=self._clients, deadline=Deadline(self._deadline_s), what=what, object=object)

    def _means(self, asking: Asking, spec: NodeSpec) -> aws_instances.Means:
        """All that a launch needs. Raises Rejected and NotFound before anything is made."""
        image, size, turn = self._choice(asking, spec)
        if self._bucket is not None and not self._bucket.has(spec.release):
            raise NotFound(asking.what, asking.object, f"the release {spec.release} is not in the depot")
        group = aws_network.group_for(asking, spec, turn[0].vpc)
        return aws_instances.Means(image=image, size=size, subnets=turn, group=group)

    def _launch(self, asking: Asking, spec: NodeSpec, group: str | None) -> dict[str, Any]:
        """The parameters of a launch that is only tried. Without a group of ours it is the network's default one."""
        image, size, turn = self._choice(asking, spec)
        wish = launch(spec, image=image, size=size, subnet=turn[0], group=group or "", generation=0)
        del wish["ClientToken"]  # the one of a launch that is meant
        if group is None:
            del wish["NetworkInterfaces"][0]["Groups"]
        return wish

    def _choice(self, asking: Asking, spec: NodeSpec) -> tuple[Image, str, tuple[Subnet, ...]]:
        """Image, size and subnets of a launch. Raises Rejected and NotFound."""
        image = self._image(asking, spec.image)
        size = spec.size or self._smallest(spec)
        subnets = self._subnets(asking)
        zones = self._looked_up("zones", size, lambda: aws_catalog.zones(asking, size))
        turn = aws_network.in_turn(subnets, zones, spec.ordinal)
        if not turn:
            cause = f"no subnet is in a zone that has {size}"
            raise Rejected(asking.what, asking.object, cause, f"zones with it: {', '.join(sorted(zones))}")
        return image, size, turn

    def _subnets(self, asking: Asking) -> tuple[Subnet, ...]:
        return self._looked_up("subnets", "", lambda: aws_network.subnets(asking, self._subnet_ids))

    def _image(self, asking: Asking, name: str) -> Image:
        def find() -> Image:
            found = aws_catalog.images(asking, self._table, [name], self._architecture).get(name)
            if found is None:
                cause = f"no image {name} for {self._architecture} in {self._clients.region}"
                raise Rejected(asking.what, asking.object, cause, "see `images:`")
            return found

        return self._looked_up("image", name, find)

    def _smallest(self, spec: NodeSpec) -> str:
        """For a wish that names no size."""
        need = NodeGroup(name=spec.group, count=1, cpus=spec.cpus, memory_mib=spec.memory_mib, disk_gib=spec.disk_gib)
        size = choose_size(need, self._looked_up("sizes", "", self.sizes))
        if size is None:
            raise Rejected("create node", f"{spec.name} at {self.name}", "no size is large enough")
        return size.name

    def _looked_up(self, kind: str, name: str, find: Callable[[], T]) -> T:
        """What does not change while a process runs: hundreds of nodes ask for the same."""
        if (kind, name) not in self._known:
            self._known[kind, name] = find()
        found: T = self._known[kind, name]
        return found
