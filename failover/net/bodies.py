"""The bodies of refusals: every provider has its own shape. Body → (code, message)."""

import json
import re
from collections.abc import Iterator
from typing import Any

BODY_BYTES_MAX = 64 * 1024
"""A refusal that is longer than this is a web page or worse: only its beginning is looked at."""
_XML_CODE = re.compile(r"<(?:\w+:)?Code>\s*([^<]{1,200}?)\s*</")
_XML_MESSAGE = re.compile(r"<(?:\w+:)?Message>\s*([^<]{0,2000}?)\s*</")
_AADSTS = re.compile(r"\bAADSTS\d+\b")


def is_web_page(content_type: str, text: str) -> bool:
    """Whether this is HTML, by what it claims to be or by how it begins."""
    begins = text.lstrip()[:100].lower()
    return "html" in content_type.lower() or begins.startswith(("<!doctype html", "<html"))


def code_and_message(text: str) -> tuple[str, str]:
    """What a refusal's body says; ("", text) where it has no shape that we know. Never raises."""
    head = text[:BODY_BYTES_MAX]
    try:
        document = json.loads(head)
    except (ValueError, RecursionError):
        return _of_xml(head)
    if not isinstance(document, dict):
        return "", head
    for code, message in _of_json(document):
        if code or message:
            return code, message
    return "", head


def _of_xml(text: str) -> tuple[str, str]:
    """AWS and all that is S3-compatible."""
    code, message = _XML_CODE.search(text), _XML_MESSAGE.search(text)
    return (code.group(1), message.group(1) if message else "") if code else ("", text)


def _of_json(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Every shape that fits, the most telling first."""
    error = document.get("error")
    if isinstance(error, dict):
        yield _of_google(error)
        yield _text(error.get("code")), _text(error.get("message"))  # Hetzner, Azure, keystone, the local cloud
    elif isinstance(error, str) and "error_description" in document:  # OAuth (RFC 6749, section 5.2)
        told = _text(document.get("error_description"))
        found = _AADSTS.search(told)
        yield (found.group() if found else error), told
    elif isinstance(error, str):  # Vultr
        yield "", error
    errors = document.get("errors")
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):  # Linode, Cloudflare
        first = errors[0]
        yield _text(first.get("code")), _text(first.get("reason") or first.get("message"))
    yield from _of_flat(document)


def _of_google(error: dict[str, Any]) -> tuple[str, str]:
    """`details[].reason` of google.rpc.ErrorInfo, else the older `errors[].reason`."""
    message = _text(error.get("message"))
    for detail in error.get("details") or ():
        if isinstance(detail, dict) and detail.get("reason"):
            metadata = detail.get("metadata")
            consumer = _text(metadata.get("consumer")) if isinstance(metadata, dict) else ""
            return _text(detail["reason"]), f"{message} (consumer {consumer})" if consumer else message
    for item in error.get("errors") or ():
        if isinstance(item, dict) and item.get("reason"):
            return _text(item["reason"]), message
    return "", ""


def _of_flat(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    message = _text(document.get("message") or document.get("Message"))
    if "__type" in document:  # AWS, JSON protocols
        yield _text(document["__type"]).rpartition("#")[2], message
    for key in ("errorCode", "id", "type", "code"):  # OVH, DigitalOcean, Scaleway, Gandi
        if key in document and message:
            yield _text(document[key]), message
    if message:
        yield _text(document.get("class")), message  # OVH without an errorCode
    for name, inner in document.items():  # nova: {"forbidden": {…}}; neutron: {"NeutronError": {"type": …}}
        if isinstance(inner, dict) and "message" in inner:
            yield _text(inner.get("type") or name), _text(inner["message"])


def _text(value: object) -> str:
    return str(value) if isinstance(value, str | int) else ""
