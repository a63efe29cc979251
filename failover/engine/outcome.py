"""How calls to the outside end, in words."""

from failover.ports import Done

MARGIN_S = 0.25
"""Adapters end by their own deadlines first; the runtime's is the net below."""


def problem_of(done: Done) -> str | None:
    """Why a call brought nothing, as a sentence; None when it brought a value."""
    if done.unknown:
        return "no answer in time"
    return str(done.error) if done.error is not None else None
