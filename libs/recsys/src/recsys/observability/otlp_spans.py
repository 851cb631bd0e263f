"""The spans of `recsys.observability.tracing`, made by OpenTelemetry's SDK and sent from a thread of its own."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Final

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from recsys.observability.logging import request_id
from recsys.observability.tracing import TRACEPARENT, Span

_propagator: Final = TraceContextTextMapPropagator()


class OtlpSpans:
    """Of one process."""

    def __init__(self, service: str) -> None:
        self._provider = TracerProvider(resource=Resource.create({"service.name": service}))
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("recsys")

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()

    @contextmanager
    def server(self, name: str, *, parent: str) -> Iterator[Span]:
        """See `Spans.server`."""
        context = _propagator.extract({TRACEPARENT: parent}) if parent else None
        span = self._tracer.start_span(name, context, SpanKind.SERVER)
        with _current(span):
            try:
                yield _Told(span)
            finally:
                span.set_attribute("recsys.request_id", request_id.get())

    def child(self, name: str) -> AbstractContextManager[object]:
        """See `Spans.child`."""
        if not trace.get_current_span().get_span_context().is_valid:
            return nullcontext()
        return _current(self._tracer.start_span(name, kind=SpanKind.CLIENT))

    def traceparent(self) -> str:
        """See `Spans.traceparent`."""
        carrier: dict[str, str] = {}
        _propagator.inject(carrier)
        return carrier.get(TRACEPARENT, "")


class _Told:
    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def tell(self, *, name: str, **attributes: str | int) -> None:
        """See `Span`."""
        self._span.update_name(name)
        self._span.set_attributes({key.replace("__", "."): value for key, value in attributes.items()})


@contextmanager
def _current(span: trace.Span) -> Iterator[None]:
    """The span of the block, which it ends with; of an error the kind is told, and not its text, which may hold ids."""
    with trace.use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
        try:
            yield
        except BaseException as error:
            span.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise
