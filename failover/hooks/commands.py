"""The user's own programs around a cutover."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from failover.core.cutover import CutoverPlan
from failover.errors import RefusedError, Unreachable
from failover.hooks.documents import plan_document
from failover.hooks.process import run_program
from failover.ports import Moment


class CommandHook:
    """Implements `ports.Hook` with programs by moment: `{Moment.BEFORE: (("/usr/local/bin/drain", "--now"),)}`.

    Each program gets the plan on standard input (`documents.plan_document`), and in the environment FAILOVER_MOMENT,
    FAILOVER_PLAN (the plan's id), FAILOVER_FROM (empty when there is no source), FAILOVER_TO and FAILOVER_EPOCH. They
    run one after the other, in `directory`, without a shell, and share `timeout_s`.
    """

    def __init__(
        self,
        commands: Mapping[Moment, Sequence[Sequence[str]]],
        timeout_s: float,
        directory: Path | None = None,
    ) -> None:
        self._commands = commands
        self._timeout_s = timeout_s
        self._directory = directory

    def run(self, moment: Moment, plan: CutoverPlan) -> None:
        """See `ports.Hook.run`. Stops at the first program that fails.

        Raises RefusedError when one exits with anything but 0 or cannot be started, TimedOut when the time is over:
        then the program and its children are killed, and what they did until then is unknown.
        """
        document = plan_document(moment, plan)
        until_s = time.monotonic() + self._timeout_s
        for command in self._commands.get(moment, ()):
            self._run_one(command, moment, plan, document, max(0.0, until_s - time.monotonic()))

    def _run_one(
        self, command: Sequence[str], moment: Moment, plan: CutoverPlan, document: bytes, timeout_s: float
    ) -> None:
        operation = f"run {moment} hook"
        try:
            finished = run_program(
                command,
                operation=operation,
                document=document,
                environment=_environment(moment, plan),
                timeout_s=timeout_s,
                directory=self._directory,
            )
        except Unreachable as error:
            # A veto that cannot be asked for is a veto.
            raise RefusedError(operation, command[0], error.cause, error.hint) from None
        if finished.exit_code != 0:
            hint = "the hook vetoes by its exit code; remove it from the config to go ahead without it"
            raise RefusedError(operation, command[0], finished.cause, hint)


def _environment(moment: Moment, plan: CutoverPlan) -> dict[str, str]:
    return {
        "FAILOVER_MOMENT": moment,
        "FAILOVER_PLAN": plan.id,
        "FAILOVER_FROM": plan.source or "",
        "FAILOVER_TO": plan.target,
        "FAILOVER_EPOCH": str(plan.epoch),
    }
