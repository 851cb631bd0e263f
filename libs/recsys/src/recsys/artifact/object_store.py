"""Versions in an object store, for trainers and services that share no disk: `s3://`, `gs://`, `az://`, `file://`.

The layout is that of a volume (docs/artifact-format.md), but for `HELD`: a pinned version is an object
`held/<version>`, so that pinning changes nothing that somebody else may be changing. A version's manifest is written
after its other files and removed before them: a version is complete where there is one. `CURRENT` is one small object,
replaced whole.

Writers take no lock, for an object store has none. Each writes versions of its own; the last that writes `CURRENT`
wins; and who removes a version looks afterwards, as does who names one, so that one of the two sees the other.

The only module that imports obstore: a process imports it when it is told of a store.
"""

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Final

from obstore.exceptions import BaseError
from obstore.store import ObjectStore as Store
from obstore.store import from_url

from recsys.artifact import file_rows, layout, reports, runs
from recsys.artifact.manifest import Manifest
from recsys.artifact.reader import parsed_manifest, read_manifest
from recsys.errors import ArtifactError, ObjectStoreError, VersionNotFoundError

_HELD: Final = "held"
_PART_BYTES: Final = 16 * 1024 * 1024  # of an upload: S3 takes 10,000 parts, so files of up to 160 GB
_PARTS_AT_ONCE: Final = 4
_ABANDONED_AFTER: Final = timedelta(days=1)  # a version without a manifest that nobody has written to for so long
_READS_FOR: Final = timedelta(seconds=10)  # a request that fails is tried again for so long
_WRITES_FOR: Final = timedelta(minutes=3)


class _LackingError(ArtifactError):
    """The store has no such object."""


@dataclass(frozen=True)
class Listing:
    """What a store had at one moment."""

    versions: list[str]  # complete ones, oldest first
    held: list[str]
    reports: set[str]  # names of what runs left there
    written: dict[str, dict[str, datetime]]  # version, complete or not → its objects' names, and when they were written


class ObjectStore:
    """The versions below one address. Every method raises ObjectStoreError where the store fails."""

    def __init__(self, url: str, *, writes: bool = False) -> None:
        """Nothing is asked yet.

        Args:
            url: what is below it belongs to this; credentials and the region come from the provider's own variables.
            writes: for who publishes: failed requests are tried again for long, and a `file://` directory is made.
        """
        self.url = url.rstrip("/")
        self._writes = writes

    def current(self) -> str | None:
        """The live version's name; none where nothing was published yet."""
        text = self._read(layout.CURRENT)
        return None if text is None else text.decode(errors="replace").strip() or None

    def listing(self) -> Listing:
        """All versions, and which are held."""
        written: dict[str, dict[str, datetime]] = {}
        held: list[str] = []
        reports: set[str] = set()
        with self._asking("list"):
            for page in self._store.list():
                for found in page:
                    match found["path"].split("/"):
                        case [layout.VERSIONS, version, name]:
                            written.setdefault(version, {})[name] = found["last_modified"]
                        case [directory, version] if directory == _HELD:
                            held.append(version)
                        case [layout.REPORTS, name]:
                            reports.add(name)
        complete = [version for version, objects in written.items() if layout.MANIFEST in objects]
        return Listing(versions=sorted(complete), held=sorted(held), reports=reports, written=written)

    def manifest_text(self, version: str) -> bytes:
        """A version's manifest as it was published. Raises: VersionNotFoundError."""
        text = self._read(_path(version, layout.MANIFEST))
        if text is None:
            raise VersionNotFoundError(
                f"{self.url}: expected version {version!r}, found: {_listed(self.listing().versions)}"
            )
        return text

    def manifest(self, version: str) -> Manifest:
        """A version's manifest. Raises: ArtifactError."""
        path = f"{self.url}/{_path(version, layout.MANIFEST)}"
        return parsed_manifest(self.manifest_text(version), path=path, version=version)

    def blocks(self, version: str, name: str, *, size: int, block_bytes: int) -> Iterator[memoryview]:
        """A file of a version, block by block: each is a request of its own, tried again by itself.

        Raises: ArtifactError, it is not there or of another size.
        """
        path = _path(version, name)
        with self._asking(f"read {path}", lacks=f"expected {size} bytes, found none"):
            found = self._store.head(path)["size"]
        if found != size:
            raise ArtifactError(f"{self.url}/{path}: expected {size} bytes, found {found}")
        for start in range(0, size, block_bytes):
            with self._asking(f"read {path}", lacks=f"expected {size} bytes, found none"):
                block = self._store.get_range(path, start=start, length=min(block_bytes, size - start))
            yield memoryview(block)

    def upload(self, volume: Path, version: str) -> None:
        """Copy a version of a volume here; it is not made live. Again after it was cut off, or was here: the same.

        Raises: ArtifactError, OSError.
        """
        directory = layout.version_dir(volume, version)
        names = [*read_manifest(directory).files, layout.MANIFEST]  # the manifest last
        for name in names:
            with (directory / name).open("rb") as file, self._asking(f"write {_path(version, name)}"):
                self._store.put(
                    _path(version, name), file, chunk_size=_PART_BYTES, max_concurrency=_PARTS_AT_ONCE
                )  # an object appears whole

    def upload_run(self, volume: Path, version: str) -> None:
        """Copy what the run left that made a version of a volume; nothing where it is not written down there.

        Raises: DataError, OSError.
        """
        run = next((one for one in runs.read(volume) if one.version == version), None)
        if run is None:
            return
        for name in (*reports.files(version), file_rows.FILE.name):
            with suppress(FileNotFoundError):
                self._write(f"{layout.REPORTS}/{name}", (volume / layout.REPORTS / name).read_bytes())
        # last: a run is told where all that it left is there
        self._write(f"{layout.REPORTS}/{version}{runs.OF_ELSEWHERE}", run.model_dump_json().encode())

    def report(self, name: str) -> bytes:
        """What a run left, by the name that it has in the listing. Raises: ArtifactError, it is gone."""
        content = self._read(f"{layout.REPORTS}/{name}")
        if content is None:
            raise ArtifactError(f"{self.url}/{layout.REPORTS}/{name}: expected an object, found none")
        return content

    def activate(self, version: str) -> None:
        """Make a version the live one. Raises: ArtifactError, there is none of that name or it was just removed."""
        before = self.current()
        self.manifest_text(version)
        self._write(layout.CURRENT, f"{version}\n".encode())
        try:
            self.manifest_text(version)
        except ArtifactError:
            if before is not None:
                self._write(layout.CURRENT, f"{before}\n".encode())
            raise

    def hold(self, version: str) -> None:
        """Pin a version. Raises: ArtifactError, as `activate`."""
        self.manifest_text(version)
        self._write(f"{_HELD}/{version}", b"")
        try:
            self.manifest_text(version)
        except ArtifactError:
            self._delete(f"{_HELD}/{version}")
            raise

    def release(self, version: str) -> None:
        """Undo `hold`. Raises: ArtifactError, it is not held."""
        held = self.listing().held
        if version not in held:
            raise ArtifactError(f"{self.url}: expected a held version, found {version!r}; held: {_listed(held)}")
        self._delete(f"{_HELD}/{version}")

    def prune(self, *, keep: Collection[str]) -> list[str]:
        """Remove every version but those to keep, the live one and those held, and what a killed upload left a day ago.

        Returns what was removed.
        """
        listing = self.listing()
        stay = {*keep, *listing.held, self.current()}
        removed = []
        for version in [version for version in listing.versions if version not in stay]:
            manifest = self.manifest_text(version)
            self._delete(_path(version, layout.MANIFEST))
            if version in {*self.listing().held, self.current()}:  # somebody named it since
                self._write(_path(version, layout.MANIFEST), manifest)
                continue
            self._delete(*(_path(version, name) for name in listing.written[version] if name != layout.MANIFEST))
            removed.append(version)
        for version in listing.written.keys() - set(listing.versions):
            objects = listing.written[version]
            if datetime.now(UTC) - max(objects.values()) > _ABANDONED_AFTER:
                self._delete(*(_path(version, name) for name in objects))
        return removed

    @cached_property
    def _store(self) -> Store:
        if self.url.startswith("file://"):
            return from_url(self.url, mkdir=self._writes)
        return from_url(
            self.url,
            client_options={
                "connect_timeout": "5s",
                "timeout": "60s",  # of a request, each of one block or part
                # given any options, the library no longer reads this one itself
                "allow_http": os.environ.get("AWS_ALLOW_HTTP", "").lower() in ("1", "true"),
            },
            retry_config={"retry_timeout": _WRITES_FOR if self._writes else _READS_FOR, "max_retries": 100},
        )

    def _read(self, path: str) -> bytes | None:
        """A small object; none where there is none."""
        with suppress(_LackingError), self._asking(f"read {path}", lacks="expected an object, found none"):
            return bytes(self._store.get(path).bytes())
        return None

    def _write(self, path: str, content: bytes) -> None:
        with self._asking(f"write {path}"):
            self._store.put(path, content)

    def _delete(self, *paths: str) -> None:
        with self._asking(f"delete {paths[0] if paths else 'nothing'}"):
            self._store.delete(list(paths))

    @contextmanager
    def _asking(self, what: str, *, lacks: str = "") -> Iterator[None]:
        """Errors of the store become ours; that there is no such object is an ArtifactError where `lacks` says so."""
        try:
            yield
        except (BaseError, OSError, NotImplementedError, ValueError) as error:
            if lacks and isinstance(error, FileNotFoundError):
                raise _LackingError(f"{self.url}: cannot {what}: {lacks}") from error
            reason = str(error).partition("\n")[0]
            raise ObjectStoreError(f"{self.url}: cannot {what}: {reason}") from error


def _path(version: str, name: str) -> str:
    return f"{layout.VERSIONS}/{version}/{name}"


def _listed(versions: list[str]) -> str:
    return ", ".join(versions) or "none"
