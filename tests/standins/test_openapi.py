"""The reader of OpenAPI documents: its dialect of JSON Schema, and DigitalOcean's document with its own examples."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.standins.base import Refused
from tests.standins.digitalocean import DigitalOcean
from tests.standins.digitalocean.account import DOCUMENT
from tests.standins.openapi import METHODS, Document, NotAllowed, load
from tests.standins.wire import Call, Reply

THING = {
    "type": "object",
    "required": ["id", "name", "secret"],
    "properties": {
        "id": {"type": "integer", "readOnly": True},
        "name": {"type": "string"},
        "secret": {"type": "string", "writeOnly": True},
        "note": {"type": "string", "nullable": True},
        "mood": {"type": "string", "enum": ["good", "bad"], "nullable": True},
        "share": {"type": "number", "minimum": 0, "exclusiveMinimum": True, "maximum": 1},
        "at": {"type": "string", "format": "date-time"},
        "nullable": {"type": "boolean"},
    },
}
DEED = {
    "anyOf": [{"$ref": "#/components/schemas/deed"}, {"$ref": "#/components/schemas/resize"}],
    "discriminator": {
        "propertyName": "type",
        "mapping": {"stop": "#/components/schemas/deed", "resize": "#/components/schemas/resize"},
    },
}
SMALL = {
    "paths": {
        "/things": {
            "get": {
                "parameters": [
                    {"name": "page", "in": "query", "schema": {"type": "integer", "minimum": 1}},
                    {"name": "tag", "in": "query", "schema": {"type": "array", "items": {"type": "integer"}}},
                    {"name": "x-key", "in": "header", "required": True, "schema": {"type": "string", "minLength": 2}},
                ],
                "responses": {"204": {}},
            },
            "post": {
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/thing"}}},
                },
                "responses": {
                    "201": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/thing"}}}}
                },
            },
        },
        "/things/{thing-id}": {
            "parameters": [
                {"name": "thing-id", "in": "path", "required": True, "schema": {"anyOf": [{"type": "integer"}]}}
            ],
            "get": {"responses": {"default": {"content": {"application/json": {"schema": {"type": "object"}}}}}},
        },
        "/things/mine": {"post": {"requestBody": {"content": {"application/json": {"schema": DEED}}}, "responses": {}}},
    },
    "components": {
        "schemas": {
            "thing": THING,
            "deed": {"type": "object", "required": ["type"], "properties": {"type": {"type": "string"}}},
            "resize": {
                "allOf": [{"$ref": "#/components/schemas/deed"}],
                "required": ["size"],
                "properties": {"size": {"type": "integer"}},
            },
        }
    },
}


def call(method: str, path: str, *query: tuple[str, str], body: Any = None, **headers: str) -> Call:
    given = {"content-type": "application/json"} if body is not None else {}
    data = b"" if body is None else json.dumps(body).encode()
    sent = {**given, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return Call(method=method, path=path, target=path, query=query, headers=sent, body=data)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (call("GET", "/things", x_key="ab"), None),
        (call("GET", "/things", ("page", "2"), ("tag", "1"), ("tag", "2"), x_key="ab"), None),
        (call("GET", "/things", ("other", "2"), x_key="ab"), None),
        (call("GET", "/things"), 422),
        (call("GET", "/things", x_key="a"), 422),
        (call("GET", "/things", ("page", "0"), x_key="ab"), 422),
        (call("GET", "/things", ("page", "two"), x_key="ab"), 422),
        (call("GET", "/things", ("tag", "1"), ("tag", "x"), x_key="ab"), 422),
        (call("GET", "/things/7"), None),
        (call("GET", "/things/seven"), 422),
        (call("GET", "/things/mine"), 405),
        (call("DELETE", "/things"), 405),
        (call("GET", "/thing"), 404),
        (call("POST", "/things"), 422),
        (call("POST", "/things", body={"name": "a", "secret": "s"}), None),
        (call("POST", "/things", body={"name": "a", "secret": "s"}, content_type="text/plain"), 415),
        (call("POST", "/things", body={"name": "a"}), 422),
        (call("POST", "/things", body={"name": "a", "secret": "s", "id": 1}), 422),
        (call("POST", "/things", body={"name": None, "secret": "s"}), 422),
        (call("POST", "/things", body={"name": "a", "secret": "s", "note": None, "mood": None}), None),
        (call("POST", "/things", body={"name": "a", "secret": "s", "mood": "odd"}), 422),
        (call("POST", "/things", body={"name": "a", "secret": "s", "share": 0}), 422),
        (call("POST", "/things", body={"name": "a", "secret": "s", "share": 1}), None),
        (call("POST", "/things", body={"name": "a", "secret": "s", "at": "2026-01-01T00:00:00Z"}), None),
        (call("POST", "/things", body={"name": "a", "secret": "s", "at": "2026-01-01T00:00:00"}), 422),
        (call("POST", "/things", body={"name": "a", "secret": "s", "at": "yesterday"}), 422),
        (call("POST", "/things", body={"name": "a", "secret": "s", "nullable": True}), None),
        (call("POST", "/things", body=["a"]), 422),
        (call("POST", "/things/mine"), None),
        (call("POST", "/things/mine", body={"type": "stop"}), None),
        (call("POST", "/things/mine", body={"type": "resize", "size": 2}), None),
        (call("POST", "/things/mine", body={"type": "resize"}), 422),
    ],
)
def test_requests(request_: Call, status: int | None) -> None:
    document = Document(SMALL)
    if status is None:
        document.allow(request_)
    else:
        with pytest.raises(NotAllowed) as raised:
            document.allow(request_)
        assert raised.value.status == status


@pytest.mark.parametrize(
    ("request_", "reply", "good"),
    [
        (call("POST", "/things"), Reply(status=201, document={"id": 1, "name": "a"}), True),
        (call("POST", "/things"), Reply(status=201, document={"id": 1}), False),
        (call("POST", "/things"), Reply(status=201, document={"id": 1, "name": "a", "secret": "s"}), False),
        (call("POST", "/things"), Reply(status=201), False),
        (call("POST", "/things"), Reply(status=200, document={"id": 1, "name": "a"}), False),
        (call("GET", "/things"), Reply(status=204), True),
        (call("GET", "/things"), Reply(status=204, document={}), False),
        (call("GET", "/things/7"), Reply(status=418, document={}), True),
        (call("GET", "/things/7"), Reply(status=200, document=[]), False),
    ],
)
def test_replies(request_: Call, reply: Reply, good: bool) -> None:
    if good:
        Document(SMALL).conform(request_, reply)
    else:
        with pytest.raises(AssertionError):
            Document(SMALL).conform(request_, reply)


def test_what_is_not_spoken_of_is_named() -> None:
    document = Document(SMALL)
    assert document.undeclared(call("GET", "/things", ("page", "1"), ("size", "2"))) == {"?size"}
    assert document.undeclared(call("POST", "/things", body={"name": "a", "colour": "red"})) == {"colour"}
    assert document.undeclared(call("POST", "/things/mine", body={"type": "resize", "size": 1})) == frozenset()


# -------------------------------------------------------------------------------------------- DigitalOcean's


def routes() -> set[tuple[str, str]]:
    """What the stand-in answers, with nameless placeholders."""
    standin = DigitalOcean(token="t").start()
    found = {(method.lower(), pattern.pattern.replace("([^/]+)", "{}")) for method, pattern, _ in standin._routes}
    standin.stop()
    return found


def served() -> Iterator[tuple[str, str]]:
    """The operations of the document that the stand-in answers."""
    ours = routes()
    for template, operations in load(DOCUMENT)._contents["paths"].items():
        for method in operations.keys() & set(METHODS):
            if (method, re.sub(r"\{\w+\}", "{}", template)) in ours:
                yield method, template


def examples(holder: Any) -> list[Any]:
    media = holder.get("content", {}).get("application/json", {})
    named = [load(DOCUMENT)._resolved(example)["value"] for example in media.get("examples", {}).values()]
    return [media["example"], *named] if "example" in media else named


def test_the_examples_of_the_document_itself_pass() -> None:
    document, tried = load(DOCUMENT), 0
    for method, template in served():
        operation = document._operation(method, template)
        given = document._contents["paths"][template][method]
        for example in examples(document._resolved(given.get("requestBody"))):
            assert operation.body is not None
            operation.body.validate(example)
            tried += 1
        for status, reply in given["responses"].items():
            for example in examples(document._resolved(reply)):
                validator = operation.replies[status]
                assert validator is not None
                validator.validate(example)
                tried += 1
    assert tried > 200


def test_every_route_of_the_stand_in_is_in_the_document() -> None:
    assert {(method, re.sub(r"\{\w+\}", "{}", template)) for method, template in served()} == {
        (method, path.replace("\\", "")) for method, path in routes()
    }


def test_refusals_that_any_request_may_get_are_as_documented() -> None:
    standin = DigitalOcean(token="t").start()
    list_all = call("GET", "/v2/droplets")
    closed = standin.closed(list_all)
    assert closed is not None
    for reply in (closed, standin.throttled(1), standin.unauthorized(), standin.refusal(500, "Server Error")):
        load(DOCUMENT).conform(list_all, reply)
    standin.stop()


def test_a_refusal_of_the_document_is_one_of_the_provider() -> None:
    standin = DigitalOcean(token="t").start()
    with pytest.raises(Refused) as raised:
        standin.checked(call("GET", "/v2/droplets/0"))
    standin.stop()
    assert raised.value.status == 422
