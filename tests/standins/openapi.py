"""Holds requests and replies against a provider's own OpenAPI 3.0 document.

Only the operations that are used are resolved, once per process. A schema of OpenAPI 3.0, a dialect of JSON Schema of
its own, becomes one of JSON Schema 2020-12: `nullable`, boolean `exclusiveMinimum`, `readOnly` in requests, `writeOnly`
in replies, `discriminator`. What the document does not speak of (a query parameter, a property of a body) it does not
forbid either: that is allowed, and `undeclared` names it.
"""

import functools
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import best_match

from tests.standins.wire import Call, Reply

METHODS = ("get", "put", "post", "delete", "patch", "head", "options")
FORMATS = FormatChecker(("uuid", "ipv4", "ipv6", "date", "email"))
_ONE = ("additionalProperties", "items", "not")
_MANY = ("allOf", "anyOf", "oneOf")
_KEPT = (
    *("required", "enum", "multipleOf", "minimum", "maximum", "minLength", "maxLength", "pattern", "minItems"),
    *("maxItems", "uniqueItems", "minProperties", "maxProperties", "format"),
)


@FORMATS.checks("date-time", raises=ValueError)
def _is_instant(value: object) -> bool:
    """RFC 3339: with a time zone."""
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


class NotAllowed(Exception):
    """The document does not allow the request; `status` is what an HTTP server says to that."""

    def __init__(self, status: int, problem: str) -> None:
        super().__init__(status, problem)
        self.status = status
        self.problem = problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    name: str
    place: str
    required: bool
    schema: Mapping[str, Any]
    validator: Draft202012Validator


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path, ready to check with."""

    parameters: tuple[Parameter, ...]
    body: Draft202012Validator | None
    body_required: bool
    body_names: frozenset[str]
    replies: Mapping[str, Draft202012Validator | None]
    """By status, and `default`. None: no body."""
    scopes: frozenset[str]
    """What a token must be allowed."""


class Document:
    """An OpenAPI document. May be used by several threads."""

    def __init__(self, contents: Mapping[str, Any]) -> None:
        self._contents = contents
        templates = sorted(contents["paths"], key=lambda template: str(template).count("{"))  # /mine before /{id}
        self._paths = [(self._pattern(template), template) for template in templates]
        self._operation = functools.cache(self._build)

    def allow(self, call: Call) -> None:
        """Raises NotAllowed."""
        operation, found = self._find(call)
        for parameter in operation.parameters:
            self._allow_parameter(parameter, call, found)
        self._allow_body(operation, call)

    def scopes(self, call: Call) -> frozenset[str]:
        """What a token needs for the request. Raises NotAllowed where there is no such path."""
        return self._find(call)[0].scopes

    def undeclared(self, call: Call) -> frozenset[str]:
        """Query parameters (`?name`) and properties of the body that the document does not speak of."""
        operation, _ = self._find(call)
        queries = {parameter.name for parameter in operation.parameters if parameter.place == "query"}
        sent = call.document if isinstance(call.document, dict) else {}
        more = {f"?{name}" for name, _ in call.query if name not in queries}
        return frozenset(more | (sent.keys() - operation.body_names if operation.body else set()))

    def conform(self, call: Call, reply: Reply) -> None:
        """Raises AssertionError when the document does not describe such a reply to this request."""
        operation, _ = self._find(call)
        validator = operation.replies.get(str(reply.status), operation.replies.get("default"))
        if validator is None:
            assert str(reply.status) in operation.replies, f"{reply.status} is not documented"
            assert reply.document is None, f"a {reply.status} with a body"
        else:
            assert reply.document is not None, f"a {reply.status} without a body"
            assert (problem := _problem(validator, reply.document)) is None, problem

    def describes(self, call: Call) -> bool:
        """Whether there is such a path with such a method."""
        try:
            self._find(call)
        except NotAllowed:
            return False
        return True

    # ------------------------------------------------------------------------------------------ one request

    def _find(self, call: Call) -> tuple[Operation, Mapping[str, str]]:
        found: tuple[str, re.Match[str]] | None = None
        for pattern, template in self._paths:
            if found is not None and template.count("{") > found[0].count("{"):
                break  # a path without placeholders is meant before one with them ("Path Templating Matching")
            if match := pattern.fullmatch(call.path):
                found = template, match
                if call.method.lower() in self._contents["paths"][template]:
                    return self._operation(call.method.lower(), template), match.groupdict()
        raise NotAllowed(404 if found is None else 405, f"{call.method} {call.path} is not in the document")

    def _allow_parameter(self, parameter: Parameter, call: Call, found: Mapping[str, str]) -> None:
        values = {
            "path": [text for name, text in found.items() if name == _word(parameter.name)],
            "query": [text for name, text in call.query if name in (parameter.name, f"{parameter.name}[]")],
            "header": [text for name, text in call.headers.items() if name == parameter.name.lower()],
        }[parameter.place]
        if not values:
            if parameter.required:
                raise NotAllowed(422, f"{parameter.name} is missing in the {parameter.place}")
            return
        if (problem := _problem(parameter.validator, _read(parameter.schema, values))) is not None:
            raise NotAllowed(422, f"{parameter.name} in the {parameter.place}: {problem}")

    def _allow_body(self, operation: Operation, call: Call) -> None:
        if not call.body:
            if operation.body_required:
                raise NotAllowed(422, "the body is missing")
            return
        if operation.body is None:
            raise NotAllowed(422, "a body, where the document has none")
        if call.header("content-type").partition(";")[0].strip() != "application/json":
            raise NotAllowed(415, f"a body of type {call.header('content-type')!r}, not application/json")
        if (problem := _problem(operation.body, call.document)) is not None:
            raise NotAllowed(422, f"the body: {problem}")

    # ------------------------------------------------------------------------------------------ the document

    def _build(self, method: str, template: str) -> Operation:
        path = self._contents["paths"][template]
        operation = path[method]
        parameters = (*path.get("parameters", ()), *operation.get("parameters", ()))
        request = self._resolved(operation.get("requestBody"))
        schema = self._json_schema(request)
        body = self._converted(schema, sending=True) if schema is not None else None
        return Operation(
            parameters=tuple(self._parameter(parameter) for parameter in parameters),
            body=None if body is None else _validator(body),
            body_required=bool(request.get("required")),
            body_names=frozenset(_names(body or {})),
            replies={status: self._reply(self._resolved(reply)) for status, reply in operation["responses"].items()},
            scopes=frozenset(s for each in operation.get("security", ()) for some in each.values() for s in some),
        )

    def _parameter(self, given: Mapping[str, Any]) -> Parameter:
        parameter = self._resolved(given)
        schema = self._converted(parameter["schema"], sending=False)
        return Parameter(
            name=parameter["name"],
            place=parameter["in"],
            required=parameter.get("required", False),
            schema=schema,
            validator=_validator(schema),
        )

    def _reply(self, reply: Mapping[str, Any]) -> Draft202012Validator | None:
        schema = self._json_schema(reply)
        return None if schema is None else _validator(self._converted(schema, sending=False))

    def _json_schema(self, holder: Mapping[str, Any]) -> Mapping[str, Any] | None:
        schema: Mapping[str, Any] | None = holder.get("content", {}).get("application/json", {}).get("schema")
        return schema

    def _resolved(self, value: Mapping[str, Any] | None) -> Mapping[str, Any]:
        """What stands behind a reference."""
        while value is not None and "$ref" in value:
            value = functools.reduce(lambda at, key: at[_unescaped(key)], value["$ref"][2:].split("/"), self._contents)
        return value or {}

    def _converted(self, given: Any, *, sending: bool) -> dict[str, Any]:
        """A schema of OpenAPI 3.0 as one of JSON Schema, without references. `sending`: for a request's body."""
        schema = self._resolved(given)
        if (sending and schema.get("readOnly")) or (not sending and schema.get("writeOnly")):
            return {"not": {}}  # OpenAPI 3.0.0, "Schema Object": such a property should not be sent
        made = {key: schema[key] for key in _KEPT if key in schema}
        made |= {key: [self._converted(s, sending=sending) for s in schema[key]] for key in _MANY if key in schema}
        made |= {k: self._converted(schema[k], sending=sending) for k in _ONE if isinstance(schema.get(k), dict)}
        if isinstance(schema.get("additionalProperties"), bool):
            made["additionalProperties"] = schema["additionalProperties"]
        properties = {name: self._converted(s, sending=sending) for name, s in schema.get("properties", {}).items()}
        if properties:
            made["properties"] = properties
        if "required" in made:
            made["required"] = [name for name in made["required"] if properties.get(name) != {"not": {}}]
        if "type" in schema:
            made["type"] = [schema["type"], "null"] if schema.get("nullable") else schema["type"]
        if schema.get("nullable") and "enum" in made:
            made["enum"] = [*made["enum"], None]
        for limit in ("minimum", "maximum"):
            if schema.get(_exclusive := f"exclusive{limit.title()}") is True:
                made[_exclusive] = made.pop(limit)
        if "mapping" in schema.get("discriminator", {}):
            made.setdefault("allOf", []).extend(self._discriminated(schema["discriminator"], sending=sending))
        return made

    def _discriminated(self, discriminator: Mapping[str, Any], *, sending: bool) -> list[dict[str, Any]]:
        """By the value of one property: which schema holds."""
        name = discriminator["propertyName"]
        return [
            {
                "if": {"properties": {name: {"const": value}}, "required": [name]},
                "then": self._converted({"$ref": reference}, sending=sending),
            }
            for value, reference in discriminator["mapping"].items()
        ]

    def _pattern(self, template: str) -> re.Pattern[str]:
        parts = re.split(r"(\{[^}]+\})", template)
        return re.compile("".join(f"(?P<{_word(p[1:-1])}>[^/]+)" if p[:1] == "{" else re.escape(p) for p in parts))


@functools.cache
def load(name: str) -> Document:
    """A provider's official document, read once per process.

    It is not ours to ship: it lies in the directory FAILOVER_SPECS, or in `shared/specs` beside the checkout. Without
    it the test is skipped, but fails under CI=true.
    """
    specs = os.environ.get("FAILOVER_SPECS") or Path(__file__).parents[3] / "shared" / "specs"
    path = Path(specs) / name
    if path.is_file():
        return Document(msgspec.json.decode(path.read_bytes()))
    reason = f"{name} is not there: put the provider's OpenAPI document into the directory that FAILOVER_SPECS names"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def _validator(schema: Mapping[str, Any]) -> Draft202012Validator:
    return Draft202012Validator(schema, format_checker=FORMATS)


def _problem(validator: Draft202012Validator, value: Any) -> str | None:
    """What is wrong with a value, in one line; None when it is valid."""
    if validator.is_valid(value):
        return None
    error = best_match(validator.iter_errors(value))
    return f"{error.json_path}: {error.message}"[:500] if error else None


def _read(schema: Mapping[str, Any], values: list[str]) -> Any:
    """The text of a parameter as a value of the type that the schema wants, as far as possible."""
    kinds = [schema, *schema.get("anyOf", ()), *schema.get("oneOf", ())]
    types = {kind.get("type") for kind in kinds}
    text = values[-1]
    if "array" in types:
        return [_read(schema.get("items", {}), [value]) for value in values]
    if "integer" in types and re.fullmatch(r"-?\d+", text):
        return int(text)
    if "number" in types and re.fullmatch(r"-?\d+(\.\d+)?", text):
        return float(text)
    if "boolean" in types and text in ("true", "false"):
        return text == "true"
    return text


def _names(schema: Mapping[str, Any]) -> Iterable[str]:
    """Every property that a schema speaks of, at its top."""
    yield from schema.get("properties", {})
    for part in _MANY:
        for below in schema.get(part, ()):
            yield from _names(below)
    if "then" in schema:
        yield from _names(schema["then"])


def _word(name: str) -> str:
    """A name that a group of a regular expression can have."""
    return re.sub(r"\W", "_", name)


def _unescaped(key: str) -> str:
    """A step of a JSON pointer (RFC 6901, section 4)."""
    return key.replace("~1", "/").replace("~0", "~")
