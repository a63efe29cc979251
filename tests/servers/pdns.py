"""A real PowerDNS on loopback: Debian's, with its SQLite backend, its HTTP API, and dynamic updates signed by a key."""

import json
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Self

from failover.dns.authority import DnsAuthority
from failover.dns.powerdns import PowerDns
from failover.dns.rfc2136 import Rfc2136
from failover.errors import AdapterError
from failover.net.tsig import TsigKey
from failover.testing.dns import ZONE
from tests.ports import free_port
from tests.servers.tools import need

API_KEY = "a-key-of-the-tests"
TSIG = TsigKey(name="failover", secret="YSBzZWNyZXQgb2YgdGhlIHRlc3RzLCAzMiBieXRlcyE=")
SCHEMA = Path("/usr/share/doc/pdns-backend-sqlite3/schema.sqlite3.sql")
_START_TRIES = 5
_READY_S = 60.0
_CONFIG = """\
launch=gsqlite3
gsqlite3-database={directory}/zones.db
gsqlite3-pragma-synchronous=0
local-address=127.0.0.1
local-port={port}
socket-dir={directory}
api=yes
api-key={key}
webserver=yes
webserver-address=127.0.0.1
webserver-port={api_port}
webserver-allow-from=127.0.0.1
dnsupdate=yes
allow-dnsupdate-from=127.0.0.0/8
daemon=no
guardian=no
security-poll-suffix=
version-string=anonymous
max-tcp-connections=200
max-tcp-connections-per-client=0
primary={primary}
"""


class Pdns:
    """One server with the zone `example.test`. Use as a context manager; `renew` gives it an empty zone again."""

    def __init__(self, directory: Path, *, primary: bool = False) -> None:
        self._program = need("pdns_server", "pdns-server")
        if not SCHEMA.exists():
            need("pdns-backend-sqlite3", "pdns-backend-sqlite3")
        self._directory = directory
        self._primary = primary
        self.port = self.api_port = 0
        self.process: subprocess.Popen[bytes]

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def database(self) -> Path:
        """Its backend's, for what its API would not let stand."""
        return self._directory / "zones.db"

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.api_port}"

    def __enter__(self) -> Self:
        with sqlite3.connect(self.database) as database:
            database.executescript(SCHEMA.read_text())
        database.close()
        for _ in range(_START_TRIES):
            self._start()
            if self._comes_up():
                break
        else:
            raise AssertionError((self._directory / "log").read_text())
        self.ask("POST", "/tsigkeys", {"name": TSIG.name, "algorithm": TSIG.algorithm, "key": TSIG.secret})
        self.create(ZONE)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start(self) -> None:
        self.port, self.api_port = free_port(), free_port()
        settings = {"directory": self._directory, "port": self.port, "api_port": self.api_port, "key": API_KEY}
        text = _CONFIG.format(**settings, primary="yes" if self._primary else "no")
        (self._directory / "pdns.conf").write_text(text)
        with (self._directory / "log").open("wb") as log:
            command = [self._program, f"--config-dir={self._directory}"]
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _comes_up(self) -> bool:
        """False when it ended: someone else took a port meanwhile."""
        end = time.monotonic() + _READY_S
        while self.process.poll() is None:
            try:
                self.ask("GET", "")
                return True
            except OSError:
                if time.monotonic() > end:
                    self.stop()
                    raise
                time.sleep(0.05)
        return False

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    # ------------------------------------------------------------------------------------------ its own API

    def ask(self, method: str, path: str, document: object = None) -> Any:
        """The server's answer, independent of our adapter. Raises OSError."""
        request = urllib.request.Request(
            f"{self.api}/api/v1/servers/localhost{path}",
            method=method,
            headers={"X-API-Key": API_KEY, "Content-Type": "application/json"},
            data=None if document is None else json.dumps(document).encode(),
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                body = answer.read()
        except urllib.error.HTTPError as error:
            with error:
                raise OSError(f"{error.code} {error.read().decode()}") from None
        return json.loads(body) if body else None

    def create(self, zone: str, kind: str = "Native") -> None:
        """An empty zone that our key may update."""
        rrsets = [
            _set(zone, "SOA", f"ns1.{zone}. hostmaster.{zone}. 1 60 30 3600 5"),
            _set(f"ns1.{zone}", "A", "127.0.0.1"),
        ]
        document = {"name": f"{zone}.", "kind": kind, "nameservers": [f"ns1.{zone}."], "rrsets": rrsets}
        self.ask("POST", "/zones", document)
        allowed = {"kind": "TSIG-ALLOW-DNSUPDATE", "metadata": [TSIG.name]}
        self.ask("PUT", f"/zones/{zone}./metadata/TSIG-ALLOW-DNSUPDATE", allowed)

    def renew(self, zone: str = ZONE, kind: str = "Native") -> None:
        """The zone is as empty as in the beginning."""
        self.ask("DELETE", f"/zones/{zone}.")
        self.create(zone, kind)

    def patch(self, *rrsets: dict[str, Any], zone: str = ZONE) -> None:
        self.ask("PATCH", f"/zones/{zone}.", {"rrsets": [{"changetype": "REPLACE", **each} for each in rrsets]})

    def census(self, zone: str = ZONE) -> dict[tuple[str, str], Any]:
        """Everything that stands there, comments and disabled records too."""
        found = self.ask("GET", f"/zones/{zone}.")["rrsets"]
        return {(each["name"], each["type"]): each for each in found}

    # ------------------------------------------------------------------------------------------ our adapters

    def by_api(self, **options: Any) -> PowerDns:
        told = {
            "endpoint": self.api,
            "token": API_KEY,
            "servers": (self.place,),
            "timeout_s": 60.0,
            "deadline_s": 120.0,
        }
        return PowerDns(name="pdns", **{**told, **options})

    def by_update(self, **options: Any) -> Rfc2136:
        return Rfc2136(name="pdns", server=self.place, key=TSIG, timeout_s=60.0, deadline_s=120.0, **options)

    def serves(self, name: str, type: str) -> set[str] | None:
        """What the name server answers; None: nothing, or no answer."""
        try:
            found = DnsAuthority(timeout_s=60.0).ask(self.place, name, type)
        except AdapterError:
            return None
        return None if found is None else set(found.values)


def _set(name: str, type: str, *contents: str) -> dict[str, Any]:
    records = [{"content": content, "disabled": False} for content in contents]
    return {"name": f"{name}.", "type": type, "ttl": 60, "records": records}
