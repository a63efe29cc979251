"""The JSON Schema describes the file that is loaded."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from failover.config.schema import json_schema

EXAMPLE = Path(__file__).with_name("example.yaml")


def resolved(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        return resolved(root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root)
    return schema


TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
    "null": type(None),
}


def fits(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> bool:
    """As much of the vocabulary as our schema uses; every other keyword is a failure."""
    schema = resolved(schema, root)
    unknown = set(schema) - {
        "$schema", "$defs", "title", "description", "default", "examples", "discriminator", "type", "const", "enum",
        "pattern", "minimum", "maximum", "minLength", "minItems", "minProperties", "items", "properties", "required",
        "additionalProperties", "propertyNames", "patternProperties", "anyOf", "oneOf",
    }  # fmt: skip
    assert not unknown, unknown
    options = schema.get("anyOf") or schema.get("oneOf")
    if options:
        return any(fits(value, option, root) for option in options)
    if "const" in schema and value != schema["const"]:
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    if "type" in schema and not isinstance(value, TYPES[schema["type"]]):
        return False
    if isinstance(value, str):
        return re.search(schema.get("pattern", ""), value) is not None
    if isinstance(value, list):
        return len(value) >= schema.get("minItems", 0) and all(fits(v, schema["items"], root) for v in value)
    return fits_object(value, schema, root) if isinstance(value, dict) else True


def fits_object(value: dict[str, Any], schema: dict[str, Any], root: dict[str, Any]) -> bool:
    known, patterns, more = (
        schema.get("properties", {}),
        schema.get("patternProperties", {}),
        schema.get("additionalProperties"),
    )
    for key, inner in value.items():
        if key in known:
            kind = known[key]
        else:
            kind = next((kind for pattern, kind in patterns.items() if re.search(pattern, key)), more)
        if not isinstance(kind, dict) or not fits(inner, kind, root):
            return False
    return set(schema.get("required", ())) <= set(value) and len(value) >= schema.get("minProperties", 0)


def test_it_is_draft_2020_12_and_plain_json() -> None:
    schema = json_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert "$id" not in schema
    assert json.loads(json.dumps(schema)) == schema


@pytest.mark.parametrize("name", ["example.yaml", "clouds.yaml", "hosts.yaml"])
def test_the_examples_fit(name: str) -> None:
    schema = json_schema()
    assert fits(YAML(typ="safe", pure=True).load(EXAMPLE.with_name(name)), schema, schema)


def test_a_wrong_word_does_not_fit() -> None:
    schema = json_schema()
    example = YAML(typ="safe", pure=True).load(EXAMPLE)
    assert fits(example, schema, schema)
    example["sites"]["first"]["standby"] = "hott"
    assert not fits(example, schema, schema)


def test_the_example_uses_every_section() -> None:
    example = YAML(typ="safe", pure=True).load(EXAMPLE)
    assert set(example) == set(json_schema()["properties"])


def test_durations_and_sizes_are_written_as_in_the_file() -> None:
    schema = json_schema()
    interval = schema["$defs"]["Check"]["properties"]["interval"]
    assert (interval["type"], interval["default"]) == ("string", "10s")
    assert re.search(interval["pattern"], "500ms")
    assert not re.search(interval["pattern"], "60")
    assert schema["$defs"]["NodeGroup"]["properties"]["memory"]["default"] == "512MiB"


def test_every_model_forbids_unknown_keys() -> None:
    """But those of kinds which other packages add: only they know their keys."""
    schema = json_schema()
    for name, part in ("File", schema), *schema["$defs"].items():
        assert part["additionalProperties"] is (name in ("OtherProvider", "OtherHost")), name


def test_every_part_is_described() -> None:
    assert not [name for name, part in json_schema()["$defs"].items() if not part.get("description")]
