"""The service over gRPC: what it answers, and the status of what it refuses."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import grpc
import numpy as np
import pytest
from in_process import NEVER_S, TIMEOUT_S, failure_of, serving
from live_shop import change, record
from packed_candidates import candidate_set
from tiny_artifact import checkerboard, publish

from recsys.feature_store.follower import LiveState
from recsys.observability.metrics import Metrics
from recsys.shop.sources import Source
from recsys.v1 import candidate_gen_service_pb2, item_pb2
from recsys.v1 import reranker_service_pb2 as pb
from recsys.v1.catalog_service_pb2 import (
    FindUnknownItemsRequest,
    FindUnknownItemsResponse,
    GetItemsRequest,
    GetItemsResponse,
    ListCategoriesRequest,
    ListCategoriesResponse,
    SearchItemsRequest,
    SearchItemsResponse,
)
from recsys.v1.catalog_service_pb2_grpc import CatalogServiceStub
from recsys.v1.reranker_service_pb2_grpc import RerankerServiceStub
from reranker.app import create
from reranker.settings import Settings

INVALID = grpc.StatusCode.INVALID_ARGUMENT
ANN, POPULAR = item_pb2.CANDIDATE_SOURCE_ANN, item_pb2.CANDIDATE_SOURCE_POPULAR
EVEN = np.array([1, 0], "<f4").tobytes()


def candidates(
    *rows: int,
    scores: Sequence[float] | None = None,
    sources: Sequence[int] | None = None,
    new_item_ids: Sequence[str] = (),
    lists: Sequence[item_pb2.SourceList] = (),
) -> item_pb2.CandidateSet:
    """With the row as the score, where nothing is said."""
    scores = rows if scores is None else scores
    return candidate_set(rows, scores=scores, sources=sources, new_item_ids=new_item_ids, lists=lists)


PROPOSED = candidates(3, 2, 1, 0)


class Client:
    """Typed calls with a deadline."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._reranker = RerankerServiceStub(channel)
        self._catalog = CatalogServiceStub(channel)

    def rerank(
        self, proposed: item_pb2.CandidateSet = PROPOSED, *, count: int = 10, version: str = "v1", **more: object
    ) -> pb.RerankResponse:
        request = pb.RerankRequest(artifact_version=version, candidates=proposed, count=count, **more)  # type: ignore[arg-type]
        response: pb.RerankResponse = self._reranker.Rerank(request, timeout=TIMEOUT_S)
        return response

    def items(self, *item_ids: str) -> GetItemsResponse:
        response: GetItemsResponse = self._catalog.GetItems(GetItemsRequest(item_ids=item_ids), timeout=TIMEOUT_S)
        return response

    def unknown(self, *item_ids: str) -> FindUnknownItemsResponse:
        request = FindUnknownItemsRequest(item_ids=item_ids)
        response: FindUnknownItemsResponse = self._catalog.FindUnknownItems(request, timeout=TIMEOUT_S)
        return response

    def search(
        self, *, query: str = "", page_size: int = 5, after: str = "", category: str = ""
    ) -> SearchItemsResponse:
        request = SearchItemsRequest(query=query, page_size=page_size, after_item_id=after, category=category)
        response: SearchItemsResponse = self._catalog.SearchItems(request, timeout=TIMEOUT_S)
        return response

    def categories(self, *, page_size: int = 5, after: str = "") -> ListCategoriesResponse:
        request = ListCategoriesRequest(page_size=page_size, after_category=after)
        response: ListCategoriesResponse = self._catalog.ListCategories(request, timeout=TIMEOUT_S)
        return response


@contextmanager
def client_of(volume: Path, live: LiveState) -> Iterator[Client]:
    with serving(*create(Settings(artifact_dir=volume, poll_interval_s=NEVER_S), live, Metrics())) as channel:
        yield Client(channel)


@pytest.fixture
def live() -> LiveState:
    return LiveState()


@pytest.fixture
def client(tmp_path: Path, live: LiveState) -> Iterator[Client]:
    publish(checkerboard(), tmp_path)
    with client_of(tmp_path, live) as client:
        yield client


def ids(response: pb.RerankResponse) -> list[str]:
    return [ranked.item.item_id for ranked in response.items]


def test_the_query_decides_what_candidates_are_ranked_for(client: Client) -> None:
    assert ids(client.rerank(query_vector=EVEN, count=2)) == ["item-00", "item-02"]
    assert ids(client.rerank(item_id="item-11", count=2)) == ["item-01", "item-03"]
    assert ids(client.rerank(count=2)) == ["item-03", "item-02"]
    assert ids(client.rerank(query_vector=b"", count=2)) == ["item-03", "item-02"]


def test_an_answer_names_its_version_and_each_item_s_sources(client: Client) -> None:
    proposed = candidates(0, 2, sources=[1 << ANN, 1 << ANN | 1 << POPULAR])
    response = client.rerank(proposed, query_vector=EVEN)
    assert response.artifact_version == "v1"
    assert [list(ranked.sources) for ranked in response.items] == [[ANN], [ANN, POPULAR]]
    assert [ranked.propensity for ranked in response.items] == [1, 1]
    assert not response.HasField("remainder")
    assert not response.items[0].HasField("explanation")


def test_everything_that_can_be_asked_for_reaches_the_ranking(client: Client, live: LiveState) -> None:
    change(live, record("new", is_whole=True, attributes__colour="red"))
    response = client.rerank(
        candidates(0, 2, 4, 1, 3, 12, new_item_ids=["new"]),
        count=4,
        query_vector=EVEN,
        blend=pb.BlendWeights(personal=1, popularity=0.5),
        diversity=pb.Diversity(mmr_lambda=1, max_per_category=1),
        rules=[
            pb.Rule(name="pin", item_id="item-05", pin_position=2),
            pb.Rule(name="push", category="even", boost=2),
        ],
        exploration=pb.Exploration(share=1, seed=7),
        with_remainder=True,
    )
    # before the boost: item-04 0.818 + 0.5 × ln 6/ln 7, item-02 0.909 + 0.5 × ln 4/ln 7, item-00 1 + 0.5 × ln 2/ln 7
    assert ids(response) == ["item-04", "item-05", "new"]
    assert [list(ranked.sources) for ranked in response.items] == [[ANN], [Source.RULE], [ANN]]
    assert response.items[2].propensity == 1  # one new item, one position
    assert response.items[2].item.attributes == {"colour": "red"}
    assert list(response.remainder.item_ids) == ["item-02", "item-00", "item-03", "item-01"]
    assert list(response.remainder.sources) == [1 << ANN] * 4
    assert list(response.remainder.scores) == sorted(response.remainder.scores, reverse=True)


def test_an_explanation_travels_whole(client: Client) -> None:
    history = candidate_gen_service_pb2.HistoryVectors(
        item_ids=["item-08", "item-06"], vectors=np.array([[0.25, 0], [0.75, 0]], "<f4").tobytes()
    )
    lists = [item_pb2.SourceList(source=POPULAR, rows=[2, 0], scores=[8, 4])]
    response = client.rerank(
        candidates(0, 2, lists=lists),
        query_vector=EVEN,
        count=1,
        rules=[pb.Rule(name="push", item_id="item-00", boost=2)],
        explain=True,
        history=history,
    )
    [ranked] = response.items
    assert (ranked.item.item_id, ranked.score) == ("item-00", 2)
    assert ranked.explanation == item_pb2.Explanation(
        personal_score=1,
        terms=[item_pb2.BlendTerm(name="personal", value=1, weight=1)],
        sources=[item_pb2.SourceRank(source=POPULAR, rank=2, score=4)],
        rank_by_score=1,
        contributions=[
            item_pb2.Contribution(item_id="item-06", value=0.75),
            item_pb2.Contribution(item_id="item-08", value=0.25),
        ],
        rules=["push"],
    )


def test_a_field_that_the_shop_did_not_give_is_absent(client: Client) -> None:
    [first, second] = client.items("item-00", "stranger", "item-01").items
    assert (first.item_id, first.title, first.available) == ("item-00", "Item number 0", True)
    assert not first.HasField("price")
    assert not first.HasField("image_url")
    assert second.price == 1.0


def test_items_come_in_the_order_asked_for_without_the_unknown(client: Client) -> None:
    found = client.items("item-07", "stranger", "item-01", "item-07")
    assert [item.item_id for item in found.items] == ["item-07", "item-01", "item-07"]


def test_look_ups_and_search_show_what_the_shop_changed(client: Client, live: LiveState) -> None:
    change(
        live,
        record("item-03", title="Renamed", attributes__brand="Lumo"),
        record("item-04", is_deleted=True),
        record("item-03a", is_whole=True, title="Brand new"),
    )
    found = client.items("item-03", "item-04", "item-03a").items
    assert [(item.item_id, item.title, dict(item.attributes)) for item in found] == [
        ("item-03", "Renamed", {"brand": "Lumo"}),
        ("item-03a", "Brand new", {}),
    ]
    page = client.search(after="item-02", page_size=3)
    assert [item.item_id for item in page.items] == ["item-03", "item-03a", "item-05"]
    assert [item.item_id for item in client.search(query="RENAMED").items] == ["item-03"]


def test_a_search_says_whether_more_items_follow(client: Client) -> None:
    assert client.search(page_size=11).has_more
    found = client.search(query="number 3", category="odd")
    assert [item.item_id for item in found.items] == ["item-03"]
    assert (found.artifact_version, found.has_more) == ("v1", False)
    last = client.search(after="item-09", page_size=2)
    assert [item.item_id for item in last.items] == ["item-10", "item-11"]
    assert not last.has_more


def test_ids_that_the_catalogue_does_not_have_come_once_each_in_order(client: Client, live: LiveState) -> None:
    change(live, record("new", is_whole=True), record("item-02", is_deleted=True))
    response = client.unknown("z", "item-01", "item-02", "a", "new", "z")
    assert (response.artifact_version, list(response.item_ids)) == ("v1", ["z", "item-02", "a"])


NAN = float("nan")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda c: c.rerank(version=""), "artifact_version: expected a value, found none"),
        (lambda c: c.rerank(count=0), "count: expected 1 or more, found 0"),
        (lambda c: c.rerank(candidates(*range(3001))), "candidates.rows: expected at most 3000, found 3001"),
        (lambda c: c.rerank(candidates(12)), "candidates.rows: expected rows below 12 in version v1, found 12"),
        (
            lambda c: c.rerank(candidates(1, 2, scores=[1])),
            "candidates.scores: expected 2 values, one for each row, found 1",
        ),
        (
            lambda c: c.rerank(candidates(1, sources=[2, 2])),
            "candidates.sources: expected 1 values, one for each row, found 2",
        ),
        (
            lambda c: c.rerank(candidates(1, scores=[NAN])),
            "candidates.scores: expected finite values, found NaN or infinity",
        ),
        (
            lambda c: c.rerank(item_pb2.CandidateSet(rows=b"12345")),
            "candidates.rows: expected uint32 values of 4 bytes each, found 5 bytes",
        ),
        (lambda c: c.rerank(query_vector=EVEN + EVEN), "query_vector: expected 2 float32 values, found 4"),
        (
            lambda c: c.rerank(query_vector=EVEN + b"x"),
            "query_vector: expected float32 values of 4 bytes each, found 9 bytes",
        ),
        (
            lambda c: c.rerank(query_vector=np.array([1, NAN], "<f4").tobytes()),
            "query_vector: expected finite values, found NaN or infinity",
        ),
        (lambda c: c.rerank(blend=pb.BlendWeights()), "blend: expected a weight above 0, found none"),
        (
            lambda c: c.rerank(blend=pb.BlendWeights(personal=1, recency=-1)),
            "blend.recency: expected 0 or more, found -1.0",
        ),
        (
            lambda c: c.rerank(blend=pb.BlendWeights(personal=1, popularity=NAN)),
            "blend.popularity: expected 0 or more, found nan",
        ),
        (
            lambda c: c.rerank(diversity=pb.Diversity(mmr_lambda=1.5)),
            "diversity.mmr_lambda: expected 0 to 1, found 1.5",
        ),
        (lambda c: c.rerank(exploration=pb.Exploration(share=NAN)), "exploration.share: expected 0 to 1, found nan"),
        (
            lambda c: c.rerank(rules=[pb.Rule(category="a", boost=1), pb.Rule(boost=1)]),
            "rules[1]: expected a category or an item_id, found neither",
        ),
        (
            lambda c: c.rerank(rules=[pb.Rule(category="a")]),
            "rules[0]: expected a boost or a pin_position, found neither",
        ),
        (
            lambda c: c.rerank(rules=[pb.Rule(category="a", boost=0)]),
            "rules[0].boost: expected more than 0, found 0.0",
        ),
        (
            lambda c: c.rerank(rules=[pb.Rule(category="a", pin_position=0)]),
            "rules[0].pin_position: expected 1 or more, found 0",
        ),
        (
            lambda c: c.rerank(
                explain=True,
                history=candidate_gen_service_pb2.HistoryVectors(item_ids=["a", "b", "c"], vectors=EVEN + EVEN),
            ),
            "history.vectors: expected as many values for each of 3 items, found 4 in all",
        ),
        (lambda c: c.items(*["item-00"] * 1001), "item_ids: expected at most 1000, found 1001"),
        (lambda c: c.unknown(*["item-00"] * 1001), "item_ids: expected at most 1000, found 1001"),
        (lambda c: c.search(page_size=0), "page_size: expected 1 to 1000, found 0"),
        (lambda c: c.search(query="a " * 17), "words of query: expected at most 16, found 17"),
    ],
)
def test_what_cannot_be_is_refused_with_its_reason(
    client: Client, call: Callable[[Client], object], message: str
) -> None:
    assert failure_of(lambda: call(client)) == (INVALID, message)


def test_candidates_that_another_release_packed_are_refused_and_no_empty_list(client: Client) -> None:
    code, message = failure_of(lambda: client.rerank(item_pb2.CandidateSet()))  # its fields are unknown here
    assert (code, message) == (
        grpc.StatusCode.UNIMPLEMENTED,
        "candidates.rows: expected bytes, found none: candidate_gen is of another release; update it",
    )
    assert client.rerank(candidates()).candidates_read == 0  # nothing was found, which is no fault
    assert client.rerank().candidates_read == 4


def test_candidates_of_a_version_that_is_not_held_are_refused(client: Client) -> None:
    code, message = failure_of(lambda: client.rerank(version="v0"))
    assert (code, message) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "artifact version 'v0' is not held; held: v1",
    )


def test_without_a_model_the_service_is_unavailable(tmp_path: Path, live: LiveState) -> None:
    with client_of(tmp_path, live) as client:
        calls: list[Callable[[], object]] = [client.rerank, client.items, client.unknown, client.search]
        assert {failure_of(call)[0] for call in calls} == {grpc.StatusCode.UNAVAILABLE}


def test_categories_come_page_by_page_with_what_is_on_sale(client: Client, live: LiveState) -> None:
    change(live, record("item-00", available=False), record("new", is_whole=True, category="ß"))
    first = client.categories(page_size=2)
    assert [(each.category, each.item_count) for each in first.categories] == [("even", 5), ("odd", 6)]
    assert first.has_more
    last = client.categories(page_size=2, after="odd")
    assert [(each.category, each.item_count) for each in last.categories] == [("ß", 1)]
    assert not last.has_more
    assert failure_of(lambda: client.categories(page_size=0))[0] is INVALID
