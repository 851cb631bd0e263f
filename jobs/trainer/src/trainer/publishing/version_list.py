"""The versions on a volume and what became of them, as lines for a terminal. Imports nothing that learns."""

from collections.abc import Iterator
from pathlib import Path

from recsys.artifact import layout
from recsys.artifact.reader import read_manifest
from recsys.artifact.verdict import RunVerdict, verdict_of
from recsys.errors import ArtifactError


def lines(volume: Path) -> Iterator[str]:
    """One line a version, oldest first: * marks the live one, ? what cannot be read; a refused one says why."""
    live, held = layout.current_version(volume), layout.held_versions(volume)
    for version in layout.list_versions(volume):
        try:
            manifest = read_manifest(layout.version_dir(volume, version))
        except ArtifactError as error:
            yield f"? {version}  {error}"
            continue
        recall = manifest.metrics.get("recall@20")
        figure = f"recall@20 {recall.value:.4f}" if recall else "not judged"
        size = f"{manifest.user_count:,} users × {manifest.item_count:,} items"
        mark = "*" if version == live else " "
        yield f"{mark} {version}  {size}  {figure}{_told(verdict_of(manifest))}{'  held' * (version in held)}"


def _told(verdict: RunVerdict | None) -> str:
    if verdict is None:
        return ""
    judged = "" if verdict.users is None else f"  judged by {verdict.users:,} users"
    return judged + (f"  refused: {verdict.refusal}" if verdict.refusal else "")
