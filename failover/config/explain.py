"""What pydantic found wrong → findings in plain words at the right place."""

import re
from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, Tag

from failover.config.document import Document
from failover.config.findings import Finding, Loc, listed, quoted, suggestion
from failover.config.providers import OTHER
from failover.config.schema import File

_KEY = "[key]"
"""How pydantic marks an error about a key of a mapping."""
_REFERENCE = "must be a reference: {env: NAME}, {file: PATH} or {command: [PROGRAM, …]}; never the secret itself"
_CREDENTIALS = ("token", "username", "password", "access_key", "secret_key", "session_token")
_TYPES = {
    "string_type": "must be text: write it in quotes",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "list_type": "must be a list",
}


def explain(errors: list[Any], document: Document) -> Iterator[Finding]:
    """One finding per error. From now on `document` hides what stands under unknown keys: it may be a secret."""
    for error in errors:
        loc, at_key = _loc(error["loc"], document.data)
        kind, context = str(error["type"]), error.get("ctx", {})
        if kind == "failover" and (*loc, context["field"]) in document.values:
            loc, at_key = (*loc, context["field"]), True
        if kind in ("union_tag_invalid", "union_tag_not_found") and (*loc, "kind") in document.values:
            loc = (*loc, "kind")
        at_key = at_key or kind in ("extra_forbidden", "missing", "union_tag_not_found")
        if kind == "extra_forbidden":
            document.hide(loc)
        if OTHER in error["loc"]:  # of a kind that nobody knows, any key may hold a secret
            document.hide_beside(loc if loc[-1:] == ("kind",) else (*loc, "kind"))
        yield Finding(document.place(loc, key=at_key), _message(error, kind, loc, context))


def _loc(found: tuple[str | int, ...], data: object) -> tuple[Loc, bool]:
    """The place in the document: pydantic also names union members and keys that are missing."""
    loc: list[str | int] = []
    for at, part in enumerate(found):
        if at + 1 < len(found) and isinstance(data, Mapping) and data.get("kind") == part:
            continue  # the member of a union
        inner = _under(data, part)
        if inner is not _NOTHING:
            data = inner
            loc.append(part)
    return tuple(loc), found[-1:] == (_KEY,)


_NOTHING = object()


def _under(data: object, part: str | int) -> object:
    if isinstance(data, Mapping):
        return data.get(part, _NOTHING)
    if isinstance(data, list) and isinstance(part, int) and part < len(data):
        return data[part]
    return _NOTHING


def _message(error: Any, kind: str, loc: Loc, context: Mapping[str, Any]) -> str:
    secret = _is_secret(loc)
    if kind == "extra_forbidden":
        bare = "credentials" in loc and error["input"] is None  # {hunter2} is a key without a value
        return _unknown_key(error["loc"], secret or bare)
    if kind == "missing":
        return f"{quoted('.'.join(map(str, (*loc, error['loc'][-1]))))} is missing"
    in_credentials = "credentials" in loc[:-1] and kind == "model_type"  # of any name: octoDNS's classes choose theirs
    if in_credentials or (secret and kind in ("model_type", "string_type", "dict_type")):
        return _REFERENCE
    name = _subject(loc)
    if kind in _TYPES:
        return f"{name} {_type(kind, error['input'])}"
    if kind in ("literal_error", "union_tag_invalid"):
        return f"{name} {_choice(kind, error, context)}"
    if kind == "union_tag_not_found":
        return f"{quoted('.'.join(map(str, (*loc, 'kind'))))} is missing"
    if kind == "value_error":
        return f"{name} {context['error']}" if _is_predicate(str(context["error"])) else f"{name}: {context['error']}"
    return f"{name} {_limit(kind, error, context)}"


def _subject(loc: Loc) -> str:
    """What the message is about: the nearest key. Where variables are named, even a key may be a misplaced secret."""
    if loc[:1] == ("release",) and loc[1:2] in (("env",), ("secrets",)) and len(loc) == 3:
        return "this variable"
    for part in reversed(loc):
        if isinstance(part, str):
            return quoted(part)
    return "the file"


def _is_predicate(text: str) -> bool:
    return text.split(" ", 1)[0] in ("is", "must", "needs", "has", "may", "knows")


def _is_secret(loc: Loc) -> bool:
    """Whether a secret reference stands here, or something in one."""
    at_account = loc[:1] == ("providers",) or loc[:2] == ("dns", "hosts")
    credential = at_account and any(part in _CREDENTIALS for part in loc[2:])
    return "secret" in loc or loc[:2] == ("release", "secrets") or credential


def _type(kind: str, value: object) -> str:
    if value is None:
        return "is empty"
    if kind == "string_type" and isinstance(value, dict | list):
        return "must be text; words in { } or [ ] need quotes"
    if kind == "int_type" and isinstance(value, str) and (number := re.match(r"[0-9]{1,9}", value)):
        return f"must be a whole number: write {number[0]}"
    return _TYPES[kind]


def _choice(kind: str, error: Any, context: Mapping[str, Any]) -> str:
    expected = str(context["expected_tags" if kind == "union_tag_invalid" else "expected"])
    known = [word.strip(" '") for word in expected.replace(" or ", ",").split(",")]
    given = context.get("tag", error["input"])
    must = f"must be {known[0]}" if len(known) == 1 else f"must be one of {listed(known)}"
    if not isinstance(given, str) or len(known) == 1:
        return must
    exact = next((word for word in known if word.lower() == given.lower()), None)
    return f"{must}; did you mean `{exact}`?" if exact else must + suggestion(given, known)


def _limit(kind: str, error: Any, context: Mapping[str, Any]) -> str:
    if kind == "greater_than_equal":
        return f"must be at least {context['ge']}"
    if kind == "less_than_equal":
        return f"must be at most {context['le']}"
    if kind == "too_short":
        return "must not be empty"
    return str(context["message"] if kind == "failover" else error["msg"])


# ---------------------------------------------------------------------------------------------- known keys


def _unknown_key(loc: tuple[str | int, ...], secret: bool) -> str:
    known = known_keys(loc[:-1])
    if secret:
        return f"unknown key; known are {listed(known)}"
    word = str(loc[-1])
    return f"unknown key {quoted(word)}{suggestion(word, known) or '; known are ' + listed(known)}"


def known_keys(loc: tuple[str | int, ...]) -> list[str]:
    """The keys that the model at this place has, as pydantic names places."""
    kinds: list[Any] = [File]
    for part in loc:
        kinds = [inner for kind in kinds for inner in _inside(kind, part)]
    return [
        field.alias or name for kind in kinds for model in _models(kind) for name, field in model.model_fields.items()
    ]


def _inside(kind: Any, part: str | int) -> list[Any]:
    """The types that stand under `part` in a value of type `kind`."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _inside(arguments[0], part)
    if origin in (Union, UnionType):
        tagged = [member for member in arguments if part in _tags(member)]
        return tagged or [inner for member in arguments for inner in _inside(member, part)]
    if origin in (dict, list):
        return [arguments[-1]]
    if isinstance(kind, type) and issubclass(kind, BaseModel) and part in kind.model_fields:
        return [kind.model_fields[str(part)].annotation]
    return []


def _tags(kind: Any) -> tuple[Any, ...]:
    """What chooses this member of a union in a place: its mark, or the word in its `kind: …`."""
    if get_origin(kind) is Annotated:
        return tuple(mark.tag for mark in get_args(kind) if isinstance(mark, Tag))
    if not (isinstance(kind, type) and issubclass(kind, BaseModel) and "kind" in kind.model_fields):
        return ()
    literal = kind.model_fields["kind"].annotation
    return get_args(literal) if get_origin(literal) is Literal else ()


def _models(kind: Any) -> list[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [kind]
    if get_origin(kind) is dict:
        return []
    return [model for member in get_args(kind) for model in _models(member)]
