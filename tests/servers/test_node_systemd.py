"""The shipped user-data under the real systemd: a node serves, goes on after a loss of power, and keeps its secrets."""

import ast
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.booted import Booted, booted
from tests.servers.clean_room import Room, eventually, lay_out, room
from tests.servers.test_node_boot import APP, KEY, ask, links, spec, user_data

pytestmark = [pytest.mark.server("node"), pytest.mark.timeout(1200)]
UNIT = "failover-guestbook"
PATIENCE_S = 60.0
HOSTILE = {"PATH": "/nowhere", "LD_LIBRARY_PATH": "/nowhere", "PYTHONWARNINGS": "error"}
"""Variables of a program that must not become those of what brings it there."""


@pytest.fixture
def clean(tmp_path: Path) -> Iterator[Room]:
    with room(tmp_path / "room") as made:
        yield made


def serves(clean: Room) -> bool:
    return ask(clean, "/healthz", port=80) == f"200 frankfurt {APP.digest}\nok\n"


def variables(machine: Booted, pid: int | str) -> dict[str, str]:
    """Those of a process of the machine."""
    found = machine.must("cat", f"/proc/{pid}/environ").split("\0")
    return dict(word.split("=", 1) for word in found if "=" in word)


def others(machine: Booted, pid: int) -> str:
    """Command lines and variables of all processes but this one."""
    script = 'for p in /proc/[0-9]*; do [ $p = /proc/"$0" ] || cat $p/environ $p/cmdline; done 2>/dev/null; true'
    return machine.must("sh", "-c", script, str(pid))


def test_a_node_serves_at_once_and_after_a_loss_of_power_without_its_links(clean: Room) -> None:
    text = user_data(spec(ports=(80,), command="/usr/bin/python3 server.py"))
    lay_out(text, clean.root)
    with booted(clean) as machine:
        machine.first_boot(text)
        with links(clean, APP.archive, {"GUESTBOOK_KEY": KEY, **HOSTILE}):
            eventually(lambda: serves(clean), PATIENCE_S)
        pid = machine.started(UNIT)
        assert {"GUESTBOOK_KEY": KEY, **HOSTILE}.items() <= variables(machine, pid).items()
        assert machine.must("stat", "-c", "%u", f"/proc/{pid}") != "0\n"
        told = others(machine, pid) + machine.must("journalctl", "--boot") + machine.must("systemctl", "show", UNIT)
        assert "quoted" in KEY
        assert "quoted" not in told
        assert "X-Amz" not in told
    for _ in range(2):
        with booted(clean) as machine:
            eventually(lambda: serves(clean), PATIENCE_S)
            assert variables(machine, machine.started(UNIT))["GUESTBOOK_KEY"] == KEY


def test_a_command_reaches_its_program_word_for_word(clean: Room) -> None:
    words = ["100% %n %%", "$HOME ${HOME} $$", "a  b\\c\"d'", "tab\tand\nline", "\u00e4\U0001f4a5", "", ";", "-x"]
    told = "import os, sys; open(os.environ['STATE_DIRECTORY'] + '/words', 'w').write(repr(sys.argv[1:]))"
    text = user_data(spec(command=shlex.join(["/usr/bin/python3", "-c", told, *words])))
    lay_out(text, clean.root)
    with booted(clean) as machine, links(clean, APP.archive, {}):
        machine.first_boot(text)
        found = clean.root / "var/lib/private/failover/guestbook/words"
        eventually(lambda: found.exists() and found.read_text(), PATIENCE_S)
        assert ast.literal_eval(found.read_text(encoding="utf-8")) == words
