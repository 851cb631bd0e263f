"""Which versions stay, on a volume or in an object store. The live one and those held always do."""

from collections.abc import Callable, Sequence
from pathlib import Path

from recsys.artifact import layout
from recsys.artifact.manifest import Manifest
from recsys.artifact.reader import read_manifest
from recsys.errors import ArtifactError


def on_volume(volume: Path, count: int) -> set[str]:
    """As `newest`; `writer.prune` keeps the live version and those held besides."""
    return newest(
        layout.list_versions(volume), lambda version: read_manifest(layout.version_dir(volume, version)), count
    )


def newest(versions: Sequence[str], manifest_of: Callable[[str], Manifest], count: int) -> set[str]:
    """The newest versions, and as many that passed: refused runs must not push out what to roll back to.

    Args:
        versions: oldest first.
    """
    passed = [version for version in versions if _passed(version, manifest_of)]
    return {*versions[-count:], *passed[-count:]}


def _passed(version: str, manifest_of: Callable[[str], Manifest]) -> bool:
    """Whether the gate let a version go live, or somebody did whatever it said; not one that cannot be read."""
    try:
        gate = manifest_of(version).training.gate
    except ArtifactError:
        return False
    return gate is not None and (gate.passed or gate.forced)
