"""The REST API as commands ask it: `recsys_client`, with the address and key of the environment."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from recsys.exit_status import Status
from recsys_cli.outcome import CommandError

if TYPE_CHECKING:
    from recsys_client import Client
    from recsys_client.operations import Call

DEFAULT_URL: Final = "http://127.0.0.1:8000"
_TIMEOUT_S: Final = 30.0  # a thousand events or items at once


def url() -> str:
    """Where the API is."""
    return os.environ.get("RECSYS_URL") or DEFAULT_URL


@contextmanager
def connected() -> Iterator["Client"]:
    """A client of RECSYS_URL with RECSYS_API_KEY; its errors become a sentence and an exit status."""
    import recsys_client

    statuses: dict[type[Exception], Status] = {
        recsys_client.NotFoundError: Status.NOT_FOUND,
        recsys_client.AccessError: Status.NO_ACCESS,
        recsys_client.NoAnswerError: Status.UNAVAILABLE,
        recsys_client.UnavailableError: Status.UNAVAILABLE,
        recsys_client.TooManyRequestsError: Status.UNAVAILABLE,
    }
    key = os.environ.get("RECSYS_API_KEY") or None
    try:
        connection = recsys_client.Client(url(), api_key=key, timeout_s=_TIMEOUT_S)
    except ValueError as error:
        raise CommandError(f"RECSYS_URL: {error}") from error
    with connection as client:
        try:
            yield client
        except recsys_client.RecsysError as error:
            status = statuses.get(type(error), Status.CANNOT)
            raise CommandError(f"{error}{_advice(status)}", status) from error


def asked(client: "Client", call: "Call[Any]") -> dict[str, Any]:
    """The answer to a call as the API wrote it."""
    answer: dict[str, Any] = client.send(replace(call, answer=dict, page_after=None))
    return answer


def _advice(status: Status) -> str:
    if status is Status.NO_ACCESS:
        return "; RECSYS_API_KEY holds the key"
    if status is Status.UNAVAILABLE:
        return f"; RECSYS_URL is {url()}: is the gateway there? `recsys doctor` looks"
    return ""
