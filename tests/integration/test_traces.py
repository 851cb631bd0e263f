"""A request's spans, as a collector gets them: one tree over the gateway, both services and the store."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tiny_artifact import checkerboard, publish
from waiting import PATIENT, WITHIN_S, until

from tools.local_stack import LocalStack, Ports

TRACE: Final = "0af7651916cd43dd8448eb211c80319c"
CALLER: Final = "b7ad6b7169203331"


@dataclass(frozen=True)
class Span:
    """What a test reads of a span."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    attributes: dict[str, str | int]


class Collector(ThreadingHTTPServer):
    """Takes what comes to /v1/traces."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.spans: list[Span] = []

    def wait_for(self, count: int, *, trace: str) -> list[Span]:
        """The spans of a trace, once there are so many."""
        return until(
            lambda: [span for span in self.spans.copy() if span.trace == trace], lambda found: len(found) >= count
        )


class Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        request = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
        for of_service in request.resource_spans:
            service = _values(of_service.resource.attributes)["service.name"]
            for scope in of_service.scope_spans:
                for one in scope.spans:
                    ids = (one.trace_id.hex(), one.span_id.hex(), one.parent_span_id.hex())
                    self.server.spans.append(Span(str(service), one.name, *ids, _values(one.attributes)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


def _values(attributes: Any) -> dict[str, str | int]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    server = Collector()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module", params=["16", "0"], ids=["over call streams", "as unary calls"])
def stack(
    request: pytest.FixtureRequest, collector: Collector, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LocalStack]:
    folder = tmp_path_factory.mktemp("traced")
    publish(checkerboard(), folder / "volume")
    environment = PATIENT | {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_address[1]}",
        "OTEL_BSP_SCHEDULE_DELAY": "100",  # milliseconds
        "GATEWAY_CALL_STREAMS": request.param,
        **{f"{name}_LOG_LEVEL": "DEBUG" for name in ("CANDIDATE_GEN", "RERANKER")},
    }
    with LocalStack(folder / "volume", ports=Ports.free(), log_dir=folder / "logs", environment=environment) as running:
        yield running


def test_one_request_is_one_tree_under_the_caller_s_own_span(stack: LocalStack, collector: Collector) -> None:
    collector.spans.clear()
    headers = {"traceparent": f"00-{TRACE}-{CALLER}-01", "X-Request-ID": "traced-1"}
    httpx.get(f"{stack.gateway_url}/v1/users/user-00/recommendations", headers=headers, timeout=WITHIN_S)
    spans = collector.wait_for(6, trace=TRACE)

    name_of = {span.id: f"{span.service} {span.name}" for span in spans} | {CALLER: "caller"}
    tree = {(f"{span.service} {span.name}", name_of[span.parent]) for span in spans}
    root = "gateway GET /v1/users/{user_id}/recommendations"
    candidates, rerank = "/recsys.v1.CandidateGenService/GetCandidates", "/recsys.v1.RerankerService/Rerank"
    assert tree == {
        (root, "caller"),
        ("gateway feature store profile", root),
        (f"gateway {candidates}", root),
        (f"candidate_gen {candidates}", f"gateway {candidates}"),
        (f"gateway {rerank}", root),
        (f"reranker {rerank}", f"gateway {rerank}"),
    }
    ids = {span.attributes["recsys.request_id"] for span in spans if "recsys.request_id" in span.attributes}
    assert ids == {"traced-1"}
    assert "user-00" not in str(spans)


def test_what_no_request_caused_makes_no_span(stack: LocalStack, collector: Collector) -> None:
    """Followers read the store four times a second."""
    httpx.get(f"{stack.gateway_url}/healthz", headers={"traceparent": f"00-{'1' * 32}-{CALLER}-01"}, timeout=WITHIN_S)
    [span] = collector.wait_for(1, trace="1" * 32)
    assert span.name == "GET /healthz"
    assert {one.name.partition(" ")[0] for one in collector.spans} <= {"GET", "feature", *_methods(collector)}
    roots = {one.name for one in collector.spans if not one.parent}
    assert all(name.startswith("GET ") for name in roots), roots


def _methods(collector: Collector) -> set[str]:
    return {one.name for one in collector.spans if one.name.startswith("/recsys.v1.")}


def logged(stack: LocalStack, name: str, *, request_id: str) -> list[dict[str, Any]]:
    """Lines of a request, as soon as there are some: a line is written after the answer."""

    def of_request() -> list[dict[str, Any]]:
        text = (stack._log_dir / f"{name}.log").read_text()
        whole = text[: text.rfind("\n") + 1].splitlines()
        lines = [json.loads(line) for line in whole if line.startswith("{")]
        return [line for line in lines if line["request_id"] == request_id]

    return until(of_request)


def test_the_request_s_id_is_in_the_log_of_all_three(stack: LocalStack) -> None:
    httpx.get(
        f"{stack.gateway_url}/v1/users/user-02/recommendations", headers={"X-Request-ID": "order-17"}, timeout=WITHIN_S
    ).raise_for_status()
    for name, message in (("gateway", "request"), ("candidate_gen", "rpc"), ("reranker", "rpc")):
        of_request = logged(stack, name, request_id="order-17")
        assert [line["message"] for line in of_request] == [message], name
        assert "user-02" not in str(of_request)
