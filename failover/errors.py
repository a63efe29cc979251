"""The tree of errors.

    FailoverError                 exit code 1    operation, object, cause, hint
    ├── ConfigError               78             the config cannot be used; carries every finding at once
    ├── UsageError                64             the command line asks for something that makes no sense
    ├── LockedError               75             another run holds the lock
    ├── RefusedError              1              a safety rule says no; names value, limit and override
    ├── StateError                1
    │   ├── StateMissing                         no state yet: `failover apply` creates it
    │   ├── StateDamaged                         unreadable state: SAFE mode, nothing is changed
    │   ├── StateStale                           someone else wrote first (compare and swap failed)
    │   └── StateFenced                          a newer term exists; this run must stop
    ├── AdapterError              1              a call to the outside went wrong
    │   ├── Unreachable                          no answer: refused, reset, name not found. Not evidence of absence
    │   ├── TimedOut                             no answer in time: the outcome is unknown
    │   ├── Unreadable                           an answer that makes no sense (HTML, half a page, wrong type)
    │   ├── AccessRefused                        401, 403: this credential, now
    │   ├── Throttled                            429 and friends; may carry retry_after_s
    │   ├── NotFound                             the named object, and the API says so itself
    │   ├── Conflict                             a precondition does not hold (compare-and-set lost, name taken)
    │   ├── QuotaExceeded                        the account may not have more
    │   └── Rejected                             any other no: the request itself is wrong
    └── SecretError               78             a secret reference cannot be resolved, or its file is not private

Code branches on the type, never on the text.
"""


class FailoverError(Exception):
    """An error that a person can act on.

    `operation` says what was tried, `object` on what, `cause` why it failed, `hint` what to do next.
    """

    exit_code = 1

    def __init__(self, operation: str, object: str = "", cause: str = "", hint: str = "") -> None:
        self.operation = operation
        self.object = object
        self.cause = cause
        self.hint = hint
        super().__init__(operation, object, cause, hint)

    def __str__(self) -> str:
        head = f"{self.operation} {self.object}".strip()
        return f"{head}: {self.cause}" if self.cause else head


class ConfigError(FailoverError):
    """The config cannot be used. `findings` holds every finding, already rendered with its place."""

    exit_code = 78

    def __init__(
        self, operation: str, object: str = "", cause: str = "", hint: str = "", findings: tuple[str, ...] = ()
    ) -> None:
        super().__init__(operation, object, cause, hint)
        self.findings = findings


class SecretError(ConfigError):
    """A secret reference cannot be resolved, or its file can be read by others."""


class UsageError(FailoverError):
    """The command line asks for something that makes no sense."""

    exit_code = 64


class LockedError(FailoverError):
    """Another run holds the lock."""

    exit_code = 75


class RefusedError(FailoverError):
    """A safety rule says no."""


class StateError(FailoverError):
    """The state cannot be used."""


class StateMissing(StateError):
    """There is no state yet."""


class StateDamaged(StateError):
    """The state is there but cannot be trusted."""


class StateStale(StateError):
    """Compare and swap failed: someone else wrote first."""


class StateFenced(StateError):
    """A newer term exists; this run must stop."""


class AdapterError(FailoverError):
    """A call to the outside went wrong."""


class Unreachable(AdapterError):
    """No answer: refused, reset, name not found. Never evidence that something is absent."""


class TimedOut(AdapterError):
    """No answer in time: whether the request was carried out is unknown."""


class Unreadable(AdapterError):
    """An answer that makes no sense."""


class AccessRefused(AdapterError):
    """This credential is refused, now."""


class Throttled(AdapterError):
    """Too many requests."""

    def __init__(
        self, operation: str, object: str = "", cause: str = "", hint: str = "", retry_after_s: float | None = None
    ) -> None:
        super().__init__(operation, object, cause, hint)
        self.retry_after_s = retry_after_s


class NotFound(AdapterError):
    """The named object does not exist, and the API says so itself."""


class Conflict(AdapterError):
    """A precondition does not hold."""


class QuotaExceeded(AdapterError):
    """The account may not have more."""


class Rejected(AdapterError):
    """The API says no for any other reason: the request itself is wrong."""
