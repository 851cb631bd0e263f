"""A servicer whose every answer the test decides, and answers to give it."""

from collections.abc import Callable

import grpc

from recsys.v1.model_service_pb2 import GetModelRequest, GetModelResponse
from recsys.v1.model_service_pb2_grpc import ModelServiceServicer


class ScriptedServicer(ModelServiceServicer):
    """Answers with whatever the test put in `behaviour`, and counts."""

    def __init__(self, behaviour: Callable[[], GetModelResponse]) -> None:
        self.behaviour = behaviour
        self.calls = 0

    def GetModel(self, request: GetModelRequest, context: grpc.ServicerContext) -> GetModelResponse:  # noqa: N802
        self.calls += 1
        return self.behaviour()


def version_1() -> GetModelResponse:
    return GetModelResponse(artifact_version="v1")


def raises(error: Exception) -> Callable[[], GetModelResponse]:
    def behaviour() -> GetModelResponse:
        raise error

    return behaviour
