"""Other vantages: the suite on the fake and on the real agent over HTTP and HTTPS, and answers that are refused."""

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.client import HTTPConnection
from pathlib import Path

import msgspec
import pytest
import trustme

from failover.core.model import Check, CheckKind, Control, ControlKind, Failure, Outcome, Question, Target
from failover.errors import AccessRefused, AdapterError, Rejected, TimedOut, Unreachable, Unreadable
from failover.probes import ballots
from failover.probes.agent import AgentServer, VantageAgent, tls_context
from failover.probes.ballots import digest_of
from failover.probes.prober import Prober
from failover.probes.remote import LOOK, RemoteVantage
from failover.testing.agents import DEADLINE_S, AgentBench, AgentConformance
from failover.testing.memory_agent import MemoryAgent
from failover.testing.memory_probe import Answer, MemoryProbe
from tests.core.builders import SERVICE
from tests.ports import free_port
from tests.probes.conftest import now
from tests.probes.servers import Server, answers, hangs, page

KEY = "k" * 32
NAME = "paris"


def target(check: str, port: int) -> Target:
    wanted = Check(name=check, kind=CheckKind.HTTP, group="web", port=port, timeout_s=5.0)
    return Target(site="aurora", address="127.0.0.1", check=wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Things to ask, on loopback."""

    good: Target
    refused: Target
    silent: Target
    controls: tuple[Control, ...]

    @property
    def checks(self) -> tuple[Check, ...]:
        return (self.good.check, self.refused.check, self.silent.check)


@pytest.fixture
def place() -> Iterator[Place]:
    with Server(answers(page())) as good, Server(hangs) as silent:
        yield Place(
            good=target("good", good.port),
            refused=target("refused", free_port()),
            silent=target("silent", silent.port),
            controls=(
                Control(kind=ControlKind.TCP, target=f"127.0.0.1:{good.port}", provider="x"),
                Control(kind=ControlKind.TCP, target=f"127.0.0.1:{free_port()}", provider="y"),
            ),
        )


@contextmanager
def served(place: Place, *, tls: ssl.SSLContext | None = None, key: str = KEY, name: str = NAME) -> Iterator[str]:
    """An agent for these things; yields its base URL."""
    service = replace(SERVICE, checks=place.checks, controls=place.controls)
    agent = VantageAgent(service=service, vantage=name, key=key, probe=Prober(now=now, vantage=name))
    server = AgentServer(("127.0.0.1", 0), agent, tls=tls)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def remote(
    url: str, *, key: str = KEY, name: str = NAME, ca_file: str | None = None, way_s: float = 5.0
) -> RemoteVantage:
    return RemoteVantage(
        service=SERVICE.name, name=name, url=url, key=lambda: key, now=now, way_s=way_s, ca_file=ca_file
    )


def bench(agent: RemoteVantage | MemoryAgent, place: Place) -> AgentBench:
    return AgentBench(
        agent=agent, name=NAME, good=place.good, refused=place.refused, silent=place.silent, controls=(1, 2)
    )


class TestRemoteVantage(AgentConformance):
    @pytest.fixture
    def bench(self, place: Place) -> Iterator[AgentBench]:
        with served(place) as url:
            yield bench(remote(url), place)


class TestRemoteVantageOverTls(AgentConformance):
    @pytest.fixture
    def bench(self, place: Place, tmp_path: Path) -> Iterator[AgentBench]:
        certificate, key, authority = certificates(tmp_path)
        with served(place, tls=tls_context(certificate, key)) as url:
            yield bench(remote(url, ca_file=str(authority)), place)


class TestMemoryAgent(AgentConformance):
    @pytest.fixture
    def bench(self, place: Place) -> AgentBench:
        told: dict[str, Answer] = {
            "good": (Outcome.PASS, None, "well"),
            "refused": (Outcome.FAIL, Failure.REFUSED, "refused the connection"),
            "silent": (Outcome.FAIL, Failure.READ_TIMEOUT, "did not answer"),
        }
        probe = MemoryProbe(
            now=now,
            targets=lambda asked: told[asked.check.name],
            controls=lambda control: control == place.controls[0],
            vantage=NAME,
        )
        return bench(MemoryAgent(name=NAME, probe=probe, checks=place.checks, controls=place.controls), place)


def certificates(directory: Path) -> tuple[Path, Path, Path]:
    """A certificate for 127.0.0.1, its key, and the authority that signed it."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    certificate, key, root = directory / "cert.pem", directory / "key.pem", directory / "ca.pem"
    issued.private_key_pem.write_to_path(str(key))
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    authority.cert_pem.write_to_path(str(root))
    return certificate, key, root


# ------------------------------------------------------------------------------------ who may ask, who may answer


def test_an_agent_of_which_we_do_not_hold_the_key_refuses(place: Place) -> None:
    with served(place, key="another key, as long as it must be") as url, pytest.raises(AccessRefused):
        remote(url).look([place.good], DEADLINE_S)


def test_an_agent_of_another_name_refuses(place: Place) -> None:
    with served(place, name="oregon") as url, pytest.raises(Rejected, match="oregon"):
        remote(url).look([place.good], DEADLINE_S)


def test_a_certificate_that_nobody_vouches_for_is_refused(place: Place, tmp_path: Path) -> None:
    certificate, key, _ = certificates(tmp_path)
    with served(place, tls=tls_context(certificate, key)) as url, pytest.raises(AdapterError):
        remote(url).look([place.good], DEADLINE_S)


@pytest.mark.parametrize("site", ["--timeout=3600", "../etc", "", "a b", "a\n"])
def test_a_site_is_a_name_and_nothing_that_a_plug_in_would_take_for_an_option(place: Place, site: str) -> None:
    with served(place) as url, pytest.raises(Rejected, match="no such name"):
        remote(url).look([replace(place.good, site=site)], DEADLINE_S)


def test_what_is_no_question_gets_no_answer(place: Place) -> None:
    with served(place) as url:
        connection = HTTPConnection(url.removeprefix("http://"), timeout=10)
        for path, body, status in (
            (LOOK, b"{", 400),
            (LOOK, json.dumps({"body": "{}", "signature": "00"}).encode(), 403),
            ("/", b"{}", 404),
        ):
            connection.request("POST", path, body)
            answer = connection.getresponse()
            assert answer.status == status
            answer.read()
        connection.request("GET", "/healthz")
        assert connection.getresponse().read() == b"ok\n"
        connection.close()


Forge = Callable[[ballots.Question], object]


def forged(question: bytes, forge: Forge) -> bytes:
    envelope = json.loads(question)
    asked = ballots.unseal(KEY, ballots.QUESTION, ballots.Envelope(**envelope), ballots.Question)
    return json.dumps(forge(asked)).encode()


def reply_to(asked: ballots.Question, **changed: object) -> ballots.Reply:
    said = tuple(ballots.Said(outcome=Outcome.FAIL, failure=Failure.REFUSED) for _ in asked.targets)
    fields: dict[str, object] = {
        "schema_version": 1,
        "service": asked.service,
        "vantage": asked.vantage,
        "nonce": asked.nonce,
        "samples": said,
        "controls": (),
        **changed,
    }
    return ballots.Reply(**fields)  # type: ignore[arg-type]  # fields of many kinds


def sealed(reply: ballots.Reply, key: str = KEY, purpose: str = ballots.ANSWER) -> dict[str, str]:
    envelope = ballots.seal(key, purpose, reply)
    return {"body": envelope.body, "signature": envelope.signature}


def test_a_digest_is_over_what_is_asked() -> None:
    check = Check(
        name="dns",
        kind=CheckKind.DNS,
        group="web",
        port=53,
        question=Question(name="www.example.org", answer=frozenset(f"192.0.2.{n}" for n in range(9))),
    )
    assert digest_of(check) == "75d06660a37c0c22", "it is the same in every process, and in every version"
    others = [replace(check, port=54), replace(check, kind=CheckKind.TCP), replace(check, timeout_s=9.0)]
    assert len({digest_of(c) for c in (check, *others)}) == 4
    assert digest_of(replace(check, ca_file="/elsewhere/ca.pem", fall=9)) == digest_of(check)


def test_a_controller_that_does_not_tell_its_checks_is_answered(place: Place) -> None:
    """One of an older version: a check that is not known here is UNKNOWN then."""
    service = replace(SERVICE, checks=place.checks, controls=place.controls)
    agent = VantageAgent(service=service, vantage=NAME, key=KEY, probe=Prober(now=now, vantage=NAME))
    asked = tuple(ballots.Asked(site="aurora", address="127.0.0.1", check=name) for name in ("good", "strange"))
    question = ballots.Question(
        schema_version=1, service=SERVICE.name, vantage=NAME, nonce="n", deadline_s=DEADLINE_S, targets=asked
    )
    answer = agent.answer(msgspec.json.encode(ballots.seal(KEY, ballots.QUESTION, question)))
    reply = ballots.unseal(KEY, ballots.ANSWER, msgspec.json.decode(answer, type=ballots.Envelope), ballots.Reply)
    assert [said.outcome for said in reply.samples] == [Outcome.PASS, Outcome.UNKNOWN]


FORGERIES: dict[str, Forge] = {
    "signed with another key": lambda q: sealed(reply_to(q), key="x" * 32),
    "signed as a question": lambda q: sealed(reply_to(q), purpose=ballots.QUESTION),
    "not signed": lambda q: {**sealed(reply_to(q)), "signature": ""},
    "an old answer": lambda q: sealed(reply_to(q, nonce="0" * 32)),
    "of another vantage": lambda q: sealed(reply_to(q, vantage="oregon")),
    "of another service": lambda q: sealed(reply_to(q, service="other")),
    "of another version": lambda q: sealed(reply_to(q, schema_version=2)),
    "with a sample too few": lambda q: sealed(reply_to(q, samples=())),
    "changed on its way": lambda q: {**sealed(reply_to(q)), "body": sealed(reply_to(q))["body"] + " "},
    "of another shape": lambda q: {"samples": []},
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_an_answer_that_is_not_provably_to_this_question_is_unreadable(forge: Forge, place: Place) -> None:
    def behave(server: Server, connection: socket.socket) -> None:
        request = server.read_request(connection)
        head, _, body = request.partition(b"\r\n\r\n")
        (length,) = [
            int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
        ]
        while len(body) < length:
            body += connection.recv(65536)
        data = forged(body, forge)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(data), data))

    with Server(behave) as fake, pytest.raises(Unreadable):
        remote(f"http://127.0.0.1:{fake.port}").look([place.good], DEADLINE_S)


def test_an_agent_that_never_answers_is_left_in_time(place: Place) -> None:
    with Server(hangs) as fake, pytest.raises(TimedOut):
        remote(f"http://127.0.0.1:{fake.port}", way_s=0.2).look([place.good], 0.2)


def test_no_agent_there(place: Place) -> None:
    with pytest.raises(Unreachable):
        remote(f"http://127.0.0.1:{free_port()}").look([place.good], DEADLINE_S)


# ------------------------------------------------------------------------------------ a server on the open network


def test_those_who_connect_and_keep_silent_hold_up_nobody(place: Place, tmp_path: Path) -> None:
    certificate, key, authority = certificates(tmp_path)
    with served(place, tls=tls_context(certificate, key)) as url:
        port = int(url.rpartition(":")[2])
        silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(10)]
        try:
            ballot = remote(url, ca_file=str(authority)).look([place.good], DEADLINE_S)
            assert ballot.samples[0].outcome is Outcome.PASS
        finally:
            for connection in silent:
                connection.close()


def test_too_many_connections_are_closed_and_room_comes_back(place: Place) -> None:
    with served(place) as url:
        port = int(url.rpartition(":")[2])
        many = [socket.create_connection(("127.0.0.1", port)) for _ in range(40)]
        for connection in many:
            connection.close()
        until = time.monotonic() + 20
        while time.monotonic() < until:
            try:
                assert remote(url).look([place.good], DEADLINE_S).samples[0].outcome is Outcome.PASS
                return
            except Unreachable:
                time.sleep(0.1)
        raise AssertionError("there was never room again")
