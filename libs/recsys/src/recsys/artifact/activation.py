"""Making a kept version the live one, on a volume and in the object store where there is one: roll back, or overrule.

The command line and the API do it by this.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from recsys.artifact import layout, writer
from recsys.artifact.reader import open_artifact
from recsys.errors import ArtifactError

if TYPE_CHECKING:  # brings a library that a process without a store need not load
    from recsys.artifact.object_store import ObjectStore


def activate(volume: Path, version: str, *, store: "ObjectStore | None", throttled: bool = False) -> str:
    """Make a version the live one; services follow while running. `throttled` where requests are answered.

    Returns:
        Why the gate had refused the version; empty where it had not.

    Raises:
        ArtifactError: there is no such version, or services would refuse it; the live one stays.
        ObjectStoreError: the store cannot be written.
        OSError: the volume cannot be written.
    """
    if not layout.is_version_name(version):
        raise ArtifactError(f"expected a version's name, found {version[:80]!r}")
    is_here = version in layout.list_versions(volume)
    gate = None
    if is_here:  # else what follows says what there is
        artifact = open_artifact(layout.version_dir(volume, version), throttled=throttled)
        gate = artifact.manifest.training.gate
    if store is not None:
        if is_here and version not in store.listing().versions:
            store.upload(volume, version)
        gate = store.manifest(version).training.gate
        store.activate(version)
    if is_here or store is None:
        writer.activate(volume, version)
    return gate.refusal if gate else ""
