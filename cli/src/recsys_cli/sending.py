"""Many rows, a thousand at a time as the API takes them, with a line that shows how far it has come."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

AT_ONCE: Final = 1_000
"""The API's limit, of events and of changes of items."""


def in_batches(rows: Iterable[Any], *, what: str) -> Iterator[list[Any]]:
    """Batches of rows; on a terminal, standard error counts them."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    iterator = iter(rows)
    with Progress(*columns, console=Console(stderr=True), disable=not Console(stderr=True).is_terminal) as progress:
        task = progress.add_task(what, total=None)
        while batch := list(islice(iterator, AT_ONCE)):
            yield batch
            progress.advance(task, len(batch))
