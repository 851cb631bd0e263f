"""What the sink tells Prometheus: what it moved, how far behind the stream it is, the lake, and how lists are spread.

It sees every list that was shown, of all gateways: so coverage and Gini are counted here and not on a request's path.
"""

import time
from collections import Counter as Counts
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from event_sink.coverage import gini
from recsys.errors import DataError
from recsys.feature_store.interface import Erasure, Event, Exposure, Merge, StreamEntry
from recsys.lake import COMMITTED, TABLES, Committed, read_committed
from recsys.observability.metrics import new_registry

MOST_LISTS: Final = 10_000  # coverage grows with the number of lists: over a fixed number, days can be compared
_KIND_OF: Final[dict[type, str]] = {Event: "event", Exposure: "exposure", Merge: "merge", Erasure: "erasure"}


class SinkMetrics:
    """Each instance counts for itself."""

    def __init__(self, lake: Path) -> None:
        self.registry: CollectorRegistry = new_registry()
        entries = Counter(
            "recsys_sink_entries", "Entries of the stream that were moved to the lake", ["kind"], registry=self.registry
        )
        self._entries = {kind: entries.labels(name) for kind, name in _KIND_OF.items()}
        self._position = Gauge(
            "recsys_sink_position", "Place in the stream up to which the lake holds everything", registry=self.registry
        )
        self._end = Gauge("recsys_stream_end", "Place of the stream's latest entry", registry=self.registry)
        self._looked_at = Gauge(
            "recsys_sink_looked_timestamp_seconds", "When the sink reached store and lake last", registry=self.registry
        )
        self._shown = ShownLists()
        self.registry.register(self._shown)
        self.registry.register(_Lake(lake))

    def moved(self, entries: Sequence[StreamEntry]) -> None:
        """Count entries that the lake holds now."""
        for one in entries:
            self._entries[type(one.entry)].inc()
            if isinstance(one.entry, Exposure):
                self._shown.add(one.entry.item_ids)

    def is_at(self, position: int, *, end: int) -> None:
        """How far the lake has come, and the stream."""
        self._position.set(position)
        self._end.set(max(end, position))
        self._looked_at.set(time.time())


class ShownLists(Collector):
    """How the latest lists are spread over items."""

    def __init__(self, *, most_lists: int = MOST_LISTS) -> None:
        self._lists: deque[tuple[str, ...]] = deque(maxlen=most_lists)

    def add(self, item_ids: tuple[str, ...]) -> None:
        """A list that was shown."""
        self._lists.append(item_ids)

    def collect(self) -> Iterator[Metric]:
        lists = self._lists.copy()
        counts = sorted(Counts(item_id for item_ids in lists for item_id in item_ids).values())
        yield GaugeMetricFamily(
            "recsys_shown_lists", f"Lists shown that the next two are of: the latest {MOST_LISTS:,}", value=len(lists)
        )
        yield GaugeMetricFamily("recsys_shown_items", "Distinct items in these lists", value=len(counts))
        yield GaugeMetricFamily(
            "recsys_shown_gini_ratio",
            "Gini coefficient of how often each of these items was shown: 0 all alike, near 1 a few get all",
            value=gini(counts),
        )


class _Lake(Collector):
    """Size and age of the lake, read from its files when the page is read."""

    def __init__(self, lake: Path) -> None:
        self._lake = lake

    def collect(self) -> Iterator[Metric]:
        try:
            committed = read_committed(self._lake)
            written_s = (self._lake / COMMITTED).stat().st_mtime
        except (DataError, OSError):  # there is none yet, or the sink itself says what is wrong with it
            return
        if committed is None:
            return
        rows = GaugeMetricFamily("recsys_lake_rows", "Rows of the lake", labels=["table"])
        parts = GaugeMetricFamily("recsys_lake_parts", "Files that they are in", labels=["table"])
        for table in TABLES:
            paths = committed.of(table)
            rows.add_metric([table], sum(committed.parts[path] for path in paths))
            parts.add_metric([table], len(paths))
        yield from (rows, parts)
        yield GaugeMetricFamily("recsys_lake_bytes", "Size of these files", value=self._bytes(committed))
        yield GaugeMetricFamily(
            "recsys_lake_committed_timestamp_seconds", "When something was written to the lake last", value=written_s
        )

    def _bytes(self, committed: Committed) -> int:
        total = 0
        for path in committed.parts:
            try:
                total += (self._lake / path).stat().st_size
            except FileNotFoundError:  # merged or rewritten since
                continue
        return total
