"""Given sites: other tools provision them, we watch them and move DNS at name servers of our own choice."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.query
import dns.rcode
import dns.tsigkeyring
import dns.update
import pytest
import trustme

from failover.net.tsig import read_key
from tests.e2e.eyes import answer
from tests.e2e.given import ZONE, Web, config, directory, name_servers, webs
from tests.e2e.play import Play, notices, notify_to
from tests.ports import free_port

NAME = f"www.{ZONE}"
NEAR, FAR = "127.61.0.1", "127.61.0.2"
pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Play]:
    found = directory(tmp_path / "play")
    yield found
    found.close()


def _published(servers: dict[str, str]) -> list[set[str] | None]:
    places = [server.rsplit(":", 1) for server in servers.values()]
    return [answer((address, int(port)), NAME, "A") for address, port in places]


def _put(play: Play, name: str, server: str, value: str) -> None:
    """A record that stood there before us."""
    address, port = server.rsplit(":", 1)
    key = read_key(play.local / "dns" / name / "tsig.key")
    ring = dns.tsigkeyring.from_text({key.name: (key.algorithm, key.secret)})
    update = dns.update.UpdateMessage(ZONE, keyring=ring)
    update.replace("www", 300, "A", value)
    assert dns.query.tcp(update, address, port=int(port), timeout=30).rcode() == dns.rcode.NOERROR


def test_records_are_taken_over_and_moved_when_a_person_says_so(play: Play) -> None:
    servers = name_servers(play, "one", "two")
    for name, server in servers.items():
        _put(play, name, server, "192.0.2.80")
    port = free_port(NEAR, FAR)
    near, far = Web(NEAR, port), Web(FAR, port)
    check = f"url: 'http://{{address}}:{port}/', expect: {{body: ok}}"
    play.config.write_text(config(servers, {"near": NEAR, "far": FAR}, check))
    notify_to(play, play.directory / "pages")
    with webs(near, far):
        _taken_over(play, servers)
        _asked(play, servers, near)
        _by_hand(play, servers, near, far)
    play.run("destroy", "--yes")
    assert _published(servers) == [{"192.0.2.80"}, {"192.0.2.80"}], "what was adopted is put back"
    secrets = [(play.directory / f"{name}.key").read_text().strip() for name in servers]
    assert not [said for said in play.said for secret in secrets if secret in said]


def _taken_over(play: Play, servers: dict[str, str]) -> None:
    plan = play.ask("plan", code=2)
    assert [plan["dns"]["kind"], len(plan["dns"]["needs_adopt"])] == ["publish", 1]
    assert "192.0.2.80" in plan["dns"]["needs_adopt"][0]
    assert "TAKE OVER" in play.run("plan", code=2).out
    refused = play.run("apply", "--yes", code=1)
    assert "--adopt" in refused.err
    assert "192.0.2.80" in refused.err
    assert _published(servers) == [{"192.0.2.80"}, {"192.0.2.80"}]
    play.ask("apply", "--yes", "--adopt")
    assert _published(servers) == [{NEAR}, {NEAR}]
    play.run("plan")
    play.check_until(lambda c: c["verdicts"] == {"near": "UP", "far": "UP"})


def _asked(play: Play, servers: dict[str, str], near: Web) -> None:
    near.close()
    found = play.check_until(lambda c: c["decision"] == "ask")
    assert found["verdicts"] == {"near": "DOWN_UNEXPLAINED", "far": "UP"}
    assert found["target"] == "far"
    play.check()
    assert _published(servers) == [{NEAR}, {NEAR}], "nothing moves before the answer"
    asked = [n for n in notices(play.directory / "pages") if n["event"] == "ask"]
    proposal = play.status()["proposal"]
    assert len(asked) == 1
    assert f"failover approve {proposal}" in asked[0]["title"]
    assert proposal in play.run("status").out
    play.run("approve", "nonsense", code=64)
    play.run("approve", proposal)
    play.check_until(lambda c: c["active_site"] == "far" and c["decision"] == "hold")
    assert _published(servers) == [{FAR}, {FAR}]
    assert play.status()["proposal"] is None
    play.run("approve", proposal, code=64)


def _by_hand(play: Play, servers: dict[str, str], near: Web, far: Web) -> None:
    assert play.run("failback", "--yes", code=1).err.count("near is DOWN_UNEXPLAINED") >= 1
    play.run("cutover", "near", "--yes", "--force", code=1)
    assert _published(servers) == [{FAR}, {FAR}], "no force publishes a site that is down"
    near.open()
    assert play.ask("failback", "--yes")["target"] == "near"
    assert _published(servers) == [{NEAR}, {NEAR}]
    play.run("failback", "--yes", code=1)
    play.run("cutover", "near", "--yes", code=64)
    play.run("cutover", "elsewhere", "--yes", code=64)
    far.close()
    refused = play.run("cutover", "--yes", code=1)
    assert "no site is ready" in refused.err
    far.open()


def test_a_name_server_that_takes_connections_and_never_answers(play: Play) -> None:
    servers = name_servers(play, "one", "two")
    port = free_port(NEAR, FAR)
    near, far = Web(NEAR, port), Web(FAR, port)
    check = f"tcp: '{{address}}:{port}'"
    text = config(servers, {"near": NEAR, "far": FAR}, check)
    play.config.write_text(text)
    with webs(near, far), _mute() as silent, _mute() as also_silent:
        play.run("apply", "--yes")
        play.check_until(lambda c: c["verdicts"] == {"near": "UP", "far": "UP"})
        play.config.write_text(text.replace(servers["two"], silent))
        assert play.check()["decision"] == "hold"
        (two,) = [h for h in play.status()["dns"] if h["host"] == "two"]
        assert two["problem"]
        done = play.ask("cutover", "far", "--yes")
        assert done["result"] == "committed"
        assert [d["host"] for d in play.status()["debts"]] == ["two"]
        play.config.write_text(text.replace(servers["one"], also_silent).replace(servers["two"], silent))
        assert "no DNS host can be read" in play.run("cutover", "near", "--yes", code=1).err
        play.config.write_text(text)
        play.check_until(lambda c: not c["debts"])
    assert _published(servers) == [{FAR}, {FAR}]


@contextmanager
def _mute() -> Iterator[str]:
    """A server that takes packets and connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(tcp.getsockname())
        yield f"127.0.0.1:{tcp.getsockname()[1]}"


def test_certificates_are_part_of_the_answer(play: Play) -> None:
    servers = name_servers(play, "one")
    port = free_port(NEAR, FAR)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(play.directory / "ca.pem"))
    near = Web(NEAR, port, _tls(authority, NAME))
    far = Web(FAR, port, _tls(authority, "another.test"))
    check = f"url: 'https://{{address}}:{port}/', host: {NAME}, tls: {{ca_file: ca.pem}}"
    play.config.write_text(config(servers, {"near": NEAR, "far": FAR}, check))
    with webs(near, far):
        play.run("apply", "--yes")
        play.check_until(lambda c: c["verdicts"]["near"] == "UP" and c["verdicts"]["far"] == "DOWN_UNEXPLAINED")
        far_site = play.site("far")
        assert far_site["ready"] is False
        assert "certificate" in str(far_site["evidence"])
        play.run("cutover", "far", "--yes", "--force", code=1)
        far.close()
        renewed = Web(FAR, port, _tls(authority, NAME))
        with webs(renewed):
            assert play.ask("cutover", "far", "--yes")["result"] == "committed"
    assert _published(servers) == [{FAR}]


def _tls(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def test_a_wrong_key_and_a_lost_state(play: Play) -> None:
    """A refused update is said at once; a controller that lost its state does not publish over its own epoch."""
    servers = name_servers(play, "one")
    port = free_port(NEAR, FAR)
    with webs(Web(NEAR, port), Web(FAR, port)):
        play.config.write_text(config(servers, {"near": NEAR, "far": FAR}, f"tcp: '{{address}}:{port}'"))
        key = play.directory / "one.key"
        good = key.read_text()
        key.write_text("AAAA" + good[4:])
        refused = play.run("apply", "--yes", code=1)
        assert good.strip() not in refused.err
        key.write_text(good)
        key.chmod(0o644)
        assert "chmod 600" in play.run("validate", code=78).err
        assert "others can read it" in play.run("apply", "--yes", code=1).err
        key.chmod(0o600)
        play.run("apply", "--yes")
        for path in (play.directory / ".failover").glob("state.db*"):
            path.unlink()
        lost = play.run("apply", "--yes", code=1)
        assert "already holds an epoch" in lost.err
        assert "failover apply" in play.run("check", code=1).err
    assert _published(servers) == [{NEAR}]
