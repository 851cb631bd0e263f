"""What a test needs of the machine: where it lacks, the test is skipped, and in CI it fails."""

import os
from typing import NoReturn

import pytest


def lacks(reason: str) -> NoReturn:
    """End the test: there is nothing to test with."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
