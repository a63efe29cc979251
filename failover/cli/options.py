"""Options and arguments that several commands share."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from failover.cli.output import Output


class Format(StrEnum):
    """What `--format` prints instead: one line for a monitoring system."""

    NAGIOS = "nagios"


class Log(StrEnum):
    """How `watch` writes to standard error: for people, or one JSON object a line."""

    TEXT = "text"
    JSON = "json"


def _config(context: typer.Context, value: Path | None) -> Path | None:
    """`failover -c FILE COMMAND` and `failover COMMAND -c FILE` mean the same; the nearer one wins."""
    if value is not None:
        return value
    named: Path | None = context.find_root().params.get("config")
    return named


ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "-c", "--config", callback=_config, help="The config file (else FAILOVER_CONFIG, else ./failover.yaml)."
    ),
]
OutputOption = Annotated[Output, typer.Option("-o", "--output", help="How to print the result.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
WaitOption = Annotated[
    str,
    typer.Option("--wait", metavar="<duration>", help="How long to wait for the lock; goes ahead of waiting checks."),
]
TimeoutOption = Annotated[str, typer.Option("--timeout", metavar="<duration>", help="How long to stay with the plan.")]
VantageOption = Annotated[str | None, typer.Option("--vantage", help="Name of this vantage (else FAILOVER_VANTAGE).")]
LISTEN = "127.0.0.1:8443"
ListenOption = Annotated[str, typer.Option("--listen", help="ADDRESS:PORT to answer at.")]
CertificateOption = Annotated[Path | None, typer.Option("--certificate", help="PEM file for HTTPS, with its chain.")]
PrivateKeyOption = Annotated[Path | None, typer.Option("--private-key", help="PEM file of its private key.")]
PlainOption = Annotated[
    bool, typer.Option("--plain", help="Answer without HTTPS also beyond this machine: inside a tunnel.")
]
MetricsOption = Annotated[
    str | None, typer.Option("--metrics", metavar="[ADDRESS:]PORT", help="Serve metrics (loopback if no address).")
]
ReasonOption = Annotated[str, typer.Option("--reason", "-r", help="Why; shown everywhere.")]
ForOption = Annotated[str | None, typer.Option("--for", help="For how long: 30m, 2h (else until it is taken back).")]
ClearOption = Annotated[bool, typer.Option("--clear", help="Take it back.")]
NO_REASON = "no reason given"
Names = Annotated[list[str] | None, typer.Argument(help="Which ones (all, if none is named).")]
Name = Annotated[str, typer.Argument(help="A cloud, DNS host or control, as `failover local list` shows it.")]
FormatOption = Annotated[
    Format | None, typer.Option("--format", help="One line for a monitoring system, which exits with 0, 1, 2 or 3.")
]
TextfileOption = Annotated[
    Path | None, typer.Option("--textfile", help="Write metrics there, for the node exporter's textfile collector.")
]
