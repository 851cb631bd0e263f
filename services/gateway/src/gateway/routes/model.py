"""Which model is live, and which is to be."""

import asyncio
from http import HTTPStatus
from typing import Final

import grpc
from fastapi import HTTPException
from google.protobuf.message import Message

from gateway import schemas
from gateway.http.access import needs
from gateway.http.problems import OF_BAD_INPUT, documented
from gateway.requests import VersionToActivate
from gateway.routes.dependencies import TheParts, keyed_router
from recsys.v1.model_service_pb2 import GetModelResponse

router = keyed_router("/v1/model", tag="model", bad_input=(HTTPStatus.UNPROCESSABLE_ENTITY,))

_ACTIVATES_WITHIN_S: Final = 30.0  # every file of the version is compared with its checksum


@router.get("", openapi_extra=needs("read"))
async def get_model(parts: TheParts) -> schemas.Model:
    """The live model with its offline metrics, and which versions each service holds or refused."""
    candidate_gen, reranker = await asyncio.gather(
        parts.clients.candidate_gen.get_model(timeout_s=parts.settings.timeout_s),
        parts.clients.reranker.get_model(timeout_s=parts.settings.timeout_s),
    )
    services = {"candidate_gen": candidate_gen, "reranker": reranker}
    return schemas.Model.model_validate(
        _fields(candidate_gen)  # the live model is the one that it proposes from
        | {
            "metrics": [_fields(metric) for metric in candidate_gen.metrics],
            "services": {name: _service(model) for name, model in services.items()},
            "last_run": _fields(candidate_gen.last_run) if candidate_gen.HasField("last_run") else None,
        }
    )


@router.post("/activate", responses=documented(HTTPStatus.CONFLICT, *OF_BAD_INPUT), openapi_extra=needs("admin"))
async def activate_version(body: VersionToActivate, parts: TheParts) -> schemas.Activated:
    """Make a kept version the live one: roll back, or overrule a refusal. Once more changes nothing.

    409 where no such version is kept, where services would refuse it, or where candidate_gen may not write the volume.
    """
    try:
        done = await parts.clients.candidate_gen.activate_version(body.artifact_version, timeout_s=_ACTIVATES_WITHIN_S)
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:
            raise
        raise HTTPException(HTTPStatus.CONFLICT, error.details() or "") from error
    return schemas.Activated(artifact_version=body.artifact_version, refusal=done.refusal or None)


def _service(model: GetModelResponse) -> dict[str, object]:
    return _fields(model) | {"refused": model.refused or None}


def _fields(message: Message) -> dict[str, object]:
    """By name; null for an optional one that is not there."""
    return {
        field.name: None if field.has_presence and not message.HasField(field.name) else getattr(message, field.name)
        for field in message.DESCRIPTOR.fields
    }
