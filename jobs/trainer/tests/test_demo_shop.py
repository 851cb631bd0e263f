"""The demo shop is the same everywhere, believable, and neither trivial nor hopeless to predict."""

import hashlib
from pathlib import Path

import numpy as np
import polars as pl
import polars.selectors as cs
import pytest

from recsys.errors import DataError
from trainer.choosing import recipe as recipes
from trainer.choosing.default_recipes import default_recipes
from trainer.evaluation.full_ranking import evaluate
from trainer.evaluation.metrics import gini
from trainer.evaluation.windows import rolling
from trainer.models.baselines import popularity
from trainer.shop_data import demo_shop, event_files, item_table
from trainer.shop_data.mapping import ColumnMapping

USERS, ITEMS = 800, 400
Shop = tuple[pl.DataFrame, pl.DataFrame]


@pytest.fixture(scope="module")
def shop() -> Shop:
    return demo_shop.generate(users=USERS, items=ITEMS)


def test_the_same_seed_gives_the_same_shop_and_another_seed_another(shop: Shop) -> None:
    again, other = (demo_shop.generate(seed=seed, users=USERS, items=ITEMS) for seed in (0, 1))
    assert again[0].equals(shop[0])
    assert again[1].equals(shop[1])
    assert not other[0].equals(shop[0])


def test_a_seed_gives_the_same_bytes_on_every_machine() -> None:
    tables = demo_shop.generate(seed=7, users=50, items=60, days=90)
    digests = [hashlib.sha256(table.write_csv().encode()).hexdigest()[:16] for table in tables]
    assert digests == ["3584561db9a6a905", "71562c33db75217c"]  # also with numpy's vector instructions switched off


def test_the_tables_have_the_columns_of_a_loaded_shop(shop: Shop) -> None:
    assert shop[0].schema == event_files.SCHEMA
    assert shop[1].drop(cs.starts_with("attr:")).schema == item_table.SCHEMA
    assert shop[0]["timestamp"].is_sorted()
    assert shop[1]["item_id"].is_sorted()
    assert set(shop[0]["item_id"]) <= set(shop[1]["item_id"])


def test_each_step_of_the_funnel_is_narrower_than_the_one_before(shop: Shop) -> None:
    counts = dict(shop[0].group_by(pl.col("event_type").cast(pl.String)).len().iter_rows())
    assert counts["view"] > 2 * counts["cart"] > 2 * counts["purchase"] > 0


def test_a_few_items_take_much_of_the_demand(shop: Shop) -> None:
    counts = shop[1].join(shop[0].group_by("item_id").len(), on="item_id", how="left")["len"].fill_null(0)
    assert 0.35 < gini(counts.to_numpy().astype(np.int64)) < 0.9


def test_discontinued_items_are_not_bought_in_the_end(shop: Shop) -> None:
    frame, items = shop
    gone = items.filter(~pl.col("available"))["item_id"]
    last_day = frame.filter(pl.col("timestamp") > frame["timestamp"].max() - pl.duration(days=1))
    assert len(gone) > 10
    assert not set(last_day["item_id"]) & set(gone)


def test_titles_tell_items_apart(shop: Shop) -> None:
    assert shop[1]["title"].is_unique().all()
    assert (shop[1]["price"] > 0).all()


def test_every_item_has_the_material_and_the_style_that_its_title_names(shop: Shop) -> None:
    told = shop[1].select("title", "attr:material", "attr:style").rows()
    assert all(title.startswith(f"{style} {material} ") for title, material, style in told)


def test_a_personal_model_beats_popularity_by_a_wide_margin_but_does_not_know_everything(shop: Shop) -> None:
    window = rolling(shop[0], weights=ColumnMapping().event_weights, windows=1)[0]
    recent = window.train.recent_users(recipes.recent_since(window.train, 30))
    popular = evaluate(popularity(recent, n_users=len(window.train.user_ids)), window, ks=(20,)).mean("recall@20")
    recipe = default_recipes(window.train)[0].model_copy(update={"recency_strength": 1.0})
    personal = evaluate(recipes.fit(recipe, window.train, recent_days=30, seed=0), window, ks=(20,)).mean("recall@20")
    assert personal > 1.5 * popular
    assert personal < 0.6


def test_a_full_disk_is_an_error_that_names_the_file(
    tmp_path: Path, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise pl.exceptions.ComputeError("No space left on device")

    monkeypatch.setattr(demo_shop, "generate", lambda **_: shop)
    monkeypatch.setattr(pl.DataFrame, "write_parquet", full)
    with pytest.raises(DataError, match=r"events\.parquet: cannot be written: No space left"):
        demo_shop.write(tmp_path)
