"""HTTP and HTTPS at a pinned address: one request, one answer, judged by status, headers and body.

No redirects, proxies, cookies or kept connections: what is judged is this address and nothing else.
"""

import re
from functools import lru_cache

import failover
from failover.core.model import Check, CheckKind, Failure, Target
from failover.probes.answer import Answer, Flood, Malformed
from failover.probes.connection import Place, Stream, connect
from failover.probes.expect import BodyWanted, judge_fresh, judge_header, judge_status, wanted_headers
from failover.probes.loop import Talk
from failover.probes.trouble import Finding, Trouble, place, quoted

DEFAULT_PORTS = {CheckKind.HTTP: 80, CheckKind.HTTPS: 443}
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PATH = re.compile(r"[!-~]+")
_VALUE = re.compile(r"[ -~\t]*")


def ask(target: Target, place: Place, now_utc_s: float) -> Talk[Finding]:
    """One probe. Raises Trouble when there is no answer to judge."""
    check = target.check
    request = request_for(check, target.address)
    if check.kind is CheckKind.HTTPS:
        return (yield from _ask_secured(target, place, request, now_utc_s))
    with (yield from connect(place)) as stream:
        return Finding(detail=(yield from _judge(stream, target, request)))


def _ask_secured(target: Target, place: Place, request: bytes, now_utc_s: float) -> Talk[Finding]:
    from failover.probes import tls

    check = target.check
    tls.refuse_blind_days(check)
    stream = yield from tls.open_stream(check, place)
    with stream:
        days_left = tls.days_left(stream, now_utc_s)
        try:
            tls.judge_days(days_left, check)
            detail = yield from _judge(stream, target, request)
        except Trouble as trouble:
            return Finding(failure=trouble.failure, detail=trouble.detail, tls_days_left=days_left)
    return Finding(detail=detail, tls_days_left=days_left)


def _judge(stream: Stream, target: Target, request: bytes) -> Talk[str]:
    """What was good, in words. Raises Trouble."""
    check = target.check
    headers = wanted_headers(target) if check.headers else {}
    wanted = BodyWanted(check)
    answer = Answer(body=bool(wanted))
    yield from exchange(stream, request, answer)
    judge_status(answer.status, check.statuses)
    if check.fresh:
        judge_fresh(answer.fields)
    for name, values in headers.items():
        judge_header(name, answer.fields(name), values)
    if wanted:
        seen = 0
        while not wanted.enough(answer.body, seen) and not answer.complete:
            seen = len(answer.body)
            yield from _more(stream, answer)
        wanted.judge(answer.body)
    return f"status {answer.status}"


def exchange(stream: Stream, request: bytes, answer: Answer) -> Talk[None]:
    """Sends the request and reads the answer's head. Raises Trouble."""
    yield from stream.send(request)
    while not answer.status:
        yield from _more(stream, answer)


def _more(stream: Stream, answer: Answer) -> Talk[None]:
    data = yield from stream.receive()
    try:
        if data:
            answer.feed(data)
        elif answer.status:
            answer.close()
        elif answer.started:
            raise Malformed
    except Flood:
        raise Trouble(Failure.PROTOCOL, f"{stream.place} sends an answer without end") from None
    except Malformed as error:
        said = quoted(str(error) or answer.first_line.decode("latin-1"))
        doing = "broke off its answer" if answer.status else "does not speak HTTP"
        raise Trouble(Failure.PROTOCOL, f"{stream.place} {doing}: {said}") from None
    if not data and not answer.status:
        raise Trouble(Failure.RESET, f"{stream.place} closed the connection without an answer")


# ---------------------------------------------------------------------------------------------- request


def request_for(check: Check, address: str) -> bytes:
    """The bytes to send. Raises Trouble (LOCAL) when the check asks for something that HTTP cannot say."""
    path = check.path.replace("{address}", address)
    return made_request(check.method, path, host_header(check, address), tuple(check.request_headers.items()))


@lru_cache(maxsize=8192)
def made_request(method: str, path: str, host: str, fields: tuple[tuple[str, str], ...] = ()) -> bytes:
    """As above, from its parts."""
    _refuse(_TOKEN, method, "method")
    _refuse(_PATH, path, "path")
    _refuse(_PATH, host, "host")
    usual = {"Host": host, "User-Agent": f"failover/{failover.__version__}", "Accept": "*/*"}
    own = {name.lower() for name, _ in fields}
    lines = [f"{method} {path} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in usual.items() if name.lower() not in own]
    for name, value in fields:
        _refuse(_TOKEN, name, "name of a header")
        _refuse(_VALUE, value, f"header {name}")
        lines.append(f"{name}: {value}")
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode("ascii")


def _refuse(pattern: re.Pattern[str], text: str, what: str) -> None:
    if pattern.fullmatch(text) is None:
        raise Trouble(Failure.LOCAL, f"the request cannot be sent: {quoted(text)} is no {what}")


def host_header(check: Check, address: str) -> str:
    """The configured host as it stands; without one the address, with its port unless that is the usual one."""
    if check.host is not None:
        return check.host
    if check.port == DEFAULT_PORTS[check.kind]:
        return f"[{address}]" if ":" in address else address
    return place(address, check.port)
