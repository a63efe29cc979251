"""A stored state without a running world, for commands that only look."""

from pathlib import Path

from failover.config.load import load
from failover.core.model import Node, NodeState
from failover.core.world import State
from failover.stores.sqlite import SqliteStore

DIGEST = f"sha256:{'0' * 64}"


def published(directory: Path) -> SqliteStore:
    """As after a first `apply`: aurora is active, every site has one node. The store is closed."""
    config = load(directory / "failover.yaml")
    state = State(
        service=config.service.name,
        epoch=1,
        active_site="aurora",
        release=DIGEST,
        inventory={
            site.name: (
                Node(
                    id=site.name,
                    name=f"node-{site.name}",
                    site=site.name,
                    group="web",
                    ordinal=0,
                    spec="0",
                    state=NodeState.RUNNING,
                    addresses=(f"127.99.0.{number}",),
                ),
            )
            for number, site in enumerate(config.service.sites, 1)
        },
    )
    store = SqliteStore(config.state_path)
    store.create(state)
    store.close()
    return store
