"""Answers taken apart: like `http.client` where both can read them, and never for long."""

import http.client
import io
from typing import cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from failover.probes.answer import ANSWER_BYTES_MAX, BODY_BYTES_MAX, Answer, Flood, Malformed

OK = b"HTTP/1.1 200 OK\r\n"


def read(data: bytes, *, piece: int = 1 << 20, body: bool = True) -> Answer:
    """All of `data`, fed in pieces, and then the end of the connection."""
    answer = Answer(body=body)
    for at in range(0, len(data), piece):
        answer.feed(data[at : at + piece])
    answer.close()
    return answer


class _Wire:
    """As much of a socket as `http.client` asks for."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self._data)


def as_the_library_reads(data: bytes) -> tuple[int, list[str], bytes]:
    response = http.client.HTTPResponse(cast("http.client.socket", _Wire(data)))  # type: ignore[name-defined]
    response.begin()
    return response.status, response.headers.get_all("x-site", []), response.read()


tokens = st.text("abcXYZ-0123456789", min_size=1, max_size=12)
values = st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters="\x7f\x85\xa0"), max_size=20)
bodies = st.binary(max_size=200)


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """A whole answer: its body by length, in chunks, or until the end of the connection."""
    end = draw(st.sampled_from(["\r\n", "\n"]))
    status = draw(st.sampled_from([200, 301, 404, 503]))
    lines = [f"HTTP/1.{draw(st.integers(0, 1))} {status} {draw(values)}"]
    lines += [
        f"{name}:{draw(st.sampled_from(['', ' ', '  ']))}{draw(values)}" for name in draw(st.lists(tokens, max_size=4))
    ]
    lines += [f"X-Site: {draw(values)}" for _ in range(draw(st.integers(0, 2)))]
    body = draw(bodies)
    how = draw(st.sampled_from(["length", "chunks", "end"]))
    if how == "length":
        lines.append(f"Content-Length: {len(body)}")
    if how == "chunks":
        lines.append("Transfer-Encoding: chunked")
        cut = draw(st.integers(0, len(body)))
        parts = [part for part in (body[:cut], body[cut:]) if part]
        body = b"".join(b"%x;ext=1\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    return (end.join(lines) + end * 2).encode("latin-1") + body


@given(messages(), st.integers(1, 50))
@example(b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\nok and more", 7)
@example(OK + b"X-Site: a\r\n b\r\nX-Site : c\r\n\r\n", 3)
def test_it_reads_what_the_library_reads(data: bytes, piece: int) -> None:
    answer = read(data, piece=piece)
    status, sites, body = as_the_library_reads(data)
    assert (answer.status, bytes(answer.body)) == (status, body)
    assert [" ".join(site.split()) for site in answer.fields("X-Site")] == [" ".join(site.split()) for site in sites]


@given(st.binary(max_size=400), st.integers(1, 50))
def test_nothing_breaks_it(data: bytes, piece: int) -> None:
    for start in (b"", OK, OK + b"Transfer-Encoding: chunked\r\n\r\n", OK + b"Content-Length: "):
        try:
            answer = read(start + data, piece=piece)
        except Malformed:
            continue
        assert answer.complete
        assert len(answer.body) <= len(data)


def test_without_a_body_the_head_is_enough() -> None:
    answer = Answer(body=False)
    answer.feed(OK + b"Content-Length: 10\r\n\r\n")
    assert answer.complete


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n", ""),
        (b"HTTP/2 200\r\n\r\n", ""),
        (b"HTTP/1.1 2000 OK\r\n", ""),
        (b"HTTP/1.1 OK\r\n\r\n", ""),
        (OK + b"X: " + b"x" * 70_000, "a head of more than 64 KiB"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", "a chunk of size zz"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n-2\r\n", "a chunk of size -2"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nabc", "a chunk is longer than its size"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"1" * 5000, "the size of a chunk has no end"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\na", "the last chunk is missing"),
    ],
)
def test_what_is_no_answer(data: bytes, cause: str) -> None:
    with pytest.raises(Malformed) as raised:
        read(data)
    assert str(raised.value) == cause


@pytest.mark.parametrize("length", ["x", "-1", "1e3", "", "9" * 30])
def test_a_length_that_is_none_leaves_the_end_of_the_connection(length: str) -> None:
    assert bytes(read(OK + f"Content-Length: {length}\r\n\r\nhello".encode()).body) == b"hello"


def test_the_body_is_capped() -> None:
    answer = read(OK + b"\r\n" + b"x" * (BODY_BYTES_MAX - 1) + b"yz")
    assert len(answer.body) == BODY_BYTES_MAX
    assert answer.body.endswith(b"y")


def test_an_answer_without_end_is_cut_off() -> None:
    preliminary = b"HTTP/1.1 100 Continue\r\n\r\n"
    answer = Answer()
    for _ in range(ANSWER_BYTES_MAX // len(preliminary)):
        answer.feed(preliminary)
    with pytest.raises(Flood):
        answer.feed(preliminary)


def test_many_tiny_chunks_in_large_pieces() -> None:
    data = OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 60_000 + b"0\r\n\r\n"
    assert len(read(data, piece=65536).body) == 60_000
