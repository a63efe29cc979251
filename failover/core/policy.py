"""What may happen without a person, and how soon."""

from dataclasses import dataclass
from enum import StrEnum


class Action(StrEnum):
    """What the policy wants when a verdict is confirmed."""

    CUTOVER = "cutover"
    ASK = "ask"
    PAGE = "page"
    HOLD = "hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    action: Action
    confirm_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What may happen without a person, and how soon."""

    account_closed: Reaction = Reaction(action=Action.CUTOVER, confirm_s=60.0)
    provider_down: Reaction = Reaction(action=Action.CUTOVER, confirm_s=300.0)
    resources_gone: Reaction = Reaction(action=Action.CUTOVER, confirm_s=300.0)
    app_down: Reaction = Reaction(action=Action.PAGE)
    unexplained_down: Reaction = Reaction(action=Action.ASK, confirm_s=60.0)
    cooldown_s: float = 3600.0
    daily_limit: int = 2
    retry_after_s: float = 60.0
    """A target whose cutover failed is left out for so long."""
    ask_expires_s: float = 3600.0
    unknown_page_after_s: float = 900.0
    tilt_s: float = 30.0
    flap_limit: int = 6
    """A site that changed between UP and DOWN more often than this within `flap_window_s` is held as flapping."""
    flap_window_s: float = 3600.0
    min_grade: int = 1
