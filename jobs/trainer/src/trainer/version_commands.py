"""The commands on the versions of a volume, or of an object store where there is one. Imports nothing that learns."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from recsys.artifact import activation, layout, writer
from recsys.artifact.manifest import Manifest
from recsys.artifact.reader import read_manifest
from recsys.process import read_settings
from trainer.publishing import run_list, store
from trainer.publishing.run_list import Known
from trainer.settings import Settings

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, with all that is known.")]
VolumeOption = Annotated[Path | None, typer.Option("--artifact-dir", help="The volume of versions.")]

app = typer.Typer()


@app.command()
def versions(
    artifact_dir: VolumeOption = None,
    every_run: Annotated[bool, typer.Option("--all", help="Runs too whose version was removed since.")] = False,
    days: Annotated[float, typer.Option(min=1, help="Lists of so many days count for clicks and purchases.")] = 30,
    as_json: JsonOption = False,
) -> None:
    """List the versions and refusals, all runs with their figures, and what each version has brought.

    Oldest first; * marks the live one, - one that was removed, ? one that cannot be read.
    """
    settings = settings_of(artifact_dir)
    known, manifest_of = _known(settings)
    listed = run_list.rows(known, manifest_of, settings.artifact_dir, days=days)
    if as_json:
        print_json([row.as_json() for row in listed])
        return
    shown = [row for row in listed if every_run or row.state != "removed"]
    for row in shown:
        typer.echo(row.line())
    if not shown:
        typer.echo(f"there is no version in {settings.artifact_dir} yet", err=True)


def _known(settings: Settings) -> tuple[Known, Callable[[str], Manifest]]:
    """The versions that there are, and how to get the manifest of one."""
    in_store, volume = store.opened(settings), settings.artifact_dir
    if in_store is None:
        known = Known(layout.list_versions(volume), layout.current_version(volume), layout.held_versions(volume))
        return known, partial(_manifest_on, volume)
    listing = in_store.listing()
    return Known(listing.versions, in_store.current(), listing.held), in_store.manifest


@app.command()
def activate(version: str, artifact_dir: VolumeOption = None, as_json: JsonOption = False) -> None:
    """Make a kept version the live one: roll back, or put a refused version live."""
    settings = settings_of(artifact_dir)
    refusal = activation.activate(settings.artifact_dir, version, store=store.opened(settings))
    if refusal:
        typer.echo(f"warning: {version} was refused: {refusal}", err=True)
    if as_json:
        print_json({"live": version, "refusal": refusal or None})
    else:
        typer.echo(f"{version} is live")


@app.command()
def hold(version: str, artifact_dir: VolumeOption = None) -> None:
    """Pin a version for an arm of an experiment: it is never removed, and services keep it loaded."""
    settings = settings_of(artifact_dir)
    in_store = store.opened(settings)
    if in_store is not None:
        in_store.hold(version)  # and volumes follow
    else:
        writer.hold(settings.artifact_dir, version)
    typer.echo(f"{version} is held")


@app.command()
def release(version: str, artifact_dir: VolumeOption = None) -> None:
    """Undo `hold`: the version is removed in its turn."""
    settings = settings_of(artifact_dir)
    in_store = store.opened(settings)
    if in_store is not None:
        in_store.release(version)
    else:
        writer.release(settings.artifact_dir, version)
    typer.echo(f"{version} is held no more")


def settings_of(artifact_dir: Path | None) -> Settings:
    """The settings of the environment, with the volume of the command line, if one is named."""
    return read_settings(Settings) if artifact_dir is None else read_settings(Settings, artifact_dir=artifact_dir)


def print_json(value: Any) -> None:
    """The one document that --json prints, on stdout."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def _manifest_on(volume: Path, version: str) -> Manifest:
    return read_manifest(layout.version_dir(volume, version))
