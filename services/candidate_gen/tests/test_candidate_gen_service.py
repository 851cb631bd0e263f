"""The service over gRPC: what it answers, and the status of what it refuses."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import numpy as np
import pytest
from in_process import NEVER_S, TIMEOUT_S, failure_of, serving
from tiny_artifact import FIRST_EVENT_UNIX_S, checkerboard, publish

from candidate_gen.app import create
from candidate_gen.settings import Settings
from recsys.artifact.manifest import GateInfo
from recsys.feature_store.follower import LiveState
from recsys.observability.metrics import Metrics
from recsys.shop.item_wire import sources_of
from recsys.v1.candidate_gen_service_pb2 import (
    VECTOR_ORIGIN_FOLDED_IN,
    VECTOR_ORIGIN_NONE,
    VECTOR_ORIGIN_TRAINED,
    GetCandidatesRequest,
    GetCandidatesResponse,
    GetPopularItemsRequest,
    GetPopularItemsResponse,
    GetSimilarItemsRequest,
    GetSimilarItemsResponse,
    RecentEvent,
)
from recsys.v1.candidate_gen_service_pb2_grpc import CandidateGenServiceStub
from recsys.v1.item_pb2 import (
    CANDIDATE_SOURCE_ANN,
    CANDIDATE_SOURCE_POPULAR,
    CANDIDATE_SOURCE_SIMILAR,
    CandidateSet,
    CandidateSource,
    Filter,
)
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
            user_id=user_id,
            count=count,
            include_seen=include_seen,
            artifact_version=version,
            with_item_ids=True,
        )
        response: GetCandidatesResponse = self._candidates.GetCandidates(request, timeout=TIMEOUT_S)
        return response

    def ask(self, request: GetCandidatesRequest) -> GetCandidatesResponse:
        response: GetCandidatesResponse = self._candidates.GetCandidates(request, timeout=TIMEOUT_S)
        return response

    def similar(self, item_id: str, *, count: int = 5) -> GetSimilarItemsResponse:
        request = GetSimilarItemsRequest(item_id=item_id, count=count, with_item_ids=True)
        response: GetSimilarItemsResponse = self._candidates.GetSimilarItems(request, timeout=TIMEOUT_S)
        return response

    def popular(self, *, count: int = 5) -> GetPopularItemsResponse:
        request = GetPopularItemsRequest(count=count, with_item_ids=True)
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
    with serving(*create(Settings(artifact_dir=volume, poll_interval_s=NEVER_S), LiveState(), Metrics())) as channel:
        yield Client(channel)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    publish(checkerboard(), tmp_path)
    with client_of(tmp_path) as client:
        yield client


def proposed_by(source: CandidateSource, candidates: CandidateSet) -> int:
    """How many of the candidates a source proposed."""
    return sum(bits >> source & 1 for bits in sources_of(candidates))


def test_a_known_user_gets_neighbours_of_the_trained_vector(client: Client) -> None:
    response = client.candidates("user-03", count=2, include_seen=True)
    assert (response.artifact_version, response.vector_origin) == ("v1", VECTOR_ORIGIN_TRAINED)
    assert response.item_ids[:2] == ["item-01", "item-03"]
    assert proposed_by(CANDIDATE_SOURCE_ANN, response.candidates) == 2
    assert np.frombuffer(response.query_vector, "<f4").tolist() == [0, 1]
    assert response.matching_items == 12


def test_an_unknown_user_gets_popular_items(client: Client) -> None:
    response = client.candidates("nobody", count=2)
    assert (response.vector_origin, response.query_vector) == (VECTOR_ORIGIN_NONE, b"")
    assert response.item_ids[:2] == client.popular(count=2).item_ids == ["item-11", "item-10"]
    assert proposed_by(CANDIDATE_SOURCE_POPULAR, response.candidates) == len(response.item_ids)


def test_live_events_of_a_stranger_are_folded_in_and_not_proposed_again(client: Client) -> None:
    events = [RecentEvent(item_id=f"item-{row:02d}", event_type="purchase", sequence=1) for row in (3, 5)]
    request = GetCandidatesRequest(events=events, seen_item_ids=["item-03", "item-05"], count=4, with_item_ids=True)
    response = client.ask(request)
    assert response.vector_origin == VECTOR_ORIGIN_FOLDED_IN
    assert response.item_ids[:4] == ["item-01", "item-07", "item-09", "item-11"]
    assert not {"item-03", "item-05"} & set(response.item_ids)


def test_a_filter_holds_inside_the_search_and_is_explained(client: Client) -> None:
    request = GetCandidatesRequest(
        user_id="user-00", filter=Filter(categories=["odd"]), count=3, explain=True, with_item_ids=True
    )
    response = client.ask(request)
    assert {int(item_id[-2:]) % 2 for item_id in response.item_ids} == {1}
    assert response.matching_items == 6
    assert {each.reason: each.count for each in response.dropped} == {"category": 6, "seen": 5}
    assert {each.source for each in response.candidates.lists} >= {CANDIDATE_SOURCE_ANN, CANDIDATE_SOURCE_POPULAR}


def test_a_category_may_be_kept_out(client: Client) -> None:
    asked = {"user_id": "user-00", "count": 3, "explain": True, "include_seen": True}
    without_odd = client.ask(GetCandidatesRequest(filter=Filter(exclude_categories=["odd"]), **asked))
    only_even = client.ask(GetCandidatesRequest(filter=Filter(categories=["even"]), **asked))
    assert without_odd.candidates == only_even.candidates
    assert {each.reason: each.count for each in without_odd.dropped} == {"category": 6}


def test_what_the_vector_is_made_of_adds_up_to_it(client: Client) -> None:
    events = [RecentEvent(item_id=f"item-{row:02d}", event_type="purchase", sequence=1) for row in (3, 4)]
    response = client.ask(GetCandidatesRequest(user_id="user-01", events=events, count=1, explain=True))
    vectors = np.frombuffer(response.history.vectors, "<f4").reshape(len(response.history.item_ids), 2)
    assert response.vector_origin == VECTOR_ORIGIN_FOLDED_IN
    assert set(response.history.item_ids) == {"item-03", "item-04", "item-05", "item-07", "item-09", "item-11"}
    np.testing.assert_allclose(vectors.sum(axis=0), np.frombuffer(response.query_vector, "<f4"), rtol=1e-5)


def test_an_unknown_category_matches_nothing(client: Client) -> None:
    response = client.ask(GetCandidatesRequest(user_id="user-00", filter=Filter(categories=["none such"]), count=3))
    assert (response.candidates.rows, response.matching_items) == (b"", 0)


def test_similar_items_name_their_source(client: Client) -> None:
    response = client.similar("item-00", count=3)
    assert response.artifact_version == "v1"
    assert proposed_by(CANDIDATE_SOURCE_SIMILAR, response.candidates) == 3


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
        (lambda client: client.candidates("user-00", count=0), (INVALID, "count: expected 1 to 1000, found 0")),
        (lambda client: client.candidates("user-00", count=1001), (INVALID, "count: expected 1 to 1000, found 1001")),
        (
            lambda client: client.ask(GetCandidatesRequest(count=1, filter=Filter(min_price=2, max_price=1))),
            (INVALID, "filter: expected min_price of at most max_price, found 2 and 1"),
        ),
        (
            lambda client: client.ask(GetCandidatesRequest(count=1, filter=Filter(max_price=math.nan))),
            (INVALID, "filter.max_price: expected a number, found NaN"),
        ),
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


@pytest.mark.parametrize("passed", [True, False])
def test_a_refusal_of_the_last_training_is_a_metric(tmp_path: Path, passed: bool) -> None:
    metrics = Metrics()
    create(Settings(artifact_dir=tmp_path), LiveState(), metrics)
    assert metrics.registry.get_sample_value("recsys_training_refused") == 0
    publish(checkerboard(), tmp_path, gate=GateInfo(passed=passed, reasons=["failed: too few"]))
    assert metrics.registry.get_sample_value("recsys_training_refused") == float(not passed)


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
