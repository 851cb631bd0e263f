"""`recsys events import|export`: events into the API, and out of the lake."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from recsys.exit_status import Status
from recsys_cli import api, places, rows
from recsys_cli.output import JsonOption, print_json
from recsys_cli.places import StoreOption, VolumeOption
from recsys_cli.sending import in_batches

group = typer.Typer(name="events", no_args_is_help=True, help="Events: import into the API, export from the lake.")

_COLUMNS: Final = (
    *("event_id", "user_id", "session_id", "item_id", "type", "timestamp", "quantity", "value", "list_id", "position"),
)
_NUMBERS: Final = {"quantity": int, "value": float, "timestamp": float, "position": int}
_SHOWN: Final = 20  # rejected rows


@group.command("import")
def import_events(
    file: Annotated[Path, typer.Argument(help="JSON lines or CSV, also .gz, with the API's field names; - : stdin.")],
    as_json: JsonOption = False,
) -> None:
    """Send events to the API. What is sent again counts once: a row without an event_id gets one made of what it says.

    Events of years belong into the trainer's `--events`; this is for what a running shop is to know now.
    """
    from recsys_client.errors import InvalidRequestError
    from recsys_client.operations import Call

    told: dict[str, Any] = {"accepted": 0, "duplicates": 0, "clock_skewed": 0, "rejected": []}
    sent = 0
    with api.connected() as client:
        for batch in in_batches(_with_ids(map(_typed, rows.read(file))), what="events"):
            call: Call[Any] = Call(method="POST", path="/v1/events", answer=dict, body={"events": batch})
            try:
                answer = client.send(call)
            except InvalidRequestError as error:  # none of them was accepted
                if not error.problem.rejected:
                    raise
                answer = {"rejected": [asdict(one) for one in error.problem.rejected]}
            for name in ("accepted", "duplicates", "clock_skewed"):
                told[name] += answer.get(name, 0)
            told["rejected"] += [one | {"index": one["index"] + sent} for one in answer["rejected"]]
            sent += len(batch)
    if as_json:
        print_json(told)
    else:
        typer.echo(f"{told['accepted']:,} accepted, of them {told['duplicates']:,} known before")
        for one in told["rejected"][:_SHOWN]:
            typer.echo(f"row {one['index'] + 1}: {one['reason']}", err=True)
        if (more := len(told["rejected"]) - _SHOWN) > 0:
            typer.echo(f"… and {more:,} more", err=True)
    if told["rejected"]:
        raise typer.Exit(Status.FOUND_WRONG)


@group.command("export")
def export_events(
    file: Annotated[Path, typer.Argument(help="JSON lines or CSV, also .gz; - : stdout. As `import` reads it.")],
    volume: VolumeOption = places.DEFAULT_VOLUME,
    store: StoreOption = "",
    as_json: JsonOption = False,
) -> None:
    """Write every event that the API took and nobody erased, oldest first: the lake, and what is not there yet."""
    import asyncio

    rows.refuse_two_documents(file, as_json=as_json)
    found = asyncio.run(_all_events(volume, places.store_url(store, volume)))
    count = rows.write(file, found, columns=_COLUMNS)
    if as_json:
        print_json({"file": str(file), "events": count})
    else:
        typer.echo(f"events: {count:,}", err=True)


def add_to(app: typer.Typer) -> None:
    """The commands."""
    app.add_typer(group, rich_help_panel="Shop")


async def _all_events(volume: Path, store_url: str) -> Iterator[dict[str, Any]]:
    from recsys.feature_store.interface import Event
    from recsys.lake import lake_dir, read_table
    from recsys_cli.exposure_log import entries_of

    stream = await entries_of(store_url)
    committed, frame = read_table(lake_dir(volume), "events")
    entries = (one.entry for one in stream if one.sequence > committed.sequence)
    in_stream = [asdict(one) | {f"{one.subject.kind}_id": one.subject.id} for one in entries if isinstance(one, Event)]
    return (_as_sent(row) for source in (frame.iter_rows(named=True), in_stream) for row in source)


def _as_sent(row: dict[str, Any]) -> dict[str, Any]:
    renamed = row | {"type": row["event_type"], "timestamp": row["unix_ms"] / 1000}
    return {name: renamed.get(name) for name in _COLUMNS}


def _typed(row: dict[str, Any]) -> dict[str, Any]:
    """Numbers of CSV as numbers; what is none stays, and the API says of it what is wrong."""
    typed = dict(row)
    for name, kind in _NUMBERS.items():
        if isinstance(text := row.get(name), str):
            try:
                typed[name] = kind(text)
            except ValueError:
                continue
    return typed


def _with_ids(events: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    times: Counter[str] = Counter()
    for event in events:
        if event.get("event_id"):
            yield event
            continue
        text = json.dumps(event, sort_keys=True)
        times[text] += 1  # two rows that say the same are two events
        yield event | {"event_id": hashlib.sha256(f"{times[text]} {text}".encode()).hexdigest()[:32]}
