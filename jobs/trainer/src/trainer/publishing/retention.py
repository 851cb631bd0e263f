"""Which versions stay on the volume after a run."""

from pathlib import Path

from recsys.artifact import layout
from recsys.artifact.reader import read_manifest
from recsys.artifact.verdict import verdict_of
from recsys.errors import ArtifactError


def worth_keeping(volume: Path, count: int) -> set[str]:
    """The newest versions, and as many that the gate let pass: refused runs must not push out what to roll back to.

    `writer.prune` keeps the live version and those held besides.
    """
    versions = layout.list_versions(volume)
    passed = [version for version in versions if _passed(volume, version)]
    return {*versions[-count:], *passed[-count:]}


def _passed(volume: Path, version: str) -> bool:
    try:
        verdict = verdict_of(read_manifest(layout.version_dir(volume, version)))
    except ArtifactError:
        return False
    return verdict is not None and (verdict.passed or verdict.forced)
