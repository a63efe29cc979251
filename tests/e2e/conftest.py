"""Playgrounds that are always taken down."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.e2e.play import FORKS, Play, playground

Open = Callable[..., Play]


@pytest.fixture(scope="session", autouse=True)
def _forks() -> Iterator[None]:
    yield
    FORKS.close()


@pytest.fixture(scope="module")
def open_play(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    """Make playgrounds; every one is stopped at the end, and nothing of it may be left running."""
    made: list[Play] = []

    def make(changes: Mapping[str, str] | None = None) -> Play:
        directory: Path = tmp_path_factory.mktemp("e2e") / "play"
        play = playground(directory, changes)
        made.append(play)
        return play

    yield make
    for play in made:
        play.close()
