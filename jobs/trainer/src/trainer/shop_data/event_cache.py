"""A shop's files read once: checked events are kept on the volume, and read from there while the files are the same.

So a training run costs the reading of what is new in the lake, not of all that ever was. Files are the same if path,
size and time of change are, and if the mapping is; whoever changes the checks raises `_FORMAT`. Runs with other files
or another mapping keep theirs beside it.
"""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Final

import polars as pl
from pydantic import TypeAdapter, ValidationError

from recsys.durable_file import replacing
from recsys.errors import DataError
from trainer.shop_data import event_files, lake, rows
from trainer.shop_data.event_files import LoadedEvents
from trainer.shop_data.mapping import ColumnMapping
from trainer.shop_data.quarantine import LoadReport

_log = logging.getLogger(__name__)

CACHE: Final = "cache"
_FORMAT: Final = 5
_OF_ITEMS: Final = (".items.parquet", ".first.parquet")
_report: Final = TypeAdapter(LoadReport)


def load(
    path: Path | None,
    *,
    mapping: ColumnMapping,
    quarantine_path: Path,
    catalogue_path: Path | None,
    cache_dir: Path,
    erased: frozenset[str],
) -> LoadedEvents:
    """What `event_files.load` returns for these files, without the events of erased users, whom nothing kept has.

    Raises:
        DataError: as `event_files.load`; or what is to be kept cannot be written.
    """
    kept = cache_dir / _name(path, catalogue_path, mapping)
    _forget(kept, erased)
    loaded = _read(kept)
    if loaded is None:
        loaded = event_files.load(path, mapping=mapping, quarantine_path=quarantine_path, catalogue_path=catalogue_path)
    elif lake.without(loaded.frame, erased).height == loaded.frame.height:
        return loaded
    loaded = replace(loaded, frame=lake.without(loaded.frame, erased))
    _write(kept, loaded)
    return loaded


def _name(path: Path | None, catalogue_path: Path | None, mapping: ColumnMapping) -> str:
    """`<which files, by which mapping>-<as they are now>`."""
    asked = [f"{path and path.resolve()} {catalogue_path and catalogue_path.resolve()} {mapping.model_dump_json()}"]
    said = [f"{_FORMAT} {pl.__version__}"]
    for files in (path, catalogue_path):
        stats = [(file.resolve(), file.stat()) for file in (rows.files(files) if files else [])]
        said += ["|", *(f"{file} {stat.st_size} {stat.st_mtime_ns}" for file, stat in stats)]
    return "-".join(hashlib.sha256("\n".join(part).encode()).hexdigest()[:16] for part in (asked, said))


def _read(kept: Path) -> LoadedEvents | None:
    """What was kept; none where nothing was, or where it cannot be read any more: then the files are read again."""
    try:
        report = _report.validate_json(kept.with_suffix(".json").read_bytes())
        frame = pl.read_parquet(kept.with_suffix(".events.parquet")).cast(event_files.SCHEMA)
        catalogue, first_told = (pl.read_parquet(kept.with_suffix(suffix)) for suffix in _OF_ITEMS)
        return LoadedEvents(frame, catalogue, first_told, report)
    except FileNotFoundError:
        return None
    except (OSError, ValidationError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        _log.warning("kept events cannot be read", extra={"path": str(kept), "error": str(error)})
        return None


def _write(kept: Path, loaded: LoadedEvents) -> None:
    """The report comes last: without it nothing is there. What was kept of these files as they were before goes."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    for old in kept.parent.glob(f"{kept.name.partition('-')[0]}-*"):
        if not (old.is_dir() or old.name.startswith(f"{kept.name}.")):
            old.unlink(missing_ok=True)  # another run may have been quicker
    _put(kept.with_suffix(".events.parquet"), loaded.frame.write_parquet)
    for suffix, items in zip(_OF_ITEMS, (loaded.catalogue, loaded.first_told), strict=True):
        _put(kept.with_suffix(suffix), items.write_parquet)
    _put(kept.with_suffix(".json"), lambda file: file.write(_report.dump_json(loaded.report)))


def _forget(kept: Path, erased: frozenset[str]) -> None:
    """Remove what is kept of other runs' files if somebody erased is in it: those runs read their files anew."""
    if not erased:
        return
    for other in kept.parent.glob("*.events.parquet"):
        if other.name.startswith(f"{kept.name}.") or not _may_hold(other, erased):
            continue
        for part in kept.parent.glob(f"{other.name.removesuffix('.events.parquet')}.*"):
            if not part.is_dir():
                part.unlink(missing_ok=True)


def _may_hold(events_path: Path, erased: frozenset[str]) -> bool:
    """Whether somebody erased is in what was kept, or it cannot be read to say so."""
    try:
        users = pl.read_parquet(events_path, columns=["user_id"])
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return True
    return lake.without(users, erased).height < users.height


def _put(path: Path, write: Callable[[BinaryIO], object]) -> None:
    try:
        with replacing(path) as file:
            write(file)
    except (OSError, pl.exceptions.PolarsError) as error:  # polars tells of a full disk in its own words
        raise DataError(f"{path}: cannot be written: {error}") from error
