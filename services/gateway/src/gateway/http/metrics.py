"""What one gateway counts, for `GET /metrics` on an address of its own (`recsys.observability.metrics.served`)."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

from gateway.schemas import Level
from recsys.observability.metrics import new_registry

_BUCKETS_S: Final = (0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class GatewayMetrics:
    """How many requests ended, how, and how long they took. Each instance counts for itself; 2 µs a request."""

    def __init__(self) -> None:
        self.registry: CollectorRegistry = new_registry()
        self._latency = Histogram(
            "recsys_http_request_latency_seconds",
            "From a request's head to the last of its answer; no operation: none was found for it",
            ["operation", "status"],
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        self._lists = Counter(
            "recsys_lists",
            "Lists answered, by what they could be made of; `full` is all that there should be",
            ["operation", "level"],
            registry=self.registry,
        )
        self._empty_lists = Counter(
            "recsys_empty_lists", "Those of them without an item", ["operation", "level"], registry=self.registry
        )
        self._latency_of: dict[tuple[str, int], Histogram] = {}  # `labels` costs more than `observe`
        self._lists_of: dict[tuple[str, Level], Counter] = {}

    def ended(self, operation: str, status: int, latency_s: float) -> None:
        """Count one request by the operation's name in the OpenAPI document."""
        latency = self._latency_of.get((operation, status))
        if latency is None:
            latency = self._latency_of[operation, status] = self._latency.labels(operation, str(status))
        latency.observe(latency_s)

    def listed(self, operation: str, level: Level, *, is_empty: bool) -> None:
        """Count one list that was answered."""
        lists = self._lists_of.get((operation, level))
        if lists is None:
            lists = self._lists_of[operation, level] = self._lists.labels(operation, level)
        lists.inc()
        if is_empty:
            self._empty_lists.labels(operation, level).inc()
