"""Where held-out windows begin: by the bulk of the events, and early enough that somebody is judged."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from small_shops import aged_shop, small_shop, ten_users

from trainer.evaluation.split import Split
from trainer.evaluation.windows import ENOUGH_USERS, held_out, to_choose_and_judge
from trainer.settings import Settings
from trainer.shop_data import interactions


def windows_of(events: pl.DataFrame, weights: dict[str, float]) -> list[Split]:
    return held_out(events, weights=weights, settings=Settings())


def days(parts: Split, events: pl.DataFrame) -> float:
    """From the window's beginning to the last event."""
    last = events["timestamp"].max()
    assert isinstance(last, datetime)
    assert parts.cut is not None
    return (last - parts.cut) / timedelta(days=1)


@pytest.mark.parametrize("moment", [datetime(1970, 1, 1, tzinfo=UTC), datetime(1905, 1, 1, tzinfo=UTC)])
def test_one_event_of_long_ago_changes_no_window(moment: datetime) -> None:
    shop = small_shop(n_users=100, n_events=2_000)
    wild = shop.events.head(1).with_columns(timestamp=pl.lit(moment).cast(shop.events.schema["timestamp"]))
    before = windows_of(shop.events, shop.weights)
    after = windows_of(pl.concat([wild, shop.events]), shop.weights)
    assert [parts.judged_users for parts in after] == pytest.approx([parts.judged_users for parts in before], abs=1)
    assert days(after[-1], shop.events) == pytest.approx(days(before[-1], shop.events), rel=0.02)


def test_a_few_events_of_today_do_not_starve_the_window_of_a_shop_whose_data_ended_long_ago() -> None:
    shop = aged_shop()
    window = windows_of(shop.events, shop.weights)[-1]
    old = windows_of(small_shop().events, shop.weights)[-1]
    assert window.judged_users >= 0.95 * old.judged_users


def test_a_window_reaches_back_until_enough_users_judge() -> None:
    shop = small_shop(n_users=2_000, n_events=6_000)
    few = shop.events.filter(pl.col("user_id").str.slice(1).cast(pl.Int64) < 45)
    settings = Settings(horizon_days=1)
    window = held_out(few, weights=shop.weights, settings=settings)[-1]
    short = held_out(shop.events, weights=shop.weights, settings=settings)[-1]
    assert days(short, shop.events) == pytest.approx(1, abs=0.01)  # enough there: as long as asked for
    assert short.judged_users >= ENOUGH_USERS
    assert days(window, few) > 2


def test_a_window_takes_no_more_than_half_of_the_events_to_find_users() -> None:
    shop = ten_users()
    window = windows_of(shop.events, shop.weights)[-1]
    assert 0 < window.judged_users < ENOUGH_USERS
    assert np.isclose(shop.events.filter(pl.col("timestamp") < window.cut).height, shop.events.height / 2, atol=1)


def test_no_event_holds_nothing_out() -> None:
    shop = ten_users()
    assert windows_of(shop.events.head(0), shop.weights) == []
    assert to_choose_and_judge(shop.events.head(0), weights=shop.weights, settings=Settings()) == []


@pytest.mark.parametrize("hold", [held_out, to_choose_and_judge])
def test_events_of_one_moment_hold_out_pairs_at_random_and_choose_by_none_that_judges(
    hold: Callable[..., list[Split]],
) -> None:
    shop = small_shop()
    at_once = shop.events.with_columns(timestamp=pl.lit(shop.events["timestamp"][0]))
    live = shop.events.tail(20).with_columns(timestamp=pl.col("timestamp").dt.offset_by("1y"))
    for events in (at_once, pl.concat([at_once, live])):
        before, judged = hold(events, weights=shop.weights, settings=Settings())
        everything = interactions.build(events, weights=shop.weights).weights
        assert judged.train.weights.nnz + judged.test.nnz == everything.nnz
        assert judged.test.nnz == pytest.approx(0.2 * everything.nnz, rel=0.02)
        assert before.train.weights.nnz + before.test.nnz == judged.train.weights.nnz
        assert before.test.multiply(judged.test).nnz == 0
        assert min(before.judged_users, judged.judged_users) > 700


def test_pairs_without_times_of_too_few_items_hold_nothing_out() -> None:
    shop = ten_users()
    single = shop.events.unique("user_id").with_columns(timestamp=pl.lit(shop.events["timestamp"][0]))
    assert windows_of(single, shop.weights) == []
