"""Which versions stay, on a volume or in an object store. The live one and those held always do."""

from collections.abc import Mapping
from pathlib import Path

from recsys.artifact import layout
from recsys.artifact.manifest import Manifest
from recsys.artifact.reader import read_manifest
from recsys.errors import ArtifactError


def on_volume(volume: Path, count: int) -> set[str]:
    """The newest versions, and as many that passed; `writer.prune` keeps the live version and those held besides."""
    return newest({version: _passed(volume, version) for version in layout.list_versions(volume)}, count)


def newest(passed_by_version: Mapping[str, bool], count: int) -> set[str]:
    """The newest versions, and as many that passed: refused runs must not push out what to roll back to."""
    versions = sorted(passed_by_version)
    passing = [version for version in versions if passed_by_version[version]]
    return {*versions[-count:], *passing[-count:]}


def passed(manifest: Manifest) -> bool:
    """Whether the gate let a version go live, or somebody did whatever it said."""
    gate = manifest.training.gate
    return gate is not None and (gate.passed or gate.forced)


def _passed(volume: Path, version: str) -> bool:
    try:
        return passed(read_manifest(layout.version_dir(volume, version)))
    except ArtifactError:
        return False
