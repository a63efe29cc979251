"""Decision → CutoverPlan: a change of DNS, frozen as data."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from failover.core.model import Instant, Record, Service, Site, Standby
from failover.core.rrsets import RRset, epoch_name

ALIAS = "CNAME"
ALIASED = ("A", "AAAA", ALIAS)
"""The types that may stand at a name that is an alias at some site."""


class PlanKind(StrEnum):
    PUBLISH = "publish"
    """The first time: no epoch stands in DNS yet."""
    REFRESH = "refresh"
    """The same site, new addresses."""
    CUTOVER = "cutover"
    WITHDRAW = "withdraw"
    """`destroy`: our records go, adopted ones are put back."""


class Step(StrEnum):
    """The steps of DESIGN's table, in their order."""

    CLAIM = "claim"
    RECONFIRM = "reconfirm"
    PREFLIGHT = "preflight"
    BEFORE_HOOKS = "before-hooks"
    SCALE = "scale"
    VERIFY = "verify"
    SWAP = "swap"
    CONFIRM = "confirm"
    AFTER_HOOKS = "after-hooks"
    COMMIT = "commit"


PIVOT = Step.SWAP
UNDOABLE = frozenset({Step.BEFORE_HOOKS, Step.SCALE})
"""The other steps before the pivot change nothing that could be undone (an epoch is spent for good)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CutoverPlan:
    """Immutable, and specific enough that nothing is left to choose while it is carried out.

    `rrsets` is the whole wanted set of the service's records. For a target that must be scaled first it is empty here,
    and bound to the output of the step `scale`; the binding is journaled and passes the safety rules again.
    """

    id: str
    kind: PlanKind
    service: str
    at: Instant
    parent_epoch: int
    epoch: int
    source: str | None
    target: str
    steps: tuple[Step, ...]
    zones: tuple[str, ...]
    hosts: tuple[str, ...]
    rrsets: tuple[RRset, ...] = ()
    before: tuple[RRset, ...] = ()
    """What the records held when the plan was made."""
    automatic: bool = False
    forced: bool = False
    verdict: str = ""
    reasons: tuple[str, ...] = ()
    addresses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By group: where the target serves."""
    digest: str = ""


def steps_for(service: Service, kind: PlanKind, target: str, *, automatic: bool, hooks: bool) -> tuple[Step, ...]:
    """The steps that a plan of this kind needs."""
    if kind is PlanKind.WITHDRAW:
        return (Step.CLAIM, Step.SWAP, Step.CONFIRM, Step.COMMIT)
    if kind is not PlanKind.CUTOVER:
        return (Step.CLAIM, Step.VERIFY, Step.SWAP, Step.CONFIRM, Step.COMMIT)
    site = service.site(target)
    scales = not site.given and site.standby is not Standby.HOT
    return tuple(
        step
        for step, wanted in (
            (Step.CLAIM, True),
            (Step.RECONFIRM, automatic),
            (Step.PREFLIGHT, True),
            (Step.BEFORE_HOOKS, hooks),
            (Step.SCALE, scales),
            (Step.VERIFY, True),
            (Step.SWAP, True),
            (Step.CONFIRM, True),
            (Step.AFTER_HOOKS, hooks),
            (Step.COMMIT, True),
        )
        if wanted
    )


def record_sets(
    service: Service, site: Site, addresses: Mapping[str, Sequence[str]], *, ttl_s: int | None = None
) -> tuple[RRset, ...]:
    """The service's records while `site` is active: its target's name where it has one, else `addresses` (by group).

    `ttl_s`: the service's own, when nothing is said. Raises ValueError where a record would be empty.
    """
    sets: dict[tuple[str, str], RRset] = {}
    targets = site.targets or {}
    for record in service.records:
        type, values = record.type, _published(record, addresses)
        if record.name in targets:
            type, values = ALIAS, frozenset({targets[record.name]})
        if not values:
            raise ValueError(f"{record.name} {record.type} would be empty: group {record.group} has no such address")
        rrset = RRset(name=record.name, type=type, ttl_s=service.ttl_s if ttl_s is None else ttl_s, values=values)
        sets[rrset.key] = rrset
    return tuple(sets.values())


def _published(record: Record, addresses: Mapping[str, Sequence[str]]) -> frozenset[str]:
    """The group's addresses of the record's family."""
    v6 = record.type == "AAAA"
    return frozenset(a for a in addresses.get(record.group, ()) if (":" in a) is v6)


def ip_versions(service: Service, group: str) -> frozenset[int]:
    """The IP versions that matter of a group: those that its records publish, else those that any record does."""
    types = {r.type for r in service.records if r.group == group} or {r.type for r in service.records}
    return frozenset(6 if type == "AAAA" else 4 for type in types)


def usable_addresses(service: Service, group: str, addresses: Sequence[str]) -> tuple[str, ...]:
    """Those of a node's addresses that are published and probed; () while a version that records need is missing."""
    versions = ip_versions(service, group)
    found = tuple(a for a in addresses if (6 if ":" in a else 4) in versions)
    return found if {6 if ":" in a else 4 for a in found} == versions else ()


def groups_of_targets(service: Service, site: Site) -> tuple[tuple[str, str], ...]:
    """Which names serve which group at a site that has targets: pairs of group and host name, each once."""
    targets = site.targets or {}
    return tuple(dict.fromkeys((r.group, targets[r.name]) for r in service.records if r.name in targets))


def our_keys(service: Service) -> Mapping[tuple[str, str], str]:
    """Every (name, type) of ours but the epochs', with its zone. Nothing else is ever read or touched.

    A name that is an alias at some site is ours as a whole: a CNAME stands alone (RFC 1034, section 3.6.2).
    """
    aliased = {name for site in service.sites for name in site.targets or {}}
    found: dict[tuple[str, str], str] = {}
    for record in service.records:
        for type in (record.type, *(ALIASED if record.name in aliased else ())):
            found[record.name, type] = record.zone
    return found


def names_of(service: Service, zone: str) -> tuple[tuple[str, str], ...]:
    """Every (name, type) of ours in one zone: the records and the epoch."""
    ours = tuple(key for key, there in our_keys(service).items() if there == zone)
    return (*ours, (epoch_name(service.name, zone), "TXT"))


def in_zone(service: Service, rrsets: Sequence[RRset], zone: str) -> tuple[RRset, ...]:
    """The sets at our names that lie in `zone`."""
    names = {r.name for r in service.records if r.zone == zone}
    return tuple(r for r in rrsets if r.name in names)


def seal(plan: CutoverPlan) -> CutoverPlan:
    """The plan with its digest (16 hexadecimal digits) over everything that it would do."""
    text = "\n".join(
        (
            plan.id,
            plan.kind,
            plan.service,
            f"{plan.parent_epoch} → {plan.epoch}",
            f"{plan.source} → {plan.target}",
            " ".join(plan.steps),
            " ".join(plan.hosts),
            " ".join(plan.zones),
            *(f"{group}: {' '.join(serving)}" for group, serving in sorted(plan.addresses.items())),
            "rrsets",
            *(str(r) for r in plan.rrsets),
            "before",
            *(str(r) for r in plan.before),
        )
    )
    return replace(plan, digest=hashlib.sha256(text.encode()).hexdigest()[:16])
