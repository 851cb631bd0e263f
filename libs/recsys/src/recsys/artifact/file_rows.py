"""What became of the rows of the shop's files when they were read last: `<volume>/reports/rows.json`.

The trainer writes it; candidate_gen reads it for the API.
"""

from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from recsys import durable_file
from recsys.artifact import layout

FILE: Final = Path(layout.REPORTS) / "rows.json"


class Rejected(BaseModel):
    """Rows rejected for one reason."""

    model_config = ConfigDict(frozen=True)

    reason: str
    rows: int
    hint: str | None  # what would mend them, where that can be told


class FileRows(BaseModel):
    """What became of the rows of one kind of file: read = kept + rejected + ignored."""

    model_config = ConfigDict(frozen=True)

    name: str  # events or catalogue
    read: int
    kept: int
    ignored: int  # that are right, and no events to learn from
    rejected: tuple[Rejected, ...]  # most frequent first


class Reading(BaseModel):
    """The last reading of the shop's files."""

    model_config = ConfigDict(frozen=True)

    read_at: datetime
    files: tuple[FileRows, ...]


def note(volume: Path, reading: Reading) -> None:
    """Write down what became of the rows. Raises: OSError."""
    path = volume / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    durable_file.replace(path, reading.model_dump_json().encode())


def last(volume: Path) -> Reading | None:
    """The last reading; none where there were no files, or an earlier release read them. Raises: OSError."""
    try:
        return Reading.model_validate_json((volume / FILE).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
