"""What every test leaves as it found it, in whatever order tests run."""

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def log_ends_with_the_test() -> Iterator[None]:
    """A process that a test plays sends its log to standard error, which pytest closes with the test."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    for handler in root.handlers[:]:
        if type(handler) is logging.StreamHandler and handler not in before:
            root.removeHandler(handler)
    root.setLevel(level)
