"""What one process counts, and the page that Prometheus reads it from.

Calls and loads come in; `GET /metrics` on an address of its own goes out, which need not be reachable from outside.
Hot paths call `RpcMetrics`: two microseconds a call.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from prometheus_client.gc_collector import GCCollector
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from recsys import background, watched_file
from recsys.errors import InvalidArgumentError

MetricT = TypeVar("MetricT", bound=MetricWrapperBase)

_LATENCY_BUCKETS_S: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


store_latency: Final = Histogram(
    "recsys_store_latency_seconds",
    "What calls of the feature store took; cancelled: the caller's time was over",
    ["operation", "outcome"],
    buckets=_LATENCY_BUCKETS_S,
    registry=None,
)
"""Of this process, whatever registry it is read from; `recsys.feature_store.measured` observes it."""


class Labelled(dict[tuple[object, ...], MetricT]):
    """The children of a metric by the values of its labels, each made once: `labels` costs more than what it is for."""

    def __init__(self, metric: MetricT) -> None:
        super().__init__()
        self._metric = metric

    def __missing__(self, values: tuple[object, ...]) -> MetricT:
        child = self[values] = self._metric.labels(*values)
        return child


class RpcMetrics:
    """How many calls are in flight, and how long those took that ended, by method and status code."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.in_flight = Gauge("recsys_rpcs_in_flight", "Calls that a worker is busy with", registry=registry)
        self._latency = Labelled(
            Histogram(
                "recsys_rpc_latency_seconds",
                "From a call's arrival to its answer, the wait for a worker included",
                ["method", "code"],
                buckets=_LATENCY_BUCKETS_S,
                registry=registry,
            )
        )

    def ended(self, method: str, code: str, latency_s: float) -> None:
        """Count one call."""
        self._latency[method, code].observe(latency_s)


class ArtifactMetrics:
    """Which versions a process holds, how long the last load took, and what is refused."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._held = Gauge(
            "recsys_artifact_held", "Versions in memory: 1 the live one, 0 others", ["version"], registry=registry
        )
        self._taken_at = Gauge(
            "recsys_artifact_taken_timestamp_seconds", "When the live version was taken", registry=registry
        )
        self._step_s = Gauge("recsys_artifact_load_seconds", "What the last load took", ["step"], registry=registry)
        self._refusals = Counter("recsys_artifact_refusals", "Times that a version was not taken", registry=registry)
        self._refused = Gauge(
            "recsys_artifact_refused", "1 while the newest version is not taken", ["reason"], registry=registry
        )
        self._store_failures = Counter(
            "recsys_artifact_store_failures", "Times that the object store could not be followed", registry=registry
        )
        self._store_failing = Gauge(
            "recsys_artifact_store_failing", "1 while the object store is not followed", ["kind"], registry=registry
        )
        self._registry = registry
        self._versions: list[str] = []

    def follow(self, collector: Collector) -> None:
        """Tell with each reading of the page what it says of the model."""
        self._registry.register(collector)

    def holds(self, versions: Sequence[str]) -> None:
        """The versions held from now on, the live one first."""
        if versions[:1] != self._versions[:1]:
            self._taken_at.set(time.time())
        for version in versions:
            self._held.labels(version).set(version == versions[0])
        for version in set(self._versions) - set(versions):
            self._held.remove(version)
        self._versions = list(versions)

    def took(self, step: str, seconds: float) -> None:
        """A step of the load ("fetch", "open", "build", "warm") took so long."""
        self._step_s.labels(step).set(seconds)

    def refused(self, reason: str) -> None:
        """Why the newest version is not taken; empty: it is."""
        self._refused.clear()
        if reason:
            self._refusals.inc()
            self._refused.labels(reason).set(1)

    def store_fails(self, kind: str) -> None:
        """Why the object store is not followed ("unavailable", "refused", "volume"); empty: it is."""
        self._store_failing.clear()
        if kind:
            self._store_failures.inc()
            self._store_failing.labels(kind).set(1)


class Metrics:
    """Everything that a process with a gRPC server counts. Each instance counts for itself."""

    def __init__(self) -> None:
        self.registry = new_registry()
        self.rpc = RpcMetrics(self.registry)
        self.artifact = ArtifactMetrics(self.registry)


class _BehindTheRequests(Collector):
    """What goes wrong in this process without any request that would tell of it."""

    def collect(self) -> Iterator[Metric]:
        failures = CounterMetricFamily(
            "recsys_background_failures", "Unforeseen exceptions of background loops, which went on", labels=["loop"]
        )
        for loop, count in background.counted.copy().items():
            failures.add_metric([loop], count)
        refused = GaugeMetricFamily(
            "recsys_settings_file_refused", "1 while a settings file cannot be used as it is now", labels=["setting"]
        )
        refusals = CounterMetricFamily(
            "recsys_settings_file_refusals", "Times that a changed settings file could not be used", labels=["setting"]
        )
        for setting, is_refused in watched_file.refused.copy().items():
            refused.add_metric([setting], float(is_refused))
            refusals.add_metric([setting], watched_file.refusals[setting])
        yield from (failures, refused, refusals)


def new_registry() -> CollectorRegistry:
    """A registry that tells of the process itself: processor time, memory, open files, garbage collections, and what
    fails in the background."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    registry.register(_BehindTheRequests())
    registry.register(store_latency)
    return registry


@contextmanager
def served(registry: CollectorRegistry, *, host: str, port: int) -> Iterator[None]:
    """Answer `GET /metrics` at this address until the block ends; with port 0 nobody listens.

    Raises: InvalidArgumentError (the port is taken).
    """
    if not port:
        yield
        return
    try:
        server, thread = start_http_server(port, addr=host, registry=registry)
    except OSError as error:
        raise InvalidArgumentError(f"metrics: cannot listen on {host}:{port}: {error.strerror}") from error
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
