"""One running system for all tests of what is watched."""

from collections.abc import Iterator

import pytest
from watched_system import Watched, watched


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """In use, and well."""
    with watched(tmp_path_factory.mktemp("watched")) as running:
        yield running
