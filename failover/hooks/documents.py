"""The JSON that other programs get: the shapes are promises, `schema_version` counts their changes."""

import json
from datetime import UTC, datetime

from failover.core.cutover import CutoverPlan
from failover.core.model import Instant
from failover.core.rrsets import RRset
from failover.ports import Moment, Notice

SCHEMA_VERSION = 1


def notice_document(notice: Notice) -> bytes:
    """A notice as one JSON object, UTF-8, keys in order, a newline at the end.

    {"active_site": "boreas" or null,
     "at": "2026-05-19T08:00:00Z",            UTC; when the notice was made
     "epoch": 7,
     "event": "cutover-done",
     "kind": "notice",
     "plan": "k3j9x0ab" or null,
     "reasons": ["…"],
     "schema_version": 1,
     "service": "guestbook",
     "severity": "info", "warning" or "critical",
     "title": "…"}
    """
    return _json(
        {
            "schema_version": SCHEMA_VERSION,
            "kind": "notice",
            "service": notice.service,
            "event": notice.event,
            "severity": notice.severity,
            "title": notice.title,
            "reasons": list(notice.reasons),
            "at": _utc(notice.at),
            "epoch": notice.epoch,
            "active_site": notice.active_site,
            "plan": notice.plan,
        }
    )


def plan_document(moment: Moment, plan: CutoverPlan) -> bytes:
    """A plan as one JSON object, UTF-8, keys in order, a newline at the end.

    {"addresses": {"web": ["192.0.2.1"]},     by node group: where the target serves
     "at": "2026-05-19T08:00:00Z",            UTC; when the plan was made
     "automatic": true, "forced": false,
     "before": [{"name": "www.example.org", "ttl_s": 60, "type": "A", "values": ["192.0.2.1"]}],
     "digest": "0123456789abcdef", "epoch": 7, "parent_epoch": 6,
     "from": "aurora" or null, "to": "boreas",
     "hosts": ["r53"], "zones": ["example.org"],
     "id": "k3j9x0ab", "kind": "plan", "moment": "before", "after" or "abort",
     "plan_kind": "publish", "refresh", "cutover" or "withdraw",
     "reasons": ["…"],
     "rrsets": [as in before; [] while a warm or cold target's addresses are not known],
     "schema_version": 1, "service": "guestbook", "verdict": "ACCOUNT_CLOSED" or ""}
    """
    return _json(
        {
            "schema_version": SCHEMA_VERSION,
            "kind": "plan",
            "moment": moment,
            "id": plan.id,
            "plan_kind": plan.kind.value,
            "service": plan.service,
            "at": _utc(plan.at),
            "parent_epoch": plan.parent_epoch,
            "epoch": plan.epoch,
            "from": plan.source,
            "to": plan.target,
            "rrsets": [_rrset(rrset) for rrset in plan.rrsets],
            "before": [_rrset(rrset) for rrset in plan.before],
            "zones": list(plan.zones),
            "hosts": list(plan.hosts),
            "automatic": plan.automatic,
            "forced": plan.forced,
            "verdict": plan.verdict,
            "reasons": list(plan.reasons),
            "addresses": {group: list(addresses) for group, addresses in plan.addresses.items()},
            "digest": plan.digest,
        }
    )


def _rrset(rrset: RRset) -> dict[str, object]:
    return {"name": rrset.name, "type": rrset.type, "ttl_s": rrset.ttl_s, "values": sorted(rrset.values)}


def _utc(at: Instant) -> str:
    return datetime.fromtimestamp(at.utc_s, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _json(value: dict[str, object]) -> bytes:
    return (json.dumps(value, ensure_ascii=False, sort_keys=True) + "\n").encode()
