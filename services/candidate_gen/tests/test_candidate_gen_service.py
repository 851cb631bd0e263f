"""The service over gRPC: what it answers, and the status of what it refuses."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from in_process import NEVER_S, TIMEOUT_S, failure_of, serving
from tiny_artifact import FIRST_EVENT_UNIX_S, checkerboard, publish

from candidate_gen.app import create
from candidate_gen.settings import Settings
from recsys.v1.candidate_gen_service_pb2 import (
    GetCandidatesRequest,
    GetCandidatesResponse,
    GetPopularItemsRequest,
    GetPopularItemsResponse,
    GetSimilarItemsRequest,
    GetSimilarItemsResponse,
)
from recsys.v1.candidate_gen_service_pb2_grpc import CandidateGenServiceStub
from recsys.v1.item_pb2 import CANDIDATE_SOURCE_ANN, CANDIDATE_SOURCE_POPULAR, CANDIDATE_SOURCE_SIMILAR
from recsys.v1.user_service_pb2 import GetHistoryRequest, GetHistoryResponse, ListUsersRequest, ListUsersResponse
from recsys.v1.user_service_pb2_grpc import UserServiceStub

INVALID = grpc.StatusCode.INVALID_ARGUMENT


class Client:
    """Typed calls with a deadline."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._candidates = CandidateGenServiceStub(channel)  # type: ignore[no-untyped-call] # generated
        self._users = UserServiceStub(channel)  # type: ignore[no-untyped-call] # generated

    def candidates(
        self, user_id: str, *, count: int = 5, include_seen: bool = False, version: str = ""
    ) -> GetCandidatesResponse:
        request = GetCandidatesRequest(
            user_id=user_id, count=count, include_seen=include_seen, artifact_version=version
        )
        response: GetCandidatesResponse = self._candidates.GetCandidates(request, timeout=TIMEOUT_S)
        return response

    def similar(self, item_id: str, *, count: int = 5) -> GetSimilarItemsResponse:
        request = GetSimilarItemsRequest(item_id=item_id, count=count)
        response: GetSimilarItemsResponse = self._candidates.GetSimilarItems(request, timeout=TIMEOUT_S)
        return response

    def popular(self, *, count: int = 5) -> GetPopularItemsResponse:
        request = GetPopularItemsRequest(count=count)
        response: GetPopularItemsResponse = self._candidates.GetPopularItems(request, timeout=TIMEOUT_S)
        return response

    def history(self, user_id: str, *, count: int = 5) -> GetHistoryResponse:
        request = GetHistoryRequest(user_id=user_id, count=count)
        response: GetHistoryResponse = self._users.GetHistory(request, timeout=TIMEOUT_S)
        return response

    def users(self, *, prefix: str = "", after: str = "", page_size: int = 5) -> ListUsersResponse:
        request = ListUsersRequest(prefix=prefix, after_user_id=after, page_size=page_size)
        response: ListUsersResponse = self._users.ListUsers(request, timeout=TIMEOUT_S)
        return response


@contextmanager
def client_of(volume: Path) -> Iterator[Client]:
    with serving(*create(Settings(artifact_dir=volume, poll_interval_s=NEVER_S))) as channel:
        yield Client(channel)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    publish(checkerboard(), tmp_path)
    with client_of(tmp_path) as client:
        yield client


def test_a_known_user_gets_neighbours(client: Client) -> None:
    response = client.candidates("user-03", count=2, include_seen=True)
    assert (response.artifact_version, response.user_known) == ("v1", True)
    assert [each.item_id for each in response.candidates] == ["item-01", "item-03"]
    assert {each.source for each in response.candidates} == {CANDIDATE_SOURCE_ANN}


def test_an_unknown_user_gets_popular_items(client: Client) -> None:
    response = client.candidates("nobody", count=2)
    assert not response.user_known
    assert response.candidates == client.popular(count=2).candidates
    assert [each.item_id for each in response.candidates] == ["item-11", "item-10"]
    assert {each.source for each in response.candidates} == {CANDIDATE_SOURCE_POPULAR}


def test_similar_items_name_their_source(client: Client) -> None:
    response = client.similar("item-00", count=3)
    assert response.artifact_version == "v1"
    assert {each.source for each in response.candidates} == {CANDIDATE_SOURCE_SIMILAR}
    assert len(response.candidates) == 3


def test_a_history_has_times_and_types(client: Client) -> None:
    response = client.history("user-02", count=1)
    assert (response.artifact_version, response.user_known, response.total) == ("v1", True, 5)
    [item] = response.items
    assert (item.item_id, item.event_type) == ("item-00", "purchase")
    assert item.last_event_at.seconds == FIRST_EVENT_UNIX_S
    assert not client.history("nobody").user_known


def test_users_come_in_pages(client: Client) -> None:
    response = client.users(prefix="user", after="user-03", page_size=1)
    assert (response.artifact_version, response.has_more) == ("v1", True)
    assert [(user.user_id, user.history_size) for user in response.users] == [("user-04", 5)]


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda client: client.candidates(""), (INVALID, "user_id: expected a value, found none")),
        (lambda client: client.candidates("user-00", count=0), (INVALID, "count: expected 1 to 1000, found 0")),
        (lambda client: client.candidates("user-00", count=1001), (INVALID, "count: expected 1 to 1000, found 1001")),
        (lambda client: client.similar(""), (INVALID, "item_id: expected a value, found none")),
        (lambda client: client.similar("item-00", count=0), (INVALID, "count: expected 1 to 1000, found 0")),
        (lambda client: client.similar("stranger"), (grpc.StatusCode.NOT_FOUND, "no item 'stranger' in the model")),
        (lambda client: client.popular(count=0), (INVALID, "count: expected 1 to 1000, found 0")),
        (lambda client: client.history(""), (INVALID, "user_id: expected a value, found none")),
        (lambda client: client.history("user-00", count=0), (INVALID, "count: expected 1 to 1000, found 0")),
        (lambda client: client.users(page_size=1001), (INVALID, "page_size: expected 1 to 1000, found 1001")),
        (
            lambda client: client.candidates("user-00", version="v0"),
            (grpc.StatusCode.FAILED_PRECONDITION, "artifact version 'v0' is not held; held: v1"),
        ),
    ],
)
def test_what_cannot_be_is_refused_with_its_reason(
    client: Client, call: Callable[[Client], object], expected: tuple[grpc.StatusCode, str]
) -> None:
    assert failure_of(lambda: call(client)) == expected


def test_without_a_model_the_service_is_unavailable(tmp_path: Path) -> None:
    with client_of(tmp_path) as client:
        calls: list[Callable[[], object]] = [
            lambda: client.candidates("user-00"),
            lambda: client.similar("item-00"),
            client.popular,
            lambda: client.history("user-00"),
            client.users,
        ]
        assert {failure_of(call)[0] for call in calls} == {grpc.StatusCode.UNAVAILABLE}
