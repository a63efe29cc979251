"""The commands, thin: each says what it takes and hands over to the module that does it, loaded when it is called."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from failover import __version__
from failover.cli.app_doctor import doctors
from failover.cli.app_install import install
from failover.cli.app_local import local
from failover.cli.app_vantage import vantage
from failover.cli.options import (
    NO_REASON,
    ClearOption,
    ConfigOption,
    FormatOption,
    ForOption,
    Log,
    OutputOption,
    ReasonOption,
    TextfileOption,
    TimeoutOption,
    VantageOption,
    WaitOption,
    YesOption,
)
from failover.cli.output import Output, progress, refuse
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
    del version
    if config is not None:
        os.environ["FAILOVER_CONFIG"] = str(config)


# ------------------------------------------------------------------------------------ config


@app.command()
def init(
    directory: Annotated[Path, typer.Argument(help="Where to write the config.")] = Path(),
    local: Annotated[bool, typer.Option("--local", help="A playground of local clouds, ready to run.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what stands there.")] = False,
) -> None:
    """Write a starting config."""
    from failover.cli.configuring import init as command

    command(directory, local=local, force=force)


@app.command()
def validate(config: ConfigOption = None, output: OutputOption = Output.TABLE) -> None:
    """Check the config; every error at once, with its line and column."""
    from failover.cli.configuring import validate as command

    command(config, output)


@app.command()
def schema() -> None:
    """Print the JSON Schema of the config."""
    from failover.cli.configuring import schema as command

    command()


# ------------------------------------------------------------------------------------ mirror


@app.command()
def plan(config: ConfigOption = None, output: OutputOption = Output.TABLE) -> int:
    """Show what `apply` would change. Exits with 0: nothing, 2: something, 1: something cannot be done."""
    from failover.cli.deploying import plan as command

    return command(config, output)


@app.command()
def apply(
    config: ConfigOption = None,
    yes: YesOption = False,
    adopt: Annotated[bool, typer.Option("--adopt", help="Take over records that exist already.")] = False,
    wait: WaitOption = 0.0,
    output: OutputOption = Output.TABLE,
) -> int:
    """Mirror the deployment to every site, and publish DNS the first time. Never changes the active site."""
    from failover.cli.deploying import apply as command

    return command(config, output, yes=yes, adopt=adopt, wait_s=wait)


@app.command()
def destroy(
    config: ConfigOption = None, yes: YesOption = False, wait: WaitOption = 0.0, output: OutputOption = Output.TABLE
) -> int:
    """Take down what `apply` made, and nothing else."""
    from failover.cli.deploying import destroy as command

    return command(config, output, yes=yes, wait_s=wait)


# ------------------------------------------------------------------------------------ watching


@app.command()
def check(
    config: ConfigOption = None,
    vantage: VantageOption = None,
    rounds: Annotated[int | None, typer.Option("--rounds", min=1, max=60, help="So many (else runner.rounds).")] = None,
    every: Annotated[float | None, typer.Option("--every", help="Seconds between the rounds.")] = None,
    format: FormatOption = None,
    textfile: TextfileOption = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Say only what failed: for cron, which mails everything.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> int:
    """Look, judge, decide and act: for cron. Exits with 75 when another run is at it."""
    from failover.cli.watching import Wish
    from failover.cli.watching import check as command

    wish = Wish(
        vantage=vantage, output=output, format=format, rounds=rounds, every_s=every, textfile=textfile, quiet=quiet
    )
    return command(config, wish)


@app.command()
def watch(
    config: ConfigOption = None,
    vantage: VantageOption = None,
    every: Annotated[float | None, typer.Option("--every", help="Seconds between rounds (else runner.every).")] = None,
    log: Annotated[Log, typer.Option("--log", help="How to write to standard error.")] = Log.TEXT,
    metrics: Annotated[
        str | None, typer.Option("--metrics", metavar="[ADDRESS:]PORT", help="Serve metrics (loopback if no address).")
    ] = None,
    textfile: TextfileOption = None,
) -> int:
    """Check again and again, until SIGTERM; SIGHUP reads the config anew."""
    from failover.cli.daemon import WatchWish
    from failover.cli.daemon import watch as command

    return command(config, WatchWish(vantage=vantage, every_s=every, log=log, metrics=metrics, textfile=textfile))


@app.command()
def status(
    config: ConfigOption = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Show it anew every second.")] = False,
    format: FormatOption = None,
    output: OutputOption = Output.TABLE,
) -> int:
    """Which site is active, is it safe, and what happens next."""
    if format is not None:
        from failover.cli.watching import as_plugin

        return as_plugin(config, lambda _config: None)
    from failover.cli.showing import status as command

    return command(config, output, watch=watch)


@app.command()
def history(
    config: ConfigOption = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many entries.")] = 100,
    output: OutputOption = Output.TABLE,
) -> None:
    """Plans and audit log, the newest last."""
    from failover.cli.showing import history as command

    command(config, output, limit)


@app.command()
def show(
    plan: Annotated[str, typer.Argument(help="A plan's id, as `failover history` shows it, or a site's name.")],
    config: ConfigOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """One plan with its whole journal, or one site with what its account has said."""
    from failover.cli.showing import show as command

    command(config, output, plan)


# ------------------------------------------------------------------------------------ operating


@app.command()
def cutover(
    site: Annotated[str | None, typer.Argument(help="Where to (else the first ready site).")] = None,
    config: ConfigOption = None,
    yes: YesOption = False,
    force: Annotated[bool, typer.Option("--force", help="Also to a site that is not ready.")] = False,
    wait: WaitOption = 30.0,
    timeout: TimeoutOption = 300.0,
    output: OutputOption = Output.TABLE,
) -> int:
    """Move the service to another site by hand. Cooldown and daily limit do not bind a person."""
    from failover.cli.operating import cutover as command

    return command(config, output, site, yes=yes, force=force, lease_wait_s=wait, wait_s=timeout)


@app.command()
def failback(
    config: ConfigOption = None,
    yes: YesOption = False,
    force: Annotated[bool, typer.Option("--force", help="Also if it is not ready.")] = False,
    wait: WaitOption = 30.0,
    timeout: TimeoutOption = 300.0,
    output: OutputOption = Output.TABLE,
) -> int:
    """Move the service back to the most preferred site."""
    from failover.cli.operating import failback as command

    return command(config, output, yes=yes, force=force, lease_wait_s=wait, wait_s=timeout)


@app.command()
def approve(
    proposal: Annotated[str, typer.Argument(help="Its id, as the question and `failover status` show it.")],
    config: ConfigOption = None,
) -> None:
    """Say yes to a proposed cutover; the next check carries it out."""
    from failover.cli.operating import approve as command

    command(config, proposal)


@app.command()
def abort(
    plan: Annotated[str, typer.Argument(help="Its id, as `failover status` shows it.")], config: ConfigOption = None
) -> None:
    """Unwind a plan before its pivot. Needs no lock."""
    from failover.cli.operating import abort as command

    command(config, plan)


@app.command("continue")
def go_on(
    plan: Annotated[str | None, typer.Argument(help="Its id (else the open one).")] = None,
    config: ConfigOption = None,
    force: Annotated[bool, typer.Option("--force", help="Pass over records that somebody else changed.")] = False,
    wait: WaitOption = 30.0,
    timeout: TimeoutOption = 300.0,
    output: OutputOption = Output.TABLE,
) -> int:
    """Go on with the open plan now, instead of at the next check."""
    from failover.cli.operating import go_on as command

    return command(config, output, plan, force=force, lease_wait_s=wait, wait_s=timeout)


@app.command()
def pause(
    reason: ReasonOption = NO_REASON,
    duration: ForOption = None,
    config: ConfigOption = None,
) -> None:
    """Nothing automatic starts from now on. Needs no lock."""
    from failover.cli.operating import pause as command

    command(config, reason, duration)


@app.command()
def prepare(
    end: Annotated[bool, typer.Option("--end", help="No cutover is near any more.")] = False,
    reason: ReasonOption = NO_REASON,
    duration: ForOption = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TABLE,
    wait: WaitOption = 30.0,
    timeout: TimeoutOption = 120.0,
) -> int:
    """Lower the TTL ahead of a planned cutover, from `dns.ttl_steady` to `dns.ttl`."""
    from failover.cli.operating import prepare as command

    return command(config, output, reason, duration, end=end, lease_wait_s=wait, wait_s=timeout)


@app.command()
def unpause(config: ConfigOption = None) -> None:
    """End the pause."""
    from failover.cli.operating import unpause as command

    command(config)


@app.command()
def drain(
    site: Annotated[str, typer.Argument(help="Which one.")],
    reason: ReasonOption = NO_REASON,
    duration: ForOption = None,
    clear: ClearOption = False,
    config: ConfigOption = None,
) -> None:
    """Keep the service away from a site: nothing moves there. Needs no lock."""
    from failover.cli.operating import force as command

    command(config, site, None if clear else "drained", reason, duration)


@app.command()
def force(
    site: Annotated[str, typer.Argument(help="Which one.")],
    word: Annotated[str | None, typer.Argument(metavar="[up|down]", help="What it counts as.")] = None,
    reason: ReasonOption = NO_REASON,
    duration: ForOption = None,
    clear: ClearOption = False,
    config: ConfigOption = None,
) -> None:
    """Let a site count as up or down, whatever its checks say. Needs no lock."""
    from failover.cli.operating import force as command
    from failover.cli.operating import forced_word

    command(config, site, forced_word(word, clear=clear), reason, duration)


@app.command()
def account(
    site: Annotated[str, typer.Argument(help="The site at whose provider it is.")],
    word: Annotated[
        str, typer.Argument(metavar="WORD", help="closed, open, or rotated (the credential was replaced).")
    ],
    config: ConfigOption = None,
    wait: WaitOption = 60.0,
) -> None:
    """Say what you know about a provider's account: evidence among other evidence."""
    from failover.cli.operating import account as command

    command(config, site, word, lease_wait_s=wait)


# ------------------------------------------------------------------------------------ demo


@app.command()
def demo(
    output: OutputOption = Output.TABLE,
    keep: Annotated[Path | None, typer.Option("--keep", help="Leave everything in this directory.")] = None,
) -> int:
    """Lose a provider under load on this machine, and come back: every number measured."""
    from failover.cli.demo import run as command

    return command(output.value, keep)
