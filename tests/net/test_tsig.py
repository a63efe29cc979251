"""The key of DNS updates and its file."""

import shutil
import subprocess
from pathlib import Path

import pytest

from failover.errors import SecretError
from failover.net.secret import redact
from failover.net.tsig import TsigKey, read_key, write_key

SECRET = "YSBzZWNyZXQgb2YgdGhlIHRlc3RzLCAzMiBieXRlcyE="


def test_what_was_written_is_read_and_private(tmp_path: Path) -> None:
    key = TsigKey(name="failover", secret=SECRET, algorithm="hmac-sha512")
    write_key(tmp_path / "key", key)
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert read_key(tmp_path / "key") == key


@pytest.mark.parametrize(
    "text",
    [
        f'key "failover" {{\n\talgorithm hmac-sha256;\n\tsecret "{SECRET}";\n}};\n',
        f"key failover {{algorithm hmac-sha256;secret {SECRET};}};",
    ],
)
def test_forms_of_the_statement(tmp_path: Path, text: str) -> None:
    path = tmp_path / "key"
    path.write_text(text)
    path.chmod(0o600)
    assert read_key(path) == TsigKey(name="failover", secret=SECRET)


def test_the_file_of_tsig_keygen(tmp_path: Path) -> None:
    program = shutil.which("tsig-keygen", path="/usr/sbin:/usr/bin")
    if program is None:
        pytest.skip("tsig-keygen is not installed (package bind9)")
    path = tmp_path / "key"
    path.touch(0o600)
    path.write_bytes(subprocess.run([program, "failover."], capture_output=True, check=True).stdout)
    assert read_key(path).name == "failover."


@pytest.mark.parametrize(
    "text", ["", "secret", 'key "x" { algorithm hmac-sha256; }', 'key x { algorithm a; secret "%"; };']
)
def test_what_is_no_key(tmp_path: Path, text: str) -> None:
    path = tmp_path / "key"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(SecretError):
        read_key(path)


def test_a_missing_or_open_file(tmp_path: Path) -> None:
    with pytest.raises(SecretError):
        read_key(tmp_path / "absent")
    write_key(tmp_path / "key", TsigKey(name="failover", secret=SECRET))
    (tmp_path / "key").chmod(0o604)
    with pytest.raises(SecretError):
        read_key(tmp_path / "key")


def test_the_secret_does_not_show() -> None:
    key = TsigKey(name="failover", secret=SECRET)
    assert SECRET not in repr(key)
    assert SECRET not in redact(f"the secret is {SECRET}")
    with pytest.raises(ValueError, match="key failover is not base64") as raised:
        TsigKey(name="failover", secret="no base64!")
    assert "no base64!" not in str(raised.value)
