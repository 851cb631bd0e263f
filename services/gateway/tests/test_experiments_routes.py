"""The routes of experiments, over a store in memory."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import SimpleNamespace

import httpx
import pytest
from fastapi import FastAPI

from gateway.experiments.file import Arm, Experiment, Guardrails
from gateway.experiments.live import Experiments, ExperimentState
from gateway.http import problems
from gateway.http.access import Access
from gateway.http.metrics import GatewayMetrics
from gateway.http.request_context import RequestContextMiddleware
from gateway.requests import Blend
from gateway.routes import experiments as routes
from gateway.shop.live_shop import LiveShop
from recsys.errors import StoreUnavailableError
from recsys.experiments import (
    DAILY_SUMS,
    DEFAULT_METRICS,
    METRICS,
    SUMS,
    ArmSums,
    DailySumsDocument,
    ExperimentSums,
    MetricsDocument,
    MetricSums,
    Sums,
)
from recsys.feature_store.interface import Profile, Subject

pytestmark = pytest.mark.anyio

FRESHER = Arm(name="fresher", share=0.2, blend=Blend(personal=0.8, recency=0.2))
RECENCY = Experiment(
    name="recency", arms=(Arm(name="control", share=0.2), FRESHER), guardrails=Guardrails(latency_ms=5)
)


@dataclass
class FakeStore:
    """States and documents in memory; unavailable when a test says so."""

    states: dict[str, ExperimentState] = field(default_factory=dict)
    documents: dict[str, str] = field(default_factory=dict)
    is_unavailable: bool = False

    async def texts(self, kind: str) -> dict[str, str]:
        if kind == "documents":
            return dict(self.documents)
        if self.is_unavailable:
            raise StoreUnavailableError("no store at 127.0.0.1:6379")
        return {name: state.to_text() for name, state in self.states.items()}

    async def write_text(self, kind: str, name: str, text: str) -> None:
        if kind == "documents":
            self.documents[name] = text
        else:
            self.states[name] = ExperimentState.from_text(text)


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def experiments() -> Experiments:
    return Experiments([RECENCY])


@pytest.fixture
async def api(store: FakeStore, experiments: Experiments) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    live = LiveShop(store=store, experiments=experiments)  # type: ignore[arg-type] # no more of a store is asked
    app.state.parts = SimpleNamespace(live=live, settings=SimpleNamespace(cors_origins=()))
    app.state.access = Access()
    app.include_router(routes.router)
    app.add_middleware(RequestContextMiddleware, metrics=GatewayMetrics())
    problems.install(app)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway/v1") as client:
        yield client


async def test_the_experiments_of_the_file_are_listed_with_the_shares_of_now(
    api: httpx.AsyncClient, store: FakeStore
) -> None:
    store.states["recency"] = ExperimentState(stopped_ms=1_700_000_000_000, shares={"fresher": 0.4})

    body = (await api.get("/experiments")).json()

    (recency,) = body["experiments"]
    assert (recency["name"], recency["state"], recency["stopped_at"]) == ("recency", "stopped", "2023-11-14T22:13:20Z")
    assert [(arm["name"], arm["share"]) for arm in recency["arms"]] == [("control", 0.2), ("fresher", 0.4)]
    assert recency["arms"][1]["blend"] == {"personal": 0.8, "popularity": 0.0, "recency": 0.2, "transitions": 0.0}


async def test_the_report_shows_the_sinks_sums_and_how_old_they_are(api: httpx.AsyncClient, store: FakeStore) -> None:
    def arm(clicked: int, latency_ms: float) -> ArmSums:
        clicks = MetricSums(outcomes=clicked, total=clicked, squares=clicked)
        return ArmSums(
            exposures=5000,
            units=5000,
            unit_latency_ms_sum=5000 * latency_ms,
            unit_latency_ms_squares=5000 * (latency_ms**2 + 4),
            metrics={"click_rate": clicks},
        )

    arms = {"control": arm(1000, 10.0), "fresher": arm(1300, 20.0)}
    sums = Sums(as_of_ms=1_700_000_000_000, experiments={"recency": ExperimentSums(metrics=DEFAULT_METRICS, arms=arms)})
    store.documents[SUMS] = sums.model_dump_json()

    body = (await api.get("/experiments/recency")).json()

    assert [arm["metrics"]["click_rate"]["value"] for arm in body["results"]] == [0.2, 0.26]
    (comparison,) = body["comparisons"]
    verdicts = {metric["metric"]: metric["verdict"] for metric in comparison["metrics"]}
    assert verdicts["click_rate"] == "better"
    assert verdicts["conversion_rate"] == verdicts["revenue_per_unit"] == "not decided yet"
    assert comparison["guardrails"][0]["verdict"] == "violated"
    assert body["split"]["verdict"] == "as configured"
    assert body["as_of"] == "2023-11-14T22:13:20Z"
    assert body["age_s"] > 0


async def test_a_report_before_the_sink_has_summed_anything_says_so(api: httpx.AsyncClient, store: FakeStore) -> None:
    body = (await api.get("/experiments/recency")).json()

    assert (body["as_of"], body["age_s"]) == (None, None)
    assert MetricsDocument.validate_json(store.documents[METRICS]) == {"recency": DEFAULT_METRICS}


async def test_stopping_takes_effect_at_once_and_again_changes_nothing(
    api: httpx.AsyncClient, store: FakeStore, experiments: Experiments
) -> None:
    await api.get("/experiments")
    users = [Profile(Subject("user", str(number)), (), {}) for number in range(100)]
    assert any(experiments.assign(user) for user in users)

    first, second = await api.post("/experiments/recency/stop"), await api.post("/experiments/recency/stop")

    assert (first.status_code, first.json()["state"]) == (200, "stopped")
    assert second.json() == first.json()
    assert store.states["recency"].stopped_ms is not None
    assert not any(experiments.assign(user) for user in users)


async def test_new_shares_are_answered_and_kept_with_those_of_the_other_arms(
    api: httpx.AsyncClient, store: FakeStore
) -> None:
    response = await api.post("/experiments/recency/shares", json={"shares": {"fresher": 0.8}})

    assert response.status_code == 200
    assert [arm["share"] for arm in response.json()["arms"]] == [0.2, 0.8]
    assert store.states["recency"] == ExperimentState(shares={"control": 0.2, "fresher": 0.8})


@pytest.mark.parametrize(
    ("shares", "status", "detail"),
    [
        ({"wide": 0.1}, 400, "experiment 'recency' has no arm 'wide'; its arms: control, fresher"),
        ({"fresher": 0.9}, 400, "experiment 'recency': shares: expected a sum of 1 at the most, found 1.1"),
        ({"fresher": -0.1}, 422, "body.shares.fresher: Input should be greater than or equal to 0, found -0.1"),
        ({"fresher": "0.1"}, 422, "body.shares.fresher: Input should be a valid number, found '0.1'"),
        ({}, 422, "body.shares: Dictionary should have at least 1 item after validation, not 0, found {}"),
    ],
)
async def test_shares_that_cannot_be_are_answered_with_a_sentence(
    api: httpx.AsyncClient, store: FakeStore, shares: dict[str, object], status: int, detail: str
) -> None:
    response = await api.post("/experiments/recency/shares", json={"shares": shares})

    assert (response.status_code, response.json()["detail"]) == (status, detail)
    assert response.headers["content-type"] == "application/problem+json"
    assert store.states == {}


async def test_a_stopped_experiment_takes_no_new_shares(api: httpx.AsyncClient) -> None:
    await api.post("/experiments/recency/stop")

    response = await api.post("/experiments/recency/shares", json={"shares": {"fresher": 0.1}})

    assert response.status_code == 400
    assert "stopped" in response.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/experiments/breadth"), ("POST", "/experiments/breadth/stop"), ("POST", "/experiments/breadth/shares")],
)
async def test_an_experiment_that_the_file_does_not_have_is_not_found(
    api: httpx.AsyncClient, store: FakeStore, method: str, path: str
) -> None:
    response = await api.request(method, path, json={"shares": {"control": 0.1}})

    assert response.status_code == 404
    assert response.json()["detail"] == "no experiment 'breadth' in the file; there are: recency"
    assert store.states == {}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/experiments"),
        ("GET", "/experiments/recency"),
        ("POST", "/experiments/recency/stop"),
        ("POST", "/experiments/recency/shares"),
    ],
)
async def test_while_the_store_is_unavailable_nothing_is_changed_and_the_caller_is_told_to_try_again(
    api: httpx.AsyncClient, store: FakeStore, method: str, path: str
) -> None:
    store.is_unavailable = True

    response = await api.request(method, path, json={"shares": {"control": 0.1}})

    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert "127.0.0.1" not in response.text
    assert store.states == {}


async def test_the_course_of_an_experiment_has_a_comparison_for_each_day_that_was_summed(
    api: httpx.AsyncClient, store: FakeStore
) -> None:
    assert (await api.get("/experiments/recency/days")).json() == {"name": "recency", "days": []}
    days = {}
    for day, clicked in {"2026-01-01": 50, "2026-01-02": 90}.items():
        sums = MetricSums(outcomes=clicked, total=clicked, squares=clicked)
        arms = {
            "control": ArmSums(units=1000, metrics={"click_rate": MetricSums(outcomes=50, total=50, squares=50)}),
            "fresher": ArmSums(units=1000, metrics={"click_rate": sums}),
        }
        found = ExperimentSums(metrics=DEFAULT_METRICS, arms=arms)
        days[day] = Sums(as_of_ms=1_700_000_000_000, experiments={"recency": found})
    days["2026-01-03"] = Sums(as_of_ms=1_700_000_000_000, experiments={})
    store.documents[DAILY_SUMS] = DailySumsDocument.dump_json(days).decode()

    told = (await api.get("/experiments/recency/days")).json()["days"]

    of_clicks = [each["comparisons"][0]["metrics"][0] for each in told]
    assert [each["date"] for each in told] == ["2026-01-01", "2026-01-02"]
    assert [each["difference"]["value"] for each in of_clicks] == pytest.approx([0.0, 0.04])
