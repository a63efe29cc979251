"""Secrets are found where a reference says, refused when others can read them, and hidden from every output."""

import json
import os
import subprocess
import sys
import traceback
from pathlib import Path
from urllib.parse import quote

import pytest

from failover.errors import SecretError
from failover.net import secret
from failover.net.secret import GUESS_COST, SecretRef, digest_of, read_private, redact, remember


def private(path: Path, text: str | bytes, mode: int = 0o600) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return path


def refused(reference: SecretRef) -> SecretError:
    with pytest.raises(SecretError) as caught:
        reference.resolve()
    assert caught.value.exit_code == 78
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert "hunter2" not in shown
    return caught.value


def test_each_kind_of_reference_gives_the_value_without_its_newline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", "from-env")
    file = private(tmp_path / "key", "from-file\r\n")
    assert SecretRef(env="KEY").resolve() == "from-env"
    assert SecretRef(file=file).resolve() == "from-file"
    assert SecretRef(command=("printf", "from-%s\n", "command")).resolve() == "from-command"


def test_a_value_may_begin_or_end_with_spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "  a b  \n")
    assert SecretRef(env="KEY").resolve() == "  a b  "


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o644, 0o620, 0o777, 0o601])
def test_a_file_that_is_not_private_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    error = refused(SecretRef(file=private(tmp_path / "key", "hunter2", mode)))
    assert error.cause == f"others can read it (mode {mode:04o})"
    assert error.hint == f"chmod 600 {tmp_path / 'key'}"


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_private_file_is_read(tmp_path: Path, mode: int) -> None:
    assert read_private(private(tmp_path / "key", "hunter2", mode)) == "hunter2"


def test_what_cannot_be_read_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KEY", raising=False)
    monkeypatch.setenv("EMPTY", "\n")
    assert refused(SecretRef(env="KEY")).cause == "the variable is not set"
    assert refused(SecretRef(env="EMPTY")).cause == "it is empty"
    assert refused(SecretRef(file=tmp_path / "gone")).cause == "No such file or directory"
    assert refused(SecretRef(file=tmp_path)).cause == "Is a directory"
    assert refused(SecretRef(file=Path("nul\0"))).cause == "it cannot be opened"
    assert refused(SecretRef(file=private(tmp_path / "bytes", b"hunter2\xff"))).cause == "it is not UTF-8 text"
    assert refused(SecretRef(file=private(tmp_path / "large", "hunter2" * 10_000))).cause == "it is larger than 64 KiB"


def test_a_command_that_fails_says_how_and_not_what_it_printed(tmp_path: Path) -> None:
    script = "echo hunter2; echo hunter2 >&2; exit 3"
    error = refused(SecretRef(command=("sh", "-c", script)))
    assert (error.object, error.cause) == ("command sh", "it exited with 3")
    assert refused(SecretRef(command=(str(tmp_path / "gone"), "hunter2"))).cause == "No such file or directory"
    assert refused(SecretRef(command=("sh", "-c", "printf 'hunter2\\377'"))).cause == "it is not UTF-8 text"
    assert refused(SecretRef(command=("true",))).cause == "it is empty"
    assert refused(SecretRef(command=())).cause == "it cannot be opened"


def test_a_command_that_hangs_ends_at_its_deadline_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secret, "COMMAND_TIMEOUT_S", 0.5)
    pid = tmp_path / "pid"
    error = refused(SecretRef(command=("sh", "-c", f"sleep 1000 & echo $! > {pid}; echo hunter2; wait")))
    assert error.cause == "no answer within 0.5 s"
    if pid.exists() and pid.read_text().strip():
        state = Path(f"/proc/{pid.read_text().strip()}/stat")
        while state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] not in "ZX":
            os.sched_yield()


def test_a_command_gets_no_input() -> None:
    assert SecretRef(command=("sh", "-c", "cat; echo done")).resolve() == "done"


def test_neither_text_nor_repr_of_a_reference_shows_arguments() -> None:
    reference = SecretRef(command=("vault", "--token", "hunter2"))
    assert str(reference) == "command vault"
    assert "hunter2" not in repr(reference)


def test_what_was_resolved_is_hidden_wherever_it_appears(monkeypatch: pytest.MonkeyPatch) -> None:
    value = 'p/s "w"\\ö'
    monkeypatch.setenv("KEY", value)
    assert redact(value) == value
    SecretRef(env="KEY").resolve()
    assert redact(f"<{value}>") == "<[redacted]>"
    assert redact(json.dumps({"key": value})) == '{"key": "[redacted]"}'
    assert redact("https://x/?key=" + quote(value, safe="")) == "https://x/?key=[redacted]"


def test_each_line_of_a_key_is_hidden() -> None:
    remember("-----BEGIN KEY-----\nMIIabcdefgh\nab\n-----END KEY-----")
    assert redact("line 2 is MIIabcdefgh") == "line 2 is [redacted]"
    assert redact("ab") == "ab"


def test_the_longest_value_is_hidden_first() -> None:
    remember("pass")
    remember("password")
    assert redact("password pass") == "[redacted] [redacted]"


def test_very_short_values_are_left() -> None:
    remember("on")
    assert redact("on and on") == "on and on"


def test_a_digest_of_values_changes_with_them_and_is_none_that_is_cheap_to_try() -> None:
    values = {"PASSWORD": "letmein", "MODE": "live"}
    found = digest_of(values, "sha256:1")
    assert digest_of(dict(reversed(values.items())), "sha256:1") == found
    others = [digest_of({**values, "MODE": "test"}, "sha256:1"), digest_of(values, "sha256:2"), digest_of({}, "x")]
    assert len({found, *others}) == 4
    assert digest_of({}, "x") == ""
    assert GUESS_COST * 1024 >= 16 * 1024 * 1024, "bytes of memory for each try"


def test_importing_it_starts_nothing_heavy() -> None:
    code = "import sys, failover.net.secret; print(sorted({'urllib3', 'pydantic', 'dns'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
