"""What a backup says of itself: what is in it, and the checksum of every file. A folder without one is no backup."""

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, NonNegativeInt, ValidationError

from recsys import durable_file
from recsys.errors import DataError

MANIFEST: Final = "backup.json"
STORE: Final = "store"
LAKE: Final = "lake"
VOLUME: Final = "volume"

StoreKind = Literal["sqlite", "valkey", "none"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Position(_Frozen):
    """How far the store had come: places in the stream of events, and in the count of changes of items."""

    stream: NonNegativeInt = 0
    trimmed: NonNegativeInt = 0  # the stream has entries behind this place only: the lake has the others
    items: NonNegativeInt = 0


class FileSum(_Frozen):
    """One file of the backup."""

    bytes: NonNegativeInt
    sha256: str


class Manifest(_Frozen):
    """The file `backup.json`, which is written last."""

    format_version: Literal[1] = 1
    made_at: datetime
    release: str  # of this command
    store: StoreKind
    position: Position
    lake_sequence: NonNegativeInt | None  # none: there was no lake
    live_version: str | None
    versions: list[str]
    files: dict[str, FileSum]  # path below the backup → what it is

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.bytes for file in self.files.values())


def sums(folder: Path) -> dict[str, FileSum]:
    """Every file below a folder but the manifest. Raises: OSError."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / MANIFEST)
    return {str(path.relative_to(folder)): _sum(path) for path in paths}


def write(folder: Path, manifest: Manifest) -> None:
    """Make a folder a backup. Raises: OSError."""
    durable_file.replace(folder / MANIFEST, manifest.model_dump_json(indent=1).encode())


def read(folder: Path) -> Manifest:
    """What a backup says of itself. Raises: DataError (it is none, or one of another release)."""
    path = folder / MANIFEST
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise DataError(f"{folder}: expected a backup with {MANIFEST}, found none: it was not finished") from None
    except (OSError, ValidationError) as error:
        raise DataError(f"{path}: expected what `recsys backup` writes there: {error}") from error


def verify(folder: Path, manifest: Manifest) -> None:
    """Compare every file of a backup with its checksum. Raises: DataError, naming the first that differs."""
    found = sums(folder)
    for path, expected in manifest.files.items():
        if path not in found:
            raise DataError(f"{folder / path}: expected {expected.bytes} bytes, found no file")
        if found[path] != expected:
            raise DataError(
                f"{folder / path}: expected {expected.bytes} bytes with SHA-256 {expected.sha256}, found "
                f"{found[path].bytes} bytes with {found[path].sha256}; nothing was restored"
            )


def _sum(path: Path) -> FileSum:
    with path.open("rb") as file:
        return FileSum(bytes=path.stat().st_size, sha256=hashlib.file_digest(file, "sha256").hexdigest())
