"""User-data for cloud-init: the template, rendered for one node, within what its provider takes."""

import hashlib
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from failover.core.model import NodeSpec
from failover.errors import ConfigError, Rejected
from failover.net.resources import resource
from failover.net.secret import remember

if TYPE_CHECKING:
    import jinja2

SHIPPED = "templates/cloud-init/release.yaml.j2"
KIB = 1024
LIMITS: Mapping[str, int] = {
    "aws": 16 * KIB,
    "digitalocean": 64 * KIB,
    "hetzner": 32 * KIB,
    "linode": 16 * KIB,
    "openstack": 65_535 // 4 * 3,  # counted in base64
}
"""Bytes of user-data by kind of provider, as documented."""
LIMIT_ELSEWHERE = 16 * KIB
"""Where nothing is documented: the least of the others."""
_BEGINNINGS = ("#cloud-config\n", "#!", "Content-Type: multipart/", "#include", "## template: jinja\n")
"""What makes cloud-init look at user-data at all."""


@dataclass(frozen=True, slots=True)
class Template:
    """A template as it was read. `name` is for messages."""

    name: str
    text: str

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits; part of a node's spec, so that a changed template replaces nodes."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]


def read_template(path: Path | None) -> Template:
    """The template in that file; the shipped one for None. Raises ConfigError."""
    found = path or resource(SHIPPED)
    try:
        return Template(str(path or SHIPPED), found.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        cause = error.strerror if isinstance(error, OSError) and error.strerror else "it is not UTF-8 text"
        raise ConfigError("read template", str(found), cause, "it is the `user_data` of a group of nodes") from error


def render(template: Template, spec: NodeSpec, archive: str, environment: str, *, kind: str, address: str) -> str:
    """The user-data of one node. `kind` of provider; `address`: where its program listens.

    The links open what is private, so from now on `redact` hides them. Raises Rejected: a template that is none, or
    that makes more than the provider takes.
    """
    import jinja2  # only apply, and a cutover that creates nodes, need it

    for link in (archive, environment):
        remember(link)
    values = {
        "service": spec.service,
        "site": spec.site,
        "group": spec.group,
        "name": spec.name,
        "release": spec.release,
        "hex": spec.release.removeprefix("sha256:"),
        "archive": archive,
        "environment": environment,
        "command": spec.command,
        "exec": unit_words(spec.command),
        "ports": list(spec.ports),
        "address": address,
        "ssh_keys": list(spec.ssh_keys),
    }
    try:
        text = _compiled(template.text).render(values)
    except jinja2.TemplateSyntaxError as error:
        raise Rejected("render user-data", template.name, f"line {error.lineno}: {error.message}") from error
    except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise Rejected("render user-data", template.name, str(error)) from error
    _check(template, text, kind)
    return text


@cache
def _compiled(text: str) -> "jinja2.Template":
    """Raises jinja2.TemplateSyntaxError. Compiled once for all nodes."""
    import jinja2

    frame = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - this is YAML; the filter `json` escapes
    )
    frame.filters["json"] = partial(json.dumps, ensure_ascii=False)
    return frame.from_string(text)


def _check(template: Template, text: str, kind: str) -> None:
    if not text.startswith(_BEGINNINGS):
        cause = "cloud-init would not look at it: the first line must be #cloud-config, or begin with #!"
        raise Rejected("render user-data", template.name, cause)
    size, limit = len(text.encode()), LIMITS.get(kind, LIMIT_ELSEWHERE)
    if size > limit:
        hint = "fewer ssh_keys, or a smaller template"
        raise Rejected("render user-data", template.name, f"it makes {size} bytes, {kind} takes at most {limit}", hint)


def unit_words(command: str) -> str:
    """The command for a line of a systemd unit: each word quoted, nothing in it expanded (systemd.service(5))."""
    return " ".join(f'"{"".join(map(_escaped, word))}"' for word in shlex.split(command))


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character in "%$":
        return character * 2
    return character if character.isprintable() else "".join(f"\\x{byte:02x}" for byte in character.encode())
