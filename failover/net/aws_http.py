"""The HTTP session of a botocore client, with an end to every answer.

botocore's time-out bounds each wait for the network, so a body of which a byte comes now and then is read for ever, and
a thread hangs with it. Here a body is read as it comes, and only until the deadline of the operation that wants it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ConnectionClosedError, HTTPClientError, ReadTimeoutError
from urllib3.exceptions import HTTPError, ProtocolError
from urllib3.exceptions import ReadTimeoutError as Late

from failover.net.calls import Deadline

_CHUNK = 64 * 1024
_DEADLINE: ContextVar[Deadline | None] = ContextVar("deadline of the AWS operation", default=None)


class Session(Protocol):
    """What an endpoint of botocore asks of its HTTP session."""

    def send(self, request: AWSPreparedRequest) -> AWSResponse: ...

    def close(self) -> None: ...


@contextmanager
def within(deadline: Deadline | None) -> Iterator[None]:
    """Answers that this thread reads in the block end at the deadline; None: at the one that stands already."""
    token = _DEADLINE.set(deadline or _DEADLINE.get())
    try:
        yield
    finally:
        _DEADLINE.reset(token)


def bound(client: Any) -> Any:
    """The same client. What it is answered outside of `within` is read no longer than its read time-out.

    botocore has no public place for another session: `before-send` hooks would have to know its proxies and
    certificates all over again.
    """
    endpoint = client._endpoint
    endpoint.http_session = _Bounded(endpoint.http_session, client.meta.config.read_timeout)
    return client


class _Bounded:
    def __init__(self, session: Session, timeout_s: float) -> None:
        self._session = session
        self._timeout_s = timeout_s

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        """As botocore's own, with its errors."""
        streamed, request.stream_output = request.stream_output, True
        given = self._session.send(request)
        body = _Body(given.raw, _DEADLINE.get() or Deadline(self._timeout_s), request.url)
        answer = AWSResponse(request.url, given.status_code, given.raw.headers, body)
        if not streamed:
            _read_whole(answer, request)
        return answer

    def close(self) -> None:
        self._session.close()


def _read_whole(answer: AWSResponse, request: AWSPreparedRequest) -> None:
    try:
        _ = answer.content  # it keeps what it has read
    except Late as error:
        raise ReadTimeoutError(endpoint_url=request.url, error=error) from error
    except ProtocolError as error:
        raise ConnectionClosedError(error=error, request=request, endpoint_url=request.url) from error
    except HTTPError as error:
        raise HTTPClientError(error=error) from error


class _Body:
    """A response of urllib3 that gives what there is, and nothing after the deadline (raises urllib3's own error)."""

    def __init__(self, raw: Any, deadline: Deadline, url: str) -> None:
        self._raw = raw
        self._deadline = deadline
        self._url = url

    def read(self, amt: int | None = None) -> bytes:
        """At least a byte while there are any, `amt` at most; None: all."""
        return b"".join(self.stream()) if amt is None else self._piece(amt)

    def stream(self) -> Iterator[bytes]:
        while piece := self._piece(_CHUNK):
            yield piece

    def _piece(self, amt: int) -> bytes:
        if self._deadline.left_s() <= 0:
            self._raw.close()
            told = f"no whole answer within {self._deadline.seconds:g} s"
            raise Late(None, self._url, told)  # type: ignore[arg-type] # urllib3 has no pool at hand there either
        piece: bytes = self._raw.read1(amt)
        return piece

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)
