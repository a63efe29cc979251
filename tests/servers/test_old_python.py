"""What the standard library had not yet in the first Pythons that are promised: tried with the system's own."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from failover.net.resources import resource
from tests.servers.clean_room import Room, room

pytestmark = [pytest.mark.server("node"), pytest.mark.timeout(1200)]
PACKAGE = Path(__file__).resolve().parents[2] / "failover"
ROUND_TRIP = """\
from pathlib import Path
from failover.net.archive import pack, tree_digest, unpack

packed = pack(Path("/app"))
unpack(packed.archive, Path("/tmp/there"), packed.digest)
print(packed.digest == tree_digest(Path("/tmp/there")))
"""


@pytest.fixture
def clean(tmp_path: Path) -> Iterator[Room]:
    with room(tmp_path / "room") as made:
        yield made


def test_a_release_is_packed_and_unpacked_by_the_system_s_python(clean: Room) -> None:
    """Debian 12 has 3.11.2, where `TarFile.extract` knows no filters."""
    places = {PACKAGE: "src/failover", Path(str(resource("examples/guestbook"))): "app"}
    for source, place in places.items():
        (clean.root / place).mkdir(parents=True)
        mount = clean.inside("mount", "--bind", "-o", "ro", str(source), f"{clean.directory}/root/{place}")
        subprocess.run(mount, check=True, timeout=60)
    assert clean.must("env", "PYTHONPATH=/src", "PYTHONDONTWRITEBYTECODE=1", "python3", "-c", ROUND_TRIP) == "True\n"
