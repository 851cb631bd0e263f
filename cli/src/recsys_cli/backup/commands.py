"""`recsys backup` and `recsys restore`."""

import os
from pathlib import Path
from typing import Annotated

import typer

from recsys_cli import places
from recsys_cli.output import JsonOption, print_json
from recsys_cli.places import StoreOption, VolumeOption


def backup(
    folder: Annotated[Path, typer.Argument(metavar="DEST", help="A folder that is empty, or not there yet.")],
    volume: VolumeOption = places.DEFAULT_VOLUME,
    store: StoreOption = "",
    as_json: JsonOption = False,
) -> None:
    """Write feature store, lake and versions into a folder, as they are at one moment, while the system runs.

    Whoever has the folder has what the shop knows of its customers: keep it as safe as the volumes.
    """
    from recsys_cli.backup import whole

    taken = whole.take(whole.System(volume, places.store_url(store, volume)), folder)
    if elsewhere := os.environ.get("TRAINER_ARTIFACT_STORE"):
        typer.echo(f"note: of {elsewhere} only what {volume} has is in it; its provider backs up the rest", err=True)
    if as_json:
        print_json(taken.model_dump(mode="json", exclude={"files"}) | {"bytes": taken.size})
        return
    typer.echo(
        f"{folder}: {len(taken.files):,} files, {taken.size / 1e6:,.1f} MB; store {taken.store} up to event "
        f"{taken.position.stream:,}, versions: {len(taken.versions)}, live: {taken.live_version or 'none'}"
    )


def restore(
    folder: Annotated[Path, typer.Argument(metavar="SRC", help="What `recsys backup` wrote.")],
    volume: VolumeOption = places.DEFAULT_VOLUME,
    store: StoreOption = "",
    overwrite: Annotated[bool, typer.Option(help="Replace what is there, for good.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Put a backup where the system keeps what it knows. Stop the services first, and start them afterwards.

    Every file is compared with its checksum before anything is written.
    """
    from recsys_cli.backup import manifest, whole

    kind = manifest.read(folder).store
    url = store or (places.embedded_url(volume) if kind == "sqlite" else "")
    taken = whole.restore(folder, whole.System(volume, url), overwrite=overwrite)
    if as_json:
        print_json(taken.model_dump(mode="json", exclude={"files"}) | {"bytes": taken.size})
        return
    typer.echo(
        f"restored as of {taken.made_at:%Y-%m-%d %H:%M:%S} UTC: event {taken.position.stream:,}, "
        f"live: {taken.live_version or 'none'}. Start the services; erase again whom you erased since"
    )


def add_to(app: typer.Typer) -> None:
    """The commands."""
    for command in (backup, restore):
        app.command(rich_help_panel="Operations")(command)
