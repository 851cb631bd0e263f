"""The stream in, the lake out, exactly once.

One turn: read what the stream has → write parts → COMMITTED → trim the stream. Killed before COMMITTED, nothing has
happened; killed after it, the next turn finds in the stream what the lake has already, and only trims.
"""

import logging
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl

from event_sink import erasing, rows
from event_sink.lake_writer import LakeWriter
from event_sink.metrics import SinkMetrics
from recsys.errors import DataError
from recsys.feature_store.interface import Erasure, FeatureStore, StreamEntry
from recsys.lake import ERASURES, ERASURES_FILE, ITEMS_FILE, Table, read_erasures, read_items
from recsys.shop.item import ItemRecord

_log = logging.getLogger(__name__)

_ITEM_CHANGES_AT_ONCE: Final = 1_000


class Sink:
    """Moves entries of a store's stream to the lake that a writer holds."""

    def __init__(
        self,
        store: FeatureStore,
        writer: LakeWriter,
        *,
        batch: int,
        keep_days: Mapping[Table, int] = {},
        metrics: SinkMetrics | None = None,
    ) -> None:
        """Rows of tables in `keep_days` go when the day on which they happened is so many days ago."""
        self._store = store
        self._writer = writer
        self._batch = batch
        self._keep_days = keep_days
        self._metrics = metrics or SinkMetrics(writer.path)
        self._merged_on = ""

    async def recover(self) -> None:
        """Finish what an earlier process had committed but not told the store."""
        await self._report_erasures()

    async def turn(self) -> bool:
        """Move the next entries; whether there may be more at once.

        Raises:
            StoreUnavailableError: of the store; what was committed stays so.
            DataError: the stream is not the one that the lake was filled from.
        """
        entries = await self._store.read_stream(after_sequence=0, limit=self._batch)
        moved = self._writer.committed.sequence
        self._expect_in_lake([entry for entry in entries if entry.sequence <= moved])
        fresh = [entry for entry in entries if entry.sequence > moved]
        if fresh:
            erasures = [entry.entry for entry in fresh if isinstance(entry.entry, Erasure)]
            self._commit(fresh, erasures)
            self._metrics.moved(fresh)
            if erasures:
                await self._report_erasures()
        if entries:
            trimmed = await self._store.trim_stream(up_to_sequence=self._writer.committed.sequence)
            _log.info(
                "moved", extra={"entries": len(fresh), "trimmed": trimmed, "sequence": fresh and entries[-1].sequence}
            )
        await self._take_items()
        self._retire()
        self._merge()
        self._writer.touch()
        self._metrics.is_at(self._writer.committed.sequence, end=await self._store.stream_end())
        return len(entries) == self._batch

    def _expect_in_lake(self, entries: list[StreamEntry]) -> None:
        """Entries that were moved before: left by a process that was killed before it trimmed them."""
        known = erasing.ids_of(self._writer, [entry.sequence for entry in entries]) if entries else ()
        for entry in entries:
            if (place := (entry.sequence, rows.id_of(entry.entry))) not in known:
                raise DataError(
                    f"the stream has entry {place[0]} ({place[1]}), which {self._writer.path} is past and does "
                    "not hold: expected the store that this lake was filled from, found another one. Nothing was "
                    "removed; move the lake away to begin a new one"
                )

    def _commit(self, fresh: list[StreamEntry], erasures: list[Erasure]) -> None:
        rewritten = erasing.rewrite(self._writer, erasures) if erasures else erasing.Rewritten()
        for table, frame in erasing.without(rows.frames(fresh), erasures).items():
            for day, part in rows.by_day(frame):
                rewritten.added |= self._writer.write_part(table, day, part)
        if erasures:
            self._writer.write_table(ERASURES_FILE, self._with_erasures(erasures, rewritten.rows))
        self._writer.commit(sequence=fresh[-1].sequence, added=rewritten.added, removed=rewritten.removed)

    def _with_erasures(self, erasures: list[Erasure], lake_rows: Counter[str]) -> pl.DataFrame:
        latest = {erasure.user_hash: erasure for erasure in erasures}
        new = [(one.user_hash, one.sequence, one.erased_ms, lake_rows[one.user_hash]) for one in latest.values()]
        both = pl.concat([read_erasures(self._writer.path), pl.DataFrame(new, schema=ERASURES, orient="row")])
        return both.unique("sequence", keep="last").sort("sequence")

    async def _report_erasures(self) -> None:
        """Tell the store of every erasure that the lake has behind it, after having looked."""
        done = dict(read_erasures(self._writer.path).select("sequence", "lake_rows").iter_rows())
        moved = self._writer.committed.sequence
        untold = [one for one in await self._store.erasures() if one.lake_rows is None]
        waiting = [one for one in untold if one.sequence <= moved and one.sequence in done]
        if waiting:
            erasing.verify(self._writer, waiting)
        for one in waiting:
            await self._store.note_lake_erasure(
                one.user_hash, lake_rows=done[one.sequence], now_ms=time.time_ns() // 10**6
            )
            _log.info("erased", extra={"user_hash": one.user_hash, "lake_rows": done[one.sequence]})

    async def _take_items(self) -> None:
        """Bring items.parquet to what the store says now, where that has changed."""
        changed: dict[str, ItemRecord] = {}
        sequence = self._writer.committed.items_sequence
        while records := await self._store.item_changes(after_sequence=sequence, limit=_ITEM_CHANGES_AT_ONCE):
            changed |= {record.item_id: record for record in records}
            sequence = records[-1].sequence
        if not changed:
            return
        old = read_items(self._writer.path).filter(~pl.col("item_id").is_in(list(changed)))
        self._writer.write_table(ITEMS_FILE, pl.concat([old, rows.items(changed.values())]).sort("item_id"))
        self._writer.commit(items_sequence=sequence)
        _log.info("items", extra={"changed": len(changed), "items_sequence": sequence})

    def _retire(self) -> None:
        """Remove days that are over for good. What the stream still has stays: it is trimmed by now."""
        for table, days in self._keep_days.items():
            before = (datetime.now(UTC) - timedelta(days=days)).date().isoformat()
            removed = self._writer.remove_days(table, before=before)
            if removed:
                _log.info("retired", extra={"table": table, "rows": removed, "before": before})

    def _merge(self) -> None:
        today = datetime.now(UTC).date().isoformat()
        # days that are over are looked at once a day: events that come late gather in small parts meanwhile
        saved = self._writer.merge_small(days_before=None if today == self._merged_on else today)
        self._merged_on = today
        if saved:
            _log.info("merged", extra={"parts_saved": saved})
