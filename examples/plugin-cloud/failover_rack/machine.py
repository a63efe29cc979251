"""One machine of the rack: what is asked of it and done on it, in POSIX shell.

    ROOT/depot/HEX.SHA256.tar.gz     releases: the digest's hexadecimal part, and the SHA-256 of the file itself
    ROOT/node/label                  two lines: the node's id, and what it is, as JSON
    ROOT/node/environment            what the program is told; only its owner may read it
    ROOT/node/app/                   the unpacked release
    ROOT/node/process                boot id, process id and start time of the program

`ROOT/node` appears by one rename, whole, or not at all: who renames first has the machine.
"""

import contextlib
import json
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from failover.errors import AdapterError, Conflict, NotFound, TimedOut, Unreachable, Unreadable

TAKEN, NO_RELEASE, NOT_REACHED = 75, 66, 255
"""Exit codes: of our scripts, and of `ssh` when it could not connect."""

_ALIVE = """
alive() {
  read -r boot pid born < node/process && read -r now < /proc/sys/kernel/random/boot_id || return 1
  [ "$boot" = "$now" ] && read -r stat < "/proc/$pid/stat" || return 1
  set -- ${stat##*) }
  [ "$1" != Z ] && [ "${20}" = "$born" ]
} 2> /dev/null
"""
_LOOK = (
    _ALIVE
    + """
mkdir -p "$1" && cd "$1" || exit 1
if [ -e node/label ]; then cat node/label; else printf '\\n{}\\n'; fi
if alive; then echo running; else echo stopped; fi
. /etc/os-release && echo "$ID-$VERSION_ID"
nproc
read -r _ memory _ < /proc/meminfo && echo "$memory"
df -Pk . | { read -r _; read -r _ size _; echo "$size"; }
"""
)
_CLAIM = f"""
umask 077
mkdir -p "$1" && cd "$1" || exit 1
set -- "$2" depot/"$3".*.tar.gz
[ -e "$2" ] || exit {NO_RELEASE}
mkdir "claim.$1" || exit 1
{{ IFS= read -r id; IFS= read -r label; printf '%s\\n%s\\n' "$id" "$label" > "claim.$1/label"
  cat > "claim.$1/environment"; }} || exit 1
sync "claim.$1/label" || exit 1
mv -T "claim.$1" node 2>/dev/null || {{ rm -rf "claim.$1"; exit {TAKEN}; }}
"""
_START = (
    _ALIVE
    + f"""
cd "$1" || exit 1
alive && exit 0
if [ ! -d node/app ]; then
  set -- "$1" "$2" "$3" depot/"$3".*.tar.gz
  [ -e "$4" ] || exit {NO_RELEASE}
  rm -rf node/part && mkdir node/part && tar -xzf "$4" -C node/part && mv -T node/part node/app || exit 1
fi
rm -f node/process
cd node/app && . ../environment || exit 1
COMMAND=$2 setsid sh -c '
  read -r boot < /proc/sys/kernel/random/boot_id && read -r stat < "/proc/$$/stat" && set -- ${{stat##*) }}
  echo "$boot $$ ${{20}}" > ../process.part && mv ../process.part ../process
  eval "exec $COMMAND"' < /dev/null > ../log 2>&1 &
while [ ! -e ../process ]; do sleep 0.02; done
"""
)
_VACATE = (
    _ALIVE
    + """
cd "$1" 2>/dev/null || exit 0
[ "$(head -n 1 node/label 2>/dev/null)" = "$2" ] || exit 0
if alive; then
  kill -s TERM -- "-$pid"
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do alive || break; sleep 0.05; done
  alive && kill -s KILL -- "-$pid"
fi
mv -T node "gone.$$" && rm -rf gone.*
"""
)
_STORE = """
umask 077
mkdir -p "$1/depot" && cd "$1/depot" || exit 1
cat > "part.$$" && [ "$(sha256sum < "part.$$" | cut -c -64)" = "$3" ] || { rm -f "part.$$"; exit 1; }
mv "part.$$" "$2.$3.tar.gz"
for old in "$2".*.tar.gz; do [ "$old" = "$2.$3.tar.gz" ] || rm -f "$old"; done
"""
_STOCK = """
cd "$1/depot" 2>/dev/null || exit 0
for file in *.tar.gz; do
  [ -e "$file" ] || continue
  rest=${file#*.}
  [ "$(sha256sum < "$file" | cut -c -64)" = "${rest%.tar.gz}" ] && echo "${file%%.*}"
done
exit 0
"""
_DROP = """
cd "$1/depot" 2>/dev/null || exit 0
rm -f "$2".*.tar.gz
"""
_WRITABLE = """
place=$1
while [ ! -e "$place" ]; do place=$(dirname "$place"); done
if [ -d "$place" ] && [ -w "$place" ]; then echo yes; else echo no; fi
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a machine says of itself. `id` is "" while nobody has claimed it."""

    address: str
    id: str
    label: Mapping[str, Any] = field(repr=False)
    running: bool
    image: str
    cpus: int
    memory_mib: int
    disk_gib: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """`reach`: the command that runs a shell text there; `{address}` in it and in `root` is replaced.

    Every method takes the seconds that it may need, and raises Unreachable, TimedOut (the outcome is unknown) or
    Unreadable besides what it names.
    """

    address: str
    reach: Sequence[str]
    root: str

    def look(self, timeout_s: float) -> Seen:
        """The machine as it is now."""
        said = self._run("look at", _LOOK, (), timeout_s).decode(errors="replace").splitlines()
        try:
            id, label, state, image, cpus, memory_kib, disk_kib = said
            return Seen(
                address=self.address,
                id=id,
                label=json.loads(label),
                running=state == "running",
                image=image,
                cpus=int(cpus),
                memory_mib=int(memory_kib) // 1024,
                disk_gib=int(disk_kib) // 1024**2,
            )
        except ValueError as error:
            raise Unreadable("look at", self.address, f"it answers something else: {error}") from error

    def claim(
        self, id: str, label: Mapping[str, object], environment: Mapping[str, str], release: str, timeout_s: float
    ) -> None:
        """The machine is ours, and knows as what. Raises Conflict (somebody has it), NotFound (no such release)."""
        told = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in environment.items())
        text = f"{id}\n{json.dumps(label)}\n{told}".encode()
        self._run("claim", _CLAIM, (id.rpartition("/")[2], _hex(release)), timeout_s, text)

    def start(self, command: str, release: str, timeout_s: float) -> None:
        """The program runs. Nothing happens where it does already. Raises NotFound (no such release)."""
        self._run("start", _START, (command, _hex(release)), timeout_s)

    def vacate(self, id: str, timeout_s: float) -> None:
        """The node of that id is gone. Nothing happens where it is not there."""
        self._run("vacate", _VACATE, (id,), timeout_s)

    def store(self, digest: str, archive: bytes, sha256: str, timeout_s: float) -> None:
        """The archive is there, whole."""
        self._run("store release at", _STORE, (_hex(digest), sha256), timeout_s, archive)

    def stock(self, timeout_s: float) -> frozenset[str]:
        """The digests of the archives that are there and undamaged."""
        said = self._run("look for releases at", _STOCK, (), timeout_s).decode(errors="replace")
        return frozenset(f"sha256:{line}" for line in said.splitlines())

    def drop(self, digest: str, timeout_s: float) -> None:
        """The archive is not there."""
        self._run("remove release at", _DROP, (_hex(digest),), timeout_s)

    def writable(self, timeout_s: float) -> bool:
        """Whether we may write at `root`, or where it would come into being. Makes nothing."""
        return self._run("look for rights at", _WRITABLE, (), timeout_s).strip() == b"yes"

    def _run(self, what: str, script: str, words: Sequence[str], timeout_s: float, given: bytes = b"") -> bytes:
        text = f"set -- {shlex.join([self._placed(self.root), *words])}\n{script}"
        command = [*map(self._placed, self.reach), f"exec sh -c {shlex.quote(text)}"]
        if timeout_s <= 0:
            raise TimedOut(what, self.address, "no time was left for it")
        try:
            done = subprocess.run(command, input=given, capture_output=True, timeout=timeout_s, check=False)
        except subprocess.TimeoutExpired as error:
            raise TimedOut(what, self.address, f"no answer within {timeout_s:.0f} s") from error
        except OSError as error:
            raise Unreachable(what, self.address, f"{self.reach[0]}: {error.strerror}") from error
        if done.returncode != 0:
            raise _error(what, self.address, done)
        return done.stdout

    def _placed(self, text: str) -> str:
        return text.replace("{address}", self.address)


def _hex(digest: str) -> str:
    return digest.partition(":")[2]


def _error(what: str, address: str, done: "subprocess.CompletedProcess[bytes]") -> AdapterError:
    """By exit code alone; what was said is for people."""
    said = ""
    with contextlib.suppress(IndexError):
        said = done.stderr.decode(errors="replace").strip().splitlines()[-1][:200]
    if done.returncode == TAKEN:
        return Conflict(what, address, "somebody else has claimed the machine")
    if done.returncode == NO_RELEASE:
        return NotFound(what, address, "the release is not there", "failover apply uploads it")
    if done.returncode == NOT_REACHED:
        return Unreachable(what, address, said or "it cannot be reached")
    return Unreadable(what, address, f"exit code {done.returncode}: {said}")
