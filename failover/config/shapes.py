"""What every part of the config's shape is made of: texts with a meaning, the base of all models, secret references."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from failover.config import units

# ---------------------------------------------------------------------------------------------- texts


_DURATION = WithJsonSchema({"type": "string", "pattern": units.DURATION_PATTERN, "examples": ["500ms", "60s", "1h"]})
_SIZE = WithJsonSchema({"type": "string", "pattern": units.SIZE_PATTERN, "examples": ["512MiB", "4GiB"]})

Duration = Annotated[float, PlainValidator(units.duration_s), _DURATION]
DurationAboveZero = Annotated[float, PlainValidator(units.duration_above_zero_s), _DURATION]
Mebibytes = Annotated[int, PlainValidator(units.size_mib), _SIZE]
Gibibytes = Annotated[int, PlainValidator(units.size_gib), _SIZE]
Label = Annotated[str, AfterValidator(units.label), WithJsonSchema({"type": "string", "pattern": units.LABEL_PATTERN})]
Variable = Annotated[
    str, AfterValidator(units.variable), WithJsonSchema({"type": "string", "pattern": units.VARIABLE_PATTERN})
]
Domain = Annotated[str, AfterValidator(units.domain)]
RecordName = Annotated[str, AfterValidator(units.record_name)]
LiteralAddress = Annotated[str, AfterValidator(units.literal_address)]
HostPort = Annotated[str, AfterValidator(units.host_port)]
Url = Annotated[str, AfterValidator(units.http_url)]
ReleaseUrl = Annotated[str, AfterValidator(units.release_url)]
SshKey = Annotated[str, AfterValidator(units.ssh_key)]
CommandLine = Annotated[str, AfterValidator(units.command_line)]
Word = Annotated[str, AfterValidator(units.word)]
Filled = Annotated[str, AfterValidator(units.filled)]
HeaderName = Annotated[str, AfterValidator(units.header_name)]
HeaderValue = Annotated[str, AfterValidator(units.header_value)]
Port = Annotated[int, Field(ge=1, le=65535)]
Argv = Annotated[list[Filled], Field(min_length=1)]
CheckUrl = Annotated[
    units.CheckUrl,
    PlainValidator(units.check_url),
    WithJsonSchema({"type": "string", "examples": ["http://{address}:8080/healthz"]}),
]
EdgeUrl = Annotated[
    units.CheckUrl,
    PlainValidator(units.edge_url),
    WithJsonSchema({"type": "string", "examples": ["https://{name}/healthz"]}),
]
SiteHeader = Annotated[str, AfterValidator(units.site_header)]
CheckTcp = Annotated[
    int, PlainValidator(units.check_tcp), WithJsonSchema({"type": "string", "examples": ["{address}:5432"]})
]
_STATUS = {"anyOf": [{"type": "integer", "minimum": 100, "maximum": 599}, {"type": "string"}]}
StatusRanges = Annotated[
    tuple[tuple[int, int], ...],
    PlainValidator(units.status_ranges),
    WithJsonSchema(
        {
            "anyOf": [*_STATUS["anyOf"], {"type": "array", "items": _STATUS, "minItems": 1}],
            "examples": [200, "200-299", [200, "301-302"]],
        }
    ),
]
RecordTypes = Annotated[
    tuple[str, ...],
    PlainValidator(units.record_types),
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": ["A", "AAAA"]},
                {"type": "array", "items": {"enum": ["A", "AAAA"]}, "minItems": 1},
            ]
        }
    ),
]


class Model(BaseModel):
    """No unknown keys, no silent conversions, no values in errors."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


def wrong(field: str, message: str) -> PydanticCustomError:
    """An error about one field of a model, found when looking at several."""
    return PydanticCustomError("failover", "{message}", {"message": message, "field": field})


def one_of(model: Model, names: tuple[str, ...]) -> str:
    """The one of these fields that is set."""
    found = [name for name in names if getattr(model, name) is not None]
    if len(found) != 1:
        raise ValueError(f"needs exactly one of {', '.join(names)}")
    return found[0]


# ---------------------------------------------------------------------------------------------- secrets


class SecretReference(Model):
    """Where a secret is; never the secret itself."""

    env: Variable | None = Field(default=None, description="the environment variable that holds it")
    file: Filled | None = Field(default=None, description="a file that only its owner can read")
    command: Argv | None = Field(default=None, description="a program that prints it")

    @model_validator(mode="after")
    def _check(self) -> "SecretReference":
        one_of(self, ("env", "file", "command"))
        return self
