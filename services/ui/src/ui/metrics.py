"""What the page tells Prometheus: how its pages were made, and how the gateway answered it. Of the whole process."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter

import httpx
from prometheus_client import CollectorRegistry, Histogram, start_http_server
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

registry = CollectorRegistry()
ProcessCollector(registry=registry)
GCCollector(registry=registry)

_pages = Histogram(
    "recsys_page_latency_seconds",
    "What it took to make a page, once a visit and again at every click; error: a fault of ours, or no answer",
    ["page", "outcome"],
    registry=registry,
)
_calls = Histogram(
    "recsys_page_call_latency_seconds",
    "Requests of the page to the gateway; no status: there was no answer",
    ["status"],
    registry=registry,
)
_PAGES = ("for-you", "catalogue", "model", "item", "overview", "data", "experiments", "merchandising")
for _page in _PAGES:  # rates are of what was there before
    for _outcome in ("ok", "error"):
        _pages.labels(_page, _outcome)
for _status in ("200", ""):
    _calls.labels(_status)


def serve(*, host: str, port: int) -> None:
    """Answer `GET /metrics` as long as the process lives; with port 0 nobody listens. Raises: OSError."""
    if port:
        start_http_server(port, addr=host, registry=registry)


@contextmanager
def page_run(page: str) -> Iterator[None]:
    """Time the block, which makes a page. What Streamlit raises to begin anew is no error."""
    started_s, outcome = perf_counter(), "ok"
    try:
        yield
    except Exception:
        outcome = "error"
        raise
    finally:
        _pages.labels(page, outcome).observe(perf_counter() - started_s)


@contextmanager
def call() -> Iterator[Callable[[httpx.Response], httpx.Response]]:
    """Time the block, in which a request hands over its answer."""
    started_s, status = perf_counter(), ""

    def ended(response: httpx.Response) -> httpx.Response:
        nonlocal status
        status = str(response.status_code)
        return response

    try:
        yield ended
    finally:
        _calls.labels(status).observe(perf_counter() - started_s)
