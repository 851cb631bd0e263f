"""`recsys.v1.ModelService`: which model this process answers with. Served by candidate_gen and by the reranker."""

from collections.abc import Callable
from datetime import UTC
from typing import Any

import grpc

from recsys.artifact.manifest import Manifest
from recsys.artifact.watcher import Watcher
from recsys.v1.model_service_pb2 import GetModelRequest, GetModelResponse, Metric, TrainingRun
from recsys.v1.model_service_pb2_grpc import ModelServiceServicer


class ModelServicer(ModelServiceServicer):
    """Manifest → wire."""

    def __init__(self, watcher: Watcher[Any], *, last_run: Callable[[], Manifest | None] = lambda: None) -> None:
        """Models have a `manifest`. `last_run` gives the manifest of the newest version on the volume."""
        self._watcher = watcher
        self._last_run = last_run

    def GetModel(self, request: GetModelRequest, context: grpc.ServicerContext) -> GetModelResponse:  # noqa: N802
        manifest: Manifest = self._watcher.current().manifest
        return GetModelResponse(
            artifact_version=manifest.version,
            model=manifest.model,
            dim=manifest.dim,
            user_count=manifest.user_count,
            item_count=manifest.item_count,
            trained_at=manifest.trained_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            metrics=[
                Metric(name=name, value=metric.value, low=metric.low, high=metric.high)
                for name, metric in manifest.metrics.items()
            ],
            held_versions=self._watcher.held(),
            refused=self._watcher.refused,
            stream_sequence=manifest.stream_sequence,
            last_run=_run(self._last_run()),
        )


def _run(newest: Manifest | None) -> TrainingRun | None:
    if newest is None or (gate := newest.training.gate) is None:
        return None
    return TrainingRun(
        artifact_version=newest.version, passed=gate.passed, reasons=gate.reasons, users_judged=gate.users
    )
