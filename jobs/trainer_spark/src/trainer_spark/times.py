"""Times as Spark's columns have them: Unix microseconds."""

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def moment(timestamp: int) -> datetime:
    """Unix microseconds as a time."""
    return _EPOCH + timedelta(microseconds=timestamp)


def microseconds(moment: datetime) -> int:
    """A time as Unix microseconds."""
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
