"""init, validate, schema."""

import json
from pathlib import Path

from failover.cli.output import Output, emit, emit_json, progress
from failover.cli.wiring import config_of
from failover.cli.wiring_clouds import check_files


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
    service = found.service
    others = service.sites[1:]
    worst = {site.name: round(total_s(terms(service, site)), 3) for site in others}
    if output is Output.JSON:
        emit_json({"config": str(found.path), "service": service.name, "valid": True, "budget_s": worst})
        return
    emit(f"{found.path} is valid: service {service.name}, {len(service.sites)} sites, {len(service.hosts)} DNS hosts")
    for name, seconds in worst.items():
        emit(f"a cutover to {name} takes {seconds:g} s at worst after its predecessor's account was closed")


def schema() -> None:
    from failover.config.schema import json_schema

    emit(json.dumps(json_schema(), indent=2))
