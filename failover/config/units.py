"""Texts of the config with a meaning of their own: durations, sizes, names, addresses.

All functions raise ValueError with what is wrong and what to write instead.
"""

import ipaddress
import re
import shlex
from dataclasses import dataclass

from failover.core.rrsets import normal_name

DURATION_PATTERN = r"^[0-9]{1,9}(\.[0-9]{1,3})?(ms|s|m|h)$"
SIZE_PATTERN = r"^[0-9]{1,9}(MiB|GiB|TiB)$"
LABEL_PATTERN = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
VARIABLE_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]*$"
RECORD_TYPES = ("A", "AAAA")
DURATION_MAX_S = 365 * 86400.0
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_MEBIBYTES = {"MiB": 1, "GiB": 1024, "TiB": 1024 * 1024}
_AMOUNT = re.compile(r"([0-9.]+)\s*([A-Za-zµ]*)")
_DNS_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_HOST_PORT = re.compile(r"(?:\[([^\]]*)\]|([^:\[\]]*)):([0-9]{1,5})")
_CHECK_URL = re.compile(r"(https?)://\{address\}(?::([0-9]{1,5}))?(/[!-~]*|\?[!-~]*)?")
_CHECK_TCP = re.compile(r"\{address\}:([0-9]{1,5})")
_STATUS = re.compile(r"([1-5][0-9][0-9])(?:-([1-5][0-9][0-9]))?")
_HTTP_URL = re.compile(r"https?://[^/?#\s@]+([/?][!-~]*)?")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SSH_KEY = re.compile(r"(ssh|ecdsa|sk)-[a-z0-9@.-]+ [A-Za-z0-9+/]{20,}={0,3}( [^\x00-\x1f\x7f]*)?")
_PLACEHOLDER = re.compile(r"\{(\w*)\}")


def text(value: object) -> str:
    """Only text: a number or `yes` may not be what was meant."""
    if isinstance(value, str):
        return value
    raise ValueError("is empty" if value is None else "must be text")


def duration_s(value: object) -> float:
    """`500ms`, `60s`, `5m`, `1h` → seconds."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(f"a duration needs its unit: write {value:g}s")
    match = _AMOUNT.fullmatch(text(value).strip())
    if match is None:
        raise ValueError("is not a duration: write 500ms, 60s, 5m or 1h")
    if match[2] not in _SECONDS:
        wrong = f"unknown unit `{match[2][:20]}`" if match[2] else "a duration needs its unit"
        raise ValueError(f"{wrong}: write 500ms, 60s, 5m or 1h")
    if re.match(DURATION_PATTERN, text(value).strip()) is None:
        raise ValueError("is not a duration: write 500ms, 60s, 5m or 1h")
    seconds = float(match[1]) * _SECONDS[match[2]]
    if seconds > DURATION_MAX_S:
        raise ValueError("is too long: at most 8760h")
    return seconds


def duration_above_zero_s(value: object) -> float:
    seconds = duration_s(value)
    if seconds <= 0:
        raise ValueError("must be longer than 0s")
    return seconds


def size_mib(value: object) -> int:
    """`512MiB`, `4GiB` → MiB."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(f"a size needs its unit: write {value:g}GiB or {value:g}MiB")
    match = _AMOUNT.fullmatch(text(value).strip())
    if match is not None and match[2] not in _MEBIBYTES:
        wrong = f"unknown unit `{match[2][:20]}`" if match[2] else "a size needs its unit"
        raise ValueError(f"{wrong}: write 512MiB or 4GiB")
    if match is None or re.match(SIZE_PATTERN, text(value).strip()) is None:
        raise ValueError("is not a size: write 512MiB or 4GiB, in whole numbers")
    size = int(match[1]) * _MEBIBYTES[match[2]]
    if size < 1:
        raise ValueError("must be at least 1MiB")
    return size


def size_gib(value: object) -> int:
    """`40GiB` → GiB."""
    size = size_mib(value)
    if size % 1024:
        raise ValueError("must be in whole GiB: write 1GiB or 40GiB")
    return size // 1024


def label(value: str) -> str:
    """A name that is used in host names: one DNS label (RFC 1123) in lower case."""
    if re.match(LABEL_PATTERN, value) is None or "\n" in value:
        raise ValueError("a name has up to 63 lower-case letters, digits and hyphens, none of them first or last")
    return value


def variable(value: str) -> str:
    """The name of an environment variable."""
    if re.match(VARIABLE_PATTERN, value) is None or "\n" in value:
        raise ValueError("the name of a variable has letters, digits and _, and begins with no digit")
    return value


def domain(value: str) -> str:
    """A DNS name in normal form: lower case, no final dot."""
    name = normal_name(value)
    if not name.isascii():
        raise ValueError("a name in other letters is written in its ASCII form (xn--…)")
    if len(name) > 253 or not all(_DNS_LABEL.fullmatch(part) for part in name.split(".")):
        raise ValueError("is not a DNS name")
    return name


def record_name(value: str) -> str:
    """A DNS name, or a wildcard: `*.` before one (RFC 4592)."""
    star = "*." if value.strip().startswith("*.") else ""
    name = star + domain(value.strip().removeprefix(star))
    if len(name) > 253:
        raise ValueError("is not a DNS name")
    return name


def address(value: str) -> str:
    """As `literal_address`, and not link-local: those differ from wire to wire."""
    found = literal_address(value)
    if ipaddress.ip_address(found).is_link_local:
        raise ValueError("no machine can be reached by this address")
    return found


def literal_address(value: str) -> str:
    """A literal address in its shortest form, one that a machine can have."""
    try:
        found = ipaddress.ip_address(value.strip())
    except ValueError:
        raise ValueError("must be a literal IP address, such as 192.0.2.10") from None
    if found.is_unspecified or found.is_multicast or getattr(found, "scope_id", None):
        raise ValueError("no machine can be reached by this address")
    return str(found)


def host_port(value: str, default_port: int | None = None) -> str:
    """`192.0.2.1:53` or `[2001:db8::1]:53` in normal form."""
    match = _HOST_PORT.fullmatch(value.strip())
    if match is None and default_port is not None:
        return joined(address(value.strip().strip("[]")), default_port)
    if match is None:
        raise ValueError("must be an address and a port, such as 192.0.2.1:53 or [2001:db8::1]:53")
    return joined(address(match[1] or match[2]), port(match[3]))


def listen_at(value: str, default_port: int) -> tuple[str, int]:
    """Where a server listens. `0.0.0.0` and `::`, at which nobody can be asked, are all addresses of this machine."""
    match = _HOST_PORT.fullmatch(value.strip())
    host, number = (match[1] or match[2], port(match[3])) if match else (value.strip().strip("[]"), default_port)
    try:
        return str(ipaddress.ip_address(host)), number
    except ValueError:
        raise ValueError("must be a literal IP address, such as 192.0.2.10") from None


def joined(ip: str, number: int) -> str:
    return f"[{ip}]:{number}" if ":" in ip else f"{ip}:{number}"


def port(value: str) -> int:
    number = int(value)
    if not 1 <= number <= 65535:
        raise ValueError("a port is a number from 1 to 65535")
    return number


@dataclass(frozen=True, slots=True)
class CheckUrl:
    scheme: str
    port: int
    path: str


def check_url(value: object) -> CheckUrl:
    """`http://{address}:8080/path?query`."""
    match = _CHECK_URL.fullmatch(text(value))
    if match is None or "#" in text(value):
        raise ValueError("must look like http://{address}:8080/healthz")
    path = match[3] or "/"
    default = 443 if match[1] == "https" else 80
    number = port(match[2]) if match[2] else default
    return CheckUrl(match[1], number, path if path.startswith("/") else "/" + path)


def edge_url(value: object) -> CheckUrl:
    """`https://{name}/path?query`."""
    try:
        if "{address}" not in text(value):
            return check_url(text(value).replace("{name}", "{address}", 1))
    except ValueError:
        pass
    raise ValueError("must look like https://{name}/healthz")


def site_header(value: str) -> str:
    """What a header must say so that it tells one site from another."""
    if "{site}" not in header_value(value) or "{release}" in value:
        raise ValueError("must hold {site}, and no other placeholder: it has to tell one site from another")
    return value


def check_tcp(value: object) -> int:
    """`{address}:5432` → port."""
    match = _CHECK_TCP.fullmatch(text(value))
    if match is None:
        raise ValueError("must look like {address}:5432")
    return port(match[1])


def check_dns(value: object) -> int:
    """`{address}:5353`, or `{address}` alone → port."""
    return 53 if text(value) == "{address}" else check_tcp(value)


def status_ranges(value: object) -> tuple[tuple[int, int], ...]:
    """`200`, `200-299` or a list of those → both ends of each."""
    found = value if isinstance(value, list) else [value]
    if not found:
        raise ValueError("must not be empty")
    return tuple(_status_range(one) for one in found)


def _status_range(value: object) -> tuple[int, int]:
    match = _STATUS.fullmatch(str(value)) if isinstance(value, int | str) else None
    low, high = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
    if low > high:
        raise ValueError("must be a status such as 200, or a range such as 200-299")
    return low, high


def regex(value: str) -> str:
    """A regular expression that RE2 knows."""
    from failover.net.regex import NEEDS, searcher  # only for configs that have one

    try:
        searcher(value)
    except ImportError:
        raise ValueError(NEEDS) from None
    except ValueError as error:
        raise ValueError(f"is no regular expression that RE2 knows: {error}") from None
    return value


def json_pointer(value: str) -> str:
    """`/checks/0/state`; `~1` stands for a slash in a name, `~0` for a tilde (RFC 6901)."""
    if not value.startswith("/") or re.search("~(?![01])", value):
        raise ValueError("must be a JSON Pointer, such as /status or /checks/0/state")
    return value


def json_scalar(value: object) -> str | int | float | bool | None:
    """What a field of a JSON document can be compared with."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise ValueError("must be a text, a number, true, false or null")


def http_url(value: str) -> str:
    """An absolute URL without user and password in it."""
    if _HTTP_URL.fullmatch(value) is None:
        raise ValueError("must be a URL such as https://example.net/path, without a user or password in it")
    return value


def release_url(value: str) -> str:
    """A URL as above; `{release}` in it is the digest's hexadecimal part, so that each release has its own address."""
    if set(_PLACEHOLDER.findall(value)) != {"release"}:
        raise ValueError("must hold {release}, and no other placeholder: each release has an address of its own")
    return http_url(value)


def record_types(value: object) -> tuple[str, ...]:
    """`A`, `AAAA` or `[A, AAAA]`, as a tuple without doubles."""
    found = value if isinstance(value, list) else [value]
    for word in found:
        if word not in RECORD_TYPES:
            close = f"; did you mean `{str(word).upper()}`?" if str(word).upper() in RECORD_TYPES else ""
            raise ValueError(f"must be one of {', '.join(RECORD_TYPES)}{close}")
    if not found:
        raise ValueError("must not be empty")
    return tuple(dict.fromkeys(found))


def ssh_key(value: str) -> str:
    """One line of `authorized_keys`: the kind, the key in base64, perhaps a comment."""
    if _SSH_KEY.fullmatch(value) is None:
        raise ValueError("must be a public key, such as `ssh-ed25519 AAAA… me@example.org`")
    return value


def header_name(value: str) -> str:
    """A field name (RFC 9110, section 5.1)."""
    if _TOKEN.fullmatch(value) is None:
        raise ValueError("is not the name of a header")
    return value


def request_header_name(value: str) -> str:
    """One that we do not set ourselves."""
    if header_name(value).lower() in ("host", "connection", "content-length", "transfer-encoding"):
        raise ValueError("is set by failover itself" + (": write `host`" if value.lower() == "host" else ""))
    return value


def request_header_value(value: str) -> str:
    if not all(" " <= c <= "~" for c in value):
        raise ValueError("may hold printable ASCII characters only")
    return value


def header_value(value: str) -> str:
    """What a header must say; `{release}` and `{site}` are filled in."""
    if not all(c.isprintable() for c in value):
        raise ValueError("may hold printable characters only")
    for name in _PLACEHOLDER.findall(value):
        if name not in ("release", "site"):
            raise ValueError("knows the placeholders {release} and {site} only")
    return value


def command_line(value: str) -> str:
    """A command with its arguments, split as a shell would split it; no shell runs it."""
    try:
        words = shlex.split(value)
    except ValueError:
        raise ValueError("has a quote that is not closed") from None
    if not words or "\0" in value:
        raise ValueError("must be a command")
    return value


def word(value: str) -> str:
    """Text that is not empty and has no spaces or control characters."""
    if not value or len(value) > 255 or any(c.isspace() or not c.isprintable() for c in value):
        raise ValueError("must be one word")
    return value


def filled(value: str) -> str:
    """Text that is not empty and that a process can be given."""
    if not value or "\0" in value:
        raise ValueError("must not be empty")
    return value
