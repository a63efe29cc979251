"""TLS at a pinned address: SNI and certificate are those of the host name, not of the address."""

import math
import socket
import ssl
import threading
from functools import lru_cache
from pathlib import Path

from failover.core.model import Failure
from failover.probes.connection import Limit, talking_trouble
from failover.probes.trouble import Trouble, place, quoted

DAY_S = 86400.0
_building = threading.Lock()


def handshake(
    sock: socket.socket, address: str, port: int, *, host: str, limit: Limit, verify: bool, ca_file: str | None
) -> ssl.SSLSocket:
    """The connection under TLS, the certificate good for `host` unless `verify` is off. Raises Trouble.

    `sock` belongs to the result from here on; it is closed when this raises.
    """
    try:
        context = _context(verify, ca_file)
        # Without this flag a connection that is reset just now would come back without any handshake, and no error.
        secured = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
    except OSError as error:
        raise _trouble(error, address, port, limit) from None
    finally:
        sock.close()  # once wrapped, this object is detached, and closing it does nothing
    try:
        secured.settimeout(limit.left_s())
        secured.do_handshake()
    except OSError as error:
        secured.close()
        raise _trouble(error, address, port, limit) from None
    return secured


def _trouble(error: OSError, address: str, port: int, limit: Limit) -> Trouble:
    where = place(address, port)
    if isinstance(error, ssl.SSLCertVerificationError):
        return Trouble(Failure.TLS, f"the certificate of {where} is not good: {_plain(error.verify_message)}")
    if isinstance(error, ssl.SSLEOFError):
        return Trouble(Failure.RESET, f"{where} closed the connection during the TLS handshake")
    if isinstance(error, ssl.SSLError):
        return Trouble(Failure.TLS, f"no TLS with {where}: {_plain(error.reason or 'the handshake failed')}")
    return talking_trouble(error, address, port, limit)


def days_left(sock: ssl.SSLSocket, now_utc_s: float) -> int | None:
    """Whole days until the peer's certificate ends; None when it was not verified (then its contents are unknown)."""
    certificate = sock.getpeercert()
    ends = certificate.get("notAfter") if certificate else None
    if not isinstance(ends, str):
        return None
    return math.floor((ssl.cert_time_to_seconds(ends) - now_utc_s) / DAY_S)


def _plain(reason: str) -> str:
    return quoted(reason.strip().rstrip(".").replace("_", " ").lower()).strip("'")


def _context(verify: bool, ca_file: str | None) -> ssl.SSLContext:
    """One context for all probes that trust the same authorities; read again when their file changes."""
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
