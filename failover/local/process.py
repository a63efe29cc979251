"""Processes known by pid and start time, so that a reused pid is never mistaken for ours and never signalled.

Linux only: start times and environments come from /proc, race-free signals from pidfds.
"""

import functools
import os
import select
import signal
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

SWEEPS_MAX = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """One process for all time. `start` is in clock ticks since boot (/proc/PID/stat, field 22)."""

    pid: int
    start: int
    boot_id: str


@functools.cache
def boot_id() -> str:
    """The id of this boot of the kernel."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def identify(pid: int) -> Identity | None:
    """Who runs under this pid now. None when nobody does, or only a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    fields = stat.rpartition(b")")[2].split()  # the command's name may hold blanks and brackets
    if len(fields) < 20 or fields[0] in (b"Z", b"X"):
        return None
    return Identity(pid=pid, start=int(fields[19]), boot_id=boot_id())


def alive(identity: Identity) -> bool:
    """Whether this very process still runs."""
    return identify(identity.pid) == identity


def _open(identity: Identity) -> int | None:
    """A pidfd for this very process, or None when it is gone."""
    try:
        descriptor = os.pidfd_open(identity.pid)
    except OSError:
        return None
    if alive(identity):  # asked after opening: from here on the descriptor means this process and no other
        return descriptor
    os.close(descriptor)
    return None


def send(identity: Identity, number: signal.Signals) -> bool:
    """Signal this very process. False when it is gone; a stranger under its pid is never signalled."""
    descriptor = _open(identity)
    if descriptor is None:
        return False
    try:
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True


def wait_gone(identity: Identity, timeout_s: float) -> bool:
    """Whether this very process ended within the time."""
    descriptor = _open(identity)
    if descriptor is None:
        return True
    try:
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        return bool(poller.poll(timeout_s * 1000))
    finally:
        os.close(descriptor)


def marked(variable: str, values: Collection[str]) -> Iterator[Identity]:
    """Every process that was started with `variable` set to one of the values."""
    wanted = {f"{variable}={value}".encode() for value in values}
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        found = identify(int(entry.name))
        if found is None:
            continue
        try:
            environment = Path(entry.path, "environ").read_bytes()
        except OSError:  # gone, or not ours to look at
            continue
        if not wanted.isdisjoint(environment.split(b"\0")):
            yield found


def kill_marked(variable: str, values: Collection[str]) -> None:
    """Kill every process that carries the mark, also one that left its group, until none is found."""
    if not values:
        return
    for _ in range(SWEEPS_MAX):
        found = [identity for identity in marked(variable, values) if send(identity, signal.SIGKILL)]
        if not found:
            return
        for identity in found:
            wait_gone(identity, 1.0)
