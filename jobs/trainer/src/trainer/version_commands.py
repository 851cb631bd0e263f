"""The commands on the versions of a volume. Imports nothing that learns."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from recsys.artifact import layout, writer
from recsys.artifact.reader import open_artifact, read_manifest
from recsys.errors import ArtifactError
from recsys.process import read_settings
from trainer.settings import Settings

VolumeOption = Annotated[Path | None, typer.Option("--artifact-dir", help="The volume of versions.")]

app = typer.Typer()


@app.command()
def versions(artifact_dir: VolumeOption = None) -> None:
    """List the versions on the volume, oldest first; * marks the live one."""
    for line in _lines(settings_of(artifact_dir).artifact_dir):
        typer.echo(line)


@app.command()
def activate(version: str, artifact_dir: VolumeOption = None) -> None:
    """Make a kept version the live one: roll back, or put a refused version live."""
    volume = settings_of(artifact_dir).artifact_dir
    if version in layout.list_versions(volume):  # else activate says what there is
        artifact = open_artifact(layout.version_dir(volume, version))  # what services would refuse stays out
        gate = artifact.manifest.training.gate
        if gate is not None and gate.refusal:
            typer.echo(f"warning: {version} was refused: {gate.refusal}", err=True)
    writer.activate(volume, version)
    typer.echo(f"{version} is live")


@app.command()
def hold(version: str, artifact_dir: VolumeOption = None) -> None:
    """Pin a version for an arm of an experiment: it is never removed, and services keep it loaded."""
    writer.hold(settings_of(artifact_dir).artifact_dir, version)
    typer.echo(f"{version} is held")


@app.command()
def release(version: str, artifact_dir: VolumeOption = None) -> None:
    """Undo `hold`: the version is removed in its turn."""
    writer.release(settings_of(artifact_dir).artifact_dir, version)
    typer.echo(f"{version} is held no more")


def settings_of(artifact_dir: Path | None) -> Settings:
    """The settings of the environment, with the volume of the command line, if one is named."""
    return read_settings(Settings) if artifact_dir is None else read_settings(Settings, artifact_dir=artifact_dir)


def _lines(volume: Path) -> Iterator[str]:
    """One line a version, oldest first: * marks the live one, ? what cannot be read; a refused one says why."""
    live, held = layout.current_version(volume), layout.held_versions(volume)
    for version in layout.list_versions(volume):
        try:
            manifest = read_manifest(layout.version_dir(volume, version))
        except ArtifactError as error:
            yield f"? {version}  {error}"
            continue
        gate, recall = manifest.training.gate, manifest.metrics.get("recall@20")
        yield "  ".join(
            [
                f"{'*' if version == live else ' '} {version}",
                f"{manifest.user_count:,} users × {manifest.item_count:,} items",
                f"recall@20 {recall.value:.4f}" if recall else "not judged",
                *([f"judged by {gate.users:,} users"] if gate and gate.users is not None else []),
                *([f"refused: {gate.refusal}"] if gate and gate.refusal else []),
                *(["held"] if version in held else []),
            ]
        )
