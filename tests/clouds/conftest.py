"""The fixtures of the local clouds."""

from tests.local.conftest import root

__all__ = ["root"]
