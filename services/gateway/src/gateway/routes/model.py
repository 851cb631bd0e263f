"""Which model is live."""

import asyncio
from http import HTTPStatus

from google.protobuf.message import Message

from gateway import schemas
from gateway.http.access import needs
from gateway.routes.dependencies import TheParts, keyed_router
from recsys.v1.model_service_pb2 import GetModelResponse

router = keyed_router("/v1/model", tag="model", bad_input=(HTTPStatus.UNPROCESSABLE_ENTITY,))


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


def _service(model: GetModelResponse) -> dict[str, object]:
    return _fields(model) | {"refused": model.refused or None}


def _fields(message: Message) -> dict[str, object]:
    """By name; null for an optional one that is not there."""
    return {
        field.name: None if field.has_presence and not message.HasField(field.name) else getattr(message, field.name)
        for field in message.DESCRIPTOR.fields
    }
