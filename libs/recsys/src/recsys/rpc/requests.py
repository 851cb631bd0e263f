"""Checks of a request's fields that every service makes alike."""

from recsys.errors import InvalidArgumentError


def check_count(field: str, found: int, *, at_most: int) -> None:
    """Raises: InvalidArgumentError, unless `found` is 1 to `at_most`."""
    if not 1 <= found <= at_most:
        raise InvalidArgumentError(f"{field}: expected 1 to {at_most}, found {found}")


def check_given(field: str, found: str) -> None:
    """Raises: InvalidArgumentError, if `found` is empty."""
    if not found:
        raise InvalidArgumentError(f"{field}: expected a value, found none")
