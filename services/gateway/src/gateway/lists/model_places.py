"""How far in the stream the models know what people did, as their answers say: the store need not give it again.

Several versions answer at once in an experiment, and for some seconds of a hot swap or a rollback. The lowest place of
those heard of lately is asked for; one that comes as a surprise refuses, and is asked again with all events.
"""

import time
from collections.abc import Callable
from typing import Final

_HEARD_OF_S: Final = 60.0


class ModelPlaces:
    """Of one process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._places: dict[str, tuple[int, float]] = {}  # by version, with when it was heard of

    def heard_of(self, version: str, place: int) -> None:
        """A version has answered."""
        self._places[version] = (place, self._clock())

    def lowest(self) -> int:
        """Up to where every version knows the stream that answered within a minute; 0: none did."""
        since_s = self._clock() - _HEARD_OF_S
        if any(heard_s < since_s for _, heard_s in self._places.values()):
            self._places = {version: heard for version, heard in self._places.items() if heard[1] >= since_s}
        return min((place for place, _ in self._places.values()), default=0)
