"""Make docs/pictures/demo.svg from a real run of the demo: `python docs/make_picture.py`."""

import json
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

from rich.console import Console

from failover.cli.demo_view import Line, timeline

PICTURE = Path(__file__).resolve().parent / "pictures" / "demo.svg"
WIDTH = 116
FONT_FACE = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
"""A picture in a README must not load fonts from elsewhere; the viewer's own monospaced font will do."""


def main() -> None:
    command = [sys.executable, "-m", "failover", "demo", "--output", "json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    result = json.loads(done.stdout)
    console = Console(record=True, width=WIDTH, file=StringIO())
    console.print("[bold]$ failover demo[/bold]\n")
    console.print(timeline([Line(**line) for line in result["timeline"]]))
    console.print(
        f"\n[bold]{result['outage_s']:.1f} s[/bold] from the last good answer to the first, worst case computed before:"
        f" [bold]{result['budget_s']:.1f} s[/bold]. {result['requests']} requests, {result['failures']} failed,"
        f" {result['failback_failures']} of them on the way back."
    )
    PICTURE.parent.mkdir(exist_ok=True)
    svg = console.export_svg(title="failover demo")
    PICTURE.write_text(FONT_FACE.sub("", svg), encoding="utf-8")
    sys.stdout.write(f"{PICTURE}: {len(result['timeline'])} events, outage {result['outage_s']} s\n")


if __name__ == "__main__":
    main()
