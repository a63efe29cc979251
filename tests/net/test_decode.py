"""Typed values from JSON, also when many threads want the same type for the first time at once."""

import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

import failover
from failover.net.decode import decode, decoder

PRODUCT = Path(failover.__file__).parent
MANY = """
import sys, threading
import msgspec
from failover.net.decode import decode
sys.setswitchinterval(1e-6)

def once():
    class Quota(msgspec.Struct):
        most: int
    class Account(msgspec.Struct):
        status: str
        quota: Quota
    barrier, found = threading.Barrier(3), []
    def work():
        barrier.wait()
        found.append(decode(b'{"status": "active", "quota": {"most": 1}}', Account).quota.most)
    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [1, 1, 1]

for _ in range(300):
    once()
"""


class Thing(msgspec.Struct):
    number: int


def test_a_typed_value() -> None:
    assert decode(b'{"number": 7}', Thing).number == 7
    assert decoder(Thing) is decoder(Thing)
    with pytest.raises(msgspec.ValidationError):
        decode('{"number": "7"}', Thing)


def test_many_threads_use_a_type_for_the_first_time() -> None:
    """Without the lock this ends by SIGSEGV, mostly within the first rounds."""
    done = subprocess.run([sys.executable, "-c", MANY], capture_output=True, text=True, timeout=150, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_nobody_goes_around_the_lock() -> None:
    around = re.compile(r"msgspec\.json\.decode\([^)]*type=|msgspec\.json\.Decoder\(|msgspec\.convert\(")
    found = [str(p) for p in PRODUCT.rglob("*.py") if p.name != "decode.py" and around.search(p.read_text())]
    assert found == []
