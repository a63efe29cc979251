"""Running a user's program: how it ends, and that nothing of it stays."""

import os
import time
from pathlib import Path

import pytest

from failover.errors import TimedOut, Unreachable
from failover.hooks.process import Finished, run_program
from failover.net.secret import remember
from tests.hooks.programs import program


def run(
    command: tuple[str, ...], timeout_s: float = 30.0, document: bytes = b"", directory: Path | None = None
) -> Finished:
    return run_program(
        command,
        operation="run it",
        document=document,
        environment={"FAILOVER_X": "y"},
        timeout_s=timeout_s,
        directory=directory,
    )


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def eventually_dead(pid: int) -> bool:
    for _ in range(1000):
        if not alive(pid):
            return True
        time.sleep(0.01)
    return False


def test_success(tmp_path: Path) -> None:
    finished = run(program(tmp_path / "p", "exit 0"))
    assert (finished.exit_code, finished.last_line) == (0, "")


def test_it_gets_input_environment_and_directory(tmp_path: Path) -> None:
    run(
        program(tmp_path / "p", f'cat > copy; echo "$FAILOVER_X $PATH" > env; pwd > {tmp_path}/where'),
        document=b"x" * 200_000,
        directory=tmp_path,
    )
    assert (tmp_path / "copy").read_bytes() == b"x" * 200_000
    assert (tmp_path / "env").read_text() == f"y {os.environ['PATH']}\n"
    assert (tmp_path / "where").read_text() == f"{tmp_path}\n"


def test_a_relative_command_is_against_the_directory(tmp_path: Path) -> None:
    program(tmp_path / "p", "exit 3")
    assert run(("./p",), directory=tmp_path).exit_code == 3


def test_it_need_not_read_its_input(tmp_path: Path) -> None:
    assert run(program(tmp_path / "p", "exec <&-; exit 0"), document=b"x" * 1_000_000).exit_code == 0


def test_the_last_line_says_why(tmp_path: Path) -> None:
    finished = run(program(tmp_path / "p", r"printf 'one\n\033[2Jtwo\n\n  \n' >&2; exit 4"))
    assert finished.cause == "exited with 4: ?[2Jtwo"


def test_a_flood_on_its_outputs_is_no_trouble(tmp_path: Path) -> None:
    text = "head -c 3000000 /dev/zero; head -c 3000000 /dev/zero | tr '\\0' 'x' >&2; echo >&2; echo last >&2; exit 5"
    assert run(program(tmp_path / "p", text)).cause == "exited with 5: last"


def test_a_long_last_line_is_cut(tmp_path: Path) -> None:
    assert run(program(tmp_path / "p", "head -c 9000 /dev/zero | tr '\\0' 'x' >&2; exit 1")).last_line == "x" * 200


def test_secrets_do_not_come_back(tmp_path: Path) -> None:
    remember("hunter2hunter2")
    assert run(program(tmp_path / "p", "echo key hunter2hunter2 >&2; exit 1")).last_line == "key [redacted]"


def test_a_signal_is_named(tmp_path: Path) -> None:
    assert run(program(tmp_path / "p", "kill -9 $$")).cause == "ended by SIGKILL"


def test_a_child_left_behind_does_not_hold_us(tmp_path: Path) -> None:
    finished = run(program(tmp_path / "p", f"sleep 600 & echo $! > {tmp_path}/pid; exit 0"))
    assert finished.exit_code == 0
    os.kill(int((tmp_path / "pid").read_text()), 9)


def test_the_whole_group_is_killed_at_the_timeout(tmp_path: Path) -> None:
    text = f"sleep 600 & echo $! > {tmp_path}/child; echo $$ > {tmp_path}/own; wait"
    with pytest.raises(TimedOut) as caught:
        run(program(tmp_path / "p", text), timeout_s=3.0)
    assert str(caught.value) == f"run it {tmp_path}/p: did not end within 3 s and was killed"
    assert eventually_dead(int((tmp_path / "own").read_text()))
    assert eventually_dead(int((tmp_path / "child").read_text()))


def test_closing_its_outputs_does_not_help_it(tmp_path: Path) -> None:
    with pytest.raises(TimedOut):
        run(program(tmp_path / "p", "exec >&- 2>&-; exec sleep 600"), timeout_s=0.5)


@pytest.mark.parametrize("command", [("/nowhere/p", "s3cret-argument"), ("/", "x"), ("a\0b", "x")])
def test_what_cannot_be_started(command: tuple[str, ...]) -> None:
    with pytest.raises(Unreachable) as caught:
        run(command)
    assert "cannot be started" in caught.value.cause
    assert command[1] not in caught.value.cause
