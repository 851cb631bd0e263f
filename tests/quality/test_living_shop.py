"""The shop that `make benchmark-serving` measures lives, in its store and in its lists."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from benchmarks import serving_lists, serving_shops, serving_systems, serving_volume
from benchmarks.serving_shops import MOST_EVENTS, Shop
from recsys.feature_store.interface import Event, TrendingItem
from recsys.feature_store.opening import open_store
from recsys.shop.item import ItemRecord

ITEMS, USERS = 2_000, 1_000


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return serving_shops.living(n_items=ITEMS, n_users=USERS, folder=tmp_path_factory.mktemp("bench"))


async def in_store(path: Path) -> tuple[list[ItemRecord], list[Event], list[TrendingItem]]:
    store = open_store(f"sqlite://{path}")
    try:
        records = await store.item_changes(after_sequence=0, limit=ITEMS)
        entries = await store.read_stream(after_sequence=0, limit=10 * USERS)
        trending = await store.trending(limit=ITEMS, now_ms=max(each.entry.unix_ms for each in entries))
    finally:
        await store.close()
    return records, [each.entry for each in entries], trending


def test_the_store_of_the_living_shop_holds_what_happened_since_the_training(shop: Shop) -> None:
    records, events, trending = asyncio.run(in_store(shop.store))
    off_sale = [each for each in records if each.fields.get("available") is False]
    new = {each.item_id for each in records if each.makes_item}
    counts = Counter(each.subject.id for each in events)
    new_users = [user for user in counts if user >= serving_volume.user_id(USERS)]

    assert len(off_sale) == 60  # 3 %
    assert len(new) == 20  # 1 %
    assert len(counts) == 100  # a tenth
    assert len(new_users) == 5
    assert min(counts.values()) >= 1
    assert 40 < max(counts.values()) <= MOST_EVENTS
    assert any(each.item_id in new for each in events)
    assert any(each.item_id.startswith("nobody-knows") for each in events)
    assert len(trending) > 100
    assert shop.requests.users == USERS + 5


def test_lists_of_the_living_shop_show_what_lives(shop: Shop) -> None:
    with serving_systems.our_code_in_one_process(shop) as target:
        found = serving_lists.shares(target.url, shop, lists=300)

    assert found["arm control"] == pytest.approx(0.5, abs=0.1)
    assert found["arm popular"] == pytest.approx(0.5, abs=0.1)
    assert found["vector folded_in"] == pytest.approx(0.1, abs=0.05)
    assert found["with an item of trending"] > 0
    assert found["with an item of new"] > 0
    assert found["with the pinned item in its place"] > 0.9


def test_nothing_lives_in_the_plain_shop(shop: Shop) -> None:
    plain = serving_shops.plain(n_items=ITEMS, n_users=USERS, folder=shop.volume.parent)
    with serving_systems.our_code_in_one_process(plain) as target:
        found = serving_lists.shares(target.url, plain, lists=50)

    assert found["vector trained"] == 1
    assert not {name for name in found if name.startswith("arm") or name.endswith(("trending", "new", "place"))}
