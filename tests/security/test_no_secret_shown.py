"""No secret in any log or answer: real processes get marked ones, are asked well and badly, and searched."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from waiting import PATIENT, WITHIN_S

from tests.security.conftest import SECRETS, Closed, bearer
from tools.local_stack import PYTHON, ROOT, UI_PYTHON, LocalStack, Ports

MARK = "MARK"
STORE = "valkey://MARK-user:MARK-password@127.0.0.1:1/0?client_name=MARK-name"  # nobody listens there
MALFORMED = ["valkey//u:MARK@host", "valkey://u:MARK/MARK@host:1/0", "valkey://u:MARK@[host", "http://u:MARK@host"]


@pytest.fixture(scope="module")
def marked(
    tmp_path_factory: pytest.TempPathFactory, volume: Path, keys_file: Path
) -> Iterator[tuple[LocalStack, Path]]:
    """Every process with an unavailable feature store whose address holds a password; all log what they can."""
    logs = tmp_path_factory.mktemp("marked")
    processes = ("CANDIDATE_GEN", "RERANKER", "GATEWAY")
    environment = {f"{process}_FEATURE_STORE_URL": STORE for process in processes}
    environment |= {f"{process}_LOG_LEVEL": "DEBUG" for process in processes}
    environment |= PATIENT | {"GATEWAY_API_KEYS_FILE": str(keys_file), "UI_API_KEY": SECRETS["reader"]}
    with LocalStack(volume, ports=Ports.free(), log_dir=logs, environment=environment, with_ui=True) as stack:
        yield stack, logs


def ask_well_and_badly(address: str) -> list[httpx.Response]:
    """Requests of every kind of outcome; each carries a secret somewhere."""
    event = {"user_id": "7", "item_id": "7", "type": "purchase"}
    everything = bearer("everything")
    with httpx.Client(base_url=address, timeout=WITHIN_S) as client:
        return [
            client.get("/v1/users/7/recommendations", headers=everything),
            client.get("/v1/model", headers=everything),
            client.get("/v1/items", headers=bearer("shop")),
            client.get("/v1/model", headers={"Authorization": "Bearer MARK-unknown"}),
            client.get("/v1/model", headers={"Authorization": "Basic MARK-basic"}),
            client.get("/v1/model", headers={"X-API-Key": "MARK-header", "Cookie": "key=MARK-cookie"}),
            client.get("/v1/model", params={"api_key": SECRETS["reader"]}),
            client.get("/v1/users/7/recommendations", params={"count": "x"}, headers=everything),
            client.get("/nowhere", headers=everything),
            client.post("/v1/events", json=event, headers=everything),
            client.post("/v1/events", content=b"{", headers=everything),
            client.delete("/v1/users/7", headers=everything),
            client.request("PUT", "/v1/items/7", json={}, headers=everything),
            client.get("/healthz", headers=everything),
            client.get("/readyz", headers=everything),
            client.get("/openapi.json", headers=everything),
        ]


def test_no_secret_is_in_any_answer_or_log(marked: tuple[LocalStack, Path]) -> None:
    stack, logs = marked
    answers = ask_well_and_badly(stack.gateway_url)
    page = httpx.get(stack.ui_url, timeout=WITHIN_S)

    assert {answer.status_code for answer in answers} >= {200, 401, 403, 404, 422, 503}
    for answer in (*answers, page):
        assert MARK not in answer.text, answer.url
        assert MARK not in str(answer.headers), answer.url
    written = {log.stem: log.read_text(encoding="utf-8", errors="replace") for log in logs.glob("*.log")}
    assert written.keys() >= {"candidate_gen", "reranker", "gateway", "ui"}
    assert "the feature store is unavailable" in written["gateway"]  # so the address was there to be shown
    assert "valkey://***@127.0.0.1:1/0" in written["candidate_gen"]
    assert [name for name, text in written.items() if MARK in text] == []


def test_no_secret_is_in_the_logs_of_the_system_under_tls(closed: Closed) -> None:
    ask_well_and_badly(closed.stack.gateway_url)
    keys = [line for file in closed.logs.parent.rglob("*.key") for line in file.read_text().splitlines()[1:-1]]
    assert len(keys) >= 3
    for log in closed.logs.glob("*.log"):
        text = log.read_text(encoding="utf-8", errors="replace")
        assert MARK not in text, log
        assert not [line for line in keys if line in text], log


@pytest.mark.parametrize("url", MALFORMED)
@pytest.mark.parametrize("process", ["candidate_gen", "reranker", "gateway", "event_sink"])
def test_a_process_that_cannot_start_does_not_say_the_password(process: str, url: str, tmp_path: Path) -> None:
    prefix = process.upper()
    environment = {f"{prefix}_FEATURE_STORE_URL": url, f"{prefix}_ARTIFACT_DIR": str(tmp_path), f"{prefix}_PORT": "0"}
    ended = subprocess.run(
        [PYTHON, "-m", process],
        env=os.environ | environment | {"GATEWAY_OPEN_ON": "127.0.0.1"},
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        cwd=ROOT,
        check=False,
    )
    assert ended.returncode != 0
    assert ended.stderr
    assert MARK not in ended.stdout + ended.stderr


def test_the_page_does_not_say_its_key_when_it_cannot_start() -> None:
    environment = {"UI_API_KEY": SECRETS["reader"], "UI_PORT": "none"}
    ended = subprocess.run(
        [UI_PYTHON, "-m", "ui"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    assert ended.returncode != 0
    assert MARK not in ended.stdout + ended.stderr


def test_the_search_would_find_a_secret(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(json.dumps({"message": f"key {SECRETS['reader']}"}))
    assert [log.name for log in tmp_path.glob("*.log") if MARK in log.read_text()] == ["a.log"]
