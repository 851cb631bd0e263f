"""Keeps a local volume as an object store says: the live version, those that are held, and the one before.

A version is fetched into a hidden directory beside the others, each file compared with its checksum while it comes,
and renamed when it is whole; then `CURRENT` is replaced. So everything that reads a volume reads this one, and a
half-fetched version is never seen. What was fetched before a kill is not fetched again. While the store is unavailable
the volume stays as it is.
"""

import errno
import fcntl
import hashlib
import logging
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from recsys import durable_file
from recsys.artifact import checks, file_rows, layout, reports, runs, writer
from recsys.artifact.manifest import FileEntry
from recsys.artifact.object_store import Listing, ObjectStore
from recsys.artifact.reader import parsed_manifest
from recsys.background import Failures, Pauses, keep_turning
from recsys.errors import ArtifactError, ObjectStoreError
from recsys.observability.metrics import ArtifactMetrics

_log = logging.getLogger(__name__)

_FETCHING: Final = ".fetching-"
_LOCK: Final = ".mirror-lock"
_PREVIOUS: Final = "PREVIOUS"  # the version that was live before, which stays to go back to
_ENDS_WITHIN_S: Final = 5.0
_BLOCK_BYTES: Final = 8 * 1024 * 1024
_MOST_RUNS: Final = 100  # of the newest: as many as the API tells
_HASHED_AT_ONCE: Final = 256 * 1024  # as `checks`: between two of them requests have the processor


class Mirror:
    """A volume that follows an object store. One process at a time: another one on the same volume skips its turn."""

    def __init__(
        self, store: ObjectStore, volume: Path, *, metrics: ArtifactMetrics | None = None, every_s: float = 5.0
    ) -> None:
        """Nothing is asked yet. Failed turns are tried again after `every_s`, twice that, and at most a minute."""
        self._store = store
        self._volume = volume
        self._metrics = metrics
        self._every_s = every_s
        self._pauses = Pauses(first_s=every_s, longest_s=60.0)
        self._failed = 0  # turns in a row
        self._not_before_s = 0.0
        self._reason = ""  # why the last turn failed; the log was told
        self._newest = ""  # whose manifest is here
        self._failures = Failures("artifact mirror")
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="artifact-mirror", daemon=True)

    def start(self) -> None:
        """Follow the store in the background, the first time now."""
        self._thread.start()

    def stop(self) -> None:
        """Stop following, in the middle of a file too; what was fetched stays."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join(_ENDS_WITHIN_S)  # a store that hangs must not keep the process

    def follow(self) -> None:
        """Fetch what the store names and this volume lacks, and name it here too; nothing is removed.

        Raises:
            ObjectStoreError: the store cannot be read.
            ArtifactError: a version is not what its manifest says, or not complete; the live one here stays.
            OSError: no room on this volume, for instance.
        """
        with self._locked(wait=True):
            self._follow()

    def _follow(self) -> None:
        current, listing = self._store.current(), self._store.listing()
        self._follow_newest(listing)
        if listing.versions != layout.stored_versions(self._volume):
            writer.note_stored(self._volume, listing.versions)
        for version in set(layout.held_versions(self._volume)) - set(listing.held):
            writer.release(self._volume, version)
        refused: list[ArtifactError] = []
        for version in dict.fromkeys([*([] if current is None else [current]), *listing.held]):
            try:
                self._fetch(version)
            except ArtifactError as error:  # which keeps no other one away
                refused.append(error)
                continue
            if version == current:
                self._activate(version)
            if version in listing.held and version not in layout.held_versions(self._volume):
                writer.hold(self._volume, version)
        self._follow_runs(listing)
        if refused:
            raise refused[0]

    def turn(self) -> None:
        """Follow the store and let go of what nobody needs. What fails is logged once, counted, and tried again."""
        if time.monotonic() < self._not_before_s:
            return
        try:
            with self._locked(wait=False) as is_ours:
                if is_ours:
                    self._follow()
                    self._let_go()
        except ObjectStoreError as error:
            self._tell_failed("unavailable", error)
        except ArtifactError as error:
            self._tell_failed("refused", error)
        except OSError as error:
            self._tell_failed("volume", error)
        else:
            if self._reason:
                _log.info("the artifact store is followed again")
            self._reason, self._failed = "", 0
            if self._metrics is not None:
                self._metrics.store_fails("")

    def _tell_failed(self, kind: str, error: Exception) -> None:
        self._failed += 1
        self._not_before_s = time.monotonic() + self._pauses.after(self._failed)
        reason = kind if kind == "unavailable" else str(error)  # which tells of times, each time others
        if reason != self._reason:
            live = layout.current_version(self._volume)
            _log.warning("the artifact store is not followed", extra={"kind": kind, "reason": str(error), "live": live})
        self._reason = reason
        if self._metrics is not None:
            self._metrics.store_fails(kind)

    def _activate(self, version: str) -> None:
        before = layout.current_version(self._volume)
        if before != version:
            durable_file.replace(self._volume / _PREVIOUS, f"{before or ''}\n".encode())
            writer.activate(self._volume, version)
            _log.info("artifact version fetched", extra={"artifact_version": version, "before": before})

    def _fetch(self, version: str) -> None:
        """Have a version on this volume. Raises: as `follow`."""
        if not layout.is_version_name(version):
            raise ArtifactError(f"{self._store.url}: expected a version's name, found {version[:80]!r}")
        final = layout.version_dir(self._volume, version)
        if final.is_dir():
            return
        started_s = time.monotonic()
        text = self._store.manifest_text(version)
        files = parsed_manifest(text, path=f"{self._store.url}: {version}", version=version).files
        if odd := [name for name in files if not layout.is_version_name(name)]:
            raise ArtifactError(f"{self._store.url}: {version}: expected names of files, found {odd[0][:80]!r}")
        incomplete = final.with_name(_FETCHING + version)
        incomplete.mkdir(parents=True, exist_ok=True)
        lacking = {name: entry for name, entry in files.items() if not _is_whole(incomplete / name, entry)}
        try:
            self._expect_room(sum(entry.bytes for entry in lacking.values()))
            for name, entry in lacking.items():
                self._fetch_file(version, name, entry, incomplete / name)
            durable_file.replace(incomplete / layout.MANIFEST, text)
        except OSError:
            shutil.rmtree(incomplete, ignore_errors=True)  # it may be what the disk is full of
            raise
        incomplete.rename(final)
        durable_file.flush_dir(final.parent)
        if self._metrics is not None:
            self._metrics.took("fetch", time.monotonic() - started_s)

    def _fetch_file(self, version: str, name: str, entry: FileEntry, path: Path) -> None:
        digest = hashlib.sha256()
        with path.open("wb") as file:
            for block in self._store.blocks(version, name, size=entry.bytes, block_bytes=_BLOCK_BYTES):
                for start in range(0, len(block), _HASHED_AT_ONCE):
                    began_s = time.monotonic()
                    digest.update(block[start : start + _HASHED_AT_ONCE])
                    file.write(block[start : start + _HASHED_AT_ONCE])
                    time.sleep(time.monotonic() - began_s)
                if self._stopped.is_set():
                    raise ObjectStoreError(f"{self._store.url}: {version}: told to end while fetching")
            durable_file.flush(file)
        if digest.hexdigest() != entry.sha256:
            path.unlink()
            where = f"{self._store.url}/{layout.VERSIONS}/{version}/{name}"
            raise ArtifactError(f"{where}: expected SHA-256 {entry.sha256}, found {digest.hexdigest()}")

    def _expect_room(self, needed: int) -> None:
        free = shutil.disk_usage(self._volume).free
        if free < needed:
            raise OSError(errno.ENOSPC, f"a version needs {needed:,} bytes, free are {free:,}", str(self._volume))

    def _follow_newest(self, listing: Listing) -> None:
        """Keep the manifest of the newest version, which may be one that the gate refused and nobody fetches."""
        newest = listing.versions[-1] if listing.versions else ""
        if newest not in ("", self._newest):
            durable_file.replace(self._volume / layout.NEWEST, self._store.manifest_text(newest))
        self._newest = newest

    def _follow_runs(self, listing: Listing) -> None:
        """Have what the runs left, wherever they ran: the run itself last, so that nothing of it is missing then."""
        folder = self._volume / layout.REPORTS
        told = (name for name in listing.reports if name.endswith(runs.OF_ELSEWHERE) and layout.is_version_name(name))
        lacking = [name for name in sorted(told)[-_MOST_RUNS:] if not (folder / name).exists()]
        if not lacking:
            return
        folder.mkdir(exist_ok=True)
        left = [file for name in lacking for file in reports.files(name.removesuffix(runs.OF_ELSEWHERE))]
        for name in (*(file for file in (*left, file_rows.FILE.name) if file in listing.reports), *lacking):
            durable_file.replace(folder / name, self._store.report(name))

    def _let_go(self) -> None:
        """Remove every version but the live one, those held and the one before; and what was not fetched to its end."""
        try:
            previous = (self._volume / _PREVIOUS).read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            previous = ""
        if removed := writer.prune(self._volume, keep=[previous]):
            _log.info("artifact versions removed", extra={"artifact_versions": removed})
        for incomplete in (self._volume / layout.VERSIONS).glob(
            ".*"
        ):  # fetched or removed by a process that was killed
            shutil.rmtree(incomplete)

    @contextmanager
    def _locked(self, *, wait: bool) -> Iterator[bool]:
        """Whether no other process follows for this volume within the block."""
        self._volume.mkdir(parents=True, exist_ok=True)
        with (self._volume / _LOCK).open("w") as lock:
            try:
                fcntl.flock(
                    lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB
                )  # given back by the kernel, also after a kill
            except BlockingIOError:
                yield False
            else:
                yield True

    def _run(self) -> None:
        keep_turning(self.turn, failures=self._failures, every_s=self._every_s, stop=self._stopped, first_s=0.0)


def _is_whole(path: Path, entry: FileEntry) -> bool:
    """Whether a file is there as it should be."""
    try:
        checks.check_files(path.parent, {path.name: entry}, throttled=True)
    except ArtifactError:
        return False
    return True
