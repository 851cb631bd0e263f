"""A shop that starts with nothing, as real processes: it serves what is new, takes events, and learns from them."""

import random
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from waiting import PATIENT, WITHIN_S, until

from tools.local_stack import PYTHON, LocalStack, Ports

ITEMS: Final = [f"i{item:02}" for item in range(40)]
USERS: Final = 60
START: Final = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[httpx.Client]:
    volume = tmp_path / "volume"
    subprocess.run([PYTHON, "-m", "trainer", "train", "--empty", "--artifact-dir", volume], check=True)
    jobs = {"event_sink": [], "trainer": ["schedule", "--every", "2s", "--min-new-events", "1", "--empty"]}
    settings = PATIENT | {"GATEWAY_EXPLORATION": "0"}
    with (
        LocalStack(volume, ports=Ports.free(), log_dir=tmp_path / "logs", jobs=jobs, environment=settings) as stack,
        httpx.Client(base_url=stack.gateway_url, timeout=WITHIN_S) as rest,
    ):
        yield rest


def served(api: httpx.Client, **who: str) -> list[dict[str, Any]]:
    answer = api.post("/v1/recommendations", json={"count": 10, "preview": True, **who}).raise_for_status().json()
    items: list[dict[str, Any]] = answer["items"]
    return items


def model(api: httpx.Client) -> str:
    return str(api.get("/v1/model").raise_for_status().json()["model"])


def purchases(rng: random.Random) -> list[dict[str, Any]]:
    """Every user keeps to the even items or to the odd ones, over half a year."""
    return [
        {
            "event_id": f"u{user}-{item}",
            "user_id": f"u{user}",
            "item_id": item,
            "type": "purchase",
            "timestamp": (START + timedelta(minutes=rng.randrange(180 * 24 * 60))).isoformat(),
        }
        for user in range(USERS)
        for item in rng.sample(ITEMS[user % 2 :: 2], 14)
    ]


def test_a_shop_without_history_serves_what_is_new_then_what_is_popular_then_what_people_like(
    api: httpx.Client,
) -> None:
    assert served(api, user_id="u0") == []
    changes = [{"op": "put", "item_id": item, "title": item} for item in ITEMS]
    api.post("/v1/items/bulk", json={"changes": changes}).raise_for_status()
    until(lambda: served(api, user_id="u0"), lambda new: len(new) == 10)
    assert model(api) == "popularity"

    events = purchases(random.Random(0))
    for n in range(0, len(events), 500):
        api.post("/v1/events", json={"events": events[n : n + 500]}).raise_for_status()
    until(lambda: model(api), lambda name: name != "popularity")
    own = {item for item in ITEMS if int(item[1:]) % 2 == 0}
    had = {event["item_id"] for event in events if event["user_id"] == "u0"}
    first = [item["item_id"] for item in served(api, user_id="u0")][: len(own - had)]
    assert set(first) == own - had
