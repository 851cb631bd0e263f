"""Every error answer: one shape, `application/problem+json` (RFC 9457), and the one table from gRPC to HTTP.

In: an exception from a route, the framework or a gRPC call. Out: a `Problem`. What an internal error said stays in
the log.
"""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import grpc
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.requests import EventBatch
from gateway.schemas import RejectedEvent
from gateway.shop.events import EventsRejectedError, UnconfirmedEventsError
from recsys.errors import InvalidArgumentError, StoreUnavailableError
from recsys.observability.logging import REQUEST_ID_KEY, request_id
from recsys.settings_file import explained

MEDIA_TYPE = "application/problem+json"

logger = logging.getLogger(__name__)


class InvalidField(BaseModel):
    """One parameter that cannot be."""

    location: str = Field(description="Where it stands.", examples=["query.count"])
    message: str = Field(examples=["Input should be greater than or equal to 1, found 0"])


class Problem(BaseModel):
    """An error, as RFC 9457 describes it."""

    type: str = Field(description="Always `about:blank`: `status` says what kind of problem it is.")
    title: str = Field(description="The name of the status.", examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(description="What went wrong, for people.", examples=["no item '85123A' in the model"])
    instance: str = Field(description="The path that was asked for.", examples=["/v1/items/85123A"])
    request_id: str = Field(description="The id that stands in the log lines that the request caused.")
    errors: list[InvalidField] | None = Field(None, description="For 422: every parameter that cannot be.")
    rejected: list[RejectedEvent] | None = Field(None, description="Of events: which cannot be stored, and why.")
    event_ids: list[str] | None = Field(
        None,
        description="For 503 of events: ids of all but the rejected ones, in their order; made here where none was "
        "given. They may have been stored: send them again with these ids.",
    )


_UNREADABLE_BODY: Final[dict[type, str]] = {
    UnicodeDecodeError: "body: expected JSON in UTF-8, found other bytes",
    RecursionError: "body: expected JSON, found lists or objects too deep within each other",
}
_UNEXPECTED = "an unexpected error; it has been logged"
_OF_GRPC_STATUS: dict[grpc.StatusCode, tuple[HTTPStatus, str, str]] = {  # status, detail, seconds until trying again
    grpc.StatusCode.INVALID_ARGUMENT: (HTTPStatus.BAD_REQUEST, "", ""),  # the service's own words are passed on
    grpc.StatusCode.NOT_FOUND: (HTTPStatus.NOT_FOUND, "", ""),
    grpc.StatusCode.FAILED_PRECONDITION: (
        HTTPStatus.SERVICE_UNAVAILABLE,
        "a new model is going live at this moment",
        "1",
    ),
    grpc.StatusCode.UNAVAILABLE: (
        HTTPStatus.SERVICE_UNAVAILABLE,
        "the recommendation services cannot be reached, or have no model yet",
        "2",
    ),
    grpc.StatusCode.DEADLINE_EXCEEDED: (
        HTTPStatus.GATEWAY_TIMEOUT,
        "the recommendation services did not answer in time",
        "",
    ),
    grpc.StatusCode.RESOURCE_EXHAUSTED: (
        HTTPStatus.TOO_MANY_REQUESTS,
        "the recommendation services are at their limit",
        "1",
    ),
}
OF_BAD_INPUT = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)
OF_THE_KEY = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
OF_THE_SERVICES = (
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)


def install(app: FastAPI) -> None:
    """Make every error of the application a problem."""
    app.exception_handler(HTTPException)(_http_error)
    app.exception_handler(RequestValidationError)(_validation_error)
    app.exception_handler(EventsRejectedError)(_events_rejected)
    app.exception_handler(InvalidArgumentError)(_invalid_argument)
    app.exception_handler(StoreUnavailableError)(_store_unavailable)
    app.exception_handler(grpc.aio.AioRpcError)(_grpc_error)
    app.exception_handler(Exception)(_unexpected_error)


def documented(*statuses: HTTPStatus) -> dict[int | str, dict[str, object]]:
    """The `responses` of a route, or of a router, for the OpenAPI document."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {int(status): {"description": status.phrase, "content": content} for status in statuses}


def add_to_document(app: FastAPI) -> None:
    """Add the schemas that `documented` and the events' route refer to by name.

    FastAPI itself can only show a model as application/json, and a body that it validates as a whole.
    """
    _, schema = models_json_schema(
        [(Problem, "serialization"), (EventBatch, "validation")], ref_template="#/components/schemas/{model}"
    )
    app.openapi()["components"]["schemas"].update(schema["$defs"])


async def _http_error(request: Request, error: HTTPException) -> Response:
    status = HTTPStatus(error.status_code)
    route = request.scope.get("route")
    detail = _UNREADABLE_BODY.get(type(error.__cause__), error.detail)
    if detail == HTTPStatus.NOT_FOUND.phrase:  # the router's own, which name nothing
        detail = "there is no such path in this API; /openapi.json has them all"
    elif detail == HTTPStatus.METHOD_NOT_ALLOWED.phrase and isinstance(route, APIRoute) and error.headers:
        detail = f"{route.path_format}: expected {error.headers['Allow']}, found {request.method}"
    return response(request, status=status, detail=detail, headers=error.headers)


async def _validation_error(request: Request, error: RequestValidationError) -> Response:
    fields = [_invalid_field(one, request) for one in error.errors()]
    detail = "; ".join(f"{field.location}: {field.message}" for field in fields)
    return response(request, status=HTTPStatus.UNPROCESSABLE_ENTITY, detail=detail, errors=fields)


def _invalid_field(error: Any, request: Request) -> InvalidField:
    route = request.scope.get("route")
    body = route.body_field.field_info.annotation if isinstance(route, APIRoute) and route.body_field else None
    location = ".".join(map(str, error["loc"]))
    if "input" not in error:  # the words of one of our own checks
        message = error["msg"]
    elif error["type"] == "json_invalid":
        location, at = "body", error["loc"][-1]
        message = f"expected JSON, found {error['ctx']['error']!r} at character {at}"
    elif isinstance(error["input"], bytes):  # what says of itself that it is no JSON is not read as such
        location, sent = "header.Content-Type", request.headers.get("content-type")
        message = f"expected application/json, found {sent or 'none'}"
    else:
        model = body if isinstance(body, type) and issubclass(body, BaseModel) else BaseModel
        message = explained(error, model, key=location, is_secret=False).removeprefix(f"{location}: ")
    return InvalidField(location=_printable(location), message=_printable(message))


def _printable(text: str) -> str:
    """A key of a body may hold half a surrogate pair, which no answer can."""
    return text.encode("utf-8", "replace").decode()


async def _events_rejected(request: Request, error: EventsRejectedError) -> Response:
    first, *others = error.rejected
    return response(
        request,
        status=HTTPStatus.UNPROCESSABLE_ENTITY,
        detail=f"no event was stored: {first.reason}" + (f"; and {len(others)} more, see rejected" if others else ""),
        rejected=error.rejected,
    )


async def _invalid_argument(request: Request, error: InvalidArgumentError) -> Response:
    return response(request, status=HTTPStatus.BAD_REQUEST, detail=str(error))


async def _store_unavailable(request: Request, error: StoreUnavailableError) -> Response:
    logger.warning("the feature store is unavailable", extra={"reason": str(error)})
    detail = "the feature store did not answer; what was to be changed may be changed all the same, so ask again"
    more: dict[str, Any] = {}
    if isinstance(error, UnconfirmedEventsError):
        detail = (
            "the feature store did not confirm the events, which may have been stored; send them again with the same "
            "event_id, for each the one in event_ids, and they count once"
        )
        more = {"event_ids": error.event_ids, "rejected": error.rejected or None}
    return response(request, status=HTTPStatus.SERVICE_UNAVAILABLE, detail=detail, headers={"Retry-After": "1"}, **more)


async def _grpc_error(request: Request, error: grpc.aio.AioRpcError) -> Response:
    unexpected = (HTTPStatus.INTERNAL_SERVER_ERROR, _UNEXPECTED, "")
    status, detail, retry_after_s = _OF_GRPC_STATUS.get(error.code(), unexpected)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.warning("call failed", extra={"code": error.code().name, "details": error.details()})
    headers = {"Retry-After": retry_after_s} if retry_after_s else {}
    return response(request, status=status, detail=detail or error.details() or "", headers=headers)


async def _unexpected_error(request: Request, error: Exception) -> Response:
    """Answered outside of every middleware, so the id is put into the header here; the server logs the traceback."""
    return response(
        request,
        status=HTTPStatus.INTERNAL_SERVER_ERROR,
        detail=_UNEXPECTED,
        headers={REQUEST_ID_KEY: request_id.get(), "X-Content-Type-Options": "nosniff"},
    )


def response(
    request: Request, *, status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None, **more: Any
) -> Response:
    """A problem as an answer; `more` are further fields of it."""
    instance = request.scope["raw_path"].decode()
    body = as_json(status, detail=detail, instance=instance, request_id=request_id.get(), **more)
    return Response(body, status_code=status, headers=headers, media_type=MEDIA_TYPE)


def as_json(status: HTTPStatus, *, detail: str, instance: str, request_id: str, **more: Any) -> str:
    """The body of a problem; `more` are further fields of it."""
    problem = Problem(
        type="about:blank",
        title=status.phrase,
        status=status,
        detail=detail,
        instance=instance,
        request_id=request_id,
        **more,
    )
    return problem.model_dump_json(exclude={name for name, value in problem if value is None})
