"""A backup taken and restored: store, then lake, then versions; each checked before anything is overwritten."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from recsys.artifact import layout
from recsys.errors import DataError
from recsys.feature_store import valkey_cluster
from recsys.feature_store.opening import without_secrets
from recsys.lake import COMMITTED, LOCK, TABLES, lake_dir
from recsys_cli import __version__
from recsys_cli.backup import lake_copy, manifest, sqlite_copy, valkey_copy, volume_copy
from recsys_cli.backup.manifest import LAKE, STORE, VOLUME, Manifest, Position, StoreKind
from trainer.progress import step


@dataclass(frozen=True)
class System:
    """What is backed up: a volume with its lake, and the feature store's address; empty: there is none."""

    volume: Path
    store_url: str

    @property
    def store_kind(self) -> StoreKind:
        """Which kind of store the address names."""
        return "none" if not self.store_url else "sqlite" if self.store_url.startswith("sqlite:") else "valkey"

    @property
    def store_file(self) -> Path:
        """Of the embedded store."""
        return Path(unquote(urlsplit(self.store_url).path))


def take(system: System, folder: Path) -> Manifest:
    """Write a backup into an empty or new folder while the system runs.

    Raises: DataError (the folder has something, the store is a cluster), StoreUnavailableError, ArtifactError, OSError.
    """
    _refuse_cluster(system)
    if folder.exists() and any(folder.iterdir()):
        raise DataError(f"{folder}: expected an empty folder, or none; each backup has its own")
    with _whole_or_nothing(folder):
        return _taken(system, folder)


def _taken(system: System, folder: Path) -> Manifest:
    (folder / STORE).mkdir(parents=True)
    position = None
    if system.store_kind != "none":
        with step("feature store"):
            position = (
                sqlite_copy.take(system.store_file, folder / STORE)
                if system.store_kind == "sqlite"
                else valkey_copy.take(system.store_url, folder / STORE)
            )
    with step("lake"):
        committed = lake_copy.take(lake_dir(system.volume), folder / LAKE, up_to=position)
    with step("versions"):
        live, versions = volume_copy.take(system.volume, folder / VOLUME)
    with step("checksums"):
        taken = Manifest(
            made_at=datetime.now(UTC),
            release=__version__,
            store=system.store_kind,
            position=position or Position(),
            lake_sequence=committed.sequence if committed else None,
            live_version=live,
            versions=versions,
            files=manifest.sums(folder),
        )
        os.sync()  # the files first: what has a manifest is whole
        manifest.write(folder, taken)
    return taken


@contextmanager
def _whole_or_nothing(folder: Path) -> Iterator[None]:
    """What a backup that failed has written goes with it, so that the next try finds an empty folder."""
    try:
        yield
    except BaseException:
        for part in (STORE, LAKE, VOLUME):
            shutil.rmtree(folder / part, ignore_errors=True)
        raise


def restore(folder: Path, system: System, *, overwrite: bool) -> Manifest:
    """Put a backup in a system's place, whose services are stopped; without `overwrite` only where nothing is.

    Raises: DataError (the backup is damaged; the target is not empty, in use or a cluster), StoreUnavailableError,
    OSError.
    """
    _refuse_cluster(system)
    taken = manifest.read(folder)
    with step("checksums"):
        manifest.verify(folder, taken)
    if taken.store != system.store_kind:
        raise DataError(
            f"{folder}: its feature store is {taken.store}, and the target's is {system.store_kind} "
            f"({without_secrets(system.store_url) or 'no --feature-store-url'}): name one of the same kind"
        )
    lake = lake_dir(system.volume)
    with _unused(lake):
        if not overwrite and (found := _in_the_way(system)):
            raise DataError(f"{', '.join(found)}: expected nothing there; --overwrite replaces it, for good")
        with step("feature store"):
            if taken.store == "sqlite":
                sqlite_copy.restore(folder / STORE, system.store_file)
            elif taken.store == "valkey":
                valkey_copy.restore(folder / STORE, system.store_url)
        with step("lake"):
            _restore_lake(folder / LAKE, lake)
        with step("versions"):
            volume_copy.clear(system.volume)
            volume_copy.restore(folder / VOLUME, system.volume)
            os.sync()
    return taken


def _refuse_cluster(system: System) -> None:
    """By its address, before anything is written. Raises: DataError."""
    if urlsplit(system.store_url).scheme == valkey_cluster.SCHEME:
        raise valkey_copy.cluster_not_copied(system.store_url)


def _in_the_way(system: System) -> list[str]:
    """What restoring would replace, as sentences' subjects."""
    volume, found = system.volume, []
    if layout.current_version(volume) or layout.list_versions(volume):
        found.append(f"{volume} has versions")
    if (lake_dir(volume) / COMMITTED).exists():
        found.append(f"{lake_dir(volume)} has events")
    if system.store_kind == "sqlite" and not sqlite_copy.is_empty(system.store_file):
        found.append(f"{system.store_file} is there")
    if system.store_kind == "valkey" and not valkey_copy.is_empty(system.store_url):
        found.append(f"{without_secrets(system.store_url)} has keys")
    return found


@contextmanager
def _unused(lake: Path) -> Iterator[None]:
    """Nobody fills the lake meanwhile. Raises: DataError, where an event sink does."""
    lake.mkdir(parents=True, exist_ok=True)
    with (lake / LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataError(f"{lake}: an event sink is at work there; stop the services first") from None
        yield


def _restore_lake(copy: Path, lake: Path) -> None:
    """The parts, then COMMITTED, which makes them count. The folder itself may be a mount, and stays."""
    (lake / COMMITTED).unlink(missing_ok=True)
    for table in TABLES:
        shutil.rmtree(lake / table, ignore_errors=True)
    if not copy.is_dir():
        return
    for path in sorted(copy.rglob("*"), key=lambda path: path.name == COMMITTED):
        if path.is_file():
            target = lake / path.relative_to(copy)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
