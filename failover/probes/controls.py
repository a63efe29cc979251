"""Controls: unrelated targets whose only question is whether we still have a network."""

import socket
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

from failover.core.model import Control, ControlKind, Failure
from failover.probes.addresses import checked, family, resolved
from failover.probes.connection import Limit, connect, talking_trouble
from failover.probes.trouble import Trouble, place, quoted

T = TypeVar("T")
DATAGRAM_BYTES_MAX = 65535


def ask_for(kind: ControlKind) -> Callable[[Control, Limit], str]:
    """The question of that kind: returns what answered, raises Trouble when nothing did."""
    if kind is ControlKind.DNS:
        import dns.message  # noqa: F401 - loaded before the threads start and the clock runs for them
    if kind is ControlKind.HTTP:
        import failover.probes.http  # noqa: F401 - as above
    return {ControlKind.TCP: _tcp, ControlKind.HTTP: _http, ControlKind.DNS: _dns}[kind]


def _tcp(control: Control, limit: Limit) -> str:
    host, port = host_and_port(control.target)

    def accepts(address: str) -> str:
        connect(address, port, limit).close()
        return f"{place(address, port)} accepts connections"

    return first(resolved(host), accepts)


def _http(control: Control, limit: Limit) -> str:
    """Any HTTP answer counts; under https the certificate must be good, or a captive portal would count too."""
    from failover.probes import tls
    from failover.probes.http import Exchange

    url = urlsplit(control.target)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise Trouble(Failure.LOCAL, f"{quoted(control.target)} is not an http or https URL")
    host = url.hostname
    port = url.port or (443 if url.scheme == "https" else 80)
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")

    def answers(address: str) -> str:
        sock = connect(address, port, limit)
        if url.scheme == "https":
            sock = tls.handshake(sock, address, port, host=host, limit=limit, verify=True, ca_file=None)
        with sock, Exchange(sock, address, port, limit).answer("GET", path, url.netloc.rpartition("@")[2]) as response:
            return f"{place(address, port)} answers with status {response.status}"

    return first(resolved(host), answers)


def _dns(control: Control, limit: Limit) -> str:
    """Any well-formed answer to our question counts, also a refusal."""
    host, port = host_and_port(control.target)
    if not control.name:
        raise Trouble(Failure.LOCAL, "a dns control needs a name to ask for")
    name = control.name
    return first(resolved(host), lambda address: _dns_answer(address, port, name, limit))


def _dns_answer(address: str, port: int, name: str, limit: Limit) -> str:
    import dns.exception
    import dns.message

    query = dns.message.make_query(name, "A")
    try:
        with socket.socket(family(checked(address)), socket.SOCK_DGRAM) as sock:
            sock.settimeout(limit.left_s())
            sock.connect((address, port))
            sock.send(query.to_wire())
            while True:  # datagrams that do not answer this question are passed over; the limit ends the loop
                sock.settimeout(limit.left_s())
                try:
                    answer = dns.message.from_wire(sock.recv(DATAGRAM_BYTES_MAX), ignore_trailing=True)
                except dns.exception.DNSException:
                    continue
                if query.is_response(answer):
                    return f"{place(address, port)} answers"
    except OSError as error:
        raise talking_trouble(error, address, port, limit) from None


def host_and_port(target: str) -> tuple[str, int]:
    """`198.51.100.7:443` or `[2001:db8::1]:443`, taken apart. Raises Trouble."""
    host, colon, port = target.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or not host or not port.isdecimal() or (":" in host and not bracketed):
        raise Trouble(Failure.LOCAL, f"{quoted(target)} is not address:port")
    return (host[1:-1] if bracketed else host), int(port)


def first(addresses: tuple[str, ...], ask: Callable[[str], T]) -> T:
    """The first address that answers; the last one's trouble when none does."""
    for address in addresses[:-1]:
        try:
            return ask(address)
        except Trouble:
            continue
    return ask(addresses[-1])
