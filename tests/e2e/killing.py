"""The real command line, killed like a power cut at its n-th write to the state.

Run as `python killing.py N before|after LOG WORDS…`: SIGKILL comes just before or just after the n-th transaction that
the command (its lease and its store together) writes. LOG gets one line per write.
"""

import os
import signal
import sys
from pathlib import Path
from typing import TypeVar

from failover.__main__ import main
from failover.stores.database import Database, Work

T = TypeVar("T")


def arm(number: int, moment: str, log: Path) -> None:
    """From now on the write of that number is the last one."""
    write = Database.write
    count = 0

    def counted(self: Database, operation: str, work: Work[T]) -> T:
        nonlocal count
        count += 1
        mine = count == number
        if mine and moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = write(self, operation, work)
        with log.open("a") as out:
            out.write(f"{operation}\n")
        if mine:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    Database.write = counted  # type: ignore[method-assign]


if __name__ == "__main__":
    arm(int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
    sys.argv = ["failover", *sys.argv[4:]]
    main()
