"""The object store where trainers and services share no disk: what is live there, and publishing there.

The store is the truth, and the volume this trainer's copy: it follows the store before a run, and what the run made is
uploaded after it is complete on the volume. Without a store nothing here is called but `opened`.
"""

import logging
from typing import TYPE_CHECKING

from recsys.artifact import layout
from recsys.errors import ObjectStoreError
from trainer.publishing import keeping
from trainer.settings import Settings

if TYPE_CHECKING:  # brings a library that a trainer without a store need not load
    from recsys.artifact.object_store import ObjectStore

_log = logging.getLogger(__name__)


def opened(settings: Settings) -> "ObjectStore | None":
    """The store of the settings; none where a volume is shared."""
    if not settings.artifact_store:
        return None
    from recsys.artifact.object_store import ObjectStore

    return ObjectStore(settings.artifact_store, writes=True)


def follow(settings: Settings) -> None:
    """The volume has the store's live version and the newest one's manifest: what a run compares with.

    Raises: ObjectStoreError, ArtifactError, OSError.
    """
    store = opened(settings)
    if store is not None:
        from recsys.artifact.mirror import Mirror

        Mirror(store, settings.artifact_dir).follow()


def publish_version(settings: Settings, version: str, *, live: bool) -> None:
    """Upload a version of the volume, make it live where it is to be, and remove what nobody needs.

    Raises: ObjectStoreError; the version is complete on the volume, and perhaps in the store.
    """
    store = opened(settings)
    if store is None:
        return
    try:
        store.upload(settings.artifact_dir, version)
        if live:
            store.activate(version)
        store.prune(keep=keeping.newest(store.listing().versions, store.manifest, settings.keep_versions))
    except ObjectStoreError as error:
        where = layout.version_dir(settings.artifact_dir, version)
        raise ObjectStoreError(f"{error}; {where} is complete: `trainer activate {version}` publishes it") from error


def publish_run(settings: Settings, version: str) -> None:
    """Upload what the run left beside its version, for the API. Where that fails the log says so: the version is there.

    Raises: DataError, OSError.
    """
    store = opened(settings)
    if store is None:
        return
    try:
        store.upload_run(settings.artifact_dir, version)
    except ObjectStoreError as error:
        _log.warning("the store does not have the run's report", extra={"version": version, "reason": str(error)})
