"""What happened to a setup in the simulation of detection: counts, rates with intervals, and how they are shown."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Tally:
    """What happened to one setup. Waits are seconds from the loss to the decision."""

    setup: str
    hours: float = 0.0
    rounds: int = 0
    played: int = 0
    false_moves: int = 0
    """The site served its users."""
    hasty_moves: int = 0
    """The site was down, and would have come back by itself."""
    false_questions: int = 0
    losses: int = 0
    moved: int = 0
    asked: int = 0
    waits_s: list[float] = field(default_factory=list)
    culprits: dict[str, int] = field(default_factory=dict)
    """Of moves and questions while the site served: by the faults that stood."""

    @property
    def missed(self) -> int:
        """Losses that led neither to a move nor to a question within an hour."""
        return self.losses - self.moved - self.asked

    def document(self) -> dict[str, object]:
        """What is printed: rates per 1,000 hours with their 95 % intervals."""
        return {
            "setup": self.setup,
            "hours": self.hours,
            "rounds": self.rounds,
            "rounds_played": self.played,
            "false_moves": self.false_moves,
            "false_moves_per_1000_h": rates(self.false_moves, self.hours),
            "hasty_moves": self.hasty_moves,
            "hasty_moves_per_1000_h": rates(self.hasty_moves, self.hours),
            "false_questions": self.false_questions,
            "false_questions_per_1000_h": rates(self.false_questions, self.hours),
            "losses": self.losses,
            "moved": self.moved,
            "asked": self.asked,
            "missed": self.missed,
            "missed_share": shares(self.missed, self.losses),
            "wait_s_median": _quantile(self.waits_s, 0.5),
            "wait_s_p99": _quantile(self.waits_s, 0.99),
            "wait_s_max": max(self.waits_s, default=None),
            "culprits": dict(sorted(self.culprits.items())),
        }


def poisson_interval(count: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of the expected count, by Byar's approximation (Breslow & Day 1987, volume II, page 69)."""
    high = count + 1
    upper = high * (1 - 1 / (9 * high) + z / (3 * math.sqrt(high))) ** 3
    lower = count * (1 - 1 / (9 * count) - z / (3 * math.sqrt(count))) ** 3 if count else 0.0
    return lower, upper


def rates(count: int, hours: float) -> dict[str, float]:
    low, high = poisson_interval(count)
    return {name: value / hours * 1000 for name, value in (("rate", count), ("low", low), ("high", high))}


def shares(count: int, of: int) -> dict[str, float] | None:
    if not of:
        return None
    low, high = poisson_interval(count)
    return {name: min(1.0, value / of) for name, value in (("share", count), ("low", low), ("high", high))}


def _quantile(values: Sequence[float], share: float) -> float | None:
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))] if ranked else None


def table(tallies: Sequence[Tally], abouts: Mapping[str, str]) -> str:
    """For people: a block of lines for each setup; `abouts` says by name what it is."""
    return "\n".join(line for tally in tallies for line in (*_block(tally, abouts.get(tally.setup, "")), ""))


def _block(tally: Tally, about: str) -> list[str]:
    found = [f"{tally.setup}: {about}", f"  {tally.hours:,.0f} h, {tally.rounds:,} rounds, {tally.played:,} played"]
    for title, count in (
        ("moved although it served", tally.false_moves),
        ("moved although it would have come back", tally.hasty_moves),
        ("asked although it served", tally.false_questions),
    ):
        rate = rates(count, tally.hours)
        found.append(
            f"  {title:40} {count:6}   {rate['rate']:.4f} per 1,000 h ({rate['low']:.4f} to {rate['high']:.4f})"
        )
    missed = shares(tally.missed, tally.losses)
    found.append(f"  {'losses':40} {tally.losses:6}   moved {tally.moved}, asked {tally.asked}, missed {tally.missed}")
    if missed is not None:
        found.append(
            f"  {'missed':40} {tally.missed:6}   {missed['share']:.3%} ({missed['low']:.3%} to {missed['high']:.3%})"
        )
    if tally.waits_s:
        found.append(f"  wait until moved or asked: {_waits(tally.waits_s)}")
    found += [f"    {count:6} {name}" for name, count in sorted(tally.culprits.items(), key=lambda item: -item[1])]
    return found


def _waits(waits_s: Sequence[float]) -> str:
    ranked = sorted(waits_s)
    middle, late = ranked[len(ranked) // 2], ranked[min(len(ranked) - 1, len(ranked) * 99 // 100)]
    return f"median {middle:.0f} s, 99 % {late:.0f} s, most {ranked[-1]:.0f} s"
