"""What a provider's machines do with what they are told: fetch the release by its link, and serve it at their address.

A stand-in knows which nodes exist; here they boot. Each one unpacks the archive that its user-data links to and serves
with the program that lies in it, at the very address that the API gave out. It stops when the provider says so.
"""

import json
import runpy
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from http import HTTPStatus
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from failover.local.addresses import pick
from failover.net.archive import unpack
from tests.standins.base import Machine, Mood, StandIn

LOOK_S = 0.05
FETCH_S = 30.0


def loopback(port: int) -> Iterator[str]:
    """Addresses for nodes, as long as somebody wants one: of this machine, and free at that port."""
    used: set[str] = set()
    while True:
        address = pick([port], used)
        used.add(address)
        yield address


class Hall:
    """Boots the nodes of these providers, as long as the block lasts. `within`: the network that they are in."""

    def __init__(
        self,
        directory: Path,
        port: int,
        *standins: StandIn,
        within: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._directory, self._port, self._standins, self._within = directory, port, standins, within
        self._running: dict[str, Any] = {}
        self._seen: dict[StandIn, tuple[int, Mood]] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.log: list[str] = []
        """`serves NAME` with a node's first good answer, `ends NAME` when it is switched off, in this order."""
        self.troubles: list[str] = []
        self.held_at: int | None = None
        """When the first machine came that waits for its switch, in the provider's ticks."""
        self.ended: Callable[[str], object] = lambda _address: None
        """Is called with the address of each node that was switched off."""
        self._holding = False

    def __enter__(self) -> "Hall":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for id in list(self._running):
            self._end(id)
        assert not self.troubles, self.troubles

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Whoever is created meanwhile boots only afterwards."""
        self.held_at, self._holding = None, True
        yield
        self._holding = False
        self._seen.clear()

    def _run(self) -> None:
        while not self._stop.wait(LOOK_S):
            for standin in self._standins:
                seen = (standin.ticks, standin.mood)
                if self._seen.get(standin) != seen:
                    self._seen[standin] = seen
                    self._follow(standin)

    def _follow(self, standin: StandIn) -> None:
        """What was switched off ends first, so that the log is in the provider's own order."""
        ours = {f"{id(standin)} {m.id}": m for m in standin.machines() if m.user_data}
        for key in [k for k in self._running if k.startswith(f"{id(standin)} ") and k not in ours]:
            self._end(key)
        for key, machine in ours.items():
            if key not in self._running and self._holding:
                self.held_at = standin.ticks if self.held_at is None else self.held_at
            elif key not in self._running:
                try:
                    with self._within():
                        self._boot(key, machine)
                except Exception as error:  # noqa: BLE001 - whatever it is, the test must hear of it
                    self.troubles.append(f"{machine.address}: {error!r}")
                    self._running[key] = None

    # ------------------------------------------------------------------------------------ one node

    def _boot(self, key: str, machine: Machine) -> None:
        files = {f["path"]: f["content"] for f in YAML(typ="safe").load(machine.user_data)["write_files"]}
        node = json.loads(next(content for path, content in files.items() if path.endswith("/node.json")))
        disk = self._directory / key.replace(" ", "-")
        unpack(_fetched(node["archive"]), disk, node["release"])
        environment = dict(line.split("=", 1) for line in _fetched(node["environment"]).decode().splitlines())
        environment = {name: value.strip('"') for name, value in environment.items()}
        program = runpy.run_path(str(disk / "server.py"))
        server = program["Guestbook"](machine.address, self._port, environment)
        server.RequestHandlerClass = type("Told", (program["Handler"],), {"log_request": self._teller(machine.address)})
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": LOOK_S}, daemon=True).start()
        self._running[key] = server

    def _teller(self, address: str) -> Callable[..., None]:
        line = f"serves {address}"

        def tell(_handler: object, code: object = "-", _size: object = "-") -> None:
            with self._lock:
                if code == HTTPStatus.OK and line not in self.log:
                    self.log.append(line)

        return tell

    def _end(self, key: str) -> None:
        server = self._running.pop(key)
        if server is not None:
            with self._lock:
                self.log.append(f"ends {server.server_address[0]}")
            self.ended(str(server.server_address[0]))
            server.shutdown()
            server.server_close()


def _fetched(link: str) -> bytes:
    with urllib.request.urlopen(link, timeout=FETCH_S) as answer:
        found: bytes = answer.read()
        return found
