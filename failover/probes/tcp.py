"""TCP and TLS: does the address accept a connection, and does it say what it should."""

from failover.core.model import Check, CheckKind, Failure, Target
from failover.probes.connection import Place, Stream, connect
from failover.probes.loop import Talk
from failover.probes.trouble import Finding, Trouble


def ask(target: Target, place: Place, now_utc_s: float) -> Talk[Finding]:
    """Connects, says what there is to say, listens for what is expected, and closes. Raises Trouble."""
    if target.check.kind is CheckKind.TLS:
        return (yield from _ask_secured(target.check, place, now_utc_s))
    with (yield from connect(place)) as stream:
        yield from _talk(stream, target.check)
    return Finding(detail=f"{place} accepts connections")


def _ask_secured(check: Check, place: Place, now_utc_s: float) -> Talk[Finding]:
    from failover.probes import tls

    tls.refuse_blind_days(check)
    stream = yield from tls.open_stream(check, place)
    with stream:
        days_left = tls.days_left(stream, now_utc_s)
        try:
            tls.judge_days(days_left, check)
            yield from _talk(stream, check)
        except Trouble as trouble:
            return Finding(failure=trouble.failure, detail=trouble.detail, tls_days_left=days_left)
    return Finding(detail=f"{place} speaks TLS", tls_days_left=days_left)


def _talk(stream: Stream, check: Check) -> Talk[None]:
    if check.send is not None:
        yield from stream.send(check.send.encode())
    if check.body is None and check.regex is None:
        return
    from failover.probes.expect import BODY_BYTES_MAX, BodyWanted

    wanted = BodyWanted(check)
    said = bytearray()
    while len(said) < BODY_BYTES_MAX:
        piece = yield from stream.receive()
        if not piece:
            break
        said += piece
        if wanted.found(said):
            return
    if not said:
        raise Trouble(Failure.RESET, f"{stream.place} closed the connection without a word")
    wanted.judge(said)
