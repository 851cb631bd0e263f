"""`recsys items import|export`: the catalogue into the API, and out of it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from recsys_cli import api, rows
from recsys_cli.outcome import CommandError
from recsys_cli.output import JsonOption, print_json
from recsys_cli.sending import in_batches

group = typer.Typer(name="items", no_args_is_help=True, help="The catalogue: import into the API, export from it.")

_COLUMNS: Final = ("item_id", "title", "category", "price", "image_url", "available", "attributes")
_TRUTHS: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_PAGE: Final = 100


@group.command("import")
def import_items(
    file: Annotated[Path, typer.Argument(help="JSON lines or CSV, also .gz, with the API's field names; - : stdin.")],
    as_json: JsonOption = False,
) -> None:
    """Say of items all that there is to say: what a row does not give is none. Every answer shows it in two seconds."""
    from recsys_client.operations import Call

    changed = 0
    with api.connected() as client:
        changes = ({"op": "put", **_typed(row, number)} for number, row in enumerate(rows.read(file), start=1))
        for batch in in_batches(changes, what="items"):
            call: Call[Any] = Call(method="POST", path="/v1/items/bulk", answer=dict, body={"changes": batch})
            changed += client.send(call)["changed"]
    if as_json:
        print_json({"changed": changed})
    else:
        typer.echo(f"items: {changed:,}")


@group.command("export")
def export_items(
    file: Annotated[Path, typer.Argument(help="JSON lines or CSV, also .gz; - : stdout. As `import` reads it.")],
    as_json: JsonOption = False,
) -> None:
    """Write the live catalogue, by id."""
    rows.refuse_two_documents(file, as_json=as_json)
    count = rows.write(file, _catalogue(), columns=_COLUMNS)
    if as_json:
        print_json({"file": str(file), "items": count})
    else:
        typer.echo(f"items: {count:,}", err=True)


def add_to(app: typer.Typer) -> None:
    """The commands."""
    app.add_typer(group, rich_help_panel="Shop")


def _catalogue() -> Iterator[dict[str, Any]]:
    from dataclasses import asdict

    with api.connected() as client:
        for page in client.item_pages(page_size=_PAGE):
            yield from (asdict(item) for item in page.items)


def _typed(row: dict[str, Any], number: int) -> dict[str, Any]:
    """The row of a CSV file as the API takes it."""
    typed = dict(row)
    try:
        if isinstance(price := row.get("price"), str):
            typed["price"] = float(price)
        if isinstance(available := row.get("available"), str):
            typed["available"] = _TRUTHS[available.lower()]
        if isinstance(attributes := row.get("attributes"), str):
            typed["attributes"] = json.loads(attributes)
        if isinstance(vector := row.get("vector"), str):
            typed["vector"] = json.loads(vector)
    except (ValueError, KeyError) as error:
        raise CommandError(
            f"row {number} ({row.get('item_id')}): expected a number, true or false, or JSON, found {error}"
        ) from error
    return typed
