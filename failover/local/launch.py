"""Becomes a node's program: run by path as `python -I -S launch.py PARENT COMMAND…`, imports next to nothing.

Asks the kernel to kill the program when the daemon's thread that started it ends (prctl(2), PR_SET_PDEATHSIG), which
survives exec, and then executes the command.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
NOT_STARTED = 127


def main(parent: int, command: list[str]) -> int:
    """Returns only when the command could not be executed."""
    if ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        sys.stderr.write("the kernel takes no parent-death signal\n")
        return NOT_STARTED
    if os.getppid() != parent:  # it died before we asked: nobody would kill us
        return NOT_STARTED
    for number in (signal.SIGPIPE, signal.SIGHUP, signal.SIGINT):  # Python and the daemon ignore some of these
        signal.signal(number, signal.SIG_DFL)
    os.umask(0o022)
    try:
        os.execvp(command[0], command)  # noqa: S606 - the point: no shell
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
    return NOT_STARTED


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
