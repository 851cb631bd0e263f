"""What a call may raise: every error is a `RecsysError`."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from recsys_client.answers import RejectedEvent


class RecsysError(Exception):
    """No usable answer."""


class NoAnswerError(RecsysError):
    """The API could not be reached, or the connection broke or took too long, at every attempt.

    Attributes:
        request_id: under which the gateway logged the request, if it came that far.
    """

    def __init__(self, reason: str, *, request_id: str) -> None:
        super().__init__(reason)
        self.request_id = request_id


class UnexpectedAnswerError(RecsysError):
    """The answer is not what the API promises: something else answered, or the API is of another release."""


@dataclass(frozen=True, kw_only=True)
class InvalidField:
    """A parameter or field that cannot be."""

    location: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What the API says of an error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    errors: tuple[InvalidField, ...] | None = None
    rejected: tuple[RejectedEvent, ...] | None = None
    event_ids: tuple[str, ...] | None = None


class ProblemError(RecsysError):
    """The API answered with an error.

    Attributes:
        problem: all that it said.
        status: of the answer.
        retry_after_s: how long it asked to wait; none: it did not say.
    """

    def __init__(self, problem: Problem, *, retry_after_s: float | None = None) -> None:
        super().__init__(f"{problem.status} {problem.title}: {problem.detail} (request {problem.request_id})")
        self.problem = problem
        self.status = problem.status
        self.retry_after_s = retry_after_s


class InvalidRequestError(ProblemError):
    """400, 413, 422: the request cannot be; `problem.errors` names each field, `problem.rejected` each event."""


class AccessError(ProblemError):
    """401, 403: no valid API key, or one without the scope that this operation needs."""


class NotFoundError(ProblemError):
    """404: no such item, user or route."""


class TooManyRequestsError(ProblemError):
    """429 at every attempt: the key asks more often than it may, or the gateway is at its limit."""


class UnavailableError(ProblemError):
    """502, 503, 504 at every attempt. Events may have been stored: send the same `Event`s again, each counts once."""


KIND_OF_STATUS: Final[Mapping[int, type[ProblemError]]] = MappingProxyType(
    {
        400: InvalidRequestError,
        401: AccessError,
        403: AccessError,
        404: NotFoundError,
        413: InvalidRequestError,
        422: InvalidRequestError,
        429: TooManyRequestsError,
        502: UnavailableError,
        503: UnavailableError,
        504: UnavailableError,
    }
)
