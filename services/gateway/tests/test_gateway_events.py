"""Events: what is stored, what is rejected and why, and that the next answer knows."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from fastapi import FastAPI
from google.protobuf.message import Message

from gateway.settings import Settings
from gateway.shop.live_shop import LiveShop
from recsys.errors import StoreUnavailableError
from recsys.feature_store.interface import Appended, Event, Subject
from recsys.v1.candidate_gen_service_pb2 import GetCandidatesRequest

pytestmark = pytest.mark.anyio

JSON = {"Content-Type": "application/json"}
VIEW = {"user_id": "7", "item_id": "item-03", "type": "view"}


def asked_for(received: list[Message]) -> GetCandidatesRequest:
    """The last request for candidates."""
    [*_, last] = [one for one in received if isinstance(one, GetCandidatesRequest)]
    return last


async def test_an_event_is_in_the_very_next_request_for_candidates(
    client: httpx.AsyncClient, received: list[Message]
) -> None:
    posted = await client.post("/v1/events", json=VIEW | {"timestamp": 1_700_000_000, "event_id": "e1"})
    assert posted.status_code == 200
    assert posted.json() == {
        "accepted": 1,
        "duplicates": 0,
        "rejected": [],
        "unknown_items": 0,
        "clock_skewed": 0,
        "event_ids": ["e1"],
    }
    answer = (await client.post("/v1/recommendations", json={"user_id": "7"})).json()
    request = asked_for(received)
    [event] = request.events
    assert (event.item_id, event.event_type) == ("item-03", "view")
    assert 1_000_000_000 < event.unix_s < 100_000_000_000  # seconds
    assert list(request.seen_item_ids) == ["item-03"]
    assert (answer["vector"], answer["subject"]) == ("folded_in", {"user_id": "7", "session_id": None})


async def test_a_batch_stores_the_good_rows_and_says_for_each_bad_one_why(
    client: httpx.AsyncClient, live: LiveShop
) -> None:
    rows: list[Any] = [
        VIEW | {"event_id": "a"},
        VIEW | {"type": "hover"},
        {"item_id": "item-03", "type": "view"},
        VIEW | {"event_id": "a"},
        VIEW | {"value": "dear"},
        "no event",
        VIEW | {"timestamp": "yesterday"},
        VIEW | {"surprise": 1},
        VIEW | {"quantity": 0},
        VIEW | {"quantity": -6},
        VIEW | {"quantity": 1_000_001},
        VIEW | {"quantity": 1.5},
        VIEW | {"quantity": "6"},
        VIEW | {"quantity": True},
    ]
    outcome = (await client.post("/v1/events", json={"events": rows})).json()
    assert (outcome["accepted"], outcome["duplicates"], outcome["event_ids"]) == (2, 1, ["a", "a"])
    reasons = {one["index"]: one["reason"] for one in outcome["rejected"]}
    assert sorted(reasons) == [1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]
    assert reasons[1] == "type: expected one of view, cart, purchase, remove; found 'hover'"
    assert reasons[2] == "give user_id, session_id or both"
    assert reasons[4].startswith("value: ")
    assert "'dear'" in reasons[4]
    assert reasons[5] == "expected an object, found 'no event'"
    assert reasons[6].startswith("timestamp: expected ISO 8601 with a zone")
    assert reasons[6].endswith("found 'yesterday'")
    assert reasons[7].startswith("surprise: expected one of event_id, user_id,")
    assert reasons[9] == "quantity: Input should be greater than or equal to 1, found -6"
    assert reasons[10] == "quantity: Input should be less than or equal to 1000000, found 1000001"
    assert all(reasons[index].startswith("quantity: ") for index in range(8, 14))
    assert live.store is not None
    assert len((await live.store.profile(Subject("user", "7"))).recent) == 1


async def test_six_pieces_are_one_event_and_an_event_without_a_quantity_is_of_one(
    client: httpx.AsyncClient, live: LiveShop
) -> None:
    bought = VIEW | {"type": "purchase", "value": 2.5}
    for row in (bought | {"quantity": 6}, bought):
        assert (await client.post("/v1/events", json=row)).json()["accepted"] == 1
    assert live.store is not None
    found = [one.entry for one in await live.store.read_stream(after_sequence=0, limit=10)]
    assert [(one.quantity, one.value, one.weight) for one in found if isinstance(one, Event)] == [
        (6, 2.5, 5.0),
        (1, 2.5, 5.0),
    ]


async def test_a_request_of_bad_events_only_is_422_with_each_reason(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/events", json=VIEW | {"type": "hover", "event_id": "e"})
    assert response.status_code == 422
    problem = response.json()
    reason = "type: expected one of view, cart, purchase, remove; found 'hover'"
    assert problem["rejected"] == [{"index": 0, "event_id": "e", "reason": reason}]
    assert problem["detail"] == f"no event was stored: {reason}"


async def test_unknown_items_are_kept_and_counted(client: httpx.AsyncClient, received: list[Message]) -> None:
    rows = [VIEW | {"item_id": one} for one in ("brand-new", "brand-new", "item-03", "other")]
    assert (await client.post("/v1/events", json={"events": rows})).json()["unknown_items"] == 2
    await client.post("/v1/recommendations", json={"user_id": "7"})
    assert "brand-new" in {event.item_id for event in asked_for(received).events}


async def test_events_are_taken_while_the_catalogue_cannot_be_asked(
    client: httpx.AsyncClient, failures: dict[str, tuple[grpc.StatusCode, str]]
) -> None:
    failures["FindUnknownItems"] = (grpc.StatusCode.INTERNAL, "")
    outcome = (await client.post("/v1/events", json=VIEW)).json()
    assert (outcome["accepted"], outcome["unknown_items"]) == (1, None)


async def test_a_time_in_the_future_counts_as_now_and_is_reported(client: httpx.AsyncClient, live: LiveShop) -> None:
    ahead = time.time() + 3600
    assert (await client.post("/v1/events", json=VIEW | {"timestamp": ahead})).json()["clock_skewed"] == 1
    assert live.store is not None
    [stored] = (await live.store.profile(Subject("user", "7"))).recent
    assert stored.unix_ms < (ahead - 1800) * 1000


async def test_a_session_becomes_its_user_when_an_event_names_both(
    client: httpx.AsyncClient, received: list[Message]
) -> None:
    guest = {"session_id": "s", "item_id": "item-01", "type": "view"}
    await client.post("/v1/events", json=guest)
    await client.post("/v1/events", json=guest | {"user_id": "7", "item_id": "item-02"})
    answer = (await client.post("/v1/recommendations", json={"session_id": "s"})).json()
    assert answer["subject"] == {"user_id": "7", "session_id": None}
    assert [event.item_id for event in asked_for(received).events] == ["item-02", "item-01"]


@pytest.mark.parametrize(
    "body", ["", "{", "[]", '"x"', "3", '{"events": 3}', '{"events": []}', '{"events": [], "x": 1}']
)
async def test_a_body_that_holds_no_events_is_400(client: httpx.AsyncClient, body: str) -> None:
    response = await client.post("/v1/events", content=body)
    assert response.status_code == 400
    assert response.json()["detail"].startswith("body: expected ")


async def test_more_events_than_allowed_are_400_and_a_longer_body_is_413(client: httpx.AsyncClient) -> None:
    assert (await client.post("/v1/events", json={"events": [VIEW] * 1001})).status_code == 400
    too_long = json.dumps({"events": [VIEW | {"event_id": "x" * 500}] * 3000})
    response = await client.post("/v1/events", content=too_long)
    assert response.status_code == 413
    assert response.json()["detail"] == "body: expected at most 1,048,576 bytes"


async def test_nothing_is_acknowledged_while_the_store_is_unavailable(
    client: httpx.AsyncClient, live: LiveShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unavailable(*_: object, **__: object) -> None:
        raise StoreUnavailableError("the disk is full")

    monkeypatch.setattr(live.store, "append", unavailable)
    response = await client.post("/v1/events", json=VIEW)
    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"
    assert "disk" not in response.text


async def test_a_store_that_is_unavailable_costs_an_answer_its_live_part_only(
    client: httpx.AsyncClient, live: LiveShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unavailable(*_: object, **__: object) -> None:
        raise StoreUnavailableError("gone")

    monkeypatch.setattr(live.store, "profile", unavailable)
    answer = (await client.post("/v1/recommendations", json={"user_id": "7"})).json()
    assert (answer["degraded"], answer["level"], len(answer["items"])) == (True, "without_live_state", 10)


async def test_a_store_that_is_slow_costs_no_more_than_one_that_is_unavailable(
    app: FastAPI, client: httpx.AsyncClient, live: LiveShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slow(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(live.store, "profile", slow)
    impatient = app.state.parts.settings.model_copy(update={"store_timeout_s": 0.01})
    app.state.parts = replace(app.state.parts, recommender=replace(app.state.parts.recommender, settings=impatient))
    answer = (await client.post("/v1/recommendations", json={"session_id": "s"})).json()
    assert (answer["level"], len(answer["items"])) == ("without_live_state", 10)
    assert answer["subject"] == {"user_id": None, "session_id": "s"}
    app.state.parts = replace(app.state.parts, settings=impatient)
    history = (await client.get("/v1/users/7/history")).json()
    assert (history["degraded"], history["total"]) == (True, 7)


async def test_an_event_does_not_wait_for_ever_for_a_store_that_hangs(
    client: httpx.AsyncClient, live: LiveShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hangs(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(live.store, "append", hangs)
    monkeypatch.setattr("gateway.shop.events._STORE_S", 0.01)
    response = await client.post("/v1/events", json={"user_id": "7", "item_id": "item-01", "type": "view"})
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")


async def test_events_that_were_stored_behind_a_timeout_count_once_when_sent_again_with_the_ids_of_the_503(
    client: httpx.AsyncClient, live: LiveShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert live.store is not None
    append = live.store.append

    async def stores_and_hangs(events: Sequence[Event], *, now_ms: int) -> list[Appended]:
        await append(events, now_ms=now_ms)
        raise TimeoutError

    rows = [VIEW, VIEW | {"event_id": "mine"}, VIEW | {"type": "hover"}, VIEW]
    with monkeypatch.context() as patched:
        patched.setattr(live.store, "append", stores_and_hangs)
        response = await client.post("/v1/events", json={"events": rows})
    problem = response.json()
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert "may have been stored" in problem["detail"]
    assert [one["index"] for one in problem["rejected"]] == [2]
    first, mine, last = problem["event_ids"]
    assert mine == "mine"
    again = [VIEW | {"event_id": one} for one in (first, mine, last)]
    outcome = (await client.post("/v1/events", json={"events": again})).json()
    assert (outcome["accepted"], outcome["duplicates"]) == (3, 3)
    assert len((await live.store.profile(Subject("user", "7"))).recent) == 3


async def test_a_session_that_is_its_users_already_is_not_merged_again(
    client: httpx.AsyncClient, live: LiveShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert live.store is not None
    merges: list[str] = []
    merge = live.store.merge_session

    async def counted(session_id: str, *, user_id: str, now_ms: int) -> int:
        merges.append(user_id)
        return await merge(session_id, user_id=user_id, now_ms=now_ms)

    monkeypatch.setattr(live.store, "merge_session", counted)
    both = VIEW | {"session_id": "s"}
    await client.post("/v1/events", json={"events": [both, both]})
    await client.post("/v1/events", json=both)
    await client.post("/v1/events", json=both | {"user_id": "8"})
    assert merges == ["7", "8"]


@pytest.mark.parametrize("key", ["\ud800", "\x00"])
async def test_a_key_that_no_answer_can_repeat_is_refused_all_the_same(client: httpx.AsyncClient, key: str) -> None:
    response = await client.post("/v1/recommendations", content=json.dumps({key: 1}), headers=JSON)
    assert response.status_code == 422
    assert (await client.post("/v1/events", content=json.dumps(VIEW | {key: 1}))).status_code in (400, 422)


@pytest.mark.parametrize(
    "body",
    [
        "NaN",
        '{"blend": {"personal": NaN}}',
        '{"blend": {"personal": 1e999}}',
        '{"count": ' + "9" * 5000 + "}",
        "[" * 100_000,
        '{"user_id": "\\ud800"}',
        "\x00",
        "",
    ],
)
async def test_a_body_that_is_no_sound_json_is_the_callers_fault(client: httpx.AsyncClient, body: str) -> None:
    for method, path in [
        ("POST", "/v1/recommendations"),
        ("POST", "/v1/events"),
        ("POST", "/v1/items/bulk"),
        ("PUT", "/v1/items/x"),
        ("PATCH", "/v1/items/item-04"),
        ("POST", "/v1/users/7/sessions"),
    ]:
        response = await client.request(method, path, content=body, headers=JSON)
        assert response.status_code in (400, 422), (path, response.text)
        assert response.headers["content-type"] == "application/problem+json"
        assert (await client.request(method, path, content=b"\xff\xfe{}", headers=JSON)).status_code in (400, 422)


async def test_a_type_that_the_shops_mapping_gives_a_weight_is_taken_and_trends_by_it(
    app: FastAPI, client: httpx.AsyncClient, live: LiveShop, tmp_path: Path
) -> None:
    wish = VIEW | {"type": "wishlist"}
    refused = await client.post("/v1/events", json=wish)
    assert refused.status_code == 422
    assert "expected one of view, cart, purchase, remove; found 'wishlist'" in refused.text
    mapping_file = tmp_path / "mapping.toml"
    mapping_file.write_text('[columns]\nuser_id = "uid"\n[weights]\nwishlist = 2\n')
    app.state.parts = replace(app.state.parts, settings=Settings(mapping_file=mapping_file))
    assert (await client.post("/v1/events", json=wish)).status_code == 200
    assert live.store is not None
    [stored] = (await live.store.profile(Subject("user", "7"))).recent
    [counted] = await live.store.trending(limit=9, now_ms=stored.unix_ms)
    assert (stored.event_type, counted.weight) == ("wishlist", pytest.approx(2.0))


async def test_a_time_far_before_all_the_rest_counts_at_once_and_one_before_1970_is_rejected(
    client: httpx.AsyncClient, received: list[Message]
) -> None:
    assert (await client.post("/v1/events", json=VIEW | {"timestamp": 0})).json()["accepted"] == 1
    assert (await client.post("/v1/events", json=VIEW | {"timestamp": "1969-12-31T23:59:59Z"})).status_code == 422
    await client.post("/v1/recommendations", json={"user_id": "7"})
    assert list(asked_for(received).seen_item_ids) == ["item-03"]
