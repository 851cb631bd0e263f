"""A run publishes what is bought together and says how much of a basket it finds, where items come in pairs."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from two_tastes import START, two_tastes

from recsys.artifact import layout
from recsys.artifact.reader import Artifact, open_artifact
from trainer import pipeline
from trainer.choosing import baskets
from trainer.choosing.recipe import ALSRecipe, PopularityRecipe, Recipe
from trainer.evaluation import basket_completion, windows
from trainer.evaluation.basket_completion import HeldOutBaskets
from trainer.evaluation.split import Split
from trainer.models import bought_together
from trainer.models.als import ALSSettings
from trainer.report import table
from trainer.report.table import BasketsRow
from trainer.settings import Settings
from trainer.shop_data.shop import Shop

GOOD = ALSRecipe(settings=ALSSettings(dim=2))


def shop_of_pairs() -> Shop:
    """Whoever of the two tastes buys item i buys the one of the other taste beside it too, a minute later."""
    shop = two_tastes()
    number = pl.col("item_id").str.slice(1).cast(pl.Int32)
    partner = pl.format("i{}", (number + 1 - 2 * (number % 2)).cast(pl.String).str.zfill(3))
    beside = shop.events.with_columns(item_id=partner, timestamp=pl.col("timestamp") + timedelta(minutes=1))
    # none a minute before midnight, where the day would be another one
    events = pl.concat([shop.events, beside]).with_columns(pl.col("timestamp").dt.truncate("1d"))
    return replace(shop, events=events.sort("timestamp"))


def once_a_day(shop: Shop) -> Shop:
    """Nobody buys two items on one day."""
    day = pl.col("timestamp").dt.date()
    return replace(shop, events=shop.events.unique(["user_id", day], keep="first", maintain_order=True))


def settings(volume: Path) -> Settings:
    return Settings(artifact_dir=volume, horizon_days=30)


def trained(volume: Path, shop: Shop, recipe: Recipe = GOOD) -> tuple[Artifact, dict]:
    """The version, and what its report says of baskets."""
    outcome = pipeline.train(shop, settings=settings(volume), recipe=recipe, force=True)
    report = json.loads(outcome.report.with_suffix(".json").read_text()) if outcome.report else {}
    return open_artifact(layout.version_dir(volume, outcome.version)), report.get("bought_together")


def newest_window(shop: Shop, volume: Path) -> Split:
    return windows.held_out(shop.events, weights=shop.weights, settings=settings(volume), most=1)[-1]


def test_a_run_publishes_which_items_share_their_baskets(tmp_path: Path) -> None:
    artifact, _ = trained(tmp_path, shop_of_pairs())
    assert artifact.bought_together is not None
    assert artifact.manifest.bought_together == artifact.bought_together.info
    firsts = [int(artifact.bought_together.of(row)[0][0]) for row in range(len(artifact.items))]
    assert firsts == [row + 1 - 2 * (row % 2) for row in range(len(artifact.items))]


def test_a_shop_where_nobody_buys_two_items_on_a_day_has_none(tmp_path: Path) -> None:
    artifact, reported = trained(tmp_path, once_a_day(two_tastes()))
    assert artifact.bought_together is None
    assert reported is None


def test_where_events_have_no_times_nothing_is_a_basket(tmp_path: Path) -> None:
    shop = two_tastes()
    at_once = shop.events.with_columns(timestamp=pl.lit(START).dt.cast_time_unit("us"))
    assert baskets.fit(at_once, shop.catalogue["item_id"].to_list(), None) is None
    assert baskets.fit(at_once.head(0), [], None) is None


def test_what_is_only_looked_at_is_in_no_basket() -> None:
    shop = shop_of_pairs()
    views = shop.events.with_columns(event_type=pl.lit("view"))
    assert baskets.fit(views, shop.catalogue["item_id"].to_list(), None) is None


def test_a_shop_with_too_few_events_to_choose_by_has_the_first_setting(tmp_path: Path) -> None:
    shop = shop_of_pairs()
    few = replace(shop, events=shop.events.head(60))
    artifact, reported = trained(tmp_path, few)
    assert artifact.manifest.bought_together == bought_together.WORTH_TRYING[0]
    assert reported is None


def test_the_report_has_its_measure_beside_similar_items(tmp_path: Path) -> None:
    _, reported = trained(tmp_path, shop_of_pairs())
    assert list(reported["recall"]) == list(baskets.LISTS)
    together, similar = (reported["recall"][name] for name in (baskets.TOGETHER, baskets.SIMILAR))
    assert together["low"] <= together["value"] <= together["high"]
    assert together["value"] > 0.9
    assert reported["gain"]["value"] == pytest.approx(together["value"] - similar["value"])
    assert reported["counted"].keys() == {"user_exponent", "target_exponent", "shrinkage"}
    assert reported["baskets"] >= reported["buyers"] > 10


def test_a_model_without_embeddings_is_compared_with_popular_items(tmp_path: Path) -> None:
    _, reported = trained(tmp_path, shop_of_pairs(), PopularityRecipe())
    assert list(reported["recall"]) == [baskets.POPULAR, baskets.TOGETHER]
    assert reported["gain"]["value"] > 0.5


def test_evaluations_have_a_table_of_each_window_with_baskets(tmp_path: Path) -> None:
    shop = shop_of_pairs()
    held_out = windows.held_out(shop.events, weights=shop.weights, settings=settings(tmp_path), most=2)
    found = baskets.of_windows(shop.events, held_out, settings=settings(tmp_path))
    assert list(found) == [window.cut for window in held_out]
    told = list(table.tables(held_out, GOOD, of_baskets=found, settings=settings(tmp_path)))
    rows = [one for one in told if isinstance(one, BasketsRow)]
    assert [row.judged.cut for row in rows] == list(found)
    assert rows[0].line().startswith(f"| {held_out[0].cut:%Y-%m-%d} | {rows[0].judged.baskets} |")
    assert rows[0].line().count("|") == table.BASKETS_HEADER.splitlines()[0].count("|")
    [of_program, _] = [each for each in table.as_json(told) if each["of"] == "bought_together"]
    assert of_program["rows"][0]["recall@10"][baskets.TOGETHER]["value"] > 0.9
    json.dumps(of_program, allow_nan=False)


def test_a_window_is_judged_by_its_own_baskets_alone(tmp_path: Path) -> None:
    shop = shop_of_pairs()
    window = newest_window(shop, tmp_path)
    assert isinstance(window.cut, datetime)
    later = baskets.of_window(shop.events, window, settings=settings(tmp_path))
    until = baskets.of_window(shop.events, window, until=window.cut + timedelta(days=5), settings=settings(tmp_path))
    none = baskets.of_window(shop.events, window, until=window.cut, settings=settings(tmp_path))
    assert later is not None
    assert until is not None
    assert len(until.held.items) < len(later.held.items)
    np.testing.assert_array_equal(until.together, later.together)
    assert none is None


def test_an_event_long_after_all_others_leaves_baskets_to_choose_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = shop_of_pairs()
    window = newest_window(shop, tmp_path)
    chosen_by: list[int] = []
    choose = basket_completion.choose
    monkeypatch.setattr(
        basket_completion, "choose", lambda before, held: chosen_by.append(len(held.items)) or choose(before, held)
    )
    late = shop.events.tail(1).with_columns(pl.col("timestamp") + timedelta(days=800))
    for frame in (shop.events, pl.concat([shop.events, late])):
        assert baskets.of_window(frame, window, settings=settings(tmp_path)) is not None
    assert chosen_by[0] == chosen_by[1] > 0


def test_of_very_many_baskets_the_newest_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = shop_of_pairs()
    of_baskets = bought_together.baskets(shop.events, shop.catalogue["item_id"].to_list())
    assert bought_together.newest(of_baskets) is of_baskets
    monkeypatch.setattr(bought_together, "_MOST_PAIRS", 400)
    newest = bought_together.newest(of_baskets)
    assert 300 < (np.diff(newest.weights.indptr) ** 2).sum() <= 400
    assert newest.last_seen.min() >= np.sort(of_baskets.last_seen)[-len(newest.last_seen) :].min()


def test_of_very_many_held_out_baskets_a_sample_judges(monkeypatch: pytest.MonkeyPatch) -> None:
    held = HeldOutBaskets([np.array([at, at + 1], np.int32) for at in range(50)], [f"u{at}" for at in range(50)])
    assert held.sampled(seed=1) is held
    monkeypatch.setattr(basket_completion, "_MOST_BASKETS", 20)
    sampled = held.sampled(seed=1)
    assert len(set(sampled.buyers)) == 20
    assert [f"u{rows[0]}" for rows in sampled.items] == sampled.buyers
    assert sampled.buyers == held.sampled(seed=1).buyers
