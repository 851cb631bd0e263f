"""The stream of a campaign over gRPC: what it answers, what it refuses, and how it ends."""

import runpy
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import grpc
import numpy as np
import pytest
from in_process import NEVER_S, TIMEOUT_S, failure_of, serving
from tiny_artifact import Shop, checkerboard, publish, random_shop

from candidate_gen.app import create
from candidate_gen.campaigns.campaigns import Campaign, Lists
from candidate_gen.retriever import Retriever
from candidate_gen.settings import Settings
from recsys.artifact.watcher import Watcher
from recsys.feature_store.follower import LiveState
from recsys.observability.metrics import Metrics
from recsys.v1.campaign_service_pb2 import GetTopItemsRequest, GetTopItemsResponse, TopItemsSettings
from recsys.v1.campaign_service_pb2_grpc import CampaignServiceStub
from recsys.v1.candidate_gen_service_pb2 import GetCandidatesRequest, GetPopularItemsRequest, GetPopularItemsResponse
from recsys.v1.candidate_gen_service_pb2_grpc import CandidateGenServiceStub
from recsys.v1.item_pb2 import Filter

EXAMPLE = Path(__file__).resolve().parents[3] / "examples/campaign.py"
INVALID = grpc.StatusCode.INVALID_ARGUMENT
METHOD = "/recsys.v1.CampaignService/GetTopItems"


class Requests:
    """Requests that the test sends one by one."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[GetTopItemsRequest | None] = SimpleQueue()

    def send(self, request: GetTopItemsRequest) -> None:
        self._queue.put(request)

    def end(self) -> None:
        self._queue.put(None)

    def __iter__(self) -> Iterator[GetTopItemsRequest]:
        return iter(self._queue.get, None)


class Service:
    """A process's worth of candidate_gen, and a channel to it."""

    def __init__(self, channel: grpc.Channel, watcher: Watcher[Retriever], metrics: Metrics) -> None:
        self.watcher = watcher
        self._metrics = metrics
        self._campaigns = CampaignServiceStub(channel)  # type: ignore[no-untyped-call] # generated
        self.candidates = CandidateGenServiceStub(channel)  # type: ignore[no-untyped-call] # generated

    def open(self, requests: Iterable[GetTopItemsRequest], *, timeout_s: float = TIMEOUT_S) -> Any:
        """A stream; iterate over it."""
        return self._campaigns.GetTopItems(iter(requests), timeout=timeout_s)

    def answers(self, *requests: GetTopItemsRequest) -> list[GetTopItemsResponse]:
        return list(self.open(requests))

    def ended(self, *codes: str) -> float:
        """How many streams have ended so; without a code: anyhow."""
        return sum(
            sample.value
            for metric in self._metrics.registry.collect()
            for sample in metric.samples
            if sample.name == "recsys_rpc_latency_seconds_count"
            and sample.labels["method"] == METHOD
            and (not codes or sample.labels["code"] in codes)
        )

    def all_ended(self, streams: int) -> bool:
        return self.ended() == streams


@contextmanager
def service_of(volume: Path, shop: Shop | None = None) -> Iterator[Service]:
    if shop is not None:
        publish(shop, volume)
    metrics = Metrics()
    server, watcher = create(
        Settings(artifact_dir=volume, poll_interval_s=NEVER_S, take_after_s=0), LiveState(), metrics
    )
    with serving(server, watcher) as channel:
        yield Service(channel, watcher, metrics)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with service_of(tmp_path, checkerboard()) as service:
        yield service


def first(*user_ids: str, count: int = 2, **settings: object) -> GetTopItemsRequest:
    return GetTopItemsRequest(settings=TopItemsSettings(count=count, **settings), user_ids=user_ids)  # type: ignore[arg-type] # as the test says


def later(*user_ids: str) -> GetTopItemsRequest:
    return GetTopItemsRequest(user_ids=user_ids)


def lists_in(response: GetTopItemsResponse) -> list[list[tuple[str, float]]]:
    """The lists as a client reads them."""
    ids = [response.item_ids[place] for place in np.frombuffer(response.items, "<u4").tolist()]
    pairs = list(zip(ids, np.frombuffer(response.scores, "<f4").tolist(), strict=True))
    ends = np.cumsum(response.lengths, dtype=int).tolist()
    return [pairs[end - length : end] for end, length in zip(ends, response.lengths, strict=True)]


def eventually(is_so: Callable[[], bool]) -> bool:
    """Whether it becomes so in time."""
    waiting = threading.Event()
    return any(is_so() or waiting.wait(0.02) for _ in range(round(TIMEOUT_S / 0.02)))


def test_each_request_gets_its_response_in_order(service: Service) -> None:
    answers = service.answers(first("user-03", "user-00"), later("user-01"), later())
    found = [[[item for item, _ in one] for one in lists_in(answer)] for answer in answers]
    assert [[one[0] for one in lists] for lists in found] == [["item-03", "item-00"], ["item-01"], []]
    assert [len(one) for one in found[0]] == [2, 2]
    assert {answer.artifact_version for answer in answers} == {"v1"}


def test_scores_are_exact_and_items_are_named_once(service: Service) -> None:
    [answer] = service.answers(first("user-01", "user-01", "user-03", include_seen=True))
    appeal = np.linspace(1, 0.5, 12, dtype=np.float32)
    assert lists_in(answer) == [[("item-01", appeal[1]), ("item-03", appeal[3])]] * 3
    assert list(answer.item_ids) == ["item-01", "item-03"]


def test_users_without_a_vector_are_named_and_popular_items_are_for_them(service: Service) -> None:
    [answer] = service.answers(first("nobody", "user-00", ""))
    assert (list(answer.without_vector), list(answer.lengths)) == ([0, 2], [0, 2, 0])
    popular: GetPopularItemsResponse = service.candidates.GetPopularItems(
        GetPopularItemsRequest(count=2, artifact_version=answer.artifact_version, with_item_ids=True),
        timeout=TIMEOUT_S,
    )
    assert list(popular.item_ids) == ["item-11", "item-10"]


def test_a_filter_holds_for_the_whole_stream(service: Service) -> None:
    wanted = Filter(categories=["odd"], exclude_item_ids=["item-01"])
    answers = service.answers(first("user-01", include_seen=True, filter=wanted, count=12), later("user-00"))
    for answer in answers:
        [found] = lists_in(answer)
        assert sorted(item for item, _ in found) == [f"item-{row:02d}" for row in range(3, 12, 2)]


def test_everyone_gets_in_a_batch_what_they_get_alone(tmp_path: Path) -> None:
    shop = random_shop(seed=2, users=50, items=300)
    with service_of(tmp_path, shop) as service:
        [answer] = service.answers(first(*shop.user_ids, count=10))
        for user_id, found in zip(shop.user_ids, lists_in(answer), strict=True):
            request = GetCandidatesRequest(user_id=user_id, count=10, with_item_ids=True)
            alone = service.candidates.GetCandidates(request, timeout=TIMEOUT_S)
            # of the index, 10 or as many as are left; the other sources' candidates follow
            assert [item for item, _ in found] == alone.item_ids[: len(found)]
            assert len(found) == min(10, alone.matching_items)


@pytest.mark.parametrize(
    ("requests", "expected"),
    [
        ([later("user-00")], "settings: expected in the first request, found none"),
        ([first(), first()], "settings: expected in the first request only, found in a later one"),
        ([first(count=0)], "settings.count: expected 1 to 1000, found 0"),
        ([first(count=1001)], "settings.count: expected 1 to 1000, found 1001"),
        ([first(candidates=1001)], "settings.candidates: expected at most 1000, found 1001"),
        ([first(*["u"] * 4097, count=1)], "user_ids: expected at most 4096, found 4097"),
        ([first(count=50), later(*["u"] * 1311)], "user_ids: expected at most 1310, found 1311"),
        (
            [first(filter=Filter(min_price=2, max_price=1))],
            "filter: expected min_price of at most max_price, found 2 and 1",
        ),
    ],
)
def test_what_cannot_be_ends_the_stream_with_its_reason(
    service: Service, requests: list[GetTopItemsRequest], expected: str
) -> None:
    assert failure_of(lambda: service.answers(*requests)) == (INVALID, expected)
    assert service.ended("INVALID_ARGUMENT") == 1


def test_bytes_that_are_no_request_are_an_invalid_argument(tmp_path: Path) -> None:
    server, watcher = create(Settings(artifact_dir=tmp_path, poll_interval_s=NEVER_S), LiveState(), Metrics())
    publish(checkerboard(), tmp_path)
    with serving(server, watcher) as channel:
        call = channel.stream_stream(METHOD, request_serializer=bytes, response_deserializer=bytes)
        code, message = failure_of(lambda: list(call(iter([b"\xff\xff"]), timeout=TIMEOUT_S)))
    assert (code, message) == (INVALID, f"{METHOD}: expected its request message, found other bytes")


def test_as_many_users_as_are_allowed_are_answered(service: Service) -> None:
    [answer] = service.answers(first(*["user-00", "nobody"] * 655, count=50))
    assert len(answer.lengths) == 1310
    assert len(answer.without_vector) == 655


def test_a_version_that_is_not_held_and_no_model_are_refused(service: Service, tmp_path: Path) -> None:
    expected = (grpc.StatusCode.FAILED_PRECONDITION, "artifact version 'v0' is not held; held: v1")
    assert failure_of(lambda: service.answers(first("user-00", artifact_version="v0"))) == expected
    with service_of(tmp_path / "empty") as without_model:
        assert failure_of(lambda: without_model.answers(first("user-00")))[0] is grpc.StatusCode.UNAVAILABLE


def test_a_stream_without_requests_ends_well(service: Service) -> None:
    assert service.answers() == []
    assert eventually(lambda: service.ended("OK") == 1)


def test_a_stream_stays_with_its_version_whatever_is_published_meanwhile(service: Service, tmp_path: Path) -> None:
    requests = Requests()
    requests.send(first("user-02", count=1))
    stream = service.open(requests)
    before = next(stream)
    publish(checkerboard(items=4), tmp_path, version="v2")
    service.watcher.poll()
    requests.send(later("user-02"))
    after = next(stream)
    requests.end()
    assert list(stream) == []
    assert before == after
    assert after.artifact_version == "v1"
    [new] = service.answers(first("user-02"))
    assert new.artifact_version == "v2"


def test_a_client_that_cancels_gives_its_place_free(service: Service) -> None:
    for number in range(12):
        requests = Requests()
        requests.send(first("user-00"))
        stream = service.open(requests)
        next(stream)
        stream.cancel()
        requests.end()
        with pytest.raises(grpc.RpcError) as caught:
            next(stream)
        assert caught.value.code() is grpc.StatusCode.CANCELLED
        assert eventually(partial(service.all_ended, number + 1))


def test_too_many_streams_are_refused_and_online_requests_are_not(service: Service) -> None:
    held: list[tuple[Requests, Any]] = []
    refusal = None
    while refusal is None and len(held) < 90:
        requests = Requests()
        requests.send(first("user-00"))
        stream = service.open(requests)
        try:
            next(stream)
        except grpc.RpcError as error:
            refusal = error
        held.append((requests, stream))
    assert refusal is not None
    assert refusal.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    online = service.candidates.GetCandidates(GetCandidatesRequest(user_id="user-00", count=1), timeout=TIMEOUT_S)
    assert online.artifact_version == "v1"
    for requests, stream in held:
        requests.end()
        stream.cancel()


def test_the_answers_of_a_reader_that_is_slow_wait_within_bounds_and_come_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = random_shop(seed=4, users=100, items=400)
    users = shop.user_ids * 6
    scored: list[int] = []
    real = Campaign.lists

    def counted(campaign: Campaign, user_ids: Sequence[str]) -> Lists:
        scored.append(len(user_ids))
        return real(campaign, user_ids)

    monkeypatch.setattr(Campaign, "lists", counted)
    with service_of(tmp_path, shop) as service:
        stream = service.open([first(*users, count=100), *[later(*users)] * 39], timeout_s=3 * TIMEOUT_S)
        answer = next(stream)
        before, quiet = -1, threading.Event()
        while before != len(scored):  # until nothing moves, since nobody reads
            before = len(scored)
            quiet.wait(0.5)
        assert before < 40
        assert all(next(stream).scores == answer.scores for _ in range(39))
    assert scored == [600] * 40


def test_the_example_writes_a_list_for_every_user(tmp_path: Path) -> None:
    publish(checkerboard(), tmp_path)
    server, watcher = create(Settings(artifact_dir=tmp_path, poll_interval_s=NEVER_S), LiveState(), Metrics())
    lists = runpy.run_path(str(EXAMPLE))["lists"]
    with serving(server, watcher) as channel:
        found = list(lists(channel, ["user-00", "nobody", "user-03"], count=1, timeout_s=TIMEOUT_S))
        many = list(lists(channel, ("user-01" for _ in range(3_000)), count=50, timeout_s=TIMEOUT_S))
    assert found == [
        {"user_id": "user-00", "item_ids": ["item-00"], "scores": [1.0]},
        {"user_id": "nobody", "item_ids": ["item-11"], "scores": None},
        {"user_id": "user-03", "item_ids": ["item-03"], "scores": [pytest.approx(1 - 3 * 0.5 / 11)]},
    ]
    assert len(many) == 3_000


def test_the_example_for_a_client_takes_a_file_as_editors_write_it_and_gives_a_list_to_nobody_else() -> None:
    ids_in = runpy.run_path(str(EXAMPLE))["ids_in"]
    assert list(ids_in(["\ufeffuser-00\r\n", "\n", " user 01\n", "\r\n", "user-02"])) == [
        "user-00",
        " user 01",
        "user-02",
    ]


@pytest.mark.parametrize(
    ("content", "arguments", "says"),
    [
        (b"user-00\n", ["--target", "127.0.0.1:1"], "error: 127.0.0.1:1: expected candidate_gen, found UNAVAILABLE"),
        (b"user-\xff\n", ["--target", "127.0.0.1:1"], "users.txt: expected UTF-8, found other bytes"),
        (b"user-00\n", ["--count", "0"], "argument --count: invalid choice: 0"),
    ],
)
def test_the_example_for_a_client_ends_in_a_sentence(
    tmp_path: Path, content: bytes, arguments: list[str], says: str
) -> None:
    users = tmp_path / "users.txt"
    users.write_bytes(content)
    ended = subprocess.run(
        [sys.executable, EXAMPLE, users, *arguments], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert ended.returncode != 0
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_deadline_ends_a_stream_that_its_client_keeps_open(service: Service) -> None:
    requests = Requests()
    requests.send(first("user-00"))
    stream = service.open(requests, timeout_s=2.0)  # the first answer comes at once, on a busy machine too
    next(stream)
    assert failure_of(lambda: next(stream))[0] is grpc.StatusCode.DEADLINE_EXCEEDED
    requests.end()
    assert eventually(lambda: service.ended() == 1)
