"""init, validate, schema."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from pathlib import Path

from failover.cli.output import Output, counted, emit, emit_json, progress
from failover.cli.wiring import config_of, instant
from failover.cli.wiring_clouds import check_files
from failover.config.model import Config
from failover.core.world import State, World
from failover.errors import ConfigError
from failover.net.secret import SecretRef


def init(directory: Path, *, local: bool, force: bool) -> None:
    from failover.cli.init import write_given, write_local

    for path in (write_local if local else write_given)(directory, force):
        progress(f"wrote {path}")
    where = "" if directory == Path() else f"cd {directory} && "
    progress(f"next: {where}failover apply" if local else f"next: edit it, then {where}failover validate")


def validate(config: Path | None, output: Output) -> None:
    """The config alone: neither the state nor anything outside is looked at. Raises ConfigError."""
    from failover.cli.showing import budgets_document, budgets_of, budgets_text
    from failover.core.budget import total_s

    try:
        found = _checked(config)
    except ConfigError as error:
        if output is Output.JSON:
            emit_json({"valid": False, "problem": str(error), "hint": error.hint, "findings": list(error.findings)})
        raise
    service = found.service
    budgets = budgets_of(found, World(now=instant(), state=State(service=service.name)))
    warnings = warnings_of(found)
    if output is Output.JSON:
        worst = {name: round(total_s(budget), 3) for name, budget in budgets.items()}
        document = {"config": str(found.path), "service": service.name, "valid": True, "warnings": warnings}
        emit_json({**document, "budget_s": worst, "budget": budgets_document(budgets)})
        return
    sites, hosts = counted(len(service.sites), "site"), counted(len(service.hosts), "DNS host")
    emit(f"{found.path} is valid: service {service.name}, {sites}, {hosts}")
    if budgets:
        emit(budgets_text(budgets))
    for warning in warnings:
        progress(f"failover: {warning}")


def _checked(option: Path | None) -> Config:
    found = config_of(option)
    check_files(found)
    for reference in secrets_of(found):
        reference.check()
    return found


def warnings_of(config: Config) -> list[str]:
    """What is valid, but will not do what it seems to."""
    wanted, known = config.service.policy.min_grade, config.service.host_grades.values()
    if len(known) < len(config.hosts) or min(known) <= wanted:
        return []
    return [
        f"no DNS host has fencing grade {wanted}, as `policy.min_grade` asks (the best: {min(known)}): "
        "nothing moves by itself, a person is asked each time"
    ]


def secrets_of(value: object) -> Iterator[SecretRef]:
    """Every reference to a secret that stands anywhere in the config."""
    if isinstance(value, SecretRef):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from secrets_of(part)
    elif isinstance(value, tuple | list):
        for part in value:
            yield from secrets_of(part)
    elif is_dataclass(value):
        for name in value.__dataclass_fields__:
            yield from secrets_of(getattr(value, name))


def schema() -> None:
    from failover.config.schema import json_schema

    emit(json.dumps(json_schema(), indent=2))
