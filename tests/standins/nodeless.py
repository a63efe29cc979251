"""A stand-in for a provider that has no nodes: a DNS host, or a gateway before one."""

from collections.abc import Iterable

from tests.standins.base import Machine, StandIn


class Nodeless(StandIn):
    """Everything of the base that concerns nodes."""

    def node_ids(self) -> tuple[str, ...]:
        return ()

    def halt(self, id: str) -> None:
        raise KeyError(id)

    def forget(self, id: str) -> None:
        raise KeyError(id)

    def switched_on(self) -> Iterable[Machine]:
        return ()

    def foreign(self, name: str) -> str:
        raise NotImplementedError(name)

    def empty(self) -> None:
        """Nothing of it is a node."""
