"""Every page in a real browser over a gateway whose whole catalogue is hostile: none dies, none asks a foreign host."""

import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playwright.sync_api import FloatRect, Locator, Page, expect

from tools.local_stack import READY_WITHIN_S, UI_PYTHON, Ports

FOREIGN = "foreign.example"
TEXTS = [
    f"Lamp\n\n![x](https://{FOREIGN}/markdown.png)",
    f"``\n\n# Big\n\n[x](https://{FOREIGN}/) https://{FOREIGN}/",
    f'<img src="https://{FOREIGN}/html.png"><script>fetch("https://{FOREIGN}/")</script>',
    '"><svg onload=alert(1)>',
    "javascript:alert(1)",
    "\u202eright to left\u202c \u200f\u2067",
    ":smile: :material/home: :red[text] $\\frac{1}{2}$ `code` ```",
    "nul \0 escape \x1b[31m line\r\nend",
    "x" * 10_000,
    "   ",
]
ADDRESSES = [
    "https://[cdn]/1.jpg",
    f"//{FOREIGN}/1.jpg",
    f"https:\\\\{FOREIGN}\\1.jpg",
    f"javascript:fetch('https://{FOREIGN}/')",
    f'data:image/svg+xml,<svg xmlns="http://www.w3.org/2000/svg"><image href="https://{FOREIGN}/1.png"/></svg>',
    f"\" onerror=\"fetch('https://{FOREIGN}/')",
    "http://host:99999999/1.jpg",
    "\0",
]
PAGES = ["/", "/?user=u", "/item?item=i&user=u&list=r&position=" + "9" * 5_000, "/catalogue", "/model"]
ODD_QUERIES = [
    "/?user=" + "x" * 6_000,
    "/?user=%00%0A%0A%21%5Bx%5D%28https%3A%2F%2Fforeign.example%2F1.png%29",
    "/item?item=%2E%2E%2F%00&user=%FF&list=%0A",
    "/catalogue?query=" + "x" * 5_000 + "&category=%0A%0A%21%5Bx%5D(https%3A%2F%2Fforeign.example)",
    "/catalogue?page=-1&count_clicks=maybe&embed_options=x",
]


def answers(texts: list[str]) -> dict[str, Any]:
    """What the gateway says by path, made of these texts all over."""

    def item(place: int) -> dict[str, Any]:
        text = texts[place % len(texts)]
        return {
            "item_id": text or "i",
            "title": text,
            "category": text,
            "price": 1.5,
            "image_url": ADDRESSES[place % len(ADDRESSES)],
            "available": True,
            "score": 1.0,
            "sources": [text],
            "propensity": 1.0,
            "event_type": text,
            "last_event_at": "2011-12-09T12:50:00Z",
            "explanation": {
                "personal_score": 1.0,
                "terms": [{"name": text, "value": 1.0, "weight": 1.0}],
                "sources": [{"source": text, "rank": 1}],
                "rank_by_score": 1,
                "contributions": [{"item_id": text, "value": 1.0}],
                "rules": [text],
            },
        }

    items = [item(place) for place in range(len(texts))]
    text = texts[0]
    service = {"artifact_version": text, "held_versions": texts, "refused": text}
    ranking = {"artifact_version": text, "items": items}
    return {
        "users": {"users": [{"user_id": one or "u", "history_size": 1} for one in texts]},
        "recommendations": ranking
        | {
            "list_id": text,
            "request_id": "r-1",
            "user_known": False,
            "vector": text,
            "experiment": {"name": text, "arm": text},
        }
        | {"level": text, "degraded": True},
        "history": {"items": items, "total": 99},
        "similar": ranking,
        "bought-together": ranking,
        "items": {"items": items, "next_cursor": text or None},
        "item": items[0],
        "model": {"artifact_version": text, "model": text, "dim": 1, "user_count": 1, "item_count": 1}
        | {"trained_at": "2011-12-09T12:50:00Z", "services": {text: service}}
        | {"metrics": [{"name": one, "value": 1.0, "low": None, "high": None} for one in texts]}
        | {"last_run": {"artifact_version": text, "passed": False, "reasons": texts}},
        "event": {"title": text, "detail": text, "request_id": text},
    }


class HostileGateway(ThreadingHTTPServer):
    """Answers with `texts`, and refuses every event with a hostile sentence."""

    daemon_threads = True
    texts = TEXTS


class _Handler(BaseHTTPRequestHandler):
    server: HostileGateway

    def do_GET(self) -> None:
        last = urlsplit(self.path).path.removeprefix("/v1/").split("/")
        name = (
            last[-1] if last[-1] in ("history", "similar", "bought-together") else "item" if len(last) > 1 else last[0]
        )
        self._answer(200, name)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        is_event = self.path.endswith("/events")
        self._answer(422 if is_event else 200, "event" if is_event else "recommendations")

    def _answer(self, status: int, name: str) -> None:
        body = json.dumps(answers(self.server.texts)[name]).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: a test's output is for its failure."""


@pytest.fixture(scope="module")
def gateway() -> Iterator[HostileGateway]:
    with HostileGateway(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def hostile_ui(gateway: HostileGateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page over that gateway, for a visitor whose clicks count."""
    log: Path = tmp_path_factory.mktemp("ui") / "ui.log"
    port = Ports.free().ui
    environment = {
        "UI_GATEWAY_URL": f"http://127.0.0.1:{gateway.server_port}",
        "UI_COUNT_CLICKS": "true",
        "UI_PORT": str(port),
    }
    with log.open("wb") as out:
        process = subprocess.Popen([UI_PYTHON, "-m", "ui"], env=os.environ | environment, stdout=out, stderr=out)
        try:
            url = f"http://127.0.0.1:{port}"
            transport = httpx.HTTPTransport(retries=8)  # of connections, each after twice the pause
            with httpx.Client(transport=transport, timeout=READY_WITHIN_S) as client:
                client.get(f"{url}/_stcore/health").raise_for_status()
            yield url
        finally:
            process.terminate()
            process.wait()


def look_at(page: Page, url: str) -> None:
    """Opens the page and waits for all of it. It must have no exception box and have asked nobody but its server."""
    hosts: set[str] = set()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    page.goto(url)
    expect(page.locator("[data-testid=stApp][data-test-script-state=notRunning]")).to_be_visible()
    expect(page.locator("[data-testid=stMain] h1, [role=alert]").first).to_be_attached()
    expect(page.get_by_test_id("stException")).to_have_count(0)
    for element in ("script[src*=foreign]", "svg[onload]", "[data-testid=stMain] .katex", "[onerror]"):
        expect(page.locator(element)).to_have_count(0)
    assert hosts - {""} == {urlsplit(url).netloc}  # "": of data: and blob: addresses


@pytest.mark.parametrize("path", PAGES + ODD_QUERIES, ids=lambda path: re.sub(r"[^\w/?=&]", "", path)[:40])
def test_a_hostile_catalogue_or_address_neither_ends_a_page_nor_asks_a_foreign_host(
    laptop: Page, hostile_ui: str, path: str
) -> None:
    look_at(laptop, hostile_ui + path)


@pytest.mark.parametrize("text", TEXTS[:3])
def test_a_toast_with_a_hostile_sentence_is_text(
    laptop: Page, hostile_ui: str, gateway: HostileGateway, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "texts", [text])
    look_at(laptop, hostile_ui)
    laptop.locator(".st-key-card-recommended-0").get_by_role("button", name="Buy").click()
    toast = laptop.get_by_test_id("stToast").first
    expect(toast).to_contain_text("Not noted:")
    expect(toast.locator("img, a, h1, script")).to_have_count(0)


def test_a_long_title_in_the_history_is_clipped_and_shown_whole_under_the_pointer(
    laptop: Page, hostile_ui: str, gateway: HostileGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    sentence, word, short = " ".join(["Hand painted bird ornament"] * 8), "x" * 200, "Lamp"
    monkeypatch.setattr(gateway, "texts", [sentence, word, short])
    look_at(laptop, f"{hostile_ui}/?user=u")
    for place in range(3):
        row = laptop.locator(f".st-key-event-{place}")
        title, facts = box(row.locator("a:visible code")), box(row.locator(".facts"))
        assert title["y"] + title["height"] <= facts["y"]
        assert title["height"] < 50  # two lines
        assert title["x"] + title["width"] <= box(row)["x"] + box(row)["width"]
    laptop.locator(".st-key-event-0").get_by_role("link").hover()
    expect(laptop.get_by_test_id("stTooltipContent")).to_have_text(sentence)
    expect(laptop.locator(".st-key-event-2").get_by_test_id("stTooltipHoverTarget")).to_have_count(0)


def box(element: Locator) -> FloatRect:
    """Where it stands, in pixels."""
    found = element.bounding_box()
    assert found is not None
    return found


@settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=60), min_size=8, max_size=12))
def test_no_text_at_all_ends_a_page(laptop: Page, hostile_ui: str, gateway: HostileGateway, texts: list[str]) -> None:
    gateway.texts = texts
    try:
        for path in ("/?user=u", "/item?item=i", "/catalogue", "/model"):
            look_at(laptop, hostile_ui + path)
    finally:
        gateway.texts = TEXTS
