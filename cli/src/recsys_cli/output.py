"""What a command prints: JSON for programs, a table for people; both on stdout."""

import json
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Final

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON in place of a table.")]

_WIDE: Final = 200  # columns where no terminal says how many it has: what reads a pipe wants lines whole


def print_json(value: Any) -> None:
    """Indented JSON."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None) -> None:
    """A row a line. None is shown as nothing."""
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = _WIDE
    if title:
        console.print(title, soft_wrap=True)
    console.print(table)


def shown_text(value: object) -> str:
    """A number as a person reads it."""
    return f"{value:,.4g}" if isinstance(value, float) else str(value)
