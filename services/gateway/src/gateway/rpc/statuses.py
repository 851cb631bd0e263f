"""An error of the REST API as a gRPC status: the same words, and what a client may act on as details."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final

import grpc
import orjson
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import BadRequest, RetryInfo

from gateway.rpc.within import Answer
from recsys.rpc.status import INTERNAL_ERROR, refusal

_CODE_OF: Final = {
    HTTPStatus.BAD_REQUEST: grpc.StatusCode.INVALID_ARGUMENT,
    HTTPStatus.UNPROCESSABLE_ENTITY: grpc.StatusCode.INVALID_ARGUMENT,
    HTTPStatus.UNAUTHORIZED: grpc.StatusCode.UNAUTHENTICATED,
    HTTPStatus.FORBIDDEN: grpc.StatusCode.PERMISSION_DENIED,
    HTTPStatus.NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: grpc.StatusCode.RESOURCE_EXHAUSTED,
    HTTPStatus.TOO_MANY_REQUESTS: grpc.StatusCode.RESOURCE_EXHAUSTED,
    HTTPStatus.SERVICE_UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT: grpc.StatusCode.DEADLINE_EXCEEDED,
}
_LONGEST_DETAILS: Final = 1500  # bytes of wrong fields: a client refuses more than 8 KiB of trailers


def status_of(answer: Answer) -> grpc.Status:
    """The status of an answer that is a problem."""
    code = _CODE_OF.get(HTTPStatus(answer.status))
    if code is None:
        return INTERNAL_ERROR
    problem: dict[str, Any] = orjson.loads(answer.body)
    details: list[BadRequest | RetryInfo] = []
    if fields := list(_wrong_fields(problem)):
        details.append(BadRequest(field_violations=fields))
    if retry_after_s := answer.headers.get(b"retry-after"):
        details.append(RetryInfo(retry_delay=Duration(seconds=int(retry_after_s))))
    return refusal(
        code,
        reason=HTTPStatus(answer.status).name,
        message=problem["detail"],
        metadata={"http_status": str(answer.status)},
        details=details,
    )


def _wrong_fields(problem: dict[str, Any]) -> Iterator[BadRequest.FieldViolation]:
    """The first of them: of a request's fields, or of its events."""
    found = [(one["location"], one["message"]) for one in problem.get("errors", ())]
    found += [(f"events[{one['index']}]", one["reason"]) for one in problem.get("rejected", ())]
    length = 0
    for name, description in found:
        length += len(name.encode()) + len(description.encode())
        if length > _LONGEST_DETAILS:
            return
        yield BadRequest.FieldViolation(field=name, description=description)
