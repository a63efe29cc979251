"""TLS at a pinned address: SNI and certificate are those of the host name, not of the address."""

import math
import ssl
import threading
from functools import lru_cache
from pathlib import Path

from failover.core.model import Check, Failure
from failover.probes.connection import Place, Stream, connect, talking_trouble
from failover.probes.loop import Talk
from failover.probes.trouble import Trouble, quoted

DAY_S = 86400.0
_building = threading.Lock()


class TlsStream(Stream):
    """A connection under TLS."""

    later = (ssl.SSLWantReadError, ssl.SSLWantWriteError)
    sock: ssl.SSLSocket

    def trouble(self, error: OSError) -> Trouble:
        return _trouble(error, self.place)


def open_stream(check: Check, place: Place) -> Talk[TlsStream]:
    """A connection under TLS, the certificate good for the host of `check`, or for the address without one.

    Raises Trouble: RESET, READ_TIMEOUT, TLS for a failed handshake, CERTIFICATE for one that is not good.
    """
    context = context_for(check.verify_tls, check.ca_file)
    plain = yield from connect(place)
    return (yield from secure(plain, check.host or place.address, context))


def secure(plain: Stream, host: str, context: ssl.SSLContext) -> Talk[TlsStream]:
    """The handshake. `plain` belongs to the result from here on; it is closed when this raises."""
    try:
        # Without this flag a connection that is reset just now would come back without any handshake, and no error.
        sock = context.wrap_socket(plain.sock, server_hostname=host, do_handshake_on_connect=False)
    except OSError as error:
        raise _trouble(error, plain.place) from None
    finally:
        plain.sock.close()  # once wrapped, this object is detached, and closing it does nothing
    try:
        while True:
            try:
                sock.do_handshake()
                return TlsStream(sock, plain.place)
            except TlsStream.later:
                yield sock
    except OSError as error:
        sock.close()
        raise _trouble(error, plain.place) from None
    except BaseException:
        sock.close()
        raise


def _trouble(error: OSError, place: Place) -> Trouble:
    if isinstance(error, ssl.SSLCertVerificationError):
        detail = f"the certificate of {place} is not good: {_plain(error.verify_message)}"
        return Trouble(Failure.CERTIFICATE, detail)
    if isinstance(error, ssl.SSLEOFError):
        return Trouble(Failure.RESET, f"{place} closed the connection during the TLS handshake")
    if isinstance(error, ssl.SSLError):
        return Trouble(Failure.TLS, f"no TLS with {place}: {_plain(error.reason or 'the handshake failed')}")
    return talking_trouble(error, place)


def days_left(stream: TlsStream, now_utc_s: float) -> int | None:
    """Whole days until the peer's certificate ends; None when it was not verified (then its contents are unknown)."""
    certificate = stream.sock.getpeercert()
    ends = certificate.get("notAfter") if certificate else None
    if not isinstance(ends, str):
        return None
    return math.floor((ssl.cert_time_to_seconds(ends) - now_utc_s) / DAY_S)


def judge_days(found: int | None, check: Check) -> None:
    """Raises Trouble when the certificate ends too soon."""
    if found is not None and found < check.tls_days_left_min:
        detail = f"the certificate ends in {found} days, expected {check.tls_days_left_min} or more"
        raise Trouble(Failure.CERTIFICATE, detail)


def refuse_blind_days(check: Check) -> None:
    """Raises Trouble for a check that could never be judged."""
    if check.tls_days_left_min > 0 and not check.verify_tls:
        raise Trouble(Failure.LOCAL, "the days left of a certificate are only known with verify_tls")


def _plain(reason: str) -> str:
    return quoted(reason.strip().rstrip(".").replace("_", " ").lower()).strip("'")


def context_for(verify: bool, ca_file: str | None) -> ssl.SSLContext:
    """One context for all probes that trust the same authorities; read again when it changes. Raises Trouble."""
    if not verify:
        return _unverified()
    source = ca_file or ssl.get_default_verify_paths().cafile
    try:
        stamp = Path(source).stat().st_mtime_ns if source else 0
        with _building:
            return _verified(ca_file, stamp)
    except OSError as error:  # ssl.SSLError, for a file without certificates, is one too
        cause = "it holds no certificates" if isinstance(error, ssl.SSLError) else error.strerror
        raise Trouble(Failure.LOCAL, f"cannot use the authorities in {source}: {cause}") from None


@lru_cache(maxsize=32)
def _verified(ca_file: str | None, stamp: int) -> ssl.SSLContext:  # noqa: ARG001 - part of the cache's key
    return ssl.create_default_context(cafile=ca_file)


@lru_cache(maxsize=1)
def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
