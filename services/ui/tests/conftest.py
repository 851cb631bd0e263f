"""A gateway that answers what a test tells it, over real HTTP, and the app that talks to it."""

import json
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from streamlit.testing.v1 import AppTest

import ui
from ui.gateway_client import gateway

APP = Path(ui.__file__).with_name("app.py")

ITEM = {
    "item_id": "85123A",
    "title": "Heart holder",
    "category": "Home",
    "price": 2.55,
    "image_url": None,
    "available": True,
}
EXPLANATION = {
    "personal_score": 1.27,
    "terms": [
        {"name": "personal", "value": 1.27, "weight": 1.0},
        {"name": "ranker:user_category_share", "value": 0.25, "weight": 1.0},
        {"name": "ranker:<i>", "value": -0.5, "weight": 1.0},
    ],
    "sources": [{"source": "ann", "rank": 2, "score": 1.2}],
    "rank_by_score": 1,
    "contributions": [{"item_id": "84879", "value": 1.0}, {"item_id": "<b>", "value": 0.25}],
    "rules": ["summer <sale>"],
    "comes_after": [{"item_id": "22423<i>", "value": 0.5}],
}
RANKED = ITEM | {"score": 1.27, "sources": ["ann"], "propensity": 1.0, "explanation": EXPLANATION}
SIMILAR = RANKED | {"item_id": "22423", "title": "Cake stand", "score": 0.9, "sources": ["similar"]}
TOGETHER = SIMILAR | {"item_id": "84879", "title": "Bird ornament", "sources": ["bought_together"]}
EVENT = ITEM | {"item_id": "84879", "title": "Bird ornament", "event_type": "purchase"}
EVENT = EVENT | {"last_event_at": "2011-12-09T12:50:00Z"}
VERSION = {"artifact_version": "v2"}
RECOMMENDED = VERSION | {
    "items": [RANKED],
    "list_id": "l-1",
    "request_id": "r-1",
    "user_known": True,
    "vector": "trained",
    "experiment": None,
    "level": "full",
    "degraded": False,
}
OUTCOME = {"accepted": 1}
SERVICE = {"artifact_version": "v2", "held_versions": ["v2", "v1"], "refused": None}
MODEL = VERSION | {
    "model": "als",
    "dim": 64,
    "user_count": 4338,
    "item_count": 3665,
    "trained_at": "2011-12-10T00:00:00Z",
    "metrics": [
        {"name": "recall@20", "value": 0.1285, "low": 0.1201, "high": 0.1369},
        {"name": "coverage@20", "value": 0.41, "low": None, "high": None},
    ],
    "services": {"candidate_gen": SERVICE, "reranker": SERVICE},
}
RUN = VERSION | {
    "state": "live",
    "trained_at": "2026-01-02T03:04:05Z",
    "model": "als",
    "user_count": 4338,
    "item_count": 3665,
    "metrics": {"recall@20": 0.1285, "ndcg@20": 0.0712},
    "baselines": [{"name": "popularity", "metrics": {"recall@20": 0.08}}],
    "users_judged": 1932,
    "refusal": None,
    "forced": False,
    "earned": [{"order": "the new <order>", "outcome": "clicked", "value": 0.25, "low": 0.2, "high": 0.3}],
    "has_report": True,
}
OLDER = {
    "artifact_version": "v1",
    "state": "kept",
    "refusal": "ndcg@20 <b>worse",
    "has_report": False,
    "metrics": {},
    "earned": [],
}
READING = {
    "read_at": "2026-01-02T03:04:05Z",
    "files": [
        {
            "name": "events",
            "read": 1000,
            "kept": 980,
            "ignored": 5,
            "rejected": [{"reason": "price <i>: no number", "rows": 15, "hint": "decimal_comma"}],
        }
    ],
}


def activity() -> list[dict[str, Any]]:
    """Today, and eight days ago."""
    today = datetime.now(UTC).date()
    now = {"events": {"view": 40, "purchase": 6, "<b>wish": 1}, "money": 120.0, "lists": 200, "clicked_lists": 30}
    before = {"events": {"view": 20, "purchase": 4}, "money": 100.0, "lists": 0, "clicked_lists": 0, "levels": {}}
    levels = {"full": 150, "without_rerank": 50}
    return [
        before | {"date": str(today - timedelta(days=8))},
        now | {"date": str(today), "levels": levels},
    ]


SPREAD = {"items": 1500, "on_sale": 1402, "gini": 0.541, "top_share": 0.118}
COVERAGE = {"catalogue": 3684, "yesterday": SPREAD | {"on_sale": 921}, "week": SPREAD}
DRIFT = {
    "version": "<b>v2",
    "items": {"events": 1180, "known": 1130},
    "purchases": {"events": 100, "known": 93},
    "users": {"events": 800, "known": 400},
    "types": {"view": 900, "purchase": 100},
    "trained_types": {"view": 700, "purchase": 200, "<b>wish": 100},
    "head_items": 120,
    "trained_head_share": 0.502,
    "head_share": 0.47,
}

EXPERIMENT = {
    "name": "recency",
    "state": "running",
    "shipped_arm": None,
    "arms": [{"name": "control", "share": 0.5}, {"name": "<b>fresh", "share": 0.5}],
}
COUNTED = {"value": 0.25, "low": 0.21, "high": 0.29, "total": 25.0}
RESULT = {"share": 0.5, "exposures": 1200, "units": 100, "ctr": 0.125, "metrics": {"clicks": COUNTED}}
DIFFERENCE = {"value": 0.05, "low": 0.01, "high": 0.09}
REPORT = EXPERIMENT | {
    "as_of": "2026-01-02T03:04:05Z",
    "results": [
        RESULT | {"name": "control", "is_control": True},
        RESULT | {"name": "<b>fresh", "is_control": False, "ctr": None},
    ],
    "comparisons": [
        {
            "arm": "<b>fresh",
            "metrics": [{"metric": "clicks", "difference": DIFFERENCE, "p_adjusted": 0.01, "verdict": "better"}],
            "guardrails": [{"guardrail": "latency_ms", "difference": DIFFERENCE, "verdict": "kept"}],
        }
    ],
    "split": {"verdict": "as configured", "reason": None},
}


COURSE = {"days": [{"date": "2026-01-02", "comparisons": REPORT["comparisons"]}]}


class FakeGateway(ThreadingHTTPServer):
    """Answers by path; `answers` may be changed by a test, `requests` holds what was asked, as sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[str] = []
        self.keys_shown: list[str | None] = []
        self.request_ids: list[str | None] = []
        self.posted: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, tuple[int, dict[str, Any]]] = {
            "/v1/users": (200, VERSION | {"users": [{"user_id": "13047", "history_size": 3}], "next_cursor": None}),
            "/v1/recommendations": (200, RECOMMENDED),
            "/v1/events": (200, OUTCOME),
            "/v1/users/13047/history": (200, VERSION | {"items": [EVENT], "total": 3, "user_known": True}),
            "/v1/items/85123A": (200, VERSION | ITEM),
            "/v1/items/85123A/similar": (200, VERSION | {"items": [SIMILAR]}),
            "/v1/items/85123A/bought-together": (200, VERSION | {"items": [TOGETHER, SIMILAR]}),
            "/v1/items": (200, VERSION | {"items": [ITEM], "next_cursor": "page-2"}),
            "/v1/model": (200, MODEL),
            "/v1/runs": (200, {"runs": [RUN, RUN | OLDER], "last_reading": READING}),
            "/v1/activity": (
                200,
                {"as_of": "2026-01-02T03:04:05Z", "age_s": 150.0, "days": activity()}
                | {"coverage": COVERAGE, "drift": DRIFT},
            ),
            "/v1/runs/v2/report": (200, VERSION | {"html": "<h1>What v2 measured</h1>"}),
            "/v1/model/activate": (200, VERSION | {"refusal": None}),
            "/v1/rules": (200, {"rules": [{"name": "gift first", "item_id": "GIFT", "pin_position": 1}]}),
            "/v1/experiments": (200, {"experiments": [EXPERIMENT]}),
            "/v1/experiments/recency": (200, REPORT),
            "/v1/experiments/recency/days": (
                200,
                COURSE,
            ),
            "/v1/experiments/recency/shares": (200, EXPERIMENT),
            "/v1/experiments/recency/stop": (200, EXPERIMENT | {"state": "stopped"}),
            "/v1/experiments/recency/ship": (200, EXPERIMENT | {"state": "stopped", "shipped_arm": "<b>fresh"}),
        }

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def fail(self, path: str, status: int, **problem: str) -> None:
        """From now on, this path answers with this status and problem."""
        self.answers[path] = (status, problem)


class _Handler(BaseHTTPRequestHandler):
    server: FakeGateway

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        self._answer()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posted.append((self.path, json.loads(body or b"{}")))
        self._answer()

    def do_PUT(self) -> None:
        self.do_POST()

    def do_PATCH(self) -> None:
        self.do_POST()

    def _answer(self) -> None:
        self.server.keys_shown.append(self.headers["Authorization"])
        self.server.request_ids.append(self.headers["X-Request-ID"])
        status, answer = self.server.answers.get(urlsplit(self.path).path, (404, {"title": "Not Found"}))
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: a test's output is for its failure."""


@pytest.fixture
def fake_gateway() -> Iterator[FakeGateway]:
    server = FakeGateway()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def app(fake_gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    """The app as a shopper's browser first opens it, not yet run; its gateway is the fake one and clicks count."""
    monkeypatch.setenv("UI_GATEWAY_URL", fake_gateway.url)
    monkeypatch.setenv("UI_COUNT_CLICKS", "true")
    yield AppTest.from_file(str(APP), default_timeout=60)
    gateway().close()
    gateway.clear()


@pytest.fixture
def unused_tcp_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
