"""A version that is complete on the volume in; published in the store, live if it is to be, old ones removed, out."""

from recsys.artifact import layout, writer
from recsys.artifact.reader import open_artifact
from trainer.publishing import keeping, store
from trainer.settings import Settings


def bring(settings: Settings, version: str, *, live: bool) -> None:
    """Publish a version, and make it live where it is to be.

    Raises:
        ArtifactError: it is to be live, and services would refuse it.
        ObjectStoreError: as `store.publish_version`.
    """
    volume = settings.artifact_dir
    if live:
        open_artifact(layout.version_dir(volume, version))  # what services would refuse does not become live
    store.publish_version(settings, version, live=live)
    if live:
        writer.activate(volume, version)
    writer.prune(volume, keep=keeping.on_volume(volume, settings.keep_versions))
