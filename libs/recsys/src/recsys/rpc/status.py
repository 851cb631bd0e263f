"""The one table from the errors that this system raises on purpose to gRPC statuses.

A `RecsysError` comes in; a status with `google.rpc.ErrorInfo` goes out, whose reason a client can act on.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import grpc
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from recsys.errors import (
    ArtifactError,
    CertificateError,
    DataError,
    EventsOmittedError,
    InvalidArgumentError,
    ItemNotFoundError,
    ModelNotLoadedError,
    NotActivatedError,
    ObjectStoreError,
    OtherReleaseError,
    RecsysError,
    StoreUnavailableError,
    VersionNotFoundError,
    VersionNotHeldError,
)

ERROR_DOMAIN: Final = "recsys"
# A message may quote what was asked for, and a client refuses more than 8 KiB of trailers. These hold it twice: with
# three bytes for each one that is not ASCII, and in base64.
_LONGEST_MESSAGE: Final = 1000  # bytes

STATUS_OF_ERROR: Final[dict[type[RecsysError], tuple[grpc.StatusCode, str]]] = {
    InvalidArgumentError: (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT"),
    ItemNotFoundError: (grpc.StatusCode.NOT_FOUND, "ITEM_NOT_FOUND"),
    VersionNotHeldError: (grpc.StatusCode.FAILED_PRECONDITION, "ARTIFACT_VERSION_NOT_HELD"),
    NotActivatedError: (grpc.StatusCode.FAILED_PRECONDITION, "NOT_ACTIVATED"),
    EventsOmittedError: (grpc.StatusCode.OUT_OF_RANGE, "EVENTS_OMITTED"),
    ModelNotLoadedError: (grpc.StatusCode.UNAVAILABLE, "MODEL_NOT_LOADED"),
    OtherReleaseError: (grpc.StatusCode.UNIMPLEMENTED, "OTHER_RELEASE"),
    StoreUnavailableError: (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE"),
    ArtifactError: (grpc.StatusCode.INTERNAL, "INTERNAL"),
    VersionNotFoundError: (grpc.StatusCode.INTERNAL, "INTERNAL"),
    ObjectStoreError: (grpc.StatusCode.INTERNAL, "INTERNAL"),
    CertificateError: (grpc.StatusCode.INTERNAL, "INTERNAL"),
    DataError: (grpc.StatusCode.INTERNAL, "INTERNAL"),
}


def status_of(error: RecsysError) -> grpc.Status:
    """The status that tells a client of an error. What is INTERNAL keeps its message to itself."""
    code, reason = STATUS_OF_ERROR[type(error)]
    return INTERNAL_ERROR if code is grpc.StatusCode.INTERNAL else refusal(code, reason=reason, message=str(error))


def refusal(
    code: grpc.StatusCode,
    *,
    reason: str,
    message: str,
    metadata: Mapping[str, str] | None = None,
    details: Iterable[Message] = (),
) -> grpc.Status:
    """A status with `google.rpc.ErrorInfo`, its `metadata` in it, and further details."""
    rich = Status(code=code.value[0], message=_cut(message))
    for detail in (ErrorInfo(reason=reason, domain=ERROR_DOMAIN, metadata=metadata), *details):
        rich.details.add().Pack(detail)
    status: grpc.Status = rpc_status.to_status(rich)
    return status


def _cut(message: str) -> str:
    encoded = message.encode()
    if len(encoded) <= _LONGEST_MESSAGE:
        return message
    return f"{encoded[:_LONGEST_MESSAGE].decode(errors='ignore')}…"


INTERNAL_ERROR: Final = refusal(grpc.StatusCode.INTERNAL, reason="INTERNAL", message="internal error")
"""Of a fault of our own: nothing of it is for the client; the log has it."""
DEADLINE_EXCEEDED: Final = refusal(
    grpc.StatusCode.DEADLINE_EXCEEDED,
    reason="DEADLINE_EXCEEDED",
    message="no time was left when the request's turn came",
)
OVERLOADED: Final = refusal(
    grpc.StatusCode.RESOURCE_EXHAUSTED, reason="OVERLOADED", message="too many requests are being answered already"
)
UNKNOWN_METHOD: Final = refusal(
    grpc.StatusCode.UNIMPLEMENTED, reason="UNKNOWN_METHOD", message="this server has no such method"
)
