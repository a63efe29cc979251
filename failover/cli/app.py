"""The command line as a whole: its parts in the order of `--help`, and how a command ends.

The commands (`app_*.py`) are thin: each says what it takes and hands over to the module that does it, loaded when it is
called.
"""

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from failover import __version__
from failover.cli.app_demo import demonstration
from failover.cli.app_deploying import deploying
from failover.cli.app_doctor import doctors
from failover.cli.app_install import install
from failover.cli.app_local import local
from failover.cli.app_operating import operating
from failover.cli.app_vantage import vantage
from failover.cli.app_watching import watching
from failover.cli.options import ConfigOption
from failover.cli.output import progress, refuse
from failover.errors import FailoverError

USAGE, FAILED, INTERRUPTED = 64, 1, 130

app = typer.Typer(
    name="failover",
    help="Keep a service online when its hosting provider closes the account.",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for part in (deploying, watching, operating, demonstration):
    app.add_typer(part)
app.add_typer(install, name="install")
app.add_typer(local, name="local")
app.add_typer(doctors, name="doctor")
app.add_typer(vantage, name="vantage")


def run(arguments: Sequence[str]) -> int:
    """Run one command; returns its exit code."""
    try:
        result = typer.main.get_command(app).main(list(arguments), prog_name="failover", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except FailoverError as error:
        return refuse(error)
    except typer.Abort:
        progress("failover: not done")
        return FAILED
    except typer.TyperException as error:
        said = error.format_message()
        # Without a command the error's text is the help itself.
        progress(said if said.startswith("Usage:") else f"failover: {said}\n  next: failover --help")
        return USAGE
    except KeyboardInterrupt:
        progress("failover: interrupted; what was journaled goes on with the next check")
        return INTERRUPTED
    except BrokenPipeError:
        _drop_output()
        return FAILED
    except OSError as error:  # a full disk, a file system that cannot be written
        _drop_output()
        where = f"{error.filename}: " if error.filename else ""
        progress(f"failover: {where}{error.strerror or error}\n  next: look at the disk and its permissions")
        return FAILED


def _drop_output() -> None:
    """What is still buffered goes nowhere; else Python would try it again at its end, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"failover {__version__}\n")
        raise typer.Exit


@app.callback()
def root(
    config: ConfigOption = None,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    """Keep a service online when its hosting provider closes the account."""
    del config, version  # each command takes the first by itself, the second has ended the program
