"""What may propose a candidate: the one table of sources, numbered as on the wire (protos/recsys/v1/item.proto)."""

from enum import IntEnum
from functools import lru_cache


class Source(IntEnum):
    """A source of candidates. In a set of sources, bit 1 << source stands for it."""

    ANN = 1
    POPULAR = 2
    SIMILAR = 3
    SESSION = 4
    TRENDING = 5
    NEW = 6
    RULE = 7  # put there by a pin
    TRANSITIONS = 8
    CONTENT = 9
    BOUGHT_TOGETHER = 10

    @property
    def label(self) -> str:
        """What the public API calls it."""
        return self.name.lower()


SOURCES = frozenset(Source)


@lru_cache(1 << (max(Source) + 1))
def labels(numbers: tuple[int, ...]) -> tuple[str, ...]:
    """The labels of some sources; a newer service may know a source that this process does not: it stays out."""
    return tuple(source.label for source in Source if source in numbers)


def label_of(number: int) -> str | None:
    """The label of a source; none for one that this process does not know."""
    return Source(number).label if number in SOURCES else None
