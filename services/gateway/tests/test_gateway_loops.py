"""An exception that nobody foresaw ends none of the gateway's background loops."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fastapi import FastAPI
from waiting import WITHIN_S

from gateway import api_keys
from gateway.api_keys import ApiKeys
from gateway.http import access
from gateway.lists import popular_list
from gateway.lists.popular_list import PopularList
from gateway.settings import Settings
from gateway.shop import live_shop
from recsys import background
from recsys.feature_store.follower import Following

pytestmark = pytest.mark.anyio


@contextmanager
def faults(owner: type, method: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[asyncio.Event]:
    """The method raises once what nobody expects; the event is set when it is called again."""
    original: Callable[..., object] = getattr(owner, method)
    again = asyncio.Event()
    calls = 0

    def once_faulty(*arguments: object, **named: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ZeroDivisionError("a bug")
        again.set()
        return original(*arguments, **named)

    monkeypatch.setattr(owner, method, once_faulty)
    yield again


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background.Pauses, "after", lambda *_: 0.0)
    monkeypatch.setattr(api_keys, "LOOK_EVERY_S", 0.0)


async def test_the_watch_of_the_keys_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "keys.yaml"
    path.write_text(f"keys: [{{name: a, sha256: {'a' * 64}, scopes: [read]}}]")
    with faults(ApiKeys, "refresh", monkeypatch) as again:
        async with access.guard(Settings(api_keys_file=path)):
            await asyncio.wait_for(again.wait(), WITHIN_S)


async def test_the_static_list_is_learned_on(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    with faults(PopularList, "learn", monkeypatch) as again:
        async with popular_list.popular_list(app.state.parts.clients, file=None):
            await asyncio.wait_for(again.wait(), WITHIN_S)


@pytest.mark.parametrize(
    ("owner", "method"),
    [(live_shop.Experiments, "refresh"), (live_shop.ExposureLog, "run"), (Following, "_read_items")],
)
async def test_what_is_followed_from_the_store_is_followed_on(
    owner: type, method: str, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def not_yet(*_: object) -> None:
        return None

    monkeypatch.setattr(live_shop, "_first_look", not_yet)
    with faults(owner, method, monkeypatch) as again:
        async with live_shop.go_live(Settings(feature_store_url=store_url)):
            await asyncio.wait_for(again.wait(), WITHIN_S)
