"""Data files that ship with the product: templates and the example application."""

from pathlib import Path

from failover.errors import FailoverError

_PACKAGE = Path(__file__).resolve().parent.parent


def resource(name: str) -> Path:
    """The shipped file or directory of that name, such as `templates/init/local.yaml` or `examples/guestbook`.

    In an installed wheel the data lies inside the package, in a checkout beside it. Raises FailoverError where
    neither has it.
    """
    for base in (_PACKAGE, _PACKAGE.parent):
        found = base / name
        if found.exists():
            return found
    raise FailoverError("find shipped data", name, "it is not part of this installation", "install failover again")
