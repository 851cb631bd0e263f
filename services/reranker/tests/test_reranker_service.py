"""The service over gRPC: what it answers, and the status of what it refuses."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from in_process import NEVER_S, TIMEOUT_S, failure_of, serving
from tiny_artifact import checkerboard, publish

from recsys.v1.catalog_service_pb2 import GetItemsRequest, GetItemsResponse, SearchItemsRequest, SearchItemsResponse
from recsys.v1.catalog_service_pb2_grpc import CatalogServiceStub
from recsys.v1.item_pb2 import CANDIDATE_SOURCE_ANN, CANDIDATE_SOURCE_POPULAR, Candidate
from recsys.v1.reranker_service_pb2 import RerankRequest, RerankResponse
from recsys.v1.reranker_service_pb2_grpc import RerankerServiceStub
from reranker.app import create
from reranker.settings import Settings

INVALID = grpc.StatusCode.INVALID_ARGUMENT
PROPOSED = [Candidate(item_id=f"item-{row:02d}", score=row, source=CANDIDATE_SOURCE_ANN) for row in range(4)]


class Client:
    """Typed calls with a deadline."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._reranker = RerankerServiceStub(channel)  # type: ignore[no-untyped-call] # generated
        self._catalog = CatalogServiceStub(channel)  # type: ignore[no-untyped-call] # generated

    def rerank(
        self,
        candidates: Sequence[Candidate] = PROPOSED,
        *,
        user_id: str | None = None,
        item_id: str | None = None,
        count: int = 10,
        version: str = "v1",
    ) -> RerankResponse:
        request = RerankRequest(
            artifact_version=version, user_id=user_id, item_id=item_id, candidates=candidates, count=count
        )
        response: RerankResponse = self._reranker.Rerank(request, timeout=TIMEOUT_S)
        return response

    def items(self, *item_ids: str) -> GetItemsResponse:
        response: GetItemsResponse = self._catalog.GetItems(GetItemsRequest(item_ids=item_ids), timeout=TIMEOUT_S)
        return response

    def search(self, *, query: str = "", page_size: int = 5) -> SearchItemsResponse:
        request = SearchItemsRequest(query=query, page_size=page_size)
        response: SearchItemsResponse = self._catalog.SearchItems(request, timeout=TIMEOUT_S)
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


def ids(response: RerankResponse) -> list[str]:
    return [ranked.item.item_id for ranked in response.items]


def test_the_query_decides_what_candidates_are_ranked_for(client: Client) -> None:
    assert ids(client.rerank(user_id="user-01", count=2)) == ["item-01", "item-03"]
    assert ids(client.rerank(item_id="item-10", count=2)) == ["item-00", "item-02"]
    assert ids(client.rerank(count=2)) == ["item-03", "item-02"]
    assert ids(client.rerank(user_id="nobody", count=2)) == ["item-03", "item-02"]


def test_an_answer_names_its_version_and_each_item_s_sources(client: Client) -> None:
    popular = Candidate(item_id="item-02", score=1, source=CANDIDATE_SOURCE_POPULAR)
    response = client.rerank([*PROPOSED, popular], user_id="user-00")
    assert response.artifact_version == "v1"
    sources = {ranked.item.item_id: list(ranked.sources) for ranked in response.items}
    assert sources["item-02"] == [CANDIDATE_SOURCE_ANN, CANDIDATE_SOURCE_POPULAR]
    assert sources["item-00"] == [CANDIDATE_SOURCE_ANN]


def test_a_field_that_the_shop_did_not_give_is_absent(client: Client) -> None:
    [first, second] = client.items("item-00", "stranger", "item-01").items
    assert (first.item_id, first.title, first.available) == ("item-00", "Item number 0", True)
    assert not first.HasField("price")
    assert not first.HasField("image_url")
    assert second.price == 1.0


def test_a_search_says_whether_more_items_follow(client: Client) -> None:
    assert client.search(page_size=11).has_more
    found = client.search(query="number 3")
    assert [item.item_id for item in found.items] == ["item-03"]
    assert (found.artifact_version, found.has_more) == ("v1", False)


@pytest.mark.parametrize(
    ("call", "code", "message"),
    [
        (lambda c: c.rerank(version=""), INVALID, "artifact_version: expected a value, found none"),
        (lambda c: c.rerank(count=0), INVALID, "count: expected 1 or more, found 0"),
        (lambda c: c.rerank(PROPOSED * 251), INVALID, "candidates: expected at most 1000, found 1004"),
        (
            lambda c: c.rerank([Candidate(item_id="stranger")]),
            INVALID,
            "candidates.item_id: expected an item of version v1, found 'stranger'",
        ),
        (
            lambda c: c.rerank(item_id="stranger"),
            INVALID,
            "item_id: expected an item of version v1, found 'stranger'",
        ),
        (
            lambda c: c.rerank(version="v0"),
            grpc.StatusCode.FAILED_PRECONDITION,
            "artifact version 'v0' is not held; held: v1",
        ),
        (lambda c: c.items(*["item-00"] * 1001), INVALID, "item_ids: expected at most 1000, found 1001"),
        (lambda c: c.search(page_size=0), INVALID, "page_size: expected 1 to 1000, found 0"),
    ],
)
def test_what_cannot_be_is_refused_with_its_reason(
    client: Client, call: Callable[[Client], object], code: grpc.StatusCode, message: str
) -> None:
    assert failure_of(lambda: call(client)) == (code, message)


def test_without_a_model_the_service_is_unavailable(tmp_path: Path) -> None:
    with client_of(tmp_path) as client:
        calls: list[Callable[[], object]] = [client.rerank, client.items, client.search]
        assert {failure_of(call)[0] for call in calls} == {grpc.StatusCode.UNAVAILABLE}
