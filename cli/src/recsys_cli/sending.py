"""Many rows, as many at a time as the API takes, with a line that shows how far it has come."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

AT_ONCE: Final = 1_000
"""The API's limit, of events and of changes of items."""

_MOST_CHARACTERS: Final = 1_000_000  # of JSON without other than ASCII: a gateway takes a body of 1 MiB unless told so


def in_batches(rows: Iterable[Any], *, what: str) -> Iterator[list[Any]]:
    """Batches of rows; on a terminal, standard error counts them."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not Console(stderr=True).is_terminal) as progress:
        task = progress.add_task(what, total=None)
        for batch in parted(rows):
            yield batch
            progress.advance(task, len(batch))


def parted(rows: Iterable[Any]) -> Iterator[list[Any]]:
    """Batches of as many rows as one body may hold, one at the least: vectors of a thousand items are too long."""
    batch: list[Any] = []
    size = 0
    for row in rows:
        length = len(json.dumps(row, default=str))
        if batch and (len(batch) == AT_ONCE or size + length > _MOST_CHARACTERS):
            yield batch
            batch, size = [], 0
        batch.append(row)
        size += length
    if batch:
        yield batch
