"""The lists that the API serves, on a small shop with tastes: worth their price, and the trainer's own."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from benchmarks.served_recall import METRICS, Comparison, compare
from benchmarks.shop_source import Source
from candidate_gen.sources import SourceCounts
from gateway.settings import Settings
from recsys.ranking_features import CATEGORY_FEATURES, LIST_FEATURES, PRICE_FEATURES, USER_FEATURES
from trainer.choosing import blending

USERS, ITEMS, GROUPS, DAYS, EVENTS = 400, 300, 10, 150, 12_000
FIRST = datetime(2025, 1, 1, tzinfo=UTC)


def shop_with_tastes() -> pl.DataFrame:
    """Every user likes two of ten groups of items and takes four of five items from there; every group has its hits."""
    rng = np.random.default_rng(7)
    user = rng.integers(USERS, size=EVENTS)
    likes = rng.integers(GROUPS, size=(USERS, 2))
    liked = likes[user, rng.integers(2, size=EVENTS)]
    group = np.where(rng.random(EVENTS) < 0.8, liked, rng.integers(GROUPS, size=EVENTS))
    place_in_group = (ITEMS // GROUPS * rng.random(EVENTS) ** 2).astype(int)
    seconds = np.sort(rng.integers(DAYS * 86_400, size=EVENTS))
    return pl.DataFrame(
        {
            "user_id": [f"u{number:05}" for number in user],
            "item_id": [f"{number:04}" for number in group + GROUPS * place_in_group],
            "event_type": "purchase",
            "timestamp": [FIRST + timedelta(seconds=second) for second in seconds.tolist()],
        }
    )


def shop_with_an_order() -> pl.DataFrame:
    """The same, but three of four items are the one that follows the user's last in the order of their group."""
    rng = np.random.default_rng(11)
    last = rng.integers(ITEMS, size=USERS)
    rows = []
    for at, user in enumerate(rng.integers(USERS, size=EVENTS).tolist()):
        follows = rng.random() < 0.75
        last[user] = (last[user] + GROUPS) % ITEMS if follows else rng.integers(ITEMS)
        moment = FIRST + timedelta(days=DAYS * at / EVENTS)
        rows.append((f"u{user:05}", f"{last[user]:04}", "purchase", moment))
    return pl.DataFrame(rows, schema=["user_id", "item_id", "event_type", "timestamp"], orient="row")


def shop_with_short_fashions() -> pl.DataFrame:
    """Every item is bought for three days, beginning on a day of its own; half of all events are of such items.

    The others are bought evenly, and what is new says nothing of itself: an item has an event long before its days.
    """
    rng = np.random.default_rng(13)
    day = DAYS * np.sort(rng.random(EVENTS))
    begins = rng.permutation(ITEMS) * (DAYS / ITEMS)
    in_fashion = [np.flatnonzero((begins <= one) & (one < begins + 3)) for one in np.arange(DAYS)]
    rows = [("u00000", f"{item:04}", "purchase", FIRST) for item in range(ITEMS)]
    for moment, user in zip(day.tolist(), rng.integers(1, USERS, size=EVENTS).tolist(), strict=True):
        now = in_fashion[int(moment)]
        item = int(rng.choice(now)) if len(now) and rng.random() < 0.5 else int(rng.integers(ITEMS))
        rows.append((f"u{user:05}", f"{item:04}", "purchase", FIRST + timedelta(days=moment)))
    return pl.DataFrame(rows, schema=["user_id", "item_id", "event_type", "timestamp"], orient="row")


def shop_of_novelties() -> pl.DataFrame:
    """Half of all purchases are to the user's tastes; items come one after the other, and a new one is bought most.

    All have come before the window that judges: the trainer has no score for an item without events.
    """
    rng = np.random.default_rng(13)
    user = rng.integers(USERS, size=EVENTS)
    likes = rng.integers(GROUPS, size=(USERS, 2))
    liked = likes[user, rng.integers(2, size=EVENTS)]
    group = np.where(rng.random(EVENTS) < 0.5, liked, rng.integers(GROUPS, size=EVENTS))
    share = np.arange(EVENTS) / EVENTS
    newest = np.minimum(share / 0.75 * (ITEMS // GROUPS), ITEMS // GROUPS - 1).astype(int)  # of each group
    place_in_group = np.maximum(newest - rng.exponential(4, size=EVENTS).astype(int), 0)
    return pl.DataFrame(
        {
            "user_id": [f"u{number:05}" for number in user],
            "item_id": [f"{number:04}" for number in group + GROUPS * place_in_group],
            "event_type": "purchase",
            "timestamp": [FIRST + timedelta(days=DAYS * at) for at in share.tolist()],
        }
    )


def catalogue(*, never_sold: int) -> pl.DataFrame:
    """The hits of the first three groups are sold out, and some items were never sold."""
    numbers = range(ITEMS + never_sold)
    return pl.DataFrame(
        {"item_id": [f"{number:04}" for number in numbers], "available": [number >= 3 for number in numbers]}
    )


def compared(
    events: pl.DataFrame, folder: Path, *, never_sold: int = 10, items: pl.DataFrame | None = None
) -> Comparison:
    events.write_parquet(folder / "events.parquet")
    items = catalogue(never_sold=never_sold) if items is None else items
    items.write_parquet(folder / "items.parquet")
    return compare(Source(events=folder / "events.parquet", catalogue=folder / "items.parquet"), folder)


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    return compared(shop_with_tastes(), tmp_path_factory.mktemp("served"))


def test_served_lists_recall_a_third_more_than_popular_items(comparison: Comparison) -> None:
    assert comparison.ratio_to_popularity() >= 1.3, comparison.render()


def test_a_served_list_is_the_list_that_the_trainer_ranks(comparison: Comparison) -> None:
    assert comparison.same_list.mean() >= 0.99, comparison.render()


def test_the_api_and_the_trainer_agree_on_every_figure_of_popular_items(comparison: Comparison) -> None:
    for metric in METRICS:
        np.testing.assert_array_equal(
            comparison.served_popular.per_user[metric], comparison.offline_popular.per_user[metric]
        )


def test_where_the_order_decides_what_comes_next_is_served_as_the_trainer_ranks_it(tmp_path: Path) -> None:
    ordered = compared(shop_with_an_order(), tmp_path)
    assert ordered.blend.info.transitions > 0, ordered.render()
    assert ordered.same_list.mean() >= 0.99, ordered.render()
    assert ordered.ratio_to_popularity() >= 2, ordered.render()


def test_what_a_ranker_learned_is_served_as_the_trainer_ranks_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAINER_LEARNED_RANKER", "true")
    number = pl.col("item_id").cast(pl.Int64)
    items = catalogue(never_sold=10).with_columns(category=number % 7, price=1.0 + number % 13)
    ranked = compared(shop_with_short_fashions(), tmp_path, items=items.cast({"category": pl.String}))
    assert ranked.blend.ranker is not None, ranked.render()
    of_user = set(ranked.blend.ranker.info.features) - set(LIST_FEATURES)
    assert of_user == {*CATEGORY_FEATURES, *PRICE_FEATURES, *USER_FEATURES}
    assert ranked.same_list.mean() >= 0.99, ranked.render()


def test_where_newness_counts_it_is_served_as_the_trainer_ranks_it(tmp_path: Path) -> None:
    new = compared(shop_of_novelties(), tmp_path)
    assert new.blend.info.recency > 0, new.render()
    assert new.blend.info.transitions == 0, new.render()  # popular items are candidates, whatever counts
    assert new.same_list.mean() >= 0.99, new.render()


def test_the_trainer_ranks_as_many_candidates_of_each_source_as_are_proposed() -> None:
    proposed = SourceCounts()
    assert (proposed.transitions, proposed.popular) == (blending.TRANSITIONS, blending.POPULAR)
    assert Settings.model_fields["candidates"].default == blending.CANDIDATES
