"""What the trainer's gate said of a version, as its manifest records it; and of the newest one on a volume."""

from dataclasses import dataclass
from pathlib import Path

from recsys.artifact import layout
from recsys.artifact.manifest import Manifest
from recsys.artifact.reader import read_manifest
from recsys.errors import ArtifactError

_FAILED = "failed: "


@dataclass(frozen=True)
class RunVerdict:
    """Whether a version might go live, why, and how many users judged it."""

    version: str
    passed: bool
    forced: bool  # it went live whatever the gate said
    reasons: tuple[str, ...]  # one sentence a check
    users: int | None  # none: not recorded

    @property
    def refusal(self) -> str:
        """Why the gate refused it; empty where it did not."""
        if self.passed:
            return ""
        failed = [reason.removeprefix(_FAILED) for reason in self.reasons if reason.startswith(_FAILED)]
        return "; ".join(failed) or "no reason is recorded"


def verdict_of(manifest: Manifest) -> RunVerdict | None:
    """None where the manifest records no verdict."""
    gate = manifest.training.gate
    if gate is None:
        return None
    return RunVerdict(manifest.version, gate.passed, gate.forced, tuple(gate.reasons), gate.users)


def newest_verdict(volume: Path) -> RunVerdict | None:
    """Of the last run whose version can be read."""
    newest = newest_manifest(volume)
    return verdict_of(newest) if newest else None


def newest_manifest(volume: Path) -> Manifest | None:
    """Of the newest version that can be read, live or refused: refused ones stay until newer ones come."""
    for version in reversed(layout.list_versions(volume)):
        try:
            return read_manifest(layout.version_dir(volume, version))
        except ArtifactError:
            continue
    return None
