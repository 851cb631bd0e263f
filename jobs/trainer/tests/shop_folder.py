"""A directory with a shop's files, read as they are on one day."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from trainer.shop_data import event_files, mapping
from trainer.shop_data.event_files import LoadedEvents
from trainer.shop_data.mapping import ColumnMapping
from trainer.shop_data.quarantine import REASON, ROW

NOW = datetime(2024, 6, 1, tzinfo=UTC)


class Shop:
    """A directory with a shop's files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.quarantine = folder / "out" / "quarantine.csv"

    def file(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        raw = content.encode() if isinstance(content, str) else content
        path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
        return path

    def load(
        self, path: Path, shop_mapping: ColumnMapping | None = None, catalogue: Path | None = None
    ) -> LoadedEvents:
        return event_files.load(
            path,
            mapping=shop_mapping or ColumnMapping(),
            quarantine_path=self.quarantine,
            catalogue_path=catalogue,
            now=NOW,
        )

    def rejected(self) -> list[tuple[int, str]]:
        """Row and reason of every row of the quarantine file."""
        return list(pl.read_csv(self.quarantine).select(ROW, REASON).iter_rows())

    def mapping(self, text: str) -> ColumnMapping:
        return mapping.read(self.file("mapping.toml", text))
