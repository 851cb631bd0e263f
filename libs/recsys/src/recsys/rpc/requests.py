"""Checks of a request's fields that every service makes alike. Raises: InvalidArgumentError."""

from recsys.errors import InvalidArgumentError


def check_count(field: str, found: int, *, at_most: int) -> None:
    """`found` is 1 to `at_most`."""
    if not 1 <= found <= at_most:
        raise InvalidArgumentError(f"{field}: expected 1 to {at_most}, found {found}")


def check_at_least_one(field: str, found: int) -> None:
    """`found` is 1 or more."""
    if found < 1:
        raise InvalidArgumentError(f"{field}: expected 1 or more, found {found}")


def check_at_most(field: str, found: int, *, at_most: int) -> None:
    """The repeated field has at most so many entries."""
    if found > at_most:
        raise InvalidArgumentError(f"{field}: expected at most {at_most}, found {found}")


def check_given(field: str, found: str) -> None:
    """`found` is not empty."""
    if not found:
        raise InvalidArgumentError(f"{field}: expected a value, found none")
