"""The volume: its rights and room, the live version's checksums, and what became of the newest training."""

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from recsys.artifact import layout
from recsys.artifact.manifest import FORMAT_VERSION
from recsys.artifact.reader import open_artifact, read_manifest
from recsys.errors import ArtifactError
from recsys_cli.doctor.finding import Finding, good, warning, wrong

_ROOM_FOR_VERSIONS: Final = 3  # a version is written beside those that are there
_OLD_DAYS: Final = 14


def look(volume: Path) -> Iterator[Finding]:
    """What is to say of a volume of versions."""
    if not volume.is_dir():
        yield wrong(
            "volume",
            f"{volume} is no folder",
            mend="name it (--artifact-dir, TRAINER_ARTIFACT_DIR), or train: recsys train",
        )
        return
    yield _rights(volume)
    live = layout.current_version(volume)
    if live is None:
        yield wrong("live version", f"{volume} has no {layout.CURRENT}: nothing was published yet", mend="recsys train")
        return
    yield from _version(volume, live)
    yield _room(volume, live)
    yield from _newest(volume, live)


def _rights(volume: Path) -> Finding:
    if not os.access(volume, os.R_OK | os.X_OK):
        return wrong("volume", f"{volume} cannot be read by uid {os.getuid()}", mend=f"chmod -R a+rX {volume}")
    if not os.access(volume, os.W_OK):
        return warning(
            "volume",
            f"{volume} cannot be written to by uid {os.getuid()}: enough for services, not for the trainer",
            mend=f"as the trainer's user, or chown -R 10001 {volume} where containers train",
        )
    return good("volume", f"{volume} can be read and written to")


def _version(volume: Path, live: str) -> Iterator[Finding]:
    """The live one, opened as a service opens it: sizes, SHA-256 and values of every file."""
    others = [version for version in layout.list_versions(volume) if version != live]
    back = f"recsys activate {others[-1]}" if others else "recsys train"
    try:
        manifest = open_artifact(layout.version_dir(volume, live)).manifest
    except ArtifactError as error:
        yield wrong("live version", str(error), mend=back)
        return
    yield good("live version", f"{live}: {len(manifest.files)} files are as their checksums say")
    if manifest.format_version < FORMAT_VERSION:
        yield warning(
            "format",
            f"{live} is of format {manifest.format_version}, this release writes {FORMAT_VERSION}",
            mend="recsys train: a new version has what the format lacks (folding in)",
        )
    age_days = (datetime.now(UTC) - manifest.trained_at).days
    if age_days > _OLD_DAYS:
        yield warning(
            "age", f"{live} was trained {age_days} days ago", mend="is trainer-schedule there? or: recsys train"
        )


def size_of(volume: Path, version: str) -> int:
    """Bytes of a version; 0 where it is not there."""
    return sum(path.stat().st_size for path in layout.version_dir(volume, version).glob("*"))


def _room(volume: Path, live: str) -> Finding:
    size = size_of(volume, live)
    free = shutil.disk_usage(volume).free
    found = f"{free / 1e9:,.1f} GB free on {volume}; a version takes {size / 1e9:,.2f} GB"
    if free < _ROOM_FOR_VERSIONS * size:
        return wrong("room", found, mend="make room, or keep fewer versions: TRAINER_KEEP_VERSIONS")
    return good("room", found)


def _newest(volume: Path, live: str) -> Iterator[Finding]:
    newest = layout.list_versions(volume)[-1:]
    for version in newest:
        try:
            gate = read_manifest(layout.version_dir(volume, version)).training.gate
        except ArtifactError as error:
            yield warning("newest version", str(error), mend="recsys train")
            return
        if gate is not None and gate.refusal and version != live:
            yield warning(
                "newest version",
                f"{version} was refused: {gate.refusal}",
                mend="its report in the folder `reports` says more; recsys activate overrules the gate",
            )
