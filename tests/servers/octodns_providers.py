"""Classes of octoDNS's form that do what no provider should, on a real PowerDNS."""

import os
import subprocess
import time
from pathlib import Path
from typing import Any

from octodns.record import Record, Update
from octodns_powerdns import PowerDnsProvider


class Sleeper(PowerDnsProvider):  # type: ignore[misc]  # octoDNS has no types
    """Does it, and then waits as long as some providers do between attempts, with a child of its own."""

    def __init__(self, id: str, note: str, **options: Any) -> None:
        super().__init__(id, **options)
        self._note = Path(note)

    def _apply(self, plan: Any) -> None:
        super()._apply(plan)
        with subprocess.Popen(["sleep", "300"]) as child:
            self._note.write_text(str(child.pid))
            time.sleep(300)


class Waiting(PowerDnsProvider):  # type: ignore[misc]  # as above
    """Notes its process, and waits before it asks anything."""

    def __init__(self, id: str, note: str, **options: Any) -> None:
        super().__init__(id, **options)
        Path(note).write_text(str(os.getpid()))

    def populate(self, zone: Any, target: bool = False, lenient: bool = False) -> bool:
        time.sleep(300)
        return False


class Dying(PowerDnsProvider):  # type: ignore[misc]  # as above
    def populate(self, zone: Any, target: bool = False, lenient: bool = False) -> bool:
        os._exit(3)


class DyingAtWork(PowerDnsProvider):  # type: ignore[misc]  # as above
    def _apply(self, plan: Any) -> None:
        os._exit(3)


class Meddler(PowerDnsProvider):  # type: ignore[misc]  # as above
    """Adds a change of its own, as octoDNS lets it."""

    def _extra_changes(self, existing: Any, desired: Any, changes: Any) -> list[Any]:
        (old,) = [record for record in existing.records if record.name == "ns1"]
        new = Record.new(desired, "ns1", {"type": "A", "ttl": 60, "values": ["192.0.2.66"]})
        return [Update(old, new)]


class Settler(PowerDnsProvider):  # type: ignore[misc]  # as above
    def _plan_meta(self, existing: Any, desired: Any, changes: Any) -> dict[str, str]:
        return {"plan": "enterprise"}


class HalfWay(PowerDnsProvider):  # type: ignore[misc]  # as above
    def _apply(self, plan: Any) -> None:
        raise RuntimeError("after the first of two requests")


class Chatterbox(PowerDnsProvider):  # type: ignore[misc]  # as above
    def populate(self, zone: Any, target: bool = False, lenient: bool = False) -> bool:
        print('{"sets": "nonsense"}', flush=True)
        os.write(1, b"noise\n")
        return bool(super().populate(zone, target=target, lenient=lenient))
