"""`recsys recommend`, `similar` and `why`: the lists that people get, and those that they got."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from recsys.exit_status import Status
from recsys_cli import api, places
from recsys_cli.outcome import CommandError
from recsys_cli.output import JsonOption, print_json, print_table, shown_text
from recsys_cli.places import StoreOption, VolumeOption

CountOption = Annotated[int, typer.Option("--count", "-n", min=1, max=100, help="How many at the most.")]


def recommend(
    user_id: Annotated[str | None, typer.Argument(help="For whom; none: for nobody in particular.")] = None,
    session: Annotated[str | None, typer.Option(help="An anonymous session, in place of a user.")] = None,
    item: Annotated[list[str] | None, typer.Option(help="An item of a cart; may be repeated.")] = None,
    count: CountOption = 10,
    category: Annotated[list[str] | None, typer.Option(help="Only of these categories; may be repeated.")] = None,
    include_seen: Annotated[bool, typer.Option(help="Also what was seen.")] = False,
    explain: Annotated[bool, typer.Option(help="Say of each item why it stands where it stands.")] = False,
    count_as_shown: Annotated[bool, typer.Option(help="Log the list as shown; else it is a preview.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Items for a user, a session, a cart, or nobody in particular, best first."""
    from recsys_client import Filter, operations

    call = operations.recommend(
        user_id=user_id,
        session_id=session,
        item_ids=item or (),
        count=count,
        filter=Filter(categories=category) if category else None,
        exclude_seen=not include_seen,
        explain=explain,
        preview=not count_as_shown,
    )
    with api.connected() as client:
        answer = api.asked(client, call)
    if as_json:
        print_json(answer)
        return
    experiment = answer["experiment"]
    arm = f" · {experiment['name']}: {experiment['arm']}" if experiment else ""
    print_table(
        ("", "item", "title", "score", "sources", *(["because of"] if explain else [])),
        [
            [*_row(place, one), *([_because(one["explanation"])] if explain else [])]
            for place, one in enumerate(answer["items"], start=1)
        ],
        title=f"list {answer['list_id']} · {answer['level']} · {answer['artifact_version']}{arm}",
    )


def similar(
    item_id: Annotated[str, typer.Argument(help="The item that others are like.")],
    count: CountOption = 10,
    category: Annotated[list[str] | None, typer.Option(help="Only of these categories; may be repeated.")] = None,
    bought_together: Annotated[bool, typer.Option(help="Before them, what is bought together with the item.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Items like an item, most similar first."""
    from recsys_client import operations

    ask = operations.get_bought_together if bought_together else operations.get_similar_items
    with api.connected() as client:
        answer = api.asked(client, ask(item_id, count=count, category=category or ()))
    if as_json:
        print_json(answer)
        return
    rows = [_row(place, one) for place, one in enumerate(answer["items"], start=1)]
    print_table(("", "item", "title", "score", "sources"), rows)


def why(
    list_id: Annotated[str, typer.Argument(help="Of an answer of the past: `list_id` in it and in the access log.")],
    volume: VolumeOption = places.DEFAULT_VOLUME,
    store: StoreOption = "",
    as_json: JsonOption = False,
) -> None:
    """What an answer of the past showed: its items with their sources, the version, the arm, and what came of it.

    It is read from the lake and from what the sink has not moved there yet: they hold the log of what was shown, the
    gateway keeps none.
    """
    import asyncio

    from recsys_cli import exposure_log

    found = asyncio.run(exposure_log.find(list_id, volume, store_url=places.store_url(store, volume)))
    if found is None:
        raise CommandError(
            f"no list {list_id!r} in the lake of {volume} or in the stream: it was a preview, its user was erased, it "
            "is older than what the lake keeps, or it is of another shop (--artifact-dir, --feature-store-url)",
            Status.NOT_FOUND,
        )
    if as_json:
        print_json(found)
        return
    facts = ("shown_at", "user_id", "session_id", "artifact_version", "level", "experiment", "arm", "latency_ms")
    print_table(("", ""), [(name.replace("_", " "), found[name]) for name in facts if found[name] is not None])
    typer.echo()
    columns = ("", "item", "sources", "propensity", "what came of it")
    print_table(columns, [_shown_row(place, one) for place, one in enumerate(found["items"], start=1)])


def add_to(app: typer.Typer) -> None:
    """The commands."""
    for command in (recommend, similar, why):
        app.command(rich_help_panel="Lists")(command)


def _row(place: int, item: dict[str, Any]) -> Sequence[object]:
    return place, item["item_id"], item["title"], shown_text(item["score"]), ", ".join(item["sources"])


def _because(explanation: dict[str, Any] | None) -> str:
    if explanation is None:
        return ""
    terms = [f"{one['name']} {one['weight'] * one['value']:.3g}" for one in explanation["terms"] if one["weight"]]
    return "; ".join([*terms, *(f"rule {name}" for name in explanation["rules"])])


def _shown_row(place: int, item: dict[str, Any]) -> Sequence[object]:
    answers = ", ".join(f"{one['event_type']} {one['at']}" for one in item["events"])
    return place, item["item_id"], ", ".join(item["sources"]), shown_text(item["propensity"]), answers
