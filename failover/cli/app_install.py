"""The commands that let cron or systemd run the checks, or another vantage."""

from pathlib import Path
from typing import Annotated

import typer

from failover.cli.options import (
    LISTEN,
    CertificateOption,
    ConfigOption,
    ListenOption,
    MetricsOption,
    PlainOption,
    PrivateKeyOption,
    TextfileOption,
    VantageOption,
)

install = typer.Typer(
    help="Let cron or systemd run the checks of this config, or another vantage.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

SystemOption = Annotated[
    bool | None, typer.Option("--system/--user", help="For the machine, or for this user (default: by who asks).")
]
RunAsOption = Annotated[
    str | None, typer.Option("--run-as", help="With --system: the user who runs it (else the config's owner).")
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only show what would be written.")]
RemoveOption = Annotated[bool, typer.Option("--remove", help="Take it away.")]
RootOption = Annotated[Path | None, typer.Option("--root", help="Write below this directory, and start nothing.")]


@install.command()
def cron(
    config: ConfigOption = None,
    system: SystemOption = None,
    run_as: RunAsOption = None,
    dry_run: DryRunOption = False,
    textfile: TextfileOption = None,
    remove: RemoveOption = False,
    root: RootOption = None,
) -> int:
    """A line for cron: in /etc/cron.d, or in this user's crontab."""
    from failover.cli.installing import InstallWish
    from failover.cli.installing_cron import install_cron

    wish = InstallWish(system=system, run_as=run_as, dry_run=dry_run, remove=remove, root=root, textfile=textfile)
    return install_cron(config, wish)


@install.command()
def systemd(
    config: ConfigOption = None,
    watch: Annotated[bool, typer.Option("--watch", help="A service that runs `watch`, instead of a timer.")] = False,
    system: SystemOption = None,
    run_as: RunAsOption = None,
    dry_run: DryRunOption = False,
    textfile: TextfileOption = None,
    metrics: MetricsOption = None,
    remove: RemoveOption = False,
    root: RootOption = None,
) -> int:
    """A service and its timer that run `check`, or a service that runs `watch`."""
    from failover.cli.installing import InstallWish
    from failover.cli.installing_systemd import install_systemd

    wish = InstallWish(
        system=system,
        run_as=run_as,
        dry_run=dry_run,
        remove=remove,
        root=root,
        textfile=textfile,
        metrics=metrics,
    )
    return install_systemd(config, wish, watch=watch)


@install.command(name="vantage")
def install_vantage(
    vantage: VantageOption = None,
    listen: ListenOption = LISTEN,
    certificate: CertificateOption = None,
    private_key: PrivateKeyOption = None,
    plain: PlainOption = False,
    config: ConfigOption = None,
    system: SystemOption = None,
    run_as: RunAsOption = None,
    dry_run: DryRunOption = False,
    remove: RemoveOption = False,
    root: RootOption = None,
) -> int:
    """A service for systemd that answers the controller as another vantage."""
    from failover.cli.installing import InstallWish
    from failover.cli.installing_systemd import install_vantage as command
    from failover.cli.vantages import ServeWish

    wish = InstallWish(system=system, run_as=run_as, dry_run=dry_run, remove=remove, root=root)
    serve = ServeWish(vantage=vantage, listen=listen, certificate=certificate, private_key=private_key, plain=plain)
    return command(config, wish, serve)
