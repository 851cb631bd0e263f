"""Sends a process's spans by OTLP where OTEL_EXPORTER_OTLP_ENDPOINT says where to.

Without it nothing of OpenTelemetry is imported. Its other variables (`OTEL_…`, the sampler's for instance) hold as
OpenTelemetry documents them.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from recsys.observability import tracing

ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"


@contextmanager
def exported(service: str) -> Iterator[None]:
    """Within the block the process sends its spans, if it is told where to; in the end, what is left."""
    if not os.environ.get(ENDPOINT):
        yield
        return
    from recsys.observability.otlp_spans import OtlpSpans

    spans = OtlpSpans(service)
    tracing.use(spans)
    try:
        yield
    finally:
        tracing.use(None)
        spans.close()
