"""A shop that changes while it is asked: items off sale, pages of a list, arms, exposures, users to be forgotten."""

import asyncio
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from google.protobuf.message import Message

from gateway.experiments.file import Arm, Experiment
from gateway.lists.recommend import Recommender
from gateway.requests import Blend, Diversity
from gateway.settings import Settings
from gateway.shop.live_shop import LiveShop, go_live
from recsys.errors import StoreUnavailableError
from recsys.feature_store.interface import Erasure, Event, Exposure, PackedHistory, Profile, Subject
from recsys.shop.item import ItemChange
from recsys.v1.candidate_gen_service_pb2 import GetCandidatesRequest
from recsys.v1.reranker_service_pb2 import RerankRequest
from recsys.v1.user_service_pb2 import GetHistoryRequest

pytestmark = pytest.mark.anyio


async def ask(client: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    response = await client.post("/v1/recommendations", json=body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def ids(answer: dict[str, Any]) -> list[str]:
    return [item["item_id"] for item in answer["items"]]


async def test_everything_that_is_asked_reaches_the_services(
    client: httpx.AsyncClient, received: list[Message]
) -> None:
    await ask(
        client,
        user_id="7",
        item_ids=["item-01"],
        count=3,
        filter={
            "categories": ["Home"],
            "min_price": 1,
            "max_price": 2,
            "attributes": {"brand": "A"},
            "exclude_item_ids": ["item-02"],
        },
        exclude_seen=["purchase"],
        blend={"personal": 0.5, "recency": 0.5},
        diversity={"mmr_lambda": 0.7, "max_per_category": 2},
        rules=[{"name": "sale", "category": "Home", "boost": 2}, {"name": "first", "item_id": "x", "pin_position": 1}],
        explain=True,
    )
    first, second = received
    assert isinstance(first, GetCandidatesRequest)
    assert isinstance(second, RerankRequest)
    assert list(first.filter.categories) == ["Home"]
    assert (first.filter.min_price, first.filter.max_price, dict(first.filter.attributes)) == (1, 2, {"brand": "A"})
    assert (list(first.basket_item_ids), list(first.seen_event_types), first.explain) == (
        ["item-01"],
        ["purchase"],
        True,
    )
    assert (second.blend.personal, second.blend.popularity, second.blend.recency) == (0.5, 0, 0.5)
    assert (second.diversity.mmr_lambda, second.diversity.max_per_category) == (0.7, 2)
    assert [rule.WhichOneof("effect") for rule in second.rules] == ["boost", "pin_position"]
    assert second.explain
    assert second.filter == first.filter  # a pinned item need not be a candidate


@pytest.mark.parametrize(
    ("body", "location"),
    [
        ({"count": 0}, "body.count"),
        ({"count": 10**30}, "body.count"),
        ({"count": "10"}, "body.count"),
        ({"user_id": "a", "session_id": "b"}, "body"),
        ({"user_id": ""}, "body.user_id"),
        ({"filter": {"min_price": 2, "max_price": 1}}, "body.filter"),
        ({"filter": {"categories": "Home"}}, "body.filter.categories"),
        ({"blend": {"personal": 0}}, "body.blend"),
        ({"rules": [{"name": "x", "boost": 1}]}, "body.rules.0"),
        ({"cursor": "x", "user_id": "a"}, "body"),
        ({"surprise": 1}, "body.surprise"),
    ],
)
async def test_what_cannot_be_is_422_and_names_the_place(
    client: httpx.AsyncClient, body: dict[str, Any], location: str
) -> None:
    response = await client.post("/v1/recommendations", json=body)
    assert response.status_code == 422
    assert location in [error["location"] for error in response.json()["errors"]]


async def test_an_item_taken_off_sale_is_in_no_answer_of_this_gateway_any_more(client: httpx.AsyncClient) -> None:
    assert ids(await ask(client, user_id="7"))[0] == "item-19"
    changed = await client.patch("/v1/items/item-19", json={"available": False})
    assert changed.json()["items"][0]["item_id"] == "item-19"
    assert (await client.delete("/v1/items/item-18")).status_code == 200
    answer = await ask(client, user_id="7")
    assert ids(answer)[0] == "item-17"
    assert len(ids(answer)) == 10
    for path in ("/v1/items/popular?count=30", "/v1/items/item-04/similar?count=30"):
        shown = ids((await client.get(path)).json())
        assert not {"item-18", "item-19"} & set(shown)
        assert shown
    await client.patch("/v1/items/item-19", json={"available": True})
    assert ids(await ask(client, user_id="7"))[0] == "item-19"


async def test_a_bulk_of_changes_is_applied_in_order(client: httpx.AsyncClient, live: LiveShop) -> None:
    changes = [
        {"op": "put", "item_id": "new", "title": "T", "attributes": {"brand": "A", "size": "L"}},
        {"op": "patch", "item_id": "new", "price": 2.5, "attributes": {"size": None}},
        {"op": "delete", "item_id": "old"},
    ]
    done = (await client.post("/v1/items/bulk", json={"changes": changes})).json()
    assert (done["changed"], [one["deleted"] for one in done["items"]]) == (3, [False, False, True])
    record = live.record("new")
    assert record is not None
    assert record.fields == {"title": "T", "price": 2.5, "attributes.brand": "A", "attributes.size": None}
    assert live.is_hidden("old")


async def test_a_patch_of_an_item_that_nobody_knows_is_404_and_a_put_creates_it(client: httpx.AsyncClient) -> None:
    assert (await client.patch("/v1/items/fresh", json={"price": 1})).status_code == 404
    assert (await client.put("/v1/items/fresh", json={"title": "Fresh"})).status_code == 200
    assert (await client.patch("/v1/items/fresh", json={"price": 1})).status_code == 200


async def test_the_history_has_live_events_first(client: httpx.AsyncClient) -> None:
    await client.post("/v1/events", json={"user_id": "7", "item_id": "item-09", "type": "cart"})
    history = (await client.get("/v1/users/7/history")).json()
    newest = history["items"][0]
    assert (newest["item_id"], newest["event_type"]) == ("item-09", "cart")
    assert history["total"] == 8


async def test_what_was_looked_at_lately_is_listed_once_latest_first_while_it_is_on_sale(
    client: httpx.AsyncClient, received: list[Message]
) -> None:
    seen = ["item-09", "item-08", "item-07", "item-09", "missing"]
    rows = [{"session_id": "s", "item_id": item, "type": "view", "timestamp": 10**9 + n} for n, item in enumerate(seen)]
    rows.append({"session_id": "s", "item_id": "item-08", "type": "purchase"})
    await client.post("/v1/events", json={"events": [*rows, {"session_id": "s", "item_id": "item-05", "type": "cart"}]})
    await client.patch("/v1/items/item-07", json={"available": False})

    async def viewed(**asked: object) -> list[tuple[str, str]]:
        found = (await client.get("/v1/recently-viewed", params=asked)).json()
        assert found["degraded"] is False
        return [(each["item_id"], each["last_event_at"]) for each in found["items"]]

    assert await viewed(session_id="s") == [("item-09", "2001-09-09T01:46:43Z"), ("item-08", "2001-09-09T01:46:41Z")]
    assert await viewed(session_id="s", count=1) == [("item-09", "2001-09-09T01:46:43Z")]
    assert [item for item, _ in await viewed(session_id="s", event_type="cart")] == ["item-05"]
    assert await viewed(session_id="another") == []
    assert not [one for one in received if isinstance(one, GetHistoryRequest)]  # a session is in no model

    await client.post("/v1/users/new/sessions", json={"session_id": "s"})
    assert [item for item, _ in await viewed(user_id="new")][:2] == ["item-09", "item-08"]
    assert await viewed(session_id="s") == await viewed(user_id="new")
    await client.delete("/v1/users/new")
    assert await viewed(user_id="new") == []


@pytest.mark.parametrize(
    "asked", [{}, {"user_id": "7", "session_id": "s"}, {"user_id": ""}, {"user_id": "7", "count": 0}]
)
async def test_recently_viewed_items_are_of_one_subject(client: httpx.AsyncClient, asked: dict[str, str]) -> None:
    response = await client.get("/v1/recently-viewed", params=asked)
    assert response.status_code in (400, 422)
    assert response.json()["detail"]


async def test_an_erased_user_is_forgotten_and_the_report_says_how_far(
    client: httpx.AsyncClient, live: LiveShop
) -> None:
    await client.post("/v1/events", json={"user_id": "7", "item_id": "item-09", "type": "cart"})
    assert (await client.get("/v1/users/7/erasure")).status_code == 404
    response = await client.delete("/v1/users/7")
    assert response.status_code == 202
    report = response.json()
    assert (report["store_entries"] > 0, report["lake_rows"], report["model_is_newer"]) == (True, None, False)
    assert (await client.get("/v1/users/7/erasure")).json() == report
    assert live.store is not None
    assert (await live.store.profile(Subject("user", "7"))).recent == ()


async def test_a_recommendation_is_logged_with_its_arm_and_an_event_with_the_list_that_it_answers(
    client: httpx.AsyncClient, live: LiveShop, received: list[Message]
) -> None:
    assert live.store is not None
    arms = (Arm(name="plain", share=0), Arm(name="fresh", share=1, blend=Blend(recency=0.5), candidates=25))
    live.experiments.__init__([Experiment(name="exp", arms=arms)])  # type: ignore[misc] # as if read from the file
    await live.experiments.refresh(live.store)
    answer = await ask(client, user_id="7", count=2)
    assert answer["experiment"] == {"name": "exp", "arm": "fresh", "version_not_held": None}
    first, second = received
    assert isinstance(first, GetCandidatesRequest)
    assert isinstance(second, RerankRequest)
    assert (first.count, second.blend.recency) == (25, 0.5)
    click = {"user_id": "7", "item_id": "item-24", "type": "view", "list_id": answer["list_id"], "position": 1}
    await client.post("/v1/events", json=click)
    await live.exposures.flush()
    entries = [each.entry for each in await live.store.read_stream(after_sequence=0, limit=5)]
    event, exposure = sorted(entries, key=lambda entry: isinstance(entry, Exposure))  # it may be written first
    assert isinstance(exposure, Exposure)
    assert isinstance(event, Event)
    assert (exposure.list_id, exposure.item_ids) == (answer["list_id"], ("item-24", "item-23"))
    assert (exposure.experiment, exposure.arm, exposure.request_id) == ("exp", "fresh", answer["request_id"])
    assert exposure.sources == tuple(",".join(item["sources"]) for item in answer["items"])
    assert exposure.level == answer["level"] == "full"
    assert (event.list_id, event.request_id, event.position) == (answer["list_id"], None, 1)


async def test_two_lists_under_one_trace_id_are_two_exposures(client: httpx.AsyncClient, live: LiveShop) -> None:
    answers = [
        (await client.post("/v1/recommendations", json={"user_id": "7"}, headers={"X-Request-ID": "t"})).json()
        for _ in range(2)
    ]
    await live.exposures.flush()
    assert live.store is not None
    stream = [each.entry for each in await live.store.read_stream(after_sequence=0, limit=5)]
    exposures = [one for one in stream if isinstance(one, Exposure)]
    assert [one.list_id for one in exposures] == [answer["list_id"] for answer in answers]
    assert [one.request_id for one in exposures] == [answer["request_id"] for answer in answers] == ["t", "t"]
    assert len({one.list_id for one in exposures}) == 2


@pytest.mark.parametrize("way", ["events", "sessions"])
async def test_signing_in_keeps_the_arm(client: httpx.AsyncClient, live: LiveShop, way: str) -> None:
    assert live.store is not None
    arms = (Arm(name="a", share=0.5), Arm(name="b", share=0.5))
    live.experiments.__init__([Experiment(name="exp", arms=arms)])  # type: ignore[misc] # as if read from the file
    await live.experiments.refresh(live.store)
    before, after = [], []
    for number in range(24):
        before.append((await ask(client, session_id=f"s{number}", count=1))["experiment"]["arm"])
        if way == "events":
            event = {"user_id": f"u{number}", "session_id": f"s{number}", "item_id": "item-01", "type": "view"}
            await client.post("/v1/events", json=event)
        else:
            await client.post(f"/v1/users/u{number}/sessions", json={"session_id": f"s{number}"})
        after.append((await ask(client, user_id=f"u{number}", count=1))["experiment"]["arm"])
    assert set(before) == {"a", "b"}
    assert after == before


async def test_who_cannot_be_looked_up_is_given_no_arm(
    client: httpx.AsyncClient, live: LiveShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert live.store is not None
    arms = (Arm(name="a", share=0.5), Arm(name="b", share=0.5))
    live.experiments.__init__([Experiment(name="exp", arms=arms)])  # type: ignore[misc] # as if read from the file
    await live.experiments.refresh(live.store)

    async def unavailable(_subject: Subject, *, after_sequence: int) -> Profile:
        raise StoreUnavailableError("unavailable")

    monkeypatch.setattr(live.store, "profile", unavailable)
    answer = await ask(client, user_id="7")
    assert (answer["level"], answer["experiment"]) == ("without_live_state", None)


async def test_an_arm_whose_version_is_not_held_is_answered_by_the_live_one_and_says_so(
    client: httpx.AsyncClient, live: LiveShop, held: dict[str, list[str]]
) -> None:
    assert live.store is not None
    arms = (Arm(name="plain", share=0), Arm(name="old", share=1, artifact_version="v1"))
    live.experiments.__init__([Experiment(name="exp", arms=arms)])  # type: ignore[misc] # as if read from the file
    await live.experiments.refresh(live.store)
    pinned = await ask(client, user_id="7")
    assert (pinned["artifact_version"], pinned["experiment"]["version_not_held"]) == ("v1", None)
    held["reranker"] = ["v2"]
    fallen_back = await ask(client, user_id="7")
    assert (fallen_back["artifact_version"], fallen_back["experiment"]["version_not_held"]) == ("v2", "v1")


async def test_what_was_shown_to_an_erased_user_is_not_written_any_more(
    client: httpx.AsyncClient, live: LiveShop
) -> None:
    await ask(client, user_id="7")
    await client.delete("/v1/users/7")
    await live.exposures.flush()
    assert live.store is not None
    assert [type(each.entry) for each in await live.store.read_stream(after_sequence=0, limit=5)] == [Erasure]


async def test_the_history_of_a_users_training_goes_on_to_the_service_as_the_store_has_it(
    client: httpx.AsyncClient, live: LiveShop, received: list[Message]
) -> None:
    assert live.store is not None
    await live.store.write_histories([PackedHistory("7", 5, "packed")])
    await ask(client, user_id="7")
    await ask(client, user_id="8")
    await client.get("/v1/users/7/history")
    sent = [one.history for one in received if isinstance(one, GetCandidatesRequest | GetHistoryRequest)]
    assert sent == ["packed", "", "packed"]


async def test_an_erased_user_is_a_stranger_in_the_very_next_answer(
    client: httpx.AsyncClient, received: list[Message]
) -> None:
    """Though the fake service goes on knowing them, as a real one does for a moment."""
    assert (await ask(client, user_id="ä"))["vector"] == "trained"
    assert (await client.delete("/v1/users/ä")).status_code == 202

    posted = await ask(client, user_id="ä")
    got = (await client.get("/v1/users/ä/recommendations")).json()
    assert [(each["vector"], each["user_known"]) for each in (posted, got)] == [("none", False)] * 2
    asked = [one.erased_sequence for one in received if isinstance(one, GetCandidatesRequest)]
    assert asked[0] == 0
    assert asked[1] == asked[2] > 0
    past = (await client.get("/v1/users/ä/history")).json()
    assert (past["items"], past["total"], past["user_known"]) == ([], 0, False)
    assert [user["user_id"] for user in (await client.get("/v1/users")).json()["users"]] == ["a/b", "ß"]
    assert (await ask(client, user_id="7"))["vector"] == "trained"


async def test_who_was_erased_and_comes_back_is_known_to_the_model_that_is_trained_after_it(
    client: httpx.AsyncClient, live: LiveShop, trained_up_to: dict[str, int]
) -> None:
    await client.delete("/v1/users/ä")
    assert live.store is not None
    erasure = await live.store.erasure("ä")
    assert erasure is not None
    trained_up_to["v2"] = erasure.sequence
    assert (await ask(client, user_id="ä"))["vector"] == "trained"
    assert (await client.get("/v1/users/ä/history")).json()["total"] == 7
    assert "ä" in [user["user_id"] for user in (await client.get("/v1/users")).json()["users"]]
    assert (await client.get("/v1/users/ä/erasure")).json()["model_is_newer"] is True

    trained_up_to["v2"] = erasure.sequence - 1  # an older model goes live again
    assert (await ask(client, user_id="ä"))["vector"] == "none"


async def test_another_gateway_masks_an_erased_user_as_soon_as_it_has_followed_the_store(
    client: httpx.AsyncClient, live: LiveShop, store_url: str
) -> None:
    async with go_live(Settings(feature_store_url=store_url)) as another:
        await client.delete("/v1/users/7")
        async with asyncio.timeout(20):
            while not another.erased_sequence("7"):
                await asyncio.sleep(0)
        assert not another.erased_sequence("8")
    assert live.erased_sequence("7")


async def test_what_is_off_sale_when_the_process_starts_is_known_before_it_answers(
    live: LiveShop, store_url: str
) -> None:
    assert live.store is not None
    await live.store.change_items([ItemChange("a", "delete")], now_ms=1)
    async with go_live(Settings(feature_store_url=store_url)) as another:
        assert another.is_hidden("a")


async def test_the_history_counts_every_live_item_also_beyond_the_recent_events(client: httpx.AsyncClient) -> None:
    rows = [{"user_id": "7", "item_id": f"live-{number}", "type": "view"} for number in range(201)]
    for start in (0, 100):
        await client.post("/v1/events", json={"events": rows[start : start + 100] if start == 0 else rows[100:]})
    history = (await client.get("/v1/users/7/history")).json()
    assert history["total"] == 7 + 201
    await client.post("/v1/events", json={"user_id": "7", "item_id": "item-04", "type": "view"})
    assert (await client.get("/v1/users/7/history")).json()["total"] == 7 + 201  # the model knows that one


async def test_what_was_returned_or_never_bought_is_neither_in_the_history_nor_left_out_of_lists(
    client: httpx.AsyncClient, received: list[Message]
) -> None:
    acts = [("purchase", "kept"), ("purchase", "kept"), ("purchase", "returned"), ("view", "seen")]
    acts += [("remove", one) for one in ("kept", "returned", "seen", "never")]
    rows = [
        {"user_id": "new", "item_id": item, "type": act, "timestamp": n} for n, (act, item) in enumerate(acts, 10**9)
    ]
    await client.post("/v1/events", json={"events": rows})
    await client.post("/v1/recommendations", json={"user_id": "new"})
    [asked] = [one for one in received if isinstance(one, GetCandidatesRequest)]
    assert list(asked.seen_item_ids) == ["kept", "seen"]
    history = (await client.get("/v1/users/new/history")).json()
    live = [(one["item_id"], one["event_type"]) for one in history["items"][-2:]]
    assert live == [("seen", "view"), ("kept", "purchase")]
    assert history["total"] == 7 + 2


async def test_what_was_returned_in_part_is_still_bought(client: httpx.AsyncClient) -> None:
    for n, (act, pieces) in enumerate([("purchase", 6), ("remove", 5), ("remove", 1)], 10**9):
        row = {"user_id": "new", "item_id": "mug", "type": act, "quantity": pieces, "timestamp": n}
        await client.post("/v1/events", json=row)
        bought = [one["item_id"] for one in (await client.get("/v1/users/new/history")).json()["items"]]
        assert ("mug" in bought) == (n < 10**9 + 2)


async def test_a_user_who_is_in_the_trained_history_and_live_has_each_item_once(client: httpx.AsyncClient) -> None:
    await client.post("/v1/events", json={"user_id": "7", "item_id": "item-04", "type": "view"})
    history = (await client.get("/v1/users/7/history", params={"count": 1})).json()
    assert [(each["item_id"], each["event_type"]) for each in history["items"]] == [("item-04", "view")]
    assert history["total"] == 7


async def test_without_a_store_events_are_503_with_the_setting_to_make_and_lists_are_served(
    app: Any, client: httpx.AsyncClient
) -> None:
    app.state.parts = replace(app.state.parts, live=LiveShop())
    response = await client.post("/v1/events", json={"user_id": "7"})
    assert response.status_code == 503
    assert response.json()["detail"] == "no feature store: set GATEWAY_FEATURE_STORE_URL"
    assert (await client.get("/v1/items/popular")).status_code == 200
    assert (await ask(client, user_id="7"))["level"] == "full"


async def test_weights_of_the_request_count_before_those_of_the_settings(
    app: FastAPI, client: httpx.AsyncClient, received: list[Message]
) -> None:
    recommender: Recommender = app.state.parts.recommender
    settings = recommender.settings.model_copy(
        update={"blend": Blend(recency=0.5), "diversity": Diversity(max_per_category=3)}
    )
    app.state.parts = replace(app.state.parts, recommender=replace(recommender, settings=settings))
    await ask(client, user_id="7")
    await ask(client, user_id="7", blend={"popularity": 0.25}, diversity={"mmr_lambda": 0.5})
    of_the_settings, of_the_request = (one for one in received if isinstance(one, RerankRequest))
    assert (of_the_settings.blend.recency, of_the_settings.diversity.max_per_category) == (0.5, 3)
    assert (of_the_request.blend.popularity, of_the_request.blend.recency) == (0.25, 0)
    assert (of_the_request.diversity.mmr_lambda, of_the_request.diversity.max_per_category) == (0.5, 0)
