"""The table from errors to statuses."""

from collections.abc import Iterator

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from recsys.errors import ArtifactError, InvalidArgumentError, RecsysError, VersionNotHeldError
from recsys.rpc.status import STATUS_OF_ERROR, status_of


def descendants(error: type[RecsysError]) -> Iterator[type[RecsysError]]:
    for child in error.__subclasses__():
        yield child
        yield from descendants(child)


def rich_status(status: grpc.Status) -> Status:
    [(_, value)] = status.trailing_metadata
    return Status.FromString(value)


def test_every_error_of_ours_has_a_status() -> None:
    ours = {error for error in descendants(RecsysError) if error.__module__ == "recsys.errors"}
    assert ours == set(STATUS_OF_ERROR)


def test_a_version_that_is_not_held_is_a_failed_precondition_with_a_reason_for_machines() -> None:
    rich = rich_status(status_of(VersionNotHeldError("v1", held=["v2", "v3"])))
    assert rich.code == grpc.StatusCode.FAILED_PRECONDITION.value[0]
    assert rich.message == "artifact version 'v1' is not held; held: v2, v3"
    info = ErrorInfo()
    assert rich.details[0].Unpack(info)
    assert (info.domain, info.reason) == ("recsys", "ARTIFACT_VERSION_NOT_HELD")


def test_an_error_inside_tells_a_client_nothing() -> None:
    rich = rich_status(status_of(ArtifactError("/data/artifacts/private: expected 1, found 2")))
    assert rich.code == grpc.StatusCode.INTERNAL.value[0]
    assert rich.message == "internal error"


def test_an_error_that_the_table_forgot_is_noticed() -> None:
    class NewError(InvalidArgumentError):
        """Not in the table."""

    with pytest.raises(KeyError):
        status_of(NewError("new"))


@pytest.mark.parametrize("letter", ["x", "ä", "日", "😀"])
def test_a_message_that_quotes_something_long_fits_into_the_trailers(letter: str) -> None:
    status = status_of(InvalidArgumentError(f"item_id: {letter * 5_000}"))
    assert len(status.details.encode()) <= 1_004
    assert status.details.startswith(f"item_id: {letter * 200}")
    assert status.details.endswith("…")
