"""A notice and a plan to send."""

from failover.core.cutover import CutoverPlan, PlanKind, Step
from failover.core.model import Instant
from failover.core.rrsets import RRset
from failover.ports import Notice, Urgency

AT = Instant(boot_id="b", boottime_s=5.0, utc_s=1_779_177_600.25)

NOTICE = Notice(
    service="guestbook",
    event="cutover-done",
    severity=Urgency.WARNING,
    title="guestbook runs at boreas",
    reasons=("aurora says: account closed", "é"),
    at=AT,
    epoch=7,
    active_site="boreas",
    plan="k3j9x0ab",
)

PLAN = CutoverPlan(
    id="k3j9x0ab",
    kind=PlanKind.CUTOVER,
    service="guestbook",
    at=AT,
    parent_epoch=6,
    epoch=7,
    source="aurora",
    target="boreas",
    steps=(Step.CLAIM, Step.SWAP, Step.COMMIT),
    rrsets=(RRset(name="www.example.org", type="A", ttl_s=60, values=frozenset({"192.0.2.9", "192.0.2.10"})),),
    before=(RRset(name="www.example.org", type="A", ttl_s=60, values=frozenset({"192.0.2.1"})),),
    zones=("example.org",),
    hosts=("north", "south"),
    automatic=True,
    verdict="ACCOUNT_CLOSED",
    reasons=("aurora says: account closed",),
    addresses={"web": ("192.0.2.9", "192.0.2.10")},
    digest="0123456789abcdef",
)
