"""The rack passes failover's own suite, on machines that are directories of this one."""

import contextlib
import json
import platform
import subprocess
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from failover.core.model import Node, NodeSpec, Reading
from failover.core.rights import May
from failover.errors import ConfigError, TimedOut, Unreadable
from failover.net.archive import Packed
from failover.testing.clouds import SERVICE, SITE, CloudConformance, Operator
from failover.testing.rights import wish
from failover_rack.cloud import Rack, rack

ADDRESSES = ("127.90.0.1", "127.90.0.2", "127.90.0.3", "127.90.0.4")
NO_ACCOUNT = "a rack has no account"
REACH = """\
#!/bin/sh
[ -e {directory}/cut ] && { echo "no route to host" >&2; exit 255; }
[ -e {directory}/hang ] && exec sleep 30
exec sh -c "$1"
"""


class MachineRoom:
    """Plays the people there, and whatever else happens without us."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def close(self, reason: str) -> None:
        pytest.skip(NO_ACCOUNT)

    def reopen(self) -> None:
        pytest.skip(NO_ACCOUNT)

    def warn(self, message: str) -> None:
        pytest.skip(NO_ACCOUNT)

    def refuse(self) -> None:
        pytest.skip(NO_ACCOUNT)

    def cut(self) -> None:
        (self._directory / "cut").touch()

    def hang(self) -> None:
        (self._directory / "hang").touch()

    def recover(self) -> None:
        for name in ("cut", "hang"):
            (self._directory / name).unlink(missing_ok=True)

    def stop(self, node: Node) -> None:
        _, pid, _ = (self._node(node.id.partition("/")[0]) / "process").read_text().split()
        subprocess.run(["kill", "-KILL", "--", f"-{pid}"], check=True)

    def foreign(self, name: str) -> str:
        address = next(a for a in ADDRESSES if not self._node(a).exists())
        label = {"name": name, "labels": {"owner": "somebody-else"}, "created_at_s": 1.0}
        self._node(address).mkdir(parents=True)
        (self._node(address) / "label").write_text(f"{address}/theirs\n{json.dumps(label)}\n")
        return f"{address}/theirs"

    def has_node(self, id: str) -> bool:
        label = self._node(id.partition("/")[0]) / "label"
        return label.exists() and label.read_text().startswith(f"{id}\n")

    def _node(self, address: str) -> Path:
        return self._directory / "racks" / address / "node"

    def walls(self) -> Mapping[str, frozenset[int]]:
        return {}

    def set_wall(self, name: str, ports: Collection[int]) -> None:
        """There are none."""


def made(directory: Path, deadline_s: float = 20.0) -> Rack:
    return rack(
        name="basement",
        region=None,
        role="mirror",
        deadline_s=deadline_s,
        timeout_s=10.0,
        machines=list(ADDRESSES),
        reach=["sh", str(directory / "reach")],
        root=f"{directory}/racks/{{address}}",
    )


class TestRack(CloudConformance):
    nodes_max = len(ADDRESSES)

    @pytest.fixture
    def cloud(self, tmp_path: Path) -> Iterator[Rack]:
        (tmp_path / "reach").write_text(REACH.replace("{directory}", str(tmp_path)))
        found = made(tmp_path)
        yield found
        MachineRoom(tmp_path).recover()
        for site in (SITE, "boreas"):
            for service in (SERVICE, "other"):
                for node in found.nodes(service, site):
                    found.destroy(node)
        assert not _left_running(tmp_path)

    @pytest.fixture
    def operator(self, cloud: Rack, tmp_path: Path) -> Operator:
        return MachineRoom(tmp_path)

    def spec(self, release: Packed, ordinal: int = 0, *, site: str = SITE, service: str = SERVICE) -> NodeSpec:
        system = platform.freedesktop_os_release()
        wish = super().spec(release, ordinal, site=site, service=service)
        return replace(wish, image=f"{system['ID']}-{system.get('VERSION_ID', '')}")

    # ------------------------------------------------------------------------------------------ the rack's own

    def test_a_root_that_cannot_be_written_is_told_before_it_is_needed(self, cloud: Rack, tmp_path: Path) -> None:
        (tmp_path / "racks").mkdir(exist_ok=True)
        (tmp_path / "racks" / ADDRESSES[1]).write_text("a file, where a directory should come into being")
        rights = cloud.rights(wish())
        assert {right.may for right in rights} == {May.REFUSED}
        assert {right.says for right in rights} == {f"`root` cannot be written on {ADDRESSES[1]}"}
        (tmp_path / "racks" / ADDRESSES[1]).unlink()

    def test_one_machine_that_hangs_makes_the_list_unreadable_in_time(
        self, cloud: Rack, operator: MachineRoom, tmp_path: Path
    ) -> None:
        operator.hang()
        impatient = made(tmp_path, deadline_s=0.5)
        with pytest.raises(TimedOut):
            impatient.nodes(SERVICE, SITE)
        assert impatient.state().reading is Reading.UNCLEAR

    def test_a_damaged_archive_is_not_there(self, cloud: Rack, stocked: Packed, tmp_path: Path) -> None:
        (first, *_) = (tmp_path / "racks").glob("*/depot/*.tar.gz")
        first.write_bytes(first.read_bytes()[:-1])
        assert not cloud.has(stocked.digest)
        cloud.put(stocked.digest, stocked.archive)
        assert cloud.has(stocked.digest)

    def test_a_label_that_makes_no_sense_is_not_an_empty_machine(
        self, cloud: Rack, operator: MachineRoom, tmp_path: Path
    ) -> None:
        operator.foreign("x")
        (label,) = (tmp_path / "racks").glob("*/node/label")
        label.write_text("half a li")
        with pytest.raises(Unreadable):
            cloud.nodes(SERVICE, SITE)
        label.unlink()

    def test_the_environment_is_private_and_whole(self, cloud: Rack, stocked: Packed, tmp_path: Path) -> None:
        secret = 'it\'s "odd" $HOME\nand long'
        command = "sh -c 'printenv SECRET > ../told; sleep 600'"
        wish = replace(self.spec(stocked), command=command, environment={"SECRET": secret})
        (machine,) = cloud.ensure(wish).addresses
        node = tmp_path / "racks" / machine / "node"
        self.settled(cloud, lambda _: (node / "told").exists() and (node / "told").read_text() != "")
        assert (node / "told").read_text() == secret + "\n"
        assert (node / "environment").stat().st_mode & 0o077 == 0


def _left_running(directory: Path) -> list[str]:
    """Processes that work in a machine's directory."""
    found = []
    for link in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):
            if link.readlink().is_relative_to(directory):
                found.append(link.parent.name)
    return found


@pytest.mark.parametrize(
    "words",
    [
        {},
        {"machines": "127.0.0.1"},
        {"machines": ["here; rm -rf /"]},
        {"machines": ["127.0.0.1", "127.0.0.1"], "root": "/tmp/{address}"},
        {"machines": ["127.0.0.1", "127.0.0.2"]},
        {"machines": ["127.0.0.1"], "reach": "ssh"},
        {"machines": ["127.0.0.1"], "reech": ["ssh"]},
    ],
)
def test_what_makes_no_sense_is_said(words: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        rack(name="basement", region=None, role="watch", deadline_s=1.0, timeout_s=1.0, **words)
