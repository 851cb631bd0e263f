"""Shop-wide rules: what the file says, or what was put since, reaches every list; a wrong file is named by its key."""

import asyncio
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from google.protobuf.message import Message

from gateway.app import create_app
from gateway.http.metrics import GatewayMetrics
from gateway.lists import rules
from gateway.lists.popular_list import PopularList
from gateway.requests import Rule
from gateway.settings import Settings
from gateway.shop.live_shop import LiveShop
from recsys import watched_file
from recsys.errors import DataError, StoreUnavailableError
from recsys.v1.reranker_service_pb2 import RerankRequest

GOOD = """
rules:
  - {name: summer sale, category: Garden, boost: 1.5}
  - {name: gift card first, item_id: GIFT, pin_position: 1}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rules.yml"


def test_rules_are_read_in_the_order_of_the_file(path: Path) -> None:
    path.write_text(GOOD)

    assert rules.read(path) == (
        Rule(name="summer sale", category="Garden", boost=1.5),
        Rule(name="gift card first", item_id="GIFT", pin_position=1),
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("rules: [{name: x, category: a, boost: 0}]", "rules.0.boost: Input should be greater than 0, found 0"),
        ("rules: [{name: x, category: a, boost: 2}, {name: y}]", "rules.1: give one of category"),
        (
            "rules: [{name: x, category: a, boots: 2}]",
            "rules.0.boots: expected one of name, category, item_id, boost, pin_position, found 'boots'",
        ),
        ("rules: [{name: x, item_id: 7, boost: 2}]", "rules.0.item_id: Input should be a valid string, found 7"),
        ("rule: []", "rules: expected a value, found none"),
        ("- 1", "the whole file: expected keys with values, found [1]"),
        ("", "the whole file: expected keys with values, found None"),
        ("rules: [", "line 1: expected YAML, found: "),
    ],
)
def test_a_wrong_file_is_refused_by_file_and_key(path: Path, text: str, says: str) -> None:
    path.write_text(text)

    with pytest.raises(DataError) as caught:
        rules.read(path)

    assert str(caught.value).startswith(f"{path}: {says}")


def test_a_file_that_is_not_there_is_named(path: Path) -> None:
    with pytest.raises(DataError, match=r"rules\.yml: cannot be read: No such file or directory"):
        rules.read(path)


@pytest.mark.anyio
async def test_the_shops_rules_come_before_the_callers(app: FastAPI, path: Path, received: list[Message]) -> None:
    path.write_text(GOOD)
    settings: Settings = app.state.parts.settings
    with_rules = create_app(
        settings,
        app.state.parts.clients,
        app.state.parts.live,
        guard=app.state.access,
        metrics=GatewayMetrics(),
        popular=PopularList(),
        rules=rules.ShopRules(path),
    )

    async with httpx.AsyncClient(transport=httpx.ASGITransport(with_rules), base_url="http://gateway") as client:
        body = {"rules": [{"name": "mine", "category": "Home", "boost": 2}]}
        assert (await client.post("/v1/recommendations", json=body)).status_code == 200
        assert (await client.get("/v1/users/7/recommendations")).status_code == 200

    of_post, of_get = [request for request in received if isinstance(request, RerankRequest)]
    assert [rule.name for rule in of_post.rules] == ["summer sale", "gift card first", "mine"]
    assert [rule.name for rule in of_get.rules] == ["summer sale", "gift card first"]


async def turns() -> None:
    """The loop that follows the file has looked at it."""
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.mark.anyio
async def test_rules_are_read_again_when_the_file_changes_and_a_bad_file_changes_nothing(
    path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched_file, "LOOK_EVERY_S", 0.0)
    path.write_text(GOOD)
    shop = rules.ShopRules(path)
    following = asyncio.create_task(shop.follow_file())
    assert [rule.name for rule in shop.on_the_wire] == ["summer sale", "gift card first"]
    path.write_text("rules:\n  - {name: only one, item_id: GIFT, pin_position: 1}\n")
    await turns()
    assert [rule.name for rule in shop.on_the_wire] == ["only one"]
    path.write_text("rules: nothing like it\n")
    await turns()
    following.cancel()
    assert [rule.name for rule in shop.on_the_wire] == ["only one"]
    assert "what it said before stays" in caplog.text


@pytest.fixture
def shop(path: Path) -> rules.ShopRules:
    """The rules of the file."""
    path.write_text(GOOD)
    return rules.ShopRules(path)


@pytest.fixture
def with_rules(app: FastAPI, shop: rules.ShopRules) -> FastAPI:
    """The application with the file of rules."""
    return create_app(
        app.state.parts.settings,
        app.state.parts.clients,
        app.state.parts.live,
        guard=app.state.access,
        metrics=GatewayMetrics(),
        popular=PopularList(),
        rules=shop,
    )


def client_of(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway")


def names(shop: rules.ShopRules) -> list[str]:
    return [rule.name for rule in shop.on_the_wire]


NEW = {"rules": [{"name": "Größe", "category": "Home: & Garden", "boost": 1.5}]}


@pytest.mark.anyio
async def test_rules_that_are_put_are_in_the_next_list_and_the_file_stays_as_it_is(
    with_rules: FastAPI, path: Path, received: list[Message]
) -> None:
    async with client_of(with_rules) as client:
        before = (await client.get("/v1/rules")).json()["rules"]
        assert [rule["name"] for rule in before] == ["summer sale", "gift card first"]
        answer = await client.put("/v1/rules", json=NEW)
        assert answer.status_code == 200
        assert (await client.get("/v1/rules")).json() == answer.json()
        assert (await client.get("/v1/users/7/recommendations")).status_code == 200

    assert path.read_text() == GOOD
    [asked] = [request for request in received if isinstance(request, RerankRequest)]
    assert [rule.name for rule in asked.rules] == ["Größe"]


@pytest.mark.anyio
async def test_another_gateway_and_one_that_starts_later_go_by_what_was_put(
    with_rules: FastAPI, path: Path, live: LiveShop
) -> None:
    assert live.store is not None
    other = rules.ShopRules(path)
    await other.refresh(live.store)
    assert names(other) == ["summer sale", "gift card first"]

    async with client_of(with_rules) as client:
        await client.put("/v1/rules", json=NEW)
    await other.refresh(live.store)

    assert names(other) == ["Größe"]


@pytest.mark.anyio
async def test_all_rules_can_be_taken_away(with_rules: FastAPI, shop: rules.ShopRules, live: LiveShop) -> None:
    assert live.store is not None
    async with client_of(with_rules) as client:
        assert (await client.put("/v1/rules", json={"rules": []})).json() == {"rules": []}
    await shop.refresh(live.store)
    assert names(shop) == []


@pytest.mark.anyio
async def test_an_edit_of_the_file_overrules_what_was_put_before(
    path: Path, live: LiveShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched_file, "LOOK_EVERY_S", 0.0)
    assert live.store is not None
    path.write_text(GOOD)
    shop = rules.ShopRules(path)
    await shop.save([Rule(name="put", category="a", boost=2.0)], live.store)
    following = asyncio.create_task(shop.follow_file())
    path.write_text(f"# a remark changes no rule{GOOD}")
    await turns()
    assert names(shop) == ["put"]
    path.write_text("rules: [{name: edited, category: a, boost: 3}]")
    await turns()
    following.cancel()

    await shop.refresh(live.store)
    assert names(shop) == ["edited"]
    await shop.save([], live.store)
    await shop.refresh(live.store)
    assert names(shop) == []


@pytest.mark.anyio
async def test_while_the_store_is_unavailable_nothing_is_put_and_what_holds_stays(
    with_rules: FastAPI, live: LiveShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unavailable(*_: object) -> None:
        raise StoreUnavailableError("gone")

    assert live.store is not None
    monkeypatch.setattr(live.store, "write_text", unavailable)
    async with client_of(with_rules) as client:
        assert (await client.put("/v1/rules", json=NEW)).status_code == 503
        held = (await client.get("/v1/rules")).json()["rules"]
    assert [rule["name"] for rule in held] == ["summer sale", "gift card first"]


@pytest.mark.anyio
async def test_a_wrong_rule_is_refused(with_rules: FastAPI, shop: rules.ShopRules) -> None:
    async with client_of(with_rules) as client:
        answer = await client.put("/v1/rules", json={"rules": [{"name": "x", "category": "a"}]})
    assert answer.status_code == 422
    assert names(shop) == ["summer sale", "gift card first"]


@pytest.mark.anyio
async def test_without_a_file_there_are_no_rules_until_some_are_put(app: FastAPI) -> None:
    async with client_of(app) as client:
        assert (await client.get("/v1/rules")).json() == {"rules": []}
        assert (await client.put("/v1/rules", json=NEW)).status_code == 200
        assert (await client.get("/v1/rules")).json()["rules"][0]["name"] == "Größe"
