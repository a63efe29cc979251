"""init, validate, schema."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from pathlib import Path

from failover.cli.output import Output, emit, emit_json, progress
from failover.cli.wiring import config_of
from failover.cli.wiring_clouds import check_files
from failover.net.secret import SecretRef


def init(directory: Path, *, local: bool, force: bool) -> None:
    from failover.cli.init import write_given, write_local

    for path in (write_local if local else write_given)(directory, force):
        progress(f"wrote {path}")
    where = "" if directory == Path() else f"cd {directory} && "
    progress(f"next: {where}failover apply" if local else f"next: edit it, then {where}failover validate")


def validate(config: Path | None, output: Output) -> None:
    from failover.core.budget import terms, total_s

    found = config_of(config)
    check_files(found)
    for reference in secrets_of(found):
        reference.check()
    service = found.service
    others = service.sites[1:]
    worst = {site.name: round(total_s(terms(service, site)), 3) for site in others}
    if output is Output.JSON:
        emit_json({"config": str(found.path), "service": service.name, "valid": True, "budget_s": worst})
        return
    emit(f"{found.path} is valid: service {service.name}, {len(service.sites)} sites, {len(service.hosts)} DNS hosts")
    for name, seconds in worst.items():
        emit(f"a cutover to {name} would take {seconds:g} s at worst, from the fault to the verified change")


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
