"""What the page tells Prometheus is what docs/metrics.md says of it, and each metric gets a sample."""

import re
from pathlib import Path

import httpx
import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from streamlit.testing.v1 import AppTest

from ui import metrics
from ui.gateway_client import GatewayClient, GatewayError

DOCUMENT = Path(__file__).resolve().parents[3] / "docs/metrics.md"


def value(name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(name, labels) or 0.0


def test_the_table_says_what_is_told() -> None:
    rows = re.findall(
        r"^\| `(recsys_\w+)` \| (\w+) \|([^|]*)\|([^|]*)\|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE
    )
    documented = {
        (name, kind, frozenset(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels, of in rows
        if "ui" in of.strip().split(", ")
    }
    told = {
        (family.name, family.type, frozenset(label for one in family.samples for label in one.labels) - {"le"})
        for family in text_string_to_metric_families(generate_latest(metrics.registry).decode())
        if family.name.startswith("recsys_") and not family.name.endswith("_created")
    }
    assert told == documented


def test_a_page_that_is_made_and_the_calls_for_it_are_counted(app: AppTest) -> None:
    pages = value("recsys_page_latency_seconds_count", page="for-you", outcome="ok")
    calls = value("recsys_page_call_latency_seconds_count", status="200")
    app.run()
    assert value("recsys_page_latency_seconds_count", page="for-you", outcome="ok") == pages + 1
    assert value("recsys_page_call_latency_seconds_count", status="200") > calls


def test_a_gateway_that_does_not_answer_is_counted_without_a_status() -> None:
    before = value("recsys_page_call_latency_seconds_count", status="")
    with httpx.Client(base_url="http://127.0.0.1:9") as nobody, pytest.raises(GatewayError):
        GatewayClient(nobody).model()
    assert value("recsys_page_call_latency_seconds_count", status="") == before + 1


def test_a_page_that_fails_is_counted_as_an_error() -> None:
    before = value("recsys_page_latency_seconds_count", page="for-you", outcome="error")
    with pytest.raises(GatewayError), metrics.page_run("for-you"):
        raise GatewayError("no answer")
    assert value("recsys_page_latency_seconds_count", page="for-you", outcome="error") == before + 1


def test_every_page_has_a_sample_before_it_is_first_made() -> None:
    app = Path(metrics.__file__).with_name("app.py").read_text(encoding="utf-8")
    pages = re.findall(r'url_path="([^"]+)"', app)
    assert len(pages) >= 8
    for page in pages:
        assert (
            metrics.registry.get_sample_value("recsys_page_latency_seconds_count", {"page": page, "outcome": "error"})
            is not None
        ), page
