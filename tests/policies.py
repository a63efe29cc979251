"""The shipped policies, as tests read them."""

import json
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

POLICIES = Path(__file__).resolve().parent.parent / "templates" / "policies"


def policy(role: str) -> dict[str, Any]:
    """AWS's, by role: `watch`, `mirror`, `cut-over`."""
    found: dict[str, Any] = json.loads((POLICIES / "aws" / f"{role}.json").read_text(encoding="utf-8"))
    return found


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def granted(role: str) -> set[str]:
    """The actions of AWS's."""
    return {action for statement in policy(role)["Statement"] for action in listed(statement["Action"])}


def scopes(provider: str) -> dict[str, list[str]]:
    """Of the others, by role: `watch`, `mirror`, `cut_over`."""
    text = (POLICIES / f"{provider}.yaml").read_text(encoding="utf-8")
    found: dict[str, list[str]] = YAML(typ="safe").load(text)
    return found
