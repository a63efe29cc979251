"""Entry point: `failover …` and `python -m failover …`."""

import io
import sys

from failover import __version__


def main() -> None:
    if sys.argv[1:] == ["--version"]:
        # The most common question of scripts is answered without loading the command line.
        sys.stdout.write(f"failover {__version__}\n")
        return
    from failover.cli.app import run

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without Unicode shows ? for → and …

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
