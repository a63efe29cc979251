"""The local name server does what BIND does: the same updates, the same answers."""

import random
from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.tsig
import dns.update
import pytest

from failover.local.nameserver import NameServer, create
from tests.servers.test_bind import KEY, Bind, bind

__all__ = ["bind"]
ZONE = "example.test"
NAMES = ("www", "alias", "app", "a.deep", "deep", "*.wild", "x.wild", "x.y.wild", "@", "WWW", "absent")
TYPES = ("A", "TXT", "CNAME", "MX", "NS", "SOA")
VALUES = {
    "A": ("192.0.2.1", "192.0.2.2", "192.0.2.3"),
    "TXT": ('"one"', '"two" "parts"', '""'),
    "CNAME": ("www", "alias", "elsewhere.example."),
    "MX": ("10 www", "10 app", "20 mail.elsewhere.example."),
    "NS": ("ns1", "ns.elsewhere.example."),
    "SOA": (f"ns1.{ZONE}. hostmaster.{ZONE}. 3 60 30 3600 5",),
}
UPDATES = 200
SEED = 20261122


@pytest.fixture
def twin(tmp_path: Path) -> Iterator[NameServer]:
    create(tmp_path, [ZONE], "ns1", KEY.name, KEY.secret)
    running = NameServer(tmp_path)
    running.start()
    yield running
    running.stop()


def _random_update(rng: random.Random) -> dns.update.UpdateMessage:
    message = dns.update.UpdateMessage(ZONE, keyring=dns.tsig.Key(KEY.name, KEY.secret))
    for _ in range(rng.choice((0, 0, 1, 1, 2))):
        _random_prerequisite(rng, message)
    for _ in range(rng.randint(1, 4)):
        _random_change(rng, message)
    return message


def _random_prerequisite(rng: random.Random, message: dns.update.UpdateMessage) -> None:
    name, type = rng.choice(NAMES), rng.choice(TYPES[:4])
    form = rng.randrange(5)
    if form == 0:
        message.present(name)
    elif form == 1:
        message.absent(name)
    elif form == 2:
        message.present(name, type)
    elif form == 3:
        message.absent(name, type)
    else:
        message.present(name, type, *rng.sample(VALUES[type], rng.randint(1, 2)))


def _random_change(rng: random.Random, message: dns.update.UpdateMessage) -> None:
    name, type = rng.choice(NAMES), rng.choice(TYPES)
    if type == "NS":  # delegations below the apex have rules of their own at BIND
        name = "@"
    if type == "SOA" and name != "@":
        type = "A"
    value = rng.choice(VALUES[type])
    form = rng.randrange(7)
    if form <= 2:
        message.add(name, rng.choice((60, 300)), type, value)
    elif form == 3:
        message.replace(name, 60, type, value)
    elif form == 4:
        message.delete(name, type, value)
    elif form == 5:
        message.delete(name, type)
    else:
        message.delete(name)


def _everything(port: int) -> dict[tuple[str, str], object]:
    """What the server answers of every name and type."""
    found: dict[tuple[str, str], object] = {}
    for name in NAMES:
        for type in ("A", "TXT", "CNAME", "MX", "NS"):
            query = dns.message.make_query(dns.name.from_text(name, dns.name.from_text(ZONE)), type)
            answer = dns.query.tcp(query, "127.0.0.1", timeout=60, port=port)
            sets = {(r.name, r.rdtype, r.ttl, frozenset(r)) for r in answer.answer}
            found[name, type] = (dns.rcode.to_text(answer.rcode()), sets)
    return found


@pytest.mark.server("bind")
def test_the_same_updates_have_the_same_outcome(bind: Bind, twin: NameServer) -> None:
    rng = random.Random(SEED)
    outcomes: set[str] = set()
    for number in range(UPDATES):
        message = _random_update(rng)
        said = [
            dns.rcode.to_text(dns.query.tcp(message, "127.0.0.1", timeout=60, port=port).rcode())
            for port in (bind.port, twin.port)
        ]
        assert said[0] == said[1], f"update {number}: BIND and ours differ\n{message}"
        outcomes.add(said[0])
        if number % 10 == 9:
            assert _everything(bind.port) == _everything(twin.port), f"after update {number}\n{message}"
    assert outcomes >= {"NOERROR", "NXDOMAIN", "YXDOMAIN", "NXRRSET", "YXRRSET"}
