"""The lake: whether it can be read, and whether an event sink fills it."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from recsys.errors import DataError
from recsys.lake import LOCK, lake_dir, read_committed
from recsys_cli.doctor.finding import Finding, good, warning, wrong

_SILENT_S: Final = 120


def look(volume: Path) -> Iterator[Finding]:
    """What is to say of the lake on a volume."""
    lake = lake_dir(volume)
    if not lake.is_dir():
        yield warning(
            "lake", f"{lake} is not there: what the API takes is never learnt", mend="run event_sink on this volume"
        )
        return
    try:
        committed = read_committed(lake)
    except DataError as error:
        yield wrong("lake", str(error), mend="recsys restore brings back that of a backup")
        return
    rows = sum(committed.parts.values()) if committed else 0
    lost = [path for path in (committed.parts if committed else ()) if not (lake / path).is_file()]
    if lost:
        yield wrong("lake", f"{lake / lost[0]} is missing, and {len(lost) - 1} more", mend="recsys restore")
        return
    yield good("lake", f"{lake}: up to event {committed.sequence if committed else 0:,}; rows: {rows:,}")
    try:
        silent_s = time.time() - (lake / LOCK).stat().st_mtime
    except OSError:
        silent_s = float("inf")
    if silent_s > _SILENT_S:
        ago = "it was never here" if silent_s == float("inf") else f"it last said so {silent_s / 60:,.0f} minutes ago"
        yield warning(
            "event sink", f"nobody says that all is well: {ago}", mend="start event_sink; its log says what stops it"
        )
