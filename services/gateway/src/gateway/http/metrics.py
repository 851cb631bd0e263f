"""What one gateway counts, for `GET /metrics` on an address of its own (`recsys.observability.metrics.served`)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.call_metrics import CallMetrics
from gateway.clients import Clients
from gateway.schemas import EventOutcome, Level
from gateway.shop.events import EventsRejectedError, UnconfirmedEventsError
from gateway.shop.live_shop import LiveShop
from recsys.observability.metrics import Labelled, new_registry

_BUCKETS_S: Final = (0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_EVENT_OUTCOMES: Final = ("accepted", "repeated", "rejected", "unconfirmed")


class GatewayMetrics:
    """How many requests ended, how, and how long they took. Each instance counts for itself; 3 µs a request."""

    def __init__(self) -> None:
        self.registry: CollectorRegistry = new_registry()
        self.calls = CallMetrics(self.registry)
        self.events = EventMetrics(self.registry)
        self._latency = Labelled(
            Histogram(
                "recsys_http_request_latency_seconds",
                "From a request's head to the last of its answer; no operation: none was found for it",
                ["operation", "status"],
                buckets=_BUCKETS_S,
                registry=self.registry,
            )
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
        self._asked = Counter(
            "recsys_list_items_asked", "Items that lists were asked for", ["operation"], registry=self.registry
        )
        self._returned = Counter(
            "recsys_list_items", "Items in the lists answered to that", ["operation"], registry=self.registry
        )
        self._vectors = Labelled(
            Counter(
                "recsys_list_vectors",
                "Lists for somebody, by whence their query vector came: trained, folded_in or none",
                ["vector"],
                registry=self.registry,
            )
        )
        self._lists_of: dict[tuple[str, Level], _Lists] = {}

    def ended(self, operation: str, status: int, latency_s: float) -> None:
        """Count one request by the operation's name in the OpenAPI document."""
        self._latency[operation, status].observe(latency_s)

    def listed(self, operation: str, level: Level, *, returned: int, asked: int, vector: str) -> None:
        """Count one list that was answered; `asked` is 0 and `vector` is empty where there is no such thing."""
        of = self._lists_of.get((operation, level))
        if of is None:
            of = self._lists_of[operation, level] = _Lists(
                self._lists.labels(operation, level),
                self._empty_lists.labels(operation, level),
                self._asked.labels(operation),
                self._returned.labels(operation),
            )
        of.lists.inc()
        if asked:
            of.asked.inc(asked)
            of.returned.inc(returned)
        if not returned:
            of.empty.inc()
        if vector:
            self._vectors[vector,].inc()

    def follow(self, clients: Clients, live: LiveShop) -> None:
        """Tell with each reading of the page of the circuits, and of what waits for the store."""
        self.registry.register(_Followed(clients, live))


@dataclass(frozen=True, slots=True)
class _Lists:
    """The counters of one operation and level."""

    lists: Counter
    empty: Counter
    asked: Counter
    returned: Counter


class EventMetrics:
    """What became of events."""

    def __init__(self, registry: CollectorRegistry) -> None:
        counted = Counter(
            "recsys_events",
            "Events that came in: accepted, repeated (an event_id that was known), rejected, or unconfirmed (503)",
            ["outcome"],
            registry=registry,
        )
        self._of = {outcome: counted.labels(outcome) for outcome in _EVENT_OUTCOMES}

    @contextmanager
    def of_one_request(self) -> Iterator["EventMetrics"]:
        """Count those of a request whose events could not be stored within the block."""
        try:
            yield self
        except EventsRejectedError as error:
            self._of["rejected"].inc(len(error.rejected))
            raise
        except UnconfirmedEventsError as error:
            self._of["rejected"].inc(len(error.rejected))
            self._of["unconfirmed"].inc(len(error.event_ids))
            raise

    def took(self, outcome: EventOutcome) -> EventOutcome:
        """Count those of a request that was answered; returns the same."""
        self._of["accepted"].inc(outcome.accepted - outcome.duplicates)
        self._of["repeated"].inc(outcome.duplicates)
        self._of["rejected"].inc(len(outcome.rejected))
        return outcome


class _Followed(Collector):
    """What parts of the gateway know of themselves."""

    def __init__(self, clients: Clients, live: LiveShop) -> None:
        self._clients = clients
        self._live = live

    def collect(self) -> Iterator[Metric]:
        is_open = GaugeMetricFamily(
            "recsys_circuit_open", "1 while calls to this service fail at once, but for probes", labels=["service"]
        )
        openings = CounterMetricFamily(
            "recsys_circuit_openings", "Times that the circuit of a service opened", labels=["service"]
        )
        for breaker in (self._clients.candidate_gen.breaker, self._clients.reranker.breaker, self._live.breaker):
            service = breaker.service.replace(" ", "_")
            is_open.add_metric([service], float(breaker.is_open))
            openings.add_metric([service], breaker.openings)
        yield from (is_open, openings)
        yield GaugeMetricFamily(
            "recsys_exposures_waiting", "Lists shown that are not in the store yet", value=self._live.exposures.waiting
        )
        yield CounterMetricFamily(
            "recsys_exposures_dropped",
            "Lists shown that the store will never have: too many waited",
            value=self._live.exposures.dropped,
        )
