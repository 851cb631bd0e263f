"""The trainer's runs, their reports, and which version is to be live."""

import httpx
import pytest
from google.protobuf.message import Message
from grpc import StatusCode

from recsys.v1.run_service_pb2 import ActivateVersionRequest, ListRunsRequest

pytestmark = pytest.mark.anyio


async def test_runs_have_figures_with_baselines_beside_them_and_what_became_of_them(client: httpx.AsyncClient) -> None:
    live, gone = (await client.get("/v1/runs")).json()["runs"]

    assert live == {
        "artifact_version": "v2",
        "state": "live",
        "trained_at": "2025-01-01T00:00:00Z",
        "model": "als",
        "user_count": 3,
        "item_count": 30,
        "metrics": {"recall@20": 0.1},
        "baselines": [{"name": "popularity", "metrics": {"recall@20": 0.05}}],
        "users_judged": 77,
        "refusal": None,
        "forced": False,
        "earned": [{"order": "served", "outcome": "bought", "value": 0.5, "low": 0.25, "high": 0.75}],
        "has_report": False,
    }
    assert (gone["state"], gone["refusal"], gone["users_judged"]) == ("removed", "worse", None)


async def test_only_so_many_runs_as_are_asked_for(client: httpx.AsyncClient, received: list[Message]) -> None:
    assert len((await client.get("/v1/runs", params={"count": 1})).json()["runs"]) == 1
    assert received == [ListRunsRequest(count=1)]
    assert (await client.get("/v1/runs", params={"count": 101})).status_code == 422


async def test_a_report_is_a_page_and_a_run_without_one_is_not_found(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/runs/v1/report")).json() == {"artifact_version": "v1", "html": "<p>of v1"}
    answer = await client.get("/v1/runs/v2/report")
    assert (answer.status_code, answer.json()["detail"]) == (404, "no report of a run 'v2'")


async def test_activating_says_what_the_gate_had_refused(client: httpx.AsyncClient, received: list[Message]) -> None:
    answer = await client.post("/v1/model/activate", json={"artifact_version": "v3"})
    assert answer.json() == {"artifact_version": "v3", "refusal": "worse"}
    assert received == [ActivateVersionRequest(artifact_version="v3")]


async def test_what_cannot_be_activated_is_a_conflict_in_the_words_of_the_service(
    client: httpx.AsyncClient, failures: dict[str, tuple[StatusCode, str]]
) -> None:
    failures["ActivateVersion"] = (StatusCode.FAILED_PRECONDITION, "no such version is kept")
    answer = await client.post("/v1/model/activate", json={"artifact_version": "v9"})
    assert (answer.status_code, answer.json()["detail"]) == (409, "no such version is kept")
    failures["ActivateVersion"] = (StatusCode.UNAVAILABLE, "gone")
    assert (await client.post("/v1/model/activate", json={"artifact_version": "v9"})).status_code == 503


async def test_rows_of_the_shops_files_that_were_rejected_are_told_with_the_reason(client: httpx.AsyncClient) -> None:
    reading = (await client.get("/v1/runs")).json()["last_reading"]
    rejected = [{"reason": "item_id: missing", "rows": 2, "hint": None}]
    assert reading["read_at"] == "2025-01-01T00:00:00Z"
    assert reading["files"] == [{"name": "events", "read": 10, "kept": 7, "ignored": 1, "rejected": rejected}]
