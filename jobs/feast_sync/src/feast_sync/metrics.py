"""What feast_sync tells Prometheus."""

import time

from prometheus_client import Counter, Gauge

from recsys.observability.metrics import new_registry


class SyncMetrics:
    """Each instance counts for itself."""

    def __init__(self) -> None:
        self.registry = new_registry()
        self._patched = Counter(
            "recsys_feast_patched_items", "Items whose features differed and were changed", registry=self.registry
        )
        self._synced_at = Gauge(
            "recsys_feast_synced_timestamp_seconds", "When all items were compared last", registry=self.registry
        )

    def synced(self, patched: int) -> None:
        """All items were compared, and so many patched."""
        self._patched.inc(patched)
        self._synced_at.set(time.time())
