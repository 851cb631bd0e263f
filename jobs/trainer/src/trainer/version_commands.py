"""The commands on the versions of a volume, or of an object store where there is one. Imports nothing that learns."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from recsys.artifact import layout, writer
from recsys.artifact.manifest import Manifest
from recsys.artifact.reader import open_artifact, read_manifest
from recsys.errors import ArtifactError
from recsys.process import read_settings
from trainer.publishing import store
from trainer.settings import Settings

VolumeOption = Annotated[Path | None, typer.Option("--artifact-dir", help="The volume of versions.")]

app = typer.Typer()


@dataclass(frozen=True)
class Known:
    """The versions that there are."""

    versions: list[str]  # oldest first
    live: str | None
    held: list[str]


@app.command()
def versions(artifact_dir: VolumeOption = None) -> None:
    """List the versions on the volume, or in the object store, oldest first; * marks the live one."""
    settings = settings_of(artifact_dir)
    in_store, volume = store.opened(settings), settings.artifact_dir
    if in_store is None:
        known = Known(layout.list_versions(volume), layout.current_version(volume), layout.held_versions(volume))
        manifest_of: Callable[[str], Manifest] = partial(_manifest_on, volume)
    else:
        listing = in_store.listing()
        known = Known(listing.versions, in_store.current(), listing.held)
        manifest_of = in_store.manifest
    for line in _lines(known, manifest_of):
        typer.echo(line)


@app.command()
def activate(version: str, artifact_dir: VolumeOption = None) -> None:
    """Make a kept version the live one: roll back, or put a refused version live."""
    settings = settings_of(artifact_dir)
    in_store, volume = store.opened(settings), settings.artifact_dir
    is_here = version in layout.list_versions(volume)
    gate = None
    if is_here:  # else activate says what there is
        artifact = open_artifact(layout.version_dir(volume, version))  # what services would refuse stays out
        gate = artifact.manifest.training.gate
    if in_store is not None:
        if is_here and version not in in_store.listing().versions:
            in_store.upload(volume, version)
        gate = in_store.manifest(version).training.gate
    if gate is not None and gate.refusal:
        typer.echo(f"warning: {version} was refused: {gate.refusal}", err=True)
    if in_store is not None:
        in_store.activate(version)
    if is_here or in_store is None:
        writer.activate(volume, version)
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


def _manifest_on(volume: Path, version: str) -> Manifest:
    return read_manifest(layout.version_dir(volume, version))


def _lines(known: Known, manifest_of: Callable[[str], Manifest]) -> Iterator[str]:
    """One line a version, oldest first: * marks the live one, ? what cannot be read; a refused one says why."""
    for version in known.versions:
        try:
            manifest = manifest_of(version)
        except ArtifactError as error:
            yield f"? {version}  {error}"
            continue
        gate, recall = manifest.training.gate, manifest.metrics.get("recall@20")
        yield "  ".join(
            [
                f"{'*' if version == known.live else ' '} {version}",
                f"{manifest.user_count:,} users × {manifest.item_count:,} items",
                f"recall@20 {recall.value:.4f}" if recall else "not judged",
                *([f"judged by {gate.users:,} users"] if gate and gate.users is not None else []),
                *([f"refused: {gate.refusal}"] if gate and gate.refusal else []),
                *(["held"] if version in known.held else []),
            ]
        )
