"""DigitalOcean, Linode, Vultr and OpenStack: one class for all, and a dialect for each.

A dialect says what its provider must be told in its own words:

    digitalocean   user-data plain; tags; a firewall that follows a tag; several addresses, of which libcloud drops some
    linode         user-data base64; disks in MB; a root password; names that are unique; billing_suspension
    vultr          user-data base64; a pending address of 0.0.0.0; sizes without IPv4
    openstack      user-data base64; metadata; security groups; a catalog of services; servers that end in ERROR

Each dialect's module, `failover.clouds.libcloud_…`, has the function `cloud`: a config's words → LibcloudCloud.
"""

import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TypeVar

from failover.clouds.depot_settings import DepotSettings
from failover.clouds.images import ImageTable
from failover.clouds.libcloud_depot import NodeDepot, WithDepot, bucket
from failover.clouds.libcloud_dialect import Dialect, Machine, Place, Wish, matching
from failover.core.firewall import Firewall
from failover.core.mirror import choose_size
from failover.core.model import AccountReport, Node, NodeGroup, NodeSpec, NodeState, Quota, Size
from failover.core.reading import Transport, report_of, service_reading
from failover.core.rights import Right
from failover.errors import (
    AdapterError,
    Conflict,
    NotFound,
    QuotaExceeded,
    Rejected,
    TimedOut,
    Unreachable,
    Unreadable,
)
from failover.net.answers import answer_behind
from failover.net.calls import PerThread, as_documented
from failover.net.libcloud import Api

T = TypeVar("T")


class LibcloudCloud(WithDepot):
    """One account at one provider, in one region: `ports.Account`, `ports.Compute` and `ports.Depot`.

    May be used by several threads.

    `depot` is where its nodes fetch releases; None where they fetch them elsewhere. `deadline_s` bounds each call in
    all, `timeout_s` each wait for the network, `poll_s` is between two looks at something that takes time. `settle_s`:
    how long a server may stay out of the lists after a request to create it whose reply was lost.
    """

    def __init__(
        self,
        dialect: Dialect,
        *,
        name: str,
        region: str,
        images: ImageTable,
        depot: NodeDepot | None = None,
        deadline_s: float = 25.0,
        timeout_s: float = 10.0,
        poll_s: float = 1.0,
        settle_s: float = 10.0,
    ) -> None:
        super().__init__(name, depot)
        self._dialect = dialect
        self._region = region
        self._table = images
        self._deadline_s = deadline_s
        self._poll_s = poll_s
        self._settle_s = settle_s
        self._apis = PerThread(lambda: dialect.api(timeout_s), lambda api: api.line.close())
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._guard = threading.Lock()
        self._made: set[str] = set()
        """The ids of servers that were created here, until lists show them."""
        self._ending: set[str] = set()
        """The ids of servers that were destroyed here, while lists still show them."""
        self._unknown: dict[str, float] = {}
        """By name when a creation ended without an answer, on the monotonic clock."""

    def close(self) -> None:
        """End every connection."""
        self._apis.close()
        if self._depot is not None:
            self._depot.close()

    # ------------------------------------------------------------------------------------------ account

    def state(self) -> AccountReport:
        """See `ports.Account`."""
        readings = []
        with self._asking("ask account", self.name) as api:
            for answer in self._dialect.look(api):
                readings.append(service_reading(answer, region=self._region))
                if answer.transport is not Transport.ANSWERED:
                    break  # the others are behind the same door
        return report_of(readings)

    def nodes(self, service: str, site: str) -> tuple[Node, ...]:
        """See `ports.Account`."""
        with self._asking("list nodes", self.name) as api:
            machines = sorted(self._machines(api), key=_age)
        return tuple(node for machine in machines if (node := _ours(machine, service, site)) is not None)

    def rights(self, spec: NodeSpec) -> tuple[Right, ...]:
        """See `ports.Account`. The depot has keys of its own."""
        with self._asking("ask rights", self.name) as api:
            return self._dialect.rights(api, spec)

    # ------------------------------------------------------------------------------------------ what can be had

    def images(self) -> frozenset[str]:
        """See `ports.Compute`."""
        kind = self._dialect.kind
        with self._asking("list images", self.name) as api:
            offered = self._dialect.offered(api)
        names = self._table.names(kind)
        return frozenset(name for name in names if matching(offered, self._table.find(kind, name)) is not None)

    def sizes(self) -> tuple[Size, ...]:
        """See `ports.Compute`."""
        with self._asking("list sizes", self.name) as api:
            return self._dialect.sizes(api)

    def quota(self) -> Quota:
        """See `ports.Compute`."""
        with self._asking("ask quota", self.name) as api:
            used = len(self._machines(api))
            return Quota(nodes_max=self._dialect.nodes_max(api), nodes_used=used)

    # ------------------------------------------------------------------------------------------ nodes

    def vet(self, spec: NodeSpec) -> None:
        """See `ports.Compute`."""
        self._dialect.vet(spec)

    def ensure(self, spec: NodeSpec) -> Node:
        """See `ports.Compute`. None of these providers knows a request again, so servers are looked for by name."""
        with self._lock(spec.name), self._asking("create node", f"{spec.name} at {self.name}") as api:
            found = self._found(api, spec)
            if found is None:
                return _node(self._created(api, spec), spec)
            if found.trouble:
                with suppress(NotFound):
                    self._delete(api, found.id)
                raise Rejected(api.operation, api.object, found.trouble, "it was removed; apply again")
            if found.state is NodeState.STOPPED:
                self._patiently(api, lambda: self._dialect.start(api, found.id))
            return _node(found, spec)

    def destroy(self, node: Node) -> None:
        """See `ports.Compute`."""
        with self._lock(node.name), self._asking("destroy node", f"{node.name} at {self.name}") as api:
            last = self._depot is not None and not self._has_twin(api, node)
            try:
                found = self._dialect.machine(api, node.id)
                if not _is(found, node):
                    raise Conflict(
                        api.operation, api.object, "the node of this id does not carry our labels", "destroy it by hand"
                    )
                if found.state is not None:
                    self._delete(api, node.id)
            except NotFound:
                pass
            self._made.discard(node.id)
            self._ending.add(node.id)
        if self._depot is not None and last:
            self._depot.withdraw(node.name)

    def firewall(self, service: str, site: str, ports: Sequence[int]) -> None:
        """See `ports.Compute`."""
        place = Place(service=service, site=site)
        with self._lock(place.mark), self._asking("open firewall", f"{place.mark} at {self.name}") as api:
            self._dialect.open(api, place, ports)

    def firewall_now(self, service: str, site: str) -> Firewall:
        """See `ports.Compute`."""
        place = Place(service=service, site=site)
        with self._asking("look at firewall", f"{place.mark} at {self.name}") as api:
            return self._dialect.opened(api, place)

    def clear(self, service: str, site: str) -> None:
        """See `ports.Compute`. Waits for servers that are still going."""
        if self._depot is not None:
            self._depot.withdraw_all()
        place = Place(service=service, site=site)
        with self._lock(place.mark), self._asking("clear", f"{place.mark} at {self.name}") as api:
            while self._ending and self._ending & {machine.id for machine in self._machines(api)}:
                api.deadline.wait(self._poll_s, api.operation, api.object)
            self._patiently(api, lambda: self._dialect.clear(api, place))

    def _delete(self, api: Api, id: str) -> None:
        """Until the provider says that the server is going. Raises NotFound when it is gone, TimedOut when it stays.

        An answer to the request is no proof: DigitalOcean shows the droplet as before for some seconds, and has been
        seen to leave it at that (digitalocean/terraform-provider-digitalocean, issue 283).
        """
        while True:
            self._patiently(api, lambda: self._dialect.delete(api, id))
            if self._dialect.machine(api, id).state is None:
                return
            api.deadline.wait(self._poll_s, api.operation, f"{api.object}, which is still there")

    # ------------------------------------------------------------------------------------------ finding and creating

    def _found(self, api: Api, spec: NodeSpec) -> Machine | None:
        """The server of that name, the oldest of several. Raises Conflict where the name is somebody else's."""
        same = self._named(api, spec.name)
        ours = sorted((m for m in same if _carries(m, spec.labels)), key=_age)
        if not ours and same:
            hint = "rename or delete it"
            raise Conflict(
                api.operation, api.object, f"the name is taken by {same[0].id}, which is not this node", hint
            )
        if not ours:
            return self._unlisted(api, spec)
        self._unknown.pop(spec.name, None)
        return ours[0]

    def _named(self, api: Api, name: str) -> list[Machine]:
        return [m for m in self._machines(api) if m.name == name and m.state is not None]

    def _has_twin(self, api: Api, node: Node) -> bool:
        """Whether there is another server of the same wish, which was given the same name."""
        return any(m.id != node.id and _is(m, node) for m in self._named(api, node.name))

    def _machines(self, api: Api) -> list[Machine]:
        """The whole list, with what was created here before the provider's lists show it; what was destroyed here is
        going, whatever lists still show.
        """
        listed = list(self._dialect.machines(api))
        self._made -= {machine.id for machine in listed}
        self._ending &= {machine.id for machine in listed}
        listed = [replace(machine, state=None) if machine.id in self._ending else machine for machine in listed]
        for id in tuple(self._made):
            try:
                listed.append(self._dialect.machine(api, id))
            except NotFound:
                self._made.discard(id)
        return listed

    def _unlisted(self, api: Api, spec: NodeSpec) -> Machine | None:
        """What may have been created by a request whose reply was lost, and is not listed yet."""
        since = self._unknown.get(spec.name)
        while since is not None and time.monotonic() - since < self._settle_s:
            api.deadline.wait(self._poll_s, api.operation, api.object)
            late = [m for m in self._named(api, spec.name) if _carries(m, spec.labels)]
            if late:
                self._unknown.pop(spec.name, None)
                return min(late, key=_age)
        return None

    def _created(self, api: Api, spec: NodeSpec) -> Machine:
        if self._depot is not None and not self._depot.has(spec.release):
            raise NotFound(
                api.operation, api.object, f"the release {spec.release} is not in the depot", "failover apply"
            )
        self.vet(spec)
        wish = Wish(spec=spec, image=self._image(api, spec), size=spec.size or self._size(api, spec))
        try:
            made = self._with_room(api, wish)
        except AdapterError as error:
            if _may_have_been_done(error):
                self._unknown[spec.name] = time.monotonic()
            raise
        self._unknown.pop(spec.name, None)
        self._made.add(made.id)
        return made

    def _with_room(self, api: Api, wish: Wish) -> Machine:
        """The new server. Servers that are being deleted count for the quota until they are gone: waits for those."""
        while True:
            try:
                return self._dialect.create(api, wish)
            except QuotaExceeded:
                if self._poll_s >= api.deadline.left_s():
                    raise
                if all(machine.state is not None for machine in self._dialect.machines(api)):
                    raise
            api.deadline.wait(self._poll_s, api.operation, api.object)

    def _image(self, api: Api, spec: NodeSpec) -> str:
        """The provider's own name or id of the image. Raises Rejected."""
        entry = self._table.find(self._dialect.kind, spec.image)
        whole = entry.get("slug") or entry.get("id")
        if whole is not None:
            return whole
        found = matching(self._dialect.offered(api), entry)
        if found is None:
            raise Rejected(api.operation, api.object, f"{self.name} has no image {spec.image}", "see `images:`")
        return found.id

    def _size(self, api: Api, spec: NodeSpec) -> str:
        need = NodeGroup(
            name=spec.group,
            count=1,
            cpus=spec.cpus,
            memory_mib=spec.memory_mib,
            disk_gib=spec.disk_gib,
            image=spec.image,
        )
        found = choose_size(need, self._dialect.sizes(api))
        if found is None:
            raise Rejected(api.operation, api.object, f"{self.name} has no size for the node")
        return found.name

    # ------------------------------------------------------------------------------------------ asking

    @contextmanager
    def _asking(self, operation: str, object: str) -> Iterator[Api]:
        """A driver for this thread alone, with the deadline of the operation."""
        with self._apis.lent() as api, as_documented(self._dialect.kind, operation, object):
            api.begin(operation, object, self._deadline_s)
            yield api

    @contextmanager
    def _lock(self, key: str) -> Iterator[None]:
        """One caller at a time for this name. Raises TimedOut where another does not come to an end."""
        with self._guard:
            lock = self._locks[key]
        if not lock.acquire(timeout=self._deadline_s):
            raise TimedOut("wait for", key, f"another call has been busy with it for {self._deadline_s:g} s")
        try:
            yield
        finally:
            lock.release()

    def _patiently(self, api: Api, do: Callable[[], T]) -> T:
        """`do()`, again while the provider says that the server is busy. Raises TimedOut at the deadline."""
        while True:
            try:
                return do()
            except (Rejected, Conflict, Unreadable) as error:
                answer = answer_behind(error)
                status, words = self._dialect.busy
                if answer is None or answer.status != status or not re.search(words, answer.message, re.IGNORECASE):
                    raise
            api.deadline.wait(self._poll_s, api.operation, api.object)


def built(
    dialect: Dialect,
    *,
    name: str,
    region: str,
    images: ImageTable,
    depot: DepotSettings | None,
    deadline_s: float,
    timeout_s: float,
) -> LibcloudCloud:
    """The cloud of this dialect, with its bucket."""
    return LibcloudCloud(
        dialect,
        name=name,
        region=region,
        images=images,
        depot=bucket(depot, region, deadline_s, timeout_s),
        deadline_s=deadline_s,
        timeout_s=timeout_s,
    )


# ------------------------------------------------------------------------------------ what is ours


def _age(machine: Machine) -> tuple[float, int, str]:
    """The oldest first; numbers that count up tell more than a second does."""
    return machine.created_at_s, len(machine.id), machine.id


def _carries(machine: Machine, labels: Mapping[str, str]) -> bool:
    return all(machine.labels.get(key) == value for key, value in labels.items())


def _is(machine: Machine, node: Node) -> bool:
    wanted = {
        "failover-site": node.site,
        "failover-group": node.group,
        "failover-ordinal": str(node.ordinal),
        "failover-spec": node.spec,
    }
    return "failover-service" in machine.labels and _carries(machine, wanted)


def _ours(machine: Machine, service: str, site: str) -> Node | None:
    """The node; None when it does not carry all of our labels, or is going."""
    group, ordinal, spec = (machine.labels.get(f"failover-{key}") for key in ("group", "ordinal", "spec"))
    if not _carries(machine, Place(service=service, site=site).labels) or machine.state is None:
        return None
    if group is None or spec is None or ordinal is None or not ordinal.isdecimal():
        return None
    return Node(
        id=machine.id,
        name=machine.name,
        site=site,
        group=group,
        ordinal=int(ordinal),
        spec=spec,
        state=machine.state,
        addresses=machine.addresses,
        created_at_s=machine.created_at_s,
    )


def _node(machine: Machine, spec: NodeSpec) -> Node:
    """The node of a wish."""
    return Node(
        id=machine.id,
        name=spec.name,
        site=spec.site,
        group=spec.group,
        ordinal=spec.ordinal,
        spec=spec.spec,
        state=machine.state or NodeState.PENDING,
        addresses=machine.addresses,
        created_at_s=machine.created_at_s,
    )


def _may_have_been_done(error: AdapterError) -> bool:
    """Whether the server may exist although its creation failed."""
    if isinstance(error, TimedOut | Unreadable):
        return True
    answer = answer_behind(error)
    return isinstance(error, Unreachable) and (answer is None or answer.transport is Transport.RESET)
