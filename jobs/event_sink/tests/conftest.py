"""A stream, and a lake to move it to."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from lake_in_folder import Lake, StreamInMemory


@pytest.fixture
def store() -> StreamInMemory:
    return StreamInMemory()


@pytest.fixture
def lake(tmp_path: Path, store: StreamInMemory) -> Iterator[Lake]:
    made = Lake(tmp_path, store, batch=10_000)
    yield made
    made.kill()
