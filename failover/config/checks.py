"""The shape of `checks`: one question each, in one of several kinds, and the value that it becomes."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema, model_validator

from failover.config import units
from failover.config.shapes import (
    Argv,
    CheckTcp,
    CheckUrl,
    Domain,
    DurationAboveZero,
    Filled,
    HeaderName,
    HeaderValue,
    Label,
    Model,
    Port,
    RecordName,
    StatusRanges,
    one_of,
    wrong,
)
from failover.core import model
from failover.core.model import CheckKind, Question

Regex = Annotated[str, AfterValidator(units.regex)]
Pointer = Annotated[str, AfterValidator(units.json_pointer)]
Scalar = Annotated[
    str | int | float | bool | None,
    PlainValidator(units.json_scalar),
    WithJsonSchema({"anyOf": [{"type": kind} for kind in ("string", "number", "boolean", "null")]}),
]
CheckDns = Annotated[
    int, PlainValidator(units.check_dns), WithJsonSchema({"type": "string", "examples": ["{address}:53"]})
]
DnsType = Literal["A", "AAAA", "CAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT"]
RequestHeaderName = Annotated[str, AfterValidator(units.request_header_name)]
RequestHeaderValue = Annotated[str, AfterValidator(units.request_header_value)]

_OWN = {
    "url": {"host", "method", "headers", "tls"},
    "tcp": {"host", "send", "tls"},
    "dns": {"name", "type"},
    "command": {"port"},
}
"""By kind: the fields that have a meaning there, beside those that always have one."""
_EXPECTED = {
    "url": {"status", "body", "regex", "json", "header"},
    "tcp": {"body", "regex"},
    "dns": {"answer"},
    "command": set[str](),
}


class Expect(Model):
    """What a good answer looks like."""

    status: StatusRanges = Field(default="200-299", validate_default=True)
    body: Filled | None = Field(default=None, description="text that the body contains; with tcp, what is said")
    regex: Regex | None = Field(default=None, description="in RE2's syntax; found anywhere in the first 64 KiB")
    json_: dict[Pointer, Scalar] = Field(
        default={}, alias="json", description="by JSON Pointer (RFC 6901): the value that must stand there"
    )
    header: dict[HeaderName, HeaderValue] = Field(default={}, description="{release} and {site} are filled in")
    answer: list[Filled] = Field(default=[], description="with dns: all values, and no others")


class Tls(Model):
    """What the certificate must be."""

    verify: bool = True
    ca_file: Filled | None = None
    days_left: int = Field(default=0, ge=0, le=3650, description="fails when it expires sooner")


class Check(Model):
    """One question asked of every address of a group at a site."""

    url: CheckUrl | None = None
    tcp: CheckTcp | None = Field(default=None, description="with `tls` beside it: a handshake and its certificate")
    dns: CheckDns | None = Field(default=None, description="the name server that is asked for `name`")
    command: Argv | None = Field(
        default=None, description="a plug-in in Nagios' manner; {address}, {port} and {site} are filled in"
    )
    nodes: Label | None = Field(default=None, description="the group that is asked; default: the only one")
    host: Domain | None = Field(default=None, description="the Host header, and the name in the certificate")
    method: Literal["GET", "HEAD"] = "GET"
    headers: dict[RequestHeaderName, RequestHeaderValue] = Field(
        default={}, description="sent with the request; no secrets"
    )
    send: Filled | None = Field(default=None, description="what a tcp check says first")
    name: RecordName | None = Field(default=None, description="for dns: the name to ask for")
    type: DnsType = "A"
    port: Port | None = Field(default=None, description="for a command: what {port} stands for")
    expect: Expect | None = None
    tls: Tls | None = None
    interval: DurationAboveZero = Field(default="10s", validate_default=True)
    timeout: DurationAboveZero = Field(default="4s", validate_default=True)
    fall: int = Field(default=3, ge=1, le=1000, description="bad rounds in a row that make DOWN")
    rise: int = Field(default=5, ge=1, le=1000, description="good rounds in a row that make UP")

    @model_validator(mode="after")
    def _check(self) -> "Check":
        if self.timeout > self.interval and "timeout" in self.model_fields_set:
            raise wrong("timeout", f"is longer than interval ({self.interval:g}s)")
        if self.timeout > self.interval:
            raise wrong("interval", f"is shorter than timeout ({self.timeout:g}s)")
        kind = one_of(self, tuple(_OWN))
        self._check_meaning(kind)
        self._check_secured(kind)
        if kind == "dns" and self.name is None:
            raise wrong("dns", "needs `name` beside it: what to ask for")
        if self.port is None and any("{port}" in part for part in self.command or ()):
            raise wrong("command", "needs `port` beside it: what {port} stands for")
        body = self.expect is not None and (self.expect.body or self.expect.regex or self.expect.json_)
        if self.method == "HEAD" and body:
            raise wrong("method", "must be GET: an answer to HEAD has no body")
        return self

    def _check_meaning(self, kind: str) -> None:
        everywhere = set(type(self).model_fields) - set(_OWN) - set().union(*_OWN.values())
        for name in sorted(self.model_fields_set - everywhere - _OWN[kind] - {kind}):
            raise wrong(name, f"has no meaning for a {kind} check")
        wanted = {name.rstrip("_") for name in self.expect.model_fields_set} if self.expect else set()
        for name in sorted(wanted - _EXPECTED[kind]):
            raise wrong("expect", f"holds `{name}`, which has no meaning for a {kind} check")

    def _check_secured(self, kind: str) -> None:
        secured = self.tls is not None if kind == "tcp" else self.url is not None and self.url.scheme == "https"
        if kind == "url" and self.tls is not None and not secured:
            raise wrong("tls", "has no meaning without https")
        if kind == "tcp" and self.host is not None and not secured:
            raise wrong("host", "has no meaning for a tcp check without `tls`")
        if secured and self.host is None and (self.tls is None or self.tls.verify):
            raise wrong(kind, "needs `host` beside it: the name that the certificate must be good for")


# ---------------------------------------------------------------------------------------------- into a value


def build(name: str, check: Check, only_group: str, base: Path) -> model.Check:
    """Relative paths stand against `base`."""
    expect, tls = check.expect or Expect(), check.tls or Tls()
    return model.Check(
        name=name,
        kind=_kind(check),
        group=check.nodes or only_group,
        port=check.url.port if check.url else check.tcp or check.dns or check.port or 0,
        path=check.url.path if check.url else "/",
        host=check.host,
        method=check.method,
        request_headers=dict(check.headers),
        statuses=expect.status,
        body=expect.body,
        regex=expect.regex,
        json=dict(expect.json_),
        headers=dict(expect.header),
        send=check.send,
        question=Question(name=check.name, type=check.type, answer=frozenset(expect.answer)) if check.name else None,
        command=tuple(check.command or ()),
        verify_tls=tls.verify,
        ca_file=str(base / tls.ca_file) if tls.ca_file else None,
        tls_days_left_min=tls.days_left,
        interval_s=check.interval,
        timeout_s=check.timeout,
        fall=check.fall,
        rise=check.rise,
    )


def _kind(check: Check) -> CheckKind:
    if check.url is not None:
        return CheckKind(check.url.scheme)
    if check.tcp is not None:
        return CheckKind.TLS if check.tls is not None else CheckKind.TCP
    return CheckKind.DNS if check.dns is not None else CheckKind.COMMAND
