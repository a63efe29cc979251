"""Controls: unrelated targets whose only question is whether we still have a network."""

from collections.abc import Callable
from urllib.parse import urlsplit

from failover.core.model import Control, ControlKind, Failure
from failover.probes.addresses import checked, is_address, resolved
from failover.probes.apart import Apart
from failover.probes.connection import Place, connect
from failover.probes.loop import Talk
from failover.probes.trouble import Trouble, quoted

Ask = Callable[[Place], Talk[str]]
AskControl = Callable[[Control, frozenset[str]], Talk[str]]


def ask_for(kind: ControlKind) -> AskControl:
    """The question of that kind: returns what answered, raises Trouble when nothing did."""
    if kind is ControlKind.DNS:
        import failover.probes.dns
    if kind is ControlKind.HTTP:
        import failover.probes.http  # noqa: F401 - as above
    return {ControlKind.TCP: _tcp, ControlKind.HTTP: _http, ControlKind.DNS: _dns}[kind]


def _tcp(control: Control, allowed: frozenset[str]) -> Talk[str]:
    host, port = host_and_port(control.target)

    def accepts(where: Place) -> Talk[str]:
        with (yield from connect(where)):
            return f"{where} accepts connections"

    return (yield from _first(control, host, port, allowed, accepts))


def _http(control: Control, allowed: frozenset[str]) -> Talk[str]:
    """Any HTTP answer counts; under https the certificate must be good, or a captive portal would count too."""
    from failover.probes import tls
    from failover.probes.answer import Answer
    from failover.probes.http import exchange, made_request

    url = urlsplit(control.target)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise Trouble(Failure.LOCAL, f"{quoted(control.target)} is not an http or https URL")
    host, secured = url.hostname, url.scheme == "https"
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    request = made_request("GET", path, url.netloc.rpartition("@")[2])

    def answers(where: Place) -> Talk[str]:
        stream = yield from connect(where)
        if secured:
            stream = yield from tls.secure(stream, host, tls.context_for(True, None))
        answer = Answer(body=False)
        with stream:
            yield from exchange(stream, request, answer)
        return f"{where} answers with status {answer.status}"

    return (yield from _first(control, host, url.port or (443 if secured else 80), allowed, answers))


def _dns(control: Control, allowed: frozenset[str]) -> Talk[str]:
    """Any well-formed answer to our question counts, also a refusal."""
    from failover.probes import dns

    host, port = host_and_port(control.target)
    if not control.name:
        raise Trouble(Failure.LOCAL, "a dns control needs a name to ask for")
    query = dns.made_query(control.name, "A", recursive=True)

    def answers(where: Place) -> Talk[str]:
        yield from dns.over_udp(query, where)
        return f"{where} answers"

    return (yield from _first(control, host, port, allowed, answers))


def host_and_port(target: str) -> tuple[str, int]:
    """`198.51.100.7:443` or `[2001:db8::1]:443`, taken apart. Raises Trouble."""
    host, colon, port = target.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or not host or not port.isdecimal() or (":" in host and not bracketed):
        raise Trouble(Failure.LOCAL, f"{quoted(target)} is not address:port")
    return (host[1:-1] if bracketed else host), int(port)


def _first(control: Control, host: str, port: int, allowed: frozenset[str], ask: Ask) -> Talk[str]:
    """The first address of the host that answers; the last one's trouble when none does."""
    addresses = (host,) if is_address(host) else (yield from _resolved(host, control.timeout_s))
    last = Trouble(Failure.NAME, f"{host} has no address")
    for address in addresses:
        try:
            return (yield from ask(Place(checked(address, allowed), port, control.timeout_s)))
        except Trouble as trouble:
            last = trouble
    raise last


def _resolved(host: str, timeout_s: float) -> Talk[tuple[str, ...]]:
    try:
        found: tuple[str, ...] = yield Apart(lambda: resolved(host))
    except TimeoutError:
        raise Trouble(Failure.NAME, f"{host} was not resolved within {timeout_s:g} s") from None
    except OSError as error:
        raise Trouble(Failure.LOCAL, f"{host} could not be resolved from here: {error}") from None
    return found
