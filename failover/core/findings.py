"""What a doctor says: one finding for each thing that was looked at."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    FINE = "fine"
    NOTE = "note"
    """Worth knowing; nothing is wrong, or it could not be looked at from here."""
    WARNING = "warning"
    FATAL = "fatal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at. `remedy` is what to do, empty when nothing is to do."""

    area: str
    subject: str
    severity: Severity
    says: str
    remedy: str = ""
    site: str | None = None
    """The site that it is about; None: it concerns all."""


def fine(area: str, subject: str, says: str) -> Finding:
    return Finding(area=area, subject=subject, severity=Severity.FINE, says=says)


def note(area: str, subject: str, says: str, remedy: str = "") -> Finding:
    return Finding(area=area, subject=subject, severity=Severity.NOTE, says=says, remedy=remedy)


def warning(area: str, subject: str, says: str, remedy: str) -> Finding:
    return Finding(area=area, subject=subject, severity=Severity.WARNING, says=says, remedy=remedy)


def fatal(area: str, subject: str, says: str, remedy: str) -> Finding:
    return Finding(area=area, subject=subject, severity=Severity.FATAL, says=says, remedy=remedy)
