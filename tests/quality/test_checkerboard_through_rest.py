"""The checkerboard through the whole system as processes: file, command line, services, REST and plain gRPC."""

import csv
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import checkerboard_shop as shop
import grpc
import httpx
import pytest

from recsys.v1.candidate_gen_service_pb2 import GetCandidatesRequest
from recsys.v1.candidate_gen_service_pb2_grpc import CandidateGenServiceStub
from recsys.v1.reranker_service_pb2 import RerankRequest
from recsys.v1.reranker_service_pb2_grpc import RerankerServiceStub
from tools.local_stack import LocalStack, Ports

TIMEOUT_S = 30.0
EVERYBODY = range(len(shop.IDS))
UNKNOWN = "nobody/we know"


@dataclass(frozen=True)
class System:
    """The running system from outside, and what it was made from."""

    rest: httpx.Client
    candidate_gen: CandidateGenServiceStub
    reranker: RerankerServiceStub
    volume: Path
    bad_rows: dict[int, str]

    def get(self, path: str, *ids: str, **parameters: int | bool | str) -> dict[str, Any]:
        """A JSON answer; each {} of the path takes an id."""
        response = self.rest.get(path.format(*(quote(one, safe="") for one in ids)), params=parameters)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def recommended(self, user_id: str, **parameters: int | bool) -> list[str]:
        """Ids of the list for a user."""
        return ids_of(self.get("/v1/users/{}/recommendations", user_id, **parameters))


def ids_of(answer: dict[str, Any]) -> list[str]:
    return [item["item_id"] for item in answer["items"]]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("checkerboard")
    volume, events, ports = folder / "volume", folder / "events.csv", Ports.free()
    patience = {"GATEWAY_TIMEOUT_S": str(TIMEOUT_S)}
    bad_rows = shop.write_events(events)
    shop.train(volume, events)
    with ExitStack() as stack:
        running = stack.enter_context(LocalStack(volume, ports=ports, log_dir=folder / "logs", environment=patience))
        channels = [
            stack.enter_context(grpc.insecure_channel(f"127.0.0.1:{port}"))
            for port in (ports.candidate_gen, ports.reranker)
        ]
        yield System(
            rest=stack.enter_context(httpx.Client(base_url=running.gateway_url, timeout=TIMEOUT_S)),
            candidate_gen=CandidateGenServiceStub(channels[0]),
            reranker=RerankerServiceStub(channels[1]),
            volume=volume,
            bad_rows=bad_rows,
        )


def test_the_first_item_that_everybody_is_shown_is_the_one_of_their_colour_that_they_lack(system: System) -> None:
    # of half of them because it was never bought, of the others because it was taken back
    assert {user_id: system.recommended(user_id, count=1) for user_id in shop.IDS} == {
        user_id: [user_id] for user_id in shop.IDS
    }


def test_nobody_is_shown_what_they_had_and_everything_else_is_shown_once(system: System) -> None:
    for user_id in shop.IDS:
        other_colour = [item_id for item_id in shop.IDS if shop.colour(item_id) != shop.colour(user_id)]
        assert sorted(system.recommended(user_id, count=100)) == sorted([user_id, *other_colour])


def test_with_what_they_had_all_of_their_own_colour_stands_before_the_others(system: System) -> None:
    half = len(shop.IDS) // 2
    for user_id in shop.IDS:
        shown = system.recommended(user_id, count=100, include_seen=True)
        own = shop.colour(user_id)
        assert [shop.colour(item_id) for item_id in shown] == [own] * half + [1 - own] * half


def test_similar_items_are_of_one_colour(system: System) -> None:
    others_of_a_colour = len(shop.IDS) // 2 - 1
    for item_id in shop.IDS:
        similar = ids_of(system.get("/v1/items/{}/similar", item_id, count=others_of_a_colour))
        expected = [other for other in shop.IDS if shop.colour(other) == shop.colour(item_id) and other != item_id]
        assert sorted(similar) == sorted(expected)


def test_a_history_is_what_was_bought_and_kept_most_recent_first(system: System) -> None:
    for user in EVERYBODY:
        bought = [purchase for purchase in reversed(shop.purchases()) if purchase.user == user]
        answer = system.get("/v1/users/{}/history", shop.IDS[user], count=100)
        assert [(item["item_id"], item["event_type"], item["last_event_at"]) for item in answer["items"]] == [
            (shop.IDS[purchase.item], "purchase", f"{purchase.at:%Y-%m-%dT%H:%M:%SZ}") for purchase in bought
        ]
        assert (answer["user_known"], answer["total"]) == (True, len(bought))


def test_ids_are_unchanged_whatever_they_hold(system: System) -> None:
    in_order = sorted(shop.IDS, key=str.encode)
    assert [user["user_id"] for user in system.get("/v1/users", page_size=100)["users"]] == in_order
    assert ids_of(system.get("/v1/items", page_size=100)) == in_order
    for item_id in shop.IDS:
        assert system.get("/v1/items/{}", item_id)["item_id"] == item_id


def test_plain_grpc_gives_the_same_items_with_the_same_scores_as_rest(system: System) -> None:
    for user_id in (*shop.IDS, UNKNOWN):
        found = system.candidate_gen.GetCandidates(
            GetCandidatesRequest(user_id=user_id, count=100, packed=True), timeout=TIMEOUT_S
        )
        ranked = system.reranker.Rerank(
            RerankRequest(
                artifact_version=found.artifact_version,
                query_vector=found.query_vector,
                candidates=found.candidates,
                count=10,
            ),
            timeout=TIMEOUT_S,
        )
        answer = system.get("/v1/users/{}/recommendations", user_id, count=10)
        assert [(item["item_id"], item["score"]) for item in answer["items"]] == [
            (item.item.item_id, pytest.approx(item.score)) for item in ranked.items
        ]
        assert answer["artifact_version"] == ranked.artifact_version
        assert answer["user_known"] == (found.query_vector != b"")
        assert len(ranked.items) == 10


def test_somebody_unknown_is_shown_what_is_popular(system: System) -> None:
    answer = system.get("/v1/users/{}/recommendations", UNKNOWN, count=20)
    assert answer["user_known"] is False
    assert {source for item in answer["items"] for source in item["sources"]} == {"popular"}
    assert ids_of(answer) == ids_of(system.get("/v1/items/popular", count=20))

    last = max(purchase.at for purchase in shop.purchases())
    recent = [purchase.item for purchase in shop.purchases() if last - purchase.at <= timedelta(days=30)]
    buyers = [recent.count(shop.IDS.index(item_id)) for item_id in ids_of(answer)]
    assert buyers == sorted((recent.count(item) for item in EVERYBODY), reverse=True)[:20]


def test_rejected_rows_are_in_quarantine_with_their_line_and_the_reason(system: System) -> None:
    with (system.volume / "quarantine.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {int(row["quarantine_row"]): row["quarantine_reason"] for row in rows} == system.bad_rows
    for row in rows:
        as_written = tuple(row[name] for name in ("user_id", "item_id", "event_type", "timestamp"))
        assert as_written == shop.BAD_ROWS[row["quarantine_reason"]]
