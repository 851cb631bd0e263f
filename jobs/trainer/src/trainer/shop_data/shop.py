"""The hand-off from reading to learning."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl


@dataclass(frozen=True)
class Shop:
    """What a run learns from: checked events, weights of their types, and the catalogue."""

    events: pl.DataFrame  # LoadedEvents.frame
    catalogue: pl.DataFrame  # LoadedEvents.catalogue
    weights: dict[str, float]
    # LoadedEvents.first_told: what is known of items on their first day; none: as the catalogue, which no event changed
    first_told: pl.DataFrame | None = None
    stream_sequence: int = 0  # of the last event of the stream among the events; 0: none is of the stream
    lake: Path | None = None  # which has what was shown too; none: nothing is known of that
