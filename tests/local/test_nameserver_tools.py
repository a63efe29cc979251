"""The tools that administrators use (dig, nsupdate) are content with the local name server."""

import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from failover.local.nameserver import NameServer, create
from tests.servers.tools import need

SECRET = base64.b64encode(b"a secret of the tests, 32 bytes!").decode()
ZONE = "example.test"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    create(tmp_path, [ZONE], "ns1", "failover", SECRET)
    return tmp_path


@pytest.fixture
def server(directory: Path) -> Iterator[NameServer]:
    running = NameServer(directory)
    running.start()
    yield running
    running.stop()


def dig(server: NameServer, *arguments: str) -> str:
    command = [need("dig", "bind9-dnsutils"), "@127.0.0.1", "-p", str(server.port), "+norecurse", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    for complaint in (";; WARNING", ";; Warning", "Got bad packet", "expected opt record", "Couldn't verify"):
        assert complaint not in done.stdout, done.stdout
    assert done.stderr == ""
    return done.stdout


def nsupdate(server: NameServer, directory: Path, *lines: str, by_tcp: bool = True) -> subprocess.CompletedProcess[str]:
    program = need("nsupdate", "bind9-dnsutils")
    script = "\n".join([f"server 127.0.0.1 {server.port}", f"zone {ZONE}", *lines, "send"]) + "\n"
    command = [program, "-k", str(directory / "tsig.key"), *(["-v"] if by_tcp else [])]
    return subprocess.run(command, input=script, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("by_tcp", [False, True], ids=["udp", "tcp"])
def test_nsupdate_changes_and_dig_sees_it(server: NameServer, directory: Path, *, by_tcp: bool) -> None:
    lines = ("prereq nxdomain www.example.test", "update add www.example.test 60 A 192.0.2.1")
    done = nsupdate(server, directory, *lines, by_tcp=by_tcp)
    assert (done.returncode, done.stderr) == (0, "")
    assert dig(server, "+short", f"www.{ZONE}", "A") == "192.0.2.1\n"
    assert "status: NOERROR" in dig(server, f"www.{ZONE}", "AAAA")
    assert "status: NXDOMAIN" in dig(server, f"absent.{ZONE}", "A")
    assert "NOERROR" in dig(server, "-k", str(directory / "tsig.key"), f"www.{ZONE}", "A")
    assert dig(server, "+tcp", "+short", "+nocookie", ZONE, "SOA").startswith(f"ns1.{ZONE}. ")


def test_nsupdate_hears_why_not(server: NameServer, directory: Path) -> None:
    done = nsupdate(
        server, directory, "prereq yxdomain absent.example.test", "update add www.example.test 60 A 1.2.3.4"
    )
    assert done.returncode == 2
    assert "NXDOMAIN" in done.stderr
    (directory / "tsig.key").write_text((directory / "tsig.key").read_text().replace(SECRET, "b3RoZXI="))
    done = nsupdate(server, directory, "update delete example.test")
    assert done.returncode == 2
    assert "BADSIG" in done.stderr + done.stdout


def test_dig_falls_back_to_tcp(server: NameServer, directory: Path) -> None:
    lines = [f"update add big.{ZONE} 60 TXT {'x' * 200}{n}" for n in range(20)]
    assert nsupdate(server, directory, *lines).returncode == 0
    assert len(dig(server, "+short", f"big.{ZONE}", "TXT").splitlines()) == 20
    assert ";; Truncated" in dig(server, "+nocookie", f"big.{ZONE}", "TXT")


def test_the_zone_on_the_disk_is_a_zone_to_others(server: NameServer, directory: Path) -> None:
    assert nsupdate(server, directory, f'update add www.{ZONE} 60 TXT "a;b" "c"').returncode == 0
    command = [need("named-checkzone", "bind9"), "-q", ZONE, str(directory / f"{ZONE}.zone")]
    assert subprocess.run(command, timeout=60, check=False).returncode == 0
